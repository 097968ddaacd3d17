"""Calculations that were made elsewhere: posted, or dropped as a file (INC-41)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError

from shared.incentives.calculation import Action, Calculation, Kind, State
from shared.incentives.calculation_id import calculation_id
from shared.incentives.context import IncentiveContext
from shared.incentives.decide import Outcome
from shared.kernel.clock import to_iso
from shared.kernel.errors import CallerError, Conflict, InvalidRequest
from shared.kernel.field_problems import field_problems
from shared.kernel.money import parse_amount, to_minor
from shared.kernel.outside_identifier import OutsideIdentifier, undamaged
from shared.kernel.partner_body import PartnerBody
from shared.kernel.pay_period import PayPeriod, begun_period, parse_period
from shared.kernel.strict_json import Unreadable

_MOST = 10**13
"""Minor units; a larger amount is a mistake."""

_MOST_BREAKDOWN = 28_000
"""Bytes of a breakdown as JSON."""


def _minor(value: object) -> int:
    """Read an amount as text or a whole number: a JSON number with decimals may have lost its cents on the way."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError('write the amount as text: "12.34"')  # noqa: TRY004 - pydantic asks for it
    minor = to_minor(parse_amount(str(value)))
    if abs(minor) > _MOST:
        raise ValueError("is larger than any incentive")
    return minor


def _period(value: object) -> str:
    return parse_period(str(value)).name


