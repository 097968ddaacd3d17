"""Which hub employee an ERP employee ID stands for (INC-05).

Table EmployeeMappings, partition tenant:
  `ERP employee ID`     the hub employee
  `pending|change ID`   written with the mappings of a change, while the runs that it concerns are not queued
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from shared.kernel.clock import from_iso, to_iso
from shared.kernel.keys import AFTER, join_key, split_key
from shared.kernel.table import Operation, Put, Table, write_all


class MappingStore:
    """The employee mappings of one tenant."""

    def __init__(self, table: Table, tenant: str) -> None:
        """Keep the table."""
        self._table = table
        self._tenant = tenant

    def find(self, erp_employee_ids: Collection[str]) -> dict[str, str]:
        """Return the hub employee of each ERP employee ID that is mapped; one range scan for all of them."""
        if not erp_employee_ids:
            return {}
        keys = {join_key(erp_id) for erp_id in erp_employee_ids}
        rows = self._table.query(self._tenant, key_from=min(keys), key_before=max(keys) + AFTER)
        return {split_key(row.key)[0]: str(row.values["employeeId"]) for row in rows if row.key in keys}

    def erp_ids_of(self, employee_id: str) -> list[str]:
        """Return the ERP employee IDs that stand for a hub employee."""
        rows = self._table.query(self._tenant, equal={"employeeId": employee_id})
        return [split_key(row.key)[0] for row in rows]

    def put(self, mappings: Mapping[str, str], change_id: str, now: datetime) -> None:
        """Store mappings, ERP employee ID to hub employee ID, as a change that is pending until it is settled."""
        rows: list[Operation] = [Put(join_key("pending", change_id), {"storedAt": to_iso(now)})]
        rows += [Put(join_key(erp_id), {"employeeId": employee}) for erp_id, employee in mappings.items()]
        write_all(self._table, self._tenant, rows)

    def settle(self, change_id: str) -> None:
        """Remember that the runs of a change are queued."""
        self._table.delete(self._tenant, join_key("pending", change_id))

    def pending(self, before: datetime) -> Iterator[str]:
        """Yield the IDs of changes that were stored before an instant and are not settled."""
        prefix = join_key("pending", "")
        for row in self._table.query(self._tenant, key_from=prefix, key_before=prefix + AFTER):
            if from_iso(str(row.values["storedAt"])) < before:
                yield split_key(row.key)[1]
