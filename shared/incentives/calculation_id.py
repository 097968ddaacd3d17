"""IDs of calculations: the same for the same business key, and telling where the calculation lies.

They have the form of a UUIDv7. Its time is the first day of the period, so that the ID alone leads to the partition;
then come 41 bits of a digest of the employee, so that all of his calculations lie side by side, and 32 bits of a
digest of employee and source. So a calculation that is made twice, even at the same moment, is one row; and two
employees whose digests are the same do not share the IDs of what one plan pays them.
"""

from datetime import UTC, datetime, time
from hashlib import sha256
from uuid import UUID

from shared.kernel.identifiers import time_of
from shared.kernel.pay_period import PayCalendar, PayPeriod, parse_period, period_of

_UPPER_BITS, _LOWER_BITS, _SOURCE_BITS = 11, 30, 32
"""Of the employee, before and after the two bits of the variant; of the source, which are the last eight digits."""
_MONTH = 1 << 75


def calculation_id(period: str, employee_id: str, source: str) -> str:
    """Return the ID of the calculation of an employee in a period from a source. ValueError for no period."""
    first = datetime.combine(parse_period(period).first_day, time.min, UTC)
    value = int(first.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62
    if period[5] != "W":
        value |= _MONTH
    employee = _digest(employee_id, _UPPER_BITS + _LOWER_BITS)
    value |= employee >> _LOWER_BITS << 64
    value |= (employee & (1 << _LOWER_BITS) - 1) << _SOURCE_BITS
    return str(UUID(int=value | _digest(f"{employee_id}\n{source}", _SOURCE_BITS)))


def period_of_id(identifier: str) -> PayPeriod:
    """Return the period that a calculation's ID lies in. ValueError when it is no such ID."""
    day = time_of(identifier).date()
    is_month = UUID(identifier).int & _MONTH
    return period_of(day, PayCalendar.MONTH if is_month else PayCalendar.TWO_WEEKS)


def ids_of_employee(period: str, employee_id: str) -> tuple[str, str]:
    """Return the smallest and the greatest ID that an employee's calculations in a period can have."""
    base = UUID(calculation_id(period, employee_id, "")).int >> _SOURCE_BITS << _SOURCE_BITS
    return str(UUID(int=base)), str(UUID(int=base | (1 << _SOURCE_BITS) - 1))


def range_of(identifier: str) -> str:
    """Return the range that a calculation lies in: what the IDs of all calculations of its employee begin with."""
    return identifier[: -_SOURCE_BITS // 4]


def range_of_employee(period: str, employee_id: str) -> str:
    """Return the range that all calculations of an employee in a period lie in."""
    return range_of(calculation_id(period, employee_id, ""))


def _digest(text: str, bits: int) -> int:
    return int.from_bytes(sha256(text.encode()).digest()) >> (256 - bits)
