"""Tables that are played: any number of employees, sales and calculations, made when they are read, kept nowhere.

The emulator looks for each row among all others, so that a period of 100,000 takes it hours; and rows that this process
kept would hide what an export or a calculation itself holds in memory.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count

from shared.incentives.calculation_id import calculation_id
from shared.kernel.keys import join_key
from shared.kernel.table import Operation, Row, Table, Tables, Value


class PlayedTables:
    """Implements `Tables`: some are played, the others are real."""

    def __init__(self, real: Tables, played: "Mapping[str, Played]") -> None:
        """Play these tables, by name."""
        self._real, self._played = real, played

    @property
    def written(self) -> int:
        """How many calculations were written."""
        return self._played["Calculations"].written

    def table(self, name: str) -> "Table | Played":
        """Return a table."""
        return self._played.get(name) or self._real.table(name)


def employees_with_ids(period: str, source: str, number: int) -> dict[str, str]:
    """Return so many employees by the IDs of their calculations from a source, in the order of these."""
    ids: dict[str, str] = {}
    for name in (f"H-{one:07d}" for one in count()):
        if len(ids) == number:
            break
        ids.setdefault(calculation_id(period, name, source), name)
    return dict(sorted(ids.items()))


def played_employees(employee: Row, names: Iterable[str]) -> "Played":
    """Return copies of an employee under these IDs."""
    return Played(employee, {join_key(name): {} for name in sorted(names)})


def played_calculations(calculation: Row, period: str, ids: Mapping[str, str]) -> "Played":
    """Return copies of a calculation, one of each employee."""
    own: dict[str, Mapping[str, Value]] = {
        key: {"employeeId": employee, "period": period, "exportId": ""} for key, employee in ids.items()
    }
    return Played(calculation, own)


class Played:
    """What an export or a calculation asks of a table."""

    def __init__(self, row: Row, keys: Mapping[str, Mapping[str, Value]]) -> None:
        """Keep the keys, in their order, and in what each row differs from the one that all are copies of."""
        self._row, self._own, self._keys = row, keys, list(keys)
        self.written = 0

    def query(
        self,
        partition: str,
        *,
        key_from: str | None = None,
        key_before: str | None = None,
        equal: Mapping[str, str | int | bool] | None = None,
    ) -> Iterator[Row]:
        """Yield rows of a range; none where another state than the copied one is asked for."""
        if equal and any(self._row.values.get(name) != value for name, value in equal.items()):
            return
        first = bisect_left(self._keys, key_from) if key_from else 0
        beyond = bisect_left(self._keys, key_before) if key_before else len(self._keys)
        for key in self._keys[first:beyond]:
            yield Row(partition, key, {**self._row.values, **self._own[key]}, "etag")

    def transact(self, _partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        """Count what is written."""
        self.written += len(operations)
        return ["etag"] * len(operations)
