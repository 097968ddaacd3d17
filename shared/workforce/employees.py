"""The employees of a tenant. Table Employees: partition tenant, row key employee ID; assignments in the same row.

One row holds a whole person, so that events of one person meet on its ETag. The rows lie in the order of the IDs,
which is the order in which HR systems page: the full sync compares a page with one range query.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping

from shared.kernel.errors import DataRefused, NotFound
from shared.kernel.keys import join_key, split_key
from shared.kernel.long_cells import long_cells, read_long_cells
from shared.kernel.row_changes import Decide, change_row, change_rows
from shared.kernel.table import Page, Table, Value
from shared.workforce.facts import MOST_KEPT, from_json, thinned, to_json
from shared.workforce.person import Person

_log = logging.getLogger(__name__)

_FEWER = (MOST_KEPT, 20, 8, 3, 1)
"""Past facts of a field, and as many to come: fewer where what HR says is so long that a row does not hold them."""
_MOST_BYTES = 780_000
"""Of a row, for facts and assignments together; see `long_cells`."""

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
        return _person(row.key, row.values) if row else None

    def get(self, employee_id: str) -> Person:
        """Return a person. NotFound."""
        if person := self.find(employee_id):
            return person
        raise NotFound(f"there is no employee {employee_id!r}")

    def all(self) -> Iterator[Person]:
        """Yield everybody, in the order of their IDs."""
        return (_person(row.key, row.values) for row in self._table.query(self._tenant))

    def page(self, size: int, position: str | None) -> Page:
        """Return a page of rows; `people_of` reads them."""
        return self._table.page(self._tenant, size=size, position=position)

    def change(self, employee_id: str, change: Callable[[Person], Person]) -> bool:
        """Change one person over what others changed meanwhile; tell whether anything changed. Busy."""
        return change_row(self._table, self._tenant, join_key(employee_id), _deciding(change)) is not None

    def change_many(self, people: Collection[str], change: Callable[[Person], Person]) -> Changed:
        """Change many people; return those that were changed. IDs that lie close together are cheap."""
        before: dict[str, Person] = {}

        def noting(person: Person) -> Person:
            before[person.employee_id] = person
            return change(person)

        keys = [join_key(employee_id) for employee_id in people]
        changed = change_rows(self._table, self._tenant, keys, _deciding(noting))
        after = (_person(key, values) for key, values in changed.items())
        return {person.employee_id: (before[person.employee_id], person) for person in after}


def people_of(page: Page) -> list[Person]:
    """Return the people on a page."""
    return [_person(row.key, row.values) for row in page.rows]


def _values(person: Person) -> dict[str, Value]:
    """Return the cells of a person; what does not fit into a row is told with fewer past facts. DataRefused."""
    for most in _FEWER:
        cells = _cells(person, most)
        if cells is not None:
            if most < MOST_KEPT:
                _log.warning("employee %s: what fits into a row is %d past facts of a field", person.employee_id, most)
            return cells
    raise DataRefused(
        f"employee {person.employee_id!r} has {len(person.assignments)} assignments, which is more than a row holds: "
        "let HR end those that are over"
    )


def _cells(person: Person, most: int) -> dict[str, Value] | None:
    """Return the cells with so many past facts of each field, None when they do not fit."""
    facts, assignments = person.facts, person.assignments
    if most < MOST_KEPT:
        facts = thinned(facts, most)
        assignments = {name: thinned(known, most) for name, known in assignments.items()}
    try:
        cells = long_cells("facts", to_json(facts)) | long_cells(
            "assignments", {name: to_json(known) for name, known in sorted(assignments.items())}
        )
    except ValueError:
        return None
    size = sum(len(cell) for cell in cells.values() if isinstance(cell, str | bytes))
    return {**cells, "revision": person.revision} if size <= _MOST_BYTES else None


def _deciding(change: Callable[[Person], Person]) -> Decide:
    def decide(key: str, values: Mapping[str, Value] | None) -> Mapping[str, Value] | None:
        before = _person(key, values) if values else Person(split_key(key)[0])
        after = change(before)
        return None if after == before else _values(after)

    return decide


def _person(key: str, values: Mapping[str, Value]) -> Person:
    assignments = read_long_cells("assignments", values)
    return Person(
        split_key(key)[0],
        from_json(read_long_cells("facts", values)),
        {name: from_json(facts) for name, facts in assignments.items()},
        int(str(values.get("revision", 0))),
    )
