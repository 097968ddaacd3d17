"""Decisions of which perhaps nobody has been told yet (INC-60).

Table UntoldDecisions: partition tenant, row key an ID of its own. A row is written before the calculations that are
decided on, and removed once the message is sent: what is found after a while was left by somebody who died.
"""

import json
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from shared.incentives.calculation import Action, Calculation
from shared.kernel.clock import from_iso, to_iso
from shared.kernel.table import Row, Table


@dataclass(frozen=True)
class Decision:
    """What somebody does to calculations."""

    action: Action
    by: str
    note: str = ""

    def made(self, calculation: Calculation) -> bool:
        """Tell whether this very decision is the last thing that happened to a calculation."""
        return self.is_entry(calculation, len(calculation.history) - 1)

    def is_entry(self, calculation: Calculation, number: int) -> bool:
        """Tell whether this very decision is an entry of a calculation's audit trail, counted from 0."""
        if not 0 <= number < len(calculation.history):
            return False
        entry = calculation.history[number]
        return (entry.action, entry.by, entry.note) == (self.action.value, self.by, self.note)


@dataclass(frozen=True)
class UntoldDecision:
    """A decision on calculations of a period that was to be stored from an instant on."""

    key: str
    period: str
    decision: Decision
    ids: frozenset[str]
    since: datetime

    def as_it_was_made(self, calculation: Calculation) -> Calculation | None:
        """Return a calculation as this decision left it, whatever happened since; None when it never was stored."""
        for length in range(len(calculation.history), 0, -1):
            then = replace(calculation, history=calculation.history[:length])
            if then.history[-1].at < self.since:
                return None
            if self.decision.made(then):
                return then
        return None


class UntoldDecisions:
    """The untold decisions of one tenant."""

    def __init__(self, table: Table, tenant: str) -> None:
        """Keep the table."""
        self._table = table
        self._tenant = tenant

    def add(self, key: str, period: str, decision: Decision, ids: Collection[str], since: datetime) -> None:
        """Keep that a decision is about to be stored."""
        values = {
            "period": period,
            "action": decision.action.value,
            "by": decision.by,
            "note": decision.note,
            # A thousand IDs, as many as are decided on at once, would not fit as text.
            "ids": zlib.compress(json.dumps(sorted(ids)).encode()),
            "since": to_iso(since),
        }
        self._table.insert(self._tenant, key, values)

    def settle(self, key: str) -> None:
        """Remember that the message of a decision is sent."""
        self._table.delete(self._tenant, key)

    def before(self, instant: datetime) -> Iterator[UntoldDecision]:
        """Yield what was to be stored before an instant and is not settled."""
        found = (_untold(row) for row in self._table.query(self._tenant))
        return (one for one in found if one.since < instant)


def _untold(row: Row) -> UntoldDecision:
    values = row.values
    packed = values["ids"]
    assert isinstance(packed, bytes)
    decision = Decision(Action(str(values["action"])), str(values["by"]), str(values["note"]))
    ids = frozenset(json.loads(zlib.decompress(packed)))
    return UntoldDecision(row.key, str(values["period"]), decision, ids, from_iso(str(values["since"])))
