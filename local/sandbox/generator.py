"""Sales made from a seed: the same seed, day and count always give the same records."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

CATEGORIES = ("Shoes", "Jackets", "Bags", "Watches", "Toys")
FEWEST_SPRINKLED = 40
"""Sales of a day, at least, for a few bad ones among them to be less than an import puts up with."""
UNKNOWN_EMPLOYEES = ("E90001", "E90002")
BERLIN = ZoneInfo("Europe/Berlin")
FEWEST_DIRTY = 1000
"""A smaller day has no bad records: they would be too large a share of it."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Shape:
    """How large the world is."""

    seed: int = 7
    records: int = 10_000
    employees: int = 200
    stores: int = 2
    zone: ZoneInfo = BERLIN
    dirty: bool = True
    sprinkle: bool = False
    """A few bad records on days that are too small for all kinds of them: another kind each day."""


@dataclass(frozen=True)
class Line:
    """A record, and what a correct importer must do with it: import it, hold it, or refuse it for a reason."""

    record: Record
    verdict: str


def employee_id(number: int) -> str:
    """Return the ERP's ID of an employee (numbers from 1)."""
    return f"E{number:05d}"


def employees_of(shape: Shape) -> list[dict[str, str]]:
    """Return who works there: the hub's ID, the ERP's ID, an invented name, the store."""
    draw = Random(f"{shape.seed}|employees")
    first, last = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gül", "Hugo"), ("Abel", "Braun", "Çelik", "Dorn", "Ek")
    return [
        {
            "employeeId": f"H-{number:05d}",
            "erpEmployeeId": employee_id(number),
            "firstName": draw.choice(first),
            "lastName": draw.choice(last),
            "storeId": f"S{1 + number % shape.stores:03d}",
        }
        for number in range(1, shape.employees + 1)
    ]


def lines_of(shape: Shape, day: date) -> Iterator[Line]:
    """Yield the lines of a day, in the order of the ERP's pages."""
    spoilt = _spoilt(shape, day)
    for index in range(shape.records):
        record = _record(shape, day, index)
        kind = spoilt.get(index)
        if kind is None:
            yield Line(record, "Import")
        elif kind.startswith("Duplicate"):
            earlier = _record(shape, day, index - (1 if kind == "DuplicateInPage" else 1 + index // 2))
            yield Line(earlier, "Duplicate")
        else:
            yield Line(record | _SPOILERS[kind](day, shape), _VERDICTS.get(kind, kind))


def _record(shape: Shape, day: date, index: int) -> Record:
    draw = Random(f"{shape.seed}|{day}|{index}")
    number = draw.randrange(shape.employees)
    begin = datetime.combine(day, time(8), shape.zone)
    cents = draw.randrange(500, 50_000)
    is_return = draw.random() < 0.02
    units = 0 if is_return else draw.randrange(1, 6)
    return {
        "transactionId": f"T-{day:%Y%m%d}-{index:07d}",
        "transactionDate": (begin + timedelta(seconds=draw.randrange(12 * 3600))).isoformat(),
        "employeeId": employee_id(number + 1),
        "storeId": f"S{1 + (number + 1) % shape.stores:03d}",
        "salesAmount": Decimal(-cents if is_return else cents).scaleb(-2),
        "unitsSold": units,
        "productCategory": draw.choice(CATEGORIES),
        "productSku": f"SKU-{draw.randrange(10_000):05d}",
        "transactionType": "Return" if is_return else "Sale",
    }


def _spoilt(shape: Shape, day: date) -> dict[int, str]:
    """Return which lines are not as they should be; all positions lie in the first thousand or repeat from there."""
    if shape.sprinkle and FEWEST_SPRINKLED <= shape.records < FEWEST_DIRTY:
        bad = [kind for kind in _SPOILERS if not kind.startswith("Unmapped")]
        unmapped = ("Unmapped", "Unmapped2")[day.day % 2]
        return {11: bad[day.toordinal() % len(bad)], 24: "DuplicateInPage", 37: unmapped}
    if not shape.dirty or shape.records < FEWEST_DIRTY:
        return {}
    kinds = [*_SPOILERS, *_SPOILERS, *["DuplicateInPage"] * 5, *["Unmapped", "Unmapped2"] * 2]
    spoilt = {11 + 23 * number: kind for number, kind in enumerate(kinds)}
    if shape.records >= 2 * FEWEST_DIRTY:
        spoilt |= {shape.records - 7 - 10 * number: "DuplicateAcrossPages" for number in range(5)}
    return spoilt


def _another_day(day: date, shape: Shape) -> Record:
    moment = datetime.combine(day + timedelta(days=1), time(0, 0, 1), shape.zone)
    return {"transactionDate": moment.isoformat()}


_SPOILERS: dict[str, Any] = {
    "MissingEmployee": lambda _day, _shape: {"employeeId": None},
    "AmountPrecision": lambda _day, _shape: {"salesAmount": Decimal("12.345"), "transactionType": "Sale"},
    "AmountText": lambda _day, _shape: {"salesAmount": "abc"},
    "NegativeUnits": lambda _day, _shape: {"unitsSold": -1, "salesAmount": Decimal("10.00")},
    "NegativeAmount": lambda _day, _shape: {"salesAmount": Decimal("-5.00"), "transactionType": "Sale"},
    "OutsideBusinessDay": _another_day,
    "UnknownStore": lambda _day, _shape: {"storeId": "S999"},
    "EmptyTransactionId": lambda _day, _shape: {"transactionId": ""},
    "Unmapped": lambda _day, _shape: {"employeeId": UNKNOWN_EMPLOYEES[0]},
    "Unmapped2": lambda _day, _shape: {"employeeId": UNKNOWN_EMPLOYEES[1]},
}
_VERDICTS = {
    "MissingEmployee": "SchemaInvalid",
    "AmountText": "SchemaInvalid",
    "EmptyTransactionId": "SchemaInvalid",
    "Unmapped": "Hold",
    "Unmapped2": "Hold",
}
