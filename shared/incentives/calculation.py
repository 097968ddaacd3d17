"""A calculation: what an employee is to be paid for a period, why, and how far its approval is (INC-40, INC-42)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.kernel.clock import to_iso
from shared.kernel.errors import Conflict


class State(StrEnum):
    """How far a calculation is."""

    DRAFT = "Draft"
    PENDING = "PendingApproval"
    APPROVED = "Approved"
    REJECTED = "Rejected"
    EXPORTED = "Exported"


class Kind(StrEnum):
    """Where a calculation comes from."""

    PLAN = "Plan"
    """Computed here, from a plan."""
    POSTED = "Posted"
    """Computed elsewhere (INC-41)."""
    AMENDMENT = "Amendment"
    """A correction of another calculation; its amount is the difference."""


class Action(StrEnum):
    """What changes a calculation's state."""

    SUBMIT = "Submit"
    APPROVE = "Approve"
    REJECT = "Reject"
    EXPORT = "Export"
    REFUSE = "Refuse"
    """By payroll: it stays approved, and goes into the next export."""
    RECALCULATE = "Recalculate"


TRANSITIONS: Mapping[Action, tuple[frozenset[State], State]] = {
    Action.RECALCULATE: (frozenset({State.DRAFT, State.REJECTED}), State.DRAFT),
    Action.SUBMIT: (frozenset({State.DRAFT, State.REJECTED}), State.PENDING),
    Action.APPROVE: (frozenset({State.PENDING}), State.APPROVED),
    Action.REJECT: (frozenset({State.PENDING}), State.REJECTED),
    Action.EXPORT: (frozenset({State.APPROVED}), State.EXPORTED),
    Action.REFUSE: (frozenset({State.APPROVED}), State.APPROVED),
}
"""Action -> the states in which it may be taken, and the one that it leads to (INC-42)."""


@dataclass(frozen=True)
class Change:
    """An entry of a calculation's audit trail."""

    at: datetime
    by: str
    action: str
    state: State
    note: str = ""


@dataclass(frozen=True)
class Calculation:
    """One calculation. Amounts in minor units of the currency; a negative one takes back what was paid."""

    calculation_id: str
    employee_id: str
    period: str
    kind: Kind
    source: str
    """What it was made from: a plan and its first day, the ID that it has elsewhere, or the ID that it amends."""
    gross_minor: int
    net_minor: int
    currency: str
    state: State = State.DRAFT
    plan_version: str = ""
    breakdown: Mapping[str, Any] = field(default_factory=dict, repr=False)
    amends: str = ""
    created_by: str = ""
    calculated_by: str = ""
    """Who started the run that computed it last; empty for what was computed elsewhere."""
    as_of: datetime | None = None
    """When what it says was written down, in whole seconds; None for what was computed here."""
    submitted_by: str = ""
    submitter_address: str = field(default="", repr=False)
    export_id: str = ""
    payroll_reason: str = ""
    """Why payroll refused it last time; it goes into the next export."""
    present_net: str = ""
    """What it would come to by the present sales, where it was submitted or is further and that is something else."""
    present_run: str = ""
    """The beginning of the run that found so (`CalculationRun.occurrence`)."""
    amount_version: int = 1
    """Counts its amounts, one after the other: A, B and A again are three."""
    history: tuple[Change, ...] = ()
    """Its audit trail: written together with each change, so that neither is without the other."""

    @property
    def is_open(self) -> bool:
        """Tell whether a recalculation may replace it (INC-40)."""
        return self.state in (State.DRAFT, State.REJECTED)

    @property
    def counts(self) -> bool:
        """Tell whether it was approved: it is paid, or will be."""
        return self.state in (State.APPROVED, State.EXPORTED)

    def after(self, action: Action, *, at: datetime, by: str, note: str = "") -> "Calculation":
        """Return the calculation after an action. Conflict when its state does not allow it."""
        allowed, state = TRANSITIONS[action]
        if self.state not in allowed:
            needed = " or ".join(sorted(allowed))
            raise Conflict(
                f"calculation {self.calculation_id} is {self.state}, to {action.lower()} it must be {needed}"
            )
        change = Change(at, by, action.value, state, note)
        return replace(self, state=state, history=(*self.history, change))

    def recalculated(self, fresh: "Calculation", *, at: datetime, by: str) -> "Calculation":
        """Return the calculation with the result of another one, and its own audit trail. Conflict as `after`."""
        same = (self.gross_minor, self.net_minor) == (fresh.gross_minor, fresh.net_minor)
        version = self.amount_version + (0 if same else 1)
        again = replace(fresh, history=self.history, state=self.state, amount_version=version)
        return again.after(Action.RECALCULATE, at=at, by=by)

    def begun(self, *, at: datetime, by: str, note: str = "") -> "Calculation":
        """Return a new calculation with the first entry of its audit trail."""
        return replace(self, created_by=by, history=(Change(at, by, "Create", self.state, note),))

    def same_result(self, other: "Calculation") -> bool:
        """Tell whether another calculation comes to the same, for the same reasons."""
        return (self.gross_minor, self.net_minor, self.currency, self.plan_version, self.breakdown) == (
            other.gross_minor,
            other.net_minor,
            other.currency,
            other.plan_version,
            other.breakdown,
        )


def history_json(history: tuple[Change, ...]) -> list[dict[str, str]]:
    """Return an audit trail as JSON."""
    return [
        {"at": to_iso(one.at), "by": one.by, "action": one.action, "state": one.state.value, "note": one.note}
        for one in history
    ]
