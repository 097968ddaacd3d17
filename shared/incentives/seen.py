"""What a caller saw of a calculation is what is decided on (INC-42; RFC 9110, 13.1.1; RFC 6585, 3)."""

import json
import re
from dataclasses import dataclass
from hashlib import sha256

from shared.incentives.calculation import Calculation
from shared.incentives.untold_decisions import Decision
from shared.kernel.clock import to_iso
from shared.kernel.errors import FieldProblem, PreconditionFailed, PreconditionRequired
from shared.kernel.money import amount_text

_MOST_CHANGES = 10
"""Entries of an audit trail that a refusal names."""
_ETAG = re.compile(r"([0-9]{1,6})-[0-9a-f]{16}")


def etag_of(calculation: Calculation) -> str:
    """Return the entity tag of a calculation, without quotes: the length of its audit trail and a digest.

    It changes with every entry of the audit trail, with the amounts, and with what the calculation would come to now.
    """
    last = calculation.history[-1] if calculation.history else None
    about = (
        calculation.calculation_id,
        calculation.state.value,
        calculation.gross_minor,
        calculation.net_minor,
        calculation.currency,
        calculation.plan_version,
        calculation.present_net,
        (to_iso(last.at), last.by, last.action, last.note) if last else None,
    )
    return f"{len(calculation.history)}-{sha256(json.dumps(about).encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class Seen:
    """What a caller saw of a calculation: entity tags, any of which may be the present one, or the net amount."""

    etags: frozenset[str] = frozenset()
    net_minor: int | None = None

    def refuse_another(self, calculation: Calculation) -> None:
        """Refuse to decide on something else than what was seen. PreconditionRequired, PreconditionFailed."""
        here = calculation.calculation_id
        if not self.etags and self.net_minor is None:
            raise PreconditionRequired(
                f"say what you saw of calculation {here}: its etag (If-Match) or its net amount (expectedNet)",
                _as_it_is(calculation),
            )
        if not self._fits(calculation):
            raise PreconditionFailed(
                f"calculation {here} is not what you saw: it is {calculation.state} and comes to "
                f"{amount_text(calculation.net_minor)}. Look at it again",
                _as_it_is(calculation) + self._changes(calculation),
            )

    def is_repeated(self, decision: Decision, calculation: Calculation) -> bool:
        """Tell whether a decision was made on what was seen already, and is asked for again: its answer was lost.

        By an entity tag the decision is found wherever it stands in the audit trail, by an amount only as its end.
        """
        was_last = decision.made(calculation)
        if not self.etags:
            return was_last and self.net_minor == calculation.net_minor
        if was_last and etag_of(calculation) in self.etags:
            return True
        return any(decision.is_entry(calculation, number) for number in map(_entries, self.etags))

    def _fits(self, calculation: Calculation) -> bool:
        by_tag = not self.etags or etag_of(calculation) in self.etags
        return by_tag and self.net_minor in (None, calculation.net_minor)

    def _changes(self, calculation: Calculation) -> tuple[FieldProblem, ...]:
        """Return what happened since the latest version that was seen."""
        number = max(map(_entries, self.etags), default=-1)
        since = calculation.history[number:] if number >= 0 else calculation.history[-1:]
        return tuple(
            FieldProblem("change", f"{one.action} by {one.by} at {to_iso(one.at)}{f': {one.note}' if one.note else ''}")
            for one in since[-_MOST_CHANGES:]
        )


def _entries(etag: str) -> int:
    """Return how long the audit trail was in the version that an entity tag names, -1 for one that is none of ours."""
    found = _ETAG.fullmatch(etag)
    return int(found[1]) if found else -1


def _as_it_is(calculation: Calculation) -> tuple[FieldProblem, ...]:
    return (
        FieldProblem("status", calculation.state.value),
        FieldProblem("net", amount_text(calculation.net_minor)),
        FieldProblem("etag", etag_of(calculation)),
    )
