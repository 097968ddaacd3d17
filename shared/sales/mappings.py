"""Which hub employee an ERP employee ID stands for on which day (INC-05).

Table EmployeeMappings: partition tenant, row key ERP employee ID:
  `claims`       everything that is known of its owners
  `employeeId`   the only owner that it ever had; empty when it changed hands
  `lookAgain`    while sales of its owners may stand where they stood before: written with the claims that move them,
                 taken away once every run that holds such sales has been queued. `againFrom`, `againUntil`: the days
                 that went to another owner; absent where the ID had none, and its sales are held.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date

from shared.kernel.clock import from_iso
from shared.kernel.keys import join_key, span_of, split_key
from shared.kernel.long_cells import long_cells, read_long_cells
from shared.kernel.row_changes import Values, change_rows
from shared.kernel.table import Table
from shared.sales.owners import Claim, Days, Owners, days_that_changed, together

Claims = Mapping[str, Collection[Claim]]
"""ERP employee ID -> claims to it."""


@dataclass(frozen=True)
class MovedSales:
    """Sales of an ERP ID that may stand where they stood before: those that are held, and those of some days.

    `owners` is what was known then.
    """

    erp_id: str
    owners: Owners
    days: Days | None


class MappingStore:
    """The employee mappings of one tenant."""

    def __init__(self, table: Table, tenant: str) -> None:
        """Keep the table."""
        self._table = table
        self._tenant = tenant

    def find(self, erp_employee_ids: Collection[str]) -> dict[str, Owners]:
        """Return the owners of each ERP employee ID that ever had one; one range scan for all of them."""
        if not erp_employee_ids:
            return {}
        keys = {join_key(erp_id) for erp_id in erp_employee_ids}
        first, before = span_of(keys)
        rows = self._table.query(self._tenant, key_from=first, key_before=before)
        found = {split_key(row.key)[0]: _owners(row.values) for row in rows if row.key in keys}
        return {erp_id: owners for erp_id, owners in found.items() if owners.turns}

    def owned_by(self, employee_id: str) -> dict[str, Owners]:
        """Return the ERP employee IDs that a hub employee ever had, with all their owners."""
        found: dict[str, Owners] = {}
        for sole_owner in (employee_id, ""):
            for row in self._table.query(self._tenant, equal={"employeeId": sole_owner}):
                owners = _owners(row.values)
                if employee_id in owners.turns.values():
                    found[split_key(row.key)[0]] = owners
        return found

    def learn(self, claims: Claims) -> list[MovedSales]:
        """Add claims to what is known; return what has to be looked at again, also where an earlier call died.

        Whatever is returned goes to `settle` once the looks at it are queued.
        """
        moved: dict[str, MovedSales] = {}

        def decide(key: str, values: Values | None) -> Values | None:
            erp_id = split_key(key)[0]
            moved.pop(erp_id, None)
            before = _owners(values or {})
            after = before.with_claims(claims[erp_id])
            changed = days_that_changed(before, after)
            days = together(_days(values or {}), changed if before.turns else None)
            look_again = changed is not None or "lookAgain" in (values or {})
            if look_again:
                moved[erp_id] = MovedSales(erp_id, after, days)
            return None if after == before else _values(after, look_again=look_again, days=days)

        change_rows(self._table, self._tenant, [join_key(erp_id) for erp_id in claims], decide)
        return list(moved.values())

    def unsettled(self) -> list[MovedSales]:
        """Return what a process that died did not settle."""
        rows = self._table.query(self._tenant, equal={"lookAgain": True})
        return [MovedSales(split_key(row.key)[0], _owners(row.values), _days(row.values)) for row in rows]

    def settle(self, moved: Collection[MovedSales]) -> None:
        """Forget that these have to be looked at again; what moved meanwhile has to be still."""
        seen = {join_key(one.erp_id): one for one in moved}

        def decide(key: str, values: Values | None) -> Values | None:
            one, owners = seen[key], _owners(values or {})
            if "lookAgain" not in (values or {}) or (owners, _days(values or {})) != (one.owners, one.days):
                return None
            return _values(owners, look_again=False, days=None)

        change_rows(self._table, self._tenant, list(seen), decide)


def _values(owners: Owners, *, look_again: bool, days: Days | None) -> Values:
    claims = [
        [
            one.since.isoformat(),
            one.stated.astimezone(UTC).isoformat(),
            one.source,
            one.employee_id,
            one.holds,
            one.revision,
            one.vacates,
        ]
        for one in owners.claims
    ]
    employees = {owner for owner in owners.turns.values() if owner}
    cells = long_cells("claims", claims) | {"employeeId": employees.pop() if len(employees) == 1 else ""}
    if look_again:
        cells["lookAgain"] = True
        if days:
            cells |= {"againFrom": days.first.isoformat(), "againUntil": days.last.isoformat()}
    return cells


def _owners(values: Values) -> Owners:
    if "claims" not in values:
        return Owners()
    return Owners(
        tuple(
            Claim(date.fromisoformat(since), from_iso(stated), source, employee_id, holds, *more)
            for since, stated, source, employee_id, holds, *more in read_long_cells("claims", values)
        )
    )


def _days(values: Values) -> Days | None:
    first, last = values.get("againFrom"), values.get("againUntil")
    return Days(date.fromisoformat(str(first)), date.fromisoformat(str(last))) if first and last else None
