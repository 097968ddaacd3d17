"""The ERP: days of sales, served in pages as the contract says (INC-02), and corrected on request."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from threading import RLock
from typing import Any

from local.sandbox.generator import Line, Record, Shape, lines_of

MAX_PAGE_SIZE = 5000


@dataclass
class Day:
    """The lines of a day, with their JSON text."""

    lines: list[Line]
    texts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Write each record once; pages only join them."""
        self.texts = [to_json(line.record) for line in self.lines]


class Erp:
    """What the ERP holds."""

    def __init__(self, shape: Shape) -> None:
        """Make days when they are asked for."""
        self.shape = shape
        self._days: dict[date, Day] = {}
        self._data_as_of = datetime(2025, 1, 1, tzinfo=UTC)
        self._lock = RLock()

    def day(self, day: date) -> Day:
        """Return a day of sales."""
        with self._lock:
            if day not in self._days:
                if len(self._days) > 40:
                    self._days.clear()
                self._days[day] = Day(list(lines_of(self.shape, day)))
            return self._days[day]

    def page(self, day: date, store: str, page: int, size: int) -> str:
        """Return a page as JSON text, amounts with exactly their decimals."""
        held = self.day(day)
        texts = held.texts
        if store:
            texts = [
                text for line, text in zip(held.lines, held.texts, strict=True) if line.record.get("storeId") == store
            ]
        total = len(texts)
        pages = -(-total // size)
        pagination = (
            f'{{"page":{page},"pageSize":{size},"totalRecords":{total},"totalPages":{pages}}}' if total else "{}"
        )
        metadata = json.dumps({"extractedAt": _now(), "dataAsOf": self._data_as_of.isoformat()})
        data = ",".join(texts[(page - 1) * size : page * size])
        return f'{{"data":[{data}],"pagination":{pagination},"metadata":{metadata}}}'

    def correct(self, corrections: list[Mapping[str, Any]]) -> int:
        """Apply corrections: `{date, transactionId, delete | set | moveToDate}` or `{date, add: record}`."""
        with self._lock:
            for one in corrections:
                self._correct(one)
            self._data_as_of = datetime.now(UTC)
        return len(corrections)

    def _correct(self, one: Mapping[str, Any]) -> None:
        day = date.fromisoformat(str(one["date"]))
        lines = list(self.day(day).lines)
        if "add" in one:
            self._days[day] = Day([*lines, Line(_exact(one["add"]), "Import")])
            return
        touched = [line for line in lines if line.record.get("transactionId") == one["transactionId"]]
        rest = [line for line in lines if line not in touched]
        if "set" in one:
            rest = [Line(line.record | _exact(one["set"]), line.verdict) if line in touched else line for line in lines]
        if "moveToDate" in one:
            target = date.fromisoformat(str(one["moveToDate"]))
            moved = [Line(_moved(line.record, day, target), line.verdict) for line in touched]
            self._days[target] = Day([*self.day(target).lines, *moved])
        self._days[day] = Day(rest)

    def totals(self, day: date) -> dict[str, Any]:
        """Return what a correct importer finds: counts and sums by what has to happen to a record."""
        verdicts: Counter[str] = Counter()
        cents: Counter[str] = Counter()
        stores: Counter[str] = Counter()
        for line in self.day(day).lines:
            verdicts[line.verdict] += 1
            if line.verdict in ("Import", "Hold"):
                amount = int(line.record["salesAmount"].scaleb(2))
                cents[line.verdict] += amount
                stores[line.record["storeId"]] += amount
        rejected = {name: number for name, number in verdicts.items() if name not in ("Import", "Hold", "Duplicate")}
        return {
            "date": day.isoformat(),
            "records": verdicts.total(),
            "valid": verdicts["Import"] + verdicts["Hold"],
            "validAmount": _decimal(cents["Import"] + cents["Hold"]),
            "imported": verdicts["Import"],
            "importedAmount": _decimal(cents["Import"]),
            "held": verdicts["Hold"],
            "heldAmount": _decimal(cents["Hold"]),
            "duplicates": verdicts["Duplicate"],
            "rejectedByReason": dict(sorted(rejected.items())),
            "amountByStore": {store: _decimal(amount) for store, amount in sorted(stores.items())},
        }


def to_json(record: Record) -> str:
    """Write a record; a Decimal is written as the number it is, never by way of a float."""
    cells = (f'"{name}":{value if isinstance(value, Decimal) else json.dumps(value)}' for name, value in record.items())
    return "{" + ",".join(cells) + "}"


def _exact(fields: Mapping[str, Any]) -> Record:
    return {name: Decimal(str(value)) if name == "salesAmount" else value for name, value in fields.items()}


def _moved(record: Record, day: date, target: date) -> Record:
    return record | {"transactionDate": record["transactionDate"].replace(day.isoformat(), target.isoformat())}


def _decimal(cents: int) -> str:
    return f"{Decimal(cents).scaleb(-2):.2f}"


def _now() -> str:
    return datetime.now(UTC).isoformat()
