"""The employees of a tenant. Table Employees: partition tenant, row key employee ID; assignments in the same row.

One row holds a whole person, so that events of one person meet on its ETag. The rows lie in the order of the IDs,
which is the order in which HR systems page: the full sync compares a page with one range query.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence

from shared.kernel.errors import Busy, NotFound
from shared.kernel.keys import AFTER, join_key, split_key
from shared.kernel.table import Insert, Page, Replace, Row, RowChanged, RowExists, Table, Value
from shared.workforce.facts import from_json, to_json
from shared.workforce.person import Person

_MAX_TRIES = 20
_BATCH = 100

Changed = dict[str, tuple[Person, Person]]
"""Employee ID -> the person before and after."""


class EmployeeStore:
    """The employees of one tenant."""

    def __init__(self, table: Table, tenant: str) -> None:
        """Keep the table."""
        self._table = table
        self._tenant = tenant

    def find(self, employee_id: str) -> Person | None:
        """Return a person, or None."""
        row = self._table.get(self._tenant, join_key(employee_id))
        return _person(row) if row else None

    def get(self, employee_id: str) -> Person:
        """Return a person. NotFound."""
        if person := self.find(employee_id):
            return person
        raise NotFound(f"there is no employee {employee_id!r}")

    def all(self) -> Iterator[Person]:
        """Yield everybody, in the order of their IDs."""
        return (_person(row) for row in self._table.query(self._tenant))

    def page(self, size: int, position: str | None) -> Page:
        """Return a page of rows; `people_of` reads them."""
        return self._table.page(self._tenant, size=size, position=position)

    def change(self, employee_id: str, change: Callable[[Person], Person]) -> bool:
        """Change one person over what others changed meanwhile; tell whether anything changed. Busy."""
        key = join_key(employee_id)
        for _ in range(_MAX_TRIES):
            row = self._table.get(self._tenant, key)
            before = _person(row) if row else Person(employee_id)
            after = change(before)
            if after == before:
                return False
            try:
                if row:
                    self._table.replace(row, _values(after))
                else:
                    self._table.insert(self._tenant, key, _values(after))
            except (RowChanged, RowExists):
                continue
            return True
        raise Busy(f"employee {employee_id!r} is being changed by others", retry_after=1)

    def change_many(self, people: Sequence[str], change: Callable[[Person], Person]) -> Changed:
        """Change many people, a hundred at a time; return those that were changed.

        One range query finds them: IDs that lie close together are cheap.
        """
        rows = self._rows(people)
        pending: list[tuple[Person, Person, Row | None]] = []
        for employee_id in people:
            row = rows.get(join_key(employee_id))
            before = _person(row) if row else Person(employee_id)
            after = change(before)
            if after != before:
                pending.append((before, after, row))
        for start in range(0, len(pending), _BATCH):
            self._write(pending[start : start + _BATCH], change)
        return {before.employee_id: (before, after) for before, after, _ in pending}

    def _write(self, batch: Sequence[tuple[Person, Person, Row | None]], change: Callable[[Person], Person]) -> None:
        operations = [
            Replace(row.key, _values(after), row.etag) if row else Insert(join_key(after.employee_id), _values(after))
            for _, after, row in batch
        ]
        try:
            self._table.transact(self._tenant, operations)
        except (RowChanged, RowExists):
            # An event came in between: one by one, each over what stands there now.
            for before, _, _ in batch:
                self.change(before.employee_id, change)

    def _rows(self, people: Iterable[str]) -> dict[str, Row]:
        keys = {join_key(employee_id) for employee_id in people}
        if not keys:
            return {}
        rows = self._table.query(self._tenant, key_from=min(keys), key_before=max(keys) + AFTER)
        return {row.key: row for row in rows if row.key in keys}


def people_of(page: Page) -> list[Person]:
    """Return the people on a page."""
    return [_person(row) for row in page.rows]


def _values(person: Person) -> dict[str, Value]:
    assignments = {name: to_json(facts) for name, facts in sorted(person.assignments.items())}
    return {
        "facts": json.dumps(to_json(person.facts), separators=(",", ":"), ensure_ascii=False),
        "assignments": json.dumps(assignments, separators=(",", ":"), ensure_ascii=False),
    }


def _person(row: Row) -> Person:
    assignments = json.loads(str(row.values["assignments"]))
    return Person(
        split_key(row.key)[0],
        from_json(json.loads(str(row.values["facts"]))),
        {name: from_json(facts) for name, facts in assignments.items()},
    )