def _breakdown(content: dict[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        size = len(json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode())
    except ValueError:
        raise ValueError("must be JSON: no NaN, no halves of characters") from None
    if size > _MOST_BREAKDOWN:
        raise ValueError(f"has {size} bytes, at most {_MOST_BREAKDOWN} are accepted")
    return content


Amount = Annotated[int, BeforeValidator(_minor)]


class PostedCalculation(PartnerBody):
    """`{id, employeeId, period, gross, net, currency, planVersion, breakdown}`; the ID is the one it has elsewhere."""

    model_config = ConfigDict(extra="forbid")

    id: OutsideIdentifier
    employeeId: OutsideIdentifier  # noqa: N815 - JSON is camelCase
    period: Annotated[str, BeforeValidator(_period)]
    gross: Amount
    net: Amount
    currency: str | None = Field(default=None, pattern=r"^[A-Z]{3}$")
    planVersion: Annotated[str, Field(max_length=128), AfterValidator(undamaged)] = ""  # noqa: N815
    breakdown: Annotated[dict[str, JsonValue], AfterValidator(_breakdown)] = Field(default_factory=dict)


@dataclass(frozen=True)
class Posted:
    """What became of one record: the ID that it has here, or why it was refused. `number` counts from 1."""

    number: int
    external_id: str
    outcome: Outcome


@dataclass(frozen=True)
class Age:
    """How old records are. `written_at`: when they were written down; None for what arrives now.

    `put_off`: others may have been taken in since they arrived.
    """

    written_at: datetime | None = None
    put_off: bool = False


ARRIVES_NOW = Age()


class Known:
    """The employees that records may name. A few are looked up one by one; for more, the IDs of all are read."""

    def __init__(self, context: IncentiveContext, *, many: bool) -> None:
        """Read nothing yet."""
        self._context, self._many = context, many
        self._everybody: frozenset[str] | None = None

    def has(self, employee_id: str, period: PayPeriod) -> bool:
        """Tell whether there is such an employee."""
        if not self._many:
            return self._context.staff_member(employee_id, period) is not None
        if self._everybody is None:
            self._everybody = frozenset(one.employee_id for one in self._context.staff(period))
        return employee_id in self._everybody


_FEW = 20


def post(
    context: IncentiveContext, records: Sequence[object], by: str, known: Known | None = None, age: Age = ARRIVES_NOW
) -> list[Posted]:
    """Store calculations as drafts; a bad one does not stop the others. Idempotent by employee, period and ID.

    The same one again changes nothing; another amount under the same ID replaces a draft, and is a Conflict for
    whatever is further than that, and where what stands there is newer. A record says nothing of others: what a newer
    file does not name stays.
    """
    known = known or Known(context, many=len(records) > _FEW)
    results: list[Posted] = []
    good: dict[str, list[tuple[int, Calculation]]] = {}
    for number, record in enumerate(records, 1):
        external_id = _shown_id(record)
        try:
            calculation = _read(context, known, record, by, age)
        except CallerError as error:
            results.append(Posted(number, external_id, Outcome("", "", error.code, error.message)))
        else:
            good.setdefault(calculation.period, []).append((number, calculation))
    for period, group in good.items():
        results += _store(context, period, group, age)
    return sorted(results, key=lambda result: result.number)


def _shown_id(record: object) -> str:
    """Return the ID of a record that may be anything."""
    given = str(record.get("id", "")) if isinstance(record, Mapping) else ""
    return given[:128].encode(errors="replace").decode()


def _read(context: IncentiveContext, known: Known, record: object, by: str, age: Age) -> Calculation:
    if isinstance(record, Unreadable):
        raise InvalidRequest(f"{record.field or 'record'}: the record {record.reason}")
    try:
        given = PostedCalculation.model_validate(record)
    except ValidationError as error:
        problems = (f"{one.field or 'record'}: {one.message}" for one in field_problems(error, most=5))
        raise InvalidRequest("; ".join(problems)) from None
    if (given.currency or context.currency) != context.currency:
        raise InvalidRequest(f"currency: must be {context.currency}")
    period = begun_period(given.period, context.pay_calendar, context.clock())
    if not known.has(given.employeeId, period):
        raise InvalidRequest(f"employeeId: there is no employee {given.employeeId!r}")
    source = f"posted:{given.id}"
    return Calculation(
        calculation_id=calculation_id(given.period, given.employeeId, source),
        employee_id=given.employeeId,
        period=given.period,
        kind=Kind.POSTED,
        source=source,
        gross_minor=given.gross,
        net_minor=given.net,
        currency=context.currency,
        plan_version=given.planVersion,
        breakdown=given.breakdown,
        # Storage tells in whole seconds when a file was written: nothing is compared more closely.
        as_of=(age.written_at or context.clock()).replace(microsecond=0),
    ).begun(at=context.clock(), by=by)


def _store(context: IncentiveContext, period: str, group: Sequence[tuple[int, Calculation]], age: Age) -> list[Posted]:
    by_id = {one.calculation_id: one for _, one in group}
    outcomes: dict[str, Outcome] = {}

    def decide(key: str, standing: Calculation | None) -> Calculation | None:
        after, outcomes[key] = _over(context, by_id[key], standing, age)
        return after

    context.calculations.change(period, list(by_id), decide)
    results = []
    for number, one in group:
        outcome = outcomes[one.calculation_id]
        if by_id[one.calculation_id] is not one and not by_id[one.calculation_id].same_result(one):
            outcome = Outcome(
                "", "", Conflict.code, "another record of the same request has this ID: the last one counts"
            )
        results.append(Posted(number, one.source.removeprefix("posted:"), outcome))
    return results


def _over(
    context: IncentiveContext, one: Calculation, standing: Calculation | None, age: Age
) -> tuple[Calculation | None, Outcome]:
    """Return what is to stand there (None: leave it) and what the sender is told."""
    key = one.calculation_id
    if standing is None:
        return one, Outcome(key, one.state.value)
    if (standing.employee_id, standing.source) != (one.employee_id, one.source):
        return None, Outcome(key, "", Conflict.code, "this ID cannot be told from another one: use another ID")
    if standing.same_result(one):
        return _confirmed(standing, one), Outcome(key, standing.state.value)
    if _is_outdated(one, standing, age):
        message = (
            f"calculation {key} is of {_shown_time(standing)}, and this record of {_shown_time(one)}: what was written "
            "last stays. Send the record again if it is right all the same"
        )
        return None, Outcome(key, standing.state.value, Conflict.code, message)
    if standing.state not in (State.DRAFT, State.REJECTED):
        what = "let it be rejected first" if standing.state is State.PENDING else "amend it"
        message = f"calculation {key} is {standing.state}: {what}"
        return None, Outcome(key, standing.state.value, Conflict.code, message)
    after = standing.recalculated(one, at=context.clock(), by=one.created_by)
    return after, Outcome(key, after.state.value)


def _confirmed(standing: Calculation, one: Calculation) -> Calculation | None:
    """Return what stands there as of a newer record that says the same, None to leave it."""
    if standing.counts or one.as_of is None or (standing.as_of and one.as_of <= standing.as_of):
        return None
    return replace(standing, as_of=one.as_of)


def _is_outdated(one: Calculation, standing: Calculation, age: Age) -> bool:
    """Tell whether a record is older than what stands there.

    Of two in the same second the one that arrived last counts: what was put off came before what was taken in since.
    """
    if one.as_of is None or standing.as_of is None:
        return False
    if one.as_of != standing.as_of:
        return one.as_of < standing.as_of
    writers = [entry.by for entry in standing.history if entry.action in ("Create", Action.RECALCULATE.value)]
    return age.put_off and writers[-1:] != [one.created_by]


def _shown_time(calculation: Calculation) -> str:
    return to_iso(calculation.as_of) if calculation.as_of else ""


def shown(result: Posted) -> dict[str, Any]:
    """Return an outcome as the API tells it."""
    return {
        "record": result.number,
        "externalId": result.external_id,
        "id": result.outcome.calculation_id or None,
        "status": result.outcome.state or "Refused",
        "code": result.outcome.code or None,
        "reason": result.outcome.reason or None,
    }
