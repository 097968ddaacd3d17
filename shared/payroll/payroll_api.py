"""Payroll's API: `POST /api/v1/incentives/batch` (INC-53)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationError

from shared.kernel.errors import Busy, MalformedResponse
from shared.kernel.fitting import shortened
from shared.kernel.json_client import JsonPoster
from shared.kernel.money import parse_amount, to_minor
from shared.kernel.partner_body import PartnerBody
from shared.kernel.partner_status import Verdict, is_under_way, verdict_of, words_of
from shared.payroll.export import ControlTotals

PARTNER = "payroll"
PATH = "/api/v1/incentives/batch"
_KNOWN_KEY = frozenset({409})
"""With this some systems answer a key that they know: the first answer in the body is the answer, and a key that is
being worked on is waited for."""
_ASK_AGAIN_AFTER = 60.0
"""Seconds, where payroll is still at it and does not say when it will be done."""
_NOTHING_TAKEN: Mapping[str, object] = {
    "payrollBatchId": "",
    "recordsAccepted": 0,
    "recordsRejected": 0,
    "controlTotals": {"recordCount": 0, "totalAmount": 0},
}
"""What an answer may leave out that says no: there is nothing to count."""


def _minor(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("is no amount")  # noqa: TRY004 - pydantic asks for it
    return to_minor(parse_amount(str(value)))


_Kept = Annotated[str, AfterValidator(lambda text: shortened(text, 512))]
"""Kept for people to read. A long one is cut: a batch that payroll accepted is not refused for it."""


class _Totals(PartnerBody):
    model_config = ConfigDict(extra="ignore")

    recordCount: int = Field(ge=0)  # noqa: N815 - the partner's own names
    totalAmount: Annotated[int, BeforeValidator(_minor)]  # noqa: N815


class _Rejected(PartnerBody):
    model_config = ConfigDict(extra="ignore")

    employeeId: str  # noqa: N815
    reason: str | None = None


class _Answer(PartnerBody):
    model_config = ConfigDict(extra="ignore")

    batchId: str  # noqa: N815
    status: _Kept
    payrollBatchId: _Kept  # noqa: N815
    recordsAccepted: int = Field(ge=0)  # noqa: N815
    recordsRejected: int = Field(ge=0)  # noqa: N815
    rejectedRecords: list[_Rejected] = Field(default_factory=list)  # noqa: N815
    controlTotals: _Totals  # noqa: N815


@dataclass(frozen=True)
class BatchAnswer:
    """What payroll says. `rejected`: employee ID -> reason, which is never empty; `words`: what it says beside it."""

    batch_id: str
    status: str
    payroll_batch_id: str
    records_accepted: int
    records_rejected: int
    rejected: Mapping[str, str]
    totals: ControlTotals
    words: str = ""


def post_batch(client: JsonPoster, export_id: str, body: bytes) -> BatchAnswer:
    """Send a batch under its export's ID: however often it is sent, payroll pays it once.

    Busy while payroll is still working on it: the same batch is sent again later, and gets the answer. Partner errors.
    """

    def check(answer: object) -> None:
        about = answer.get("batchId") if isinstance(answer, dict) else None
        ours = about in (None, export_id)
        if ours and _is_pending(answer):
            raise _still_at_it(export_id)
        try:
            found = read_answer(answer).batch_id
        except MalformedResponse:
            if ours and is_under_way(answer):
                raise _still_at_it(export_id) from None
            raise
        if found != export_id:
            raise MalformedResponse(PARTNER, f"the answer to batch {export_id} is about batch {found[:60]!r}")

    answer = client.post_body(PATH, body, idempotency_key=export_id, check=check, accept=_KNOWN_KEY)
    return read_answer(answer)


def read_answer(answer: object) -> BatchAnswer:
    """Read payroll's answer. MalformedResponse when it breaks the contract."""
    try:
        found = _Answer.model_validate(_completed(answer))
    except ValidationError as error:
        fields = ", ".join(sorted({".".join(map(str, item["loc"][:3])) or "body" for item in error.errors()}))
        raise MalformedResponse(PARTNER, f"the answer to the batch breaks the contract in {fields}") from None
    return BatchAnswer(
        found.batchId,
        found.status,
        found.payrollBatchId,
        found.recordsAccepted,
        found.recordsRejected,
        _reasons(found.rejectedRecords),
        ControlTotals(found.controlTotals.recordCount, found.controlTotals.totalAmount),
        words_of(answer),
    )


def _verdict(answer: object) -> Verdict | None:
    status = answer.get("status") if isinstance(answer, dict) else None
    return verdict_of(status) if isinstance(status, str) else None


def _is_pending(answer: object) -> bool:
    return _verdict(answer) is Verdict.PENDING


def _still_at_it(export_id: str) -> Busy:
    return Busy(f"payroll is still working on batch {export_id}", retry_after=_ASK_AGAIN_AFTER)


def _completed(answer: object) -> object:
    """Return an answer that says no with what it may leave out."""
    if not isinstance(answer, dict) or _verdict(answer) is not Verdict.FAILED:
        return answer
    return {**_NOTHING_TAKEN, **{name: value for name, value in answer.items() if value is not None}}


def _reasons(rejected: Sequence[_Rejected]) -> dict[str, str]:
    """Return the reason of each rejected employee; one who is named twice has both."""
    reasons: dict[str, str] = {}
    for one in rejected:
        reason = (one.reason or "").strip() or "no reason given"
        before = reasons.get(one.employeeId)
        reasons[one.employeeId] = f"{before}; {reason}" if before else reason
    return {employee_id: reason[:500] for employee_id, reason in reasons.items()}
