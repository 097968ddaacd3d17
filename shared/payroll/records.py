"""The records of an export: one for each employee, frozen as JSON lines in the form that payroll takes (INC-52)."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

from shared.kernel.money import amount_text, parse_amount, to_minor


@dataclass(frozen=True)
class Payable:
    """An approved calculation or amendment, as payroll needs it; the amount in minor units."""

    calculation_id: str
    employee_id: str
    amount_minor: int
    currency: str


@dataclass(frozen=True)
class Payee:
    """Whom payroll pays."""

    employee_number: str
    first_name: str = field(repr=False)
    last_name: str = field(repr=False)


@dataclass(frozen=True)
class PayRecord:
    """What an employee is paid: the sum of his calculations, in minor units."""

    employee_id: str
    employee_number: str
    first_name: str = field(repr=False)
    last_name: str = field(repr=False)
    amount_minor: int
    earnings_code: str
    calculation_ids: tuple[str, ...]
    effective_date: date

    @property
    def nothing_to_pay(self) -> bool:
        """Tell whether the calculations come to nothing: they are settled, and payroll hears nothing of them."""
        return self.amount_minor == 0


@dataclass(frozen=True)
class Rules:
    """What every record of an export has."""

    currency: str
    earnings_code: str
    effective_date: date


@dataclass
class Withheld:
    """Employees who cannot be paid as they are: why, for the first hundred, and how many in all."""

    reasons: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def add(self, employee_id: str, reason: str) -> None:
        """Note one."""
        self.count += 1
        if len(self.reasons) < 100:
            self.reasons[employee_id] = reason


def records_of(
    payables: Iterable[Payable], payees: Mapping[str, Payee | None], rules: Rules, withheld: Withheld
) -> Iterator[PayRecord]:
    """Yield a record for each employee, from payables in which those of an employee lie side by side.

    Whoever is unknown, or has an amount in another currency, is withheld whole: nobody is paid by halves.
    """
    for employee_id, group in _by_employee(payables):
        payee = payees.get(employee_id)
        if employee_id in payees and payee is None:
            withheld.add(employee_id, "two people had this employee ID in the period: pay each of them by hand")
        elif payee is None:
            withheld.add(employee_id, "there is no such employee, or he is not confirmed by the HR system yet")
        elif any(one.currency != rules.currency for one in group):
            withheld.add(employee_id, f"a calculation is not in {rules.currency}")
        else:
            yield PayRecord(
                employee_id,
                payee.employee_number,
                payee.first_name,
                payee.last_name,
                sum(one.amount_minor for one in group),
                rules.earnings_code,
                tuple(one.calculation_id for one in group),
                rules.effective_date,
            )


def _by_employee(payables: Iterable[Payable]) -> Iterator[tuple[str, list[Payable]]]:
    """Group payables that come in the order of their IDs.

    IDs of one employee share all but their end. Two employees whose digests are the same are mixed in that stretch,
    so a stretch is held whole and sorted out.
    """
    stretch: dict[str, list[Payable]] = {}
    prefix = ""
    for one in payables:
        if (start := one.calculation_id[:-8]) != prefix:
            yield from stretch.items()
            stretch, prefix = {}, start
        stretch.setdefault(one.employee_id, []).append(one)
    yield from stretch.items()


def to_line(record: PayRecord) -> bytes:
    """Return a record as a line of JSON, the amount as a number with exactly two decimals."""
    content = {
        "employeeId": record.employee_id,
        "employeeNumber": record.employee_number,
        "firstName": record.first_name,
        "lastName": record.last_name,
        "earningsCode": record.earnings_code,
        "calculationIds": list(record.calculation_ids),
        "effectiveDate": record.effective_date.isoformat(),
    }
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    return f'{{"incentiveAmount":{amount_text(record.amount_minor)},{text[1:]}\n'.encode()


def from_line(line: bytes) -> PayRecord:
    """Read what `to_line` wrote."""
    content = json.loads(line, parse_float=str, parse_int=str)
    return PayRecord(
        content["employeeId"],
        content["employeeNumber"],
        content["firstName"],
        content["lastName"],
        to_minor(parse_amount(content["incentiveAmount"])),
        content["earningsCode"],
        tuple(content["calculationIds"]),
        date.fromisoformat(content["effectiveDate"]),
    )


def lines_in(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines of a content that comes in pieces, without their ends."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest
