"""Tables that are played: any number of employees and approved calculations, made when they are read, kept nowhere.

The emulator looks for each row among all others, so that a period of 100,000 takes it hours; and rows that this process
kept would hide what an export itself holds in memory.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import count

from shared.incentives.calculation_id import calculation_id
from shared.kernel.keys import join_key
from shared.kernel.table import Operation, Row, Table, Tables, Value


class PlayedTables:
    """Implements `Tables`: Employees and Calculations are played, the others are real."""

    def __init__(self, real: Tables, employee: Row, calculation: Row, number: int) -> None:
        """Play so many copies of two rows that are really there."""
        ids: dict[str, str] = {}
        for name in (f"H-{one:07d}" for one in count()):
            if len(ids) == number:
                break
            ids.setdefault(calculation_id("2025-01", name, "plan:standard"), name)
        names = sorted(ids.values())
        self._real = real
        self._played = {
            "Employees": Played(employee, {join_key(name): {} for name in names}),
            "Calculations": Played(
                calculation,
                {key: {"employeeId": ids[key], "period": "2025-01", "exportId": ""} for key in sorted(ids)},
            ),
        }

    @property
    def written(self) -> int:
        """How many rows were marked."""
        return self._played["Calculations"].written

    def table(self, name: str) -> "Table | Played":
        """Return a table."""
        return self._played.get(name) or self._real.table(name)


class Played:
    """What an export asks of a table."""

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
