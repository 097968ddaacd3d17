"""Sales of ERP employees whom nobody has mapped yet: held, and counted once the employee appears (INC-05).

Table HeldSales, partition tenant; each held sum stands twice, written together:
  `run|run ID|ERP employee`   to know what a run holds back
  `employee|ERP employee|run ID`   to know which runs to look at when the employee appears
"""

from collections.abc import Collection, Mapping

from shared.kernel.keys import end_of_prefix, join_key, split_key, storage_order
from shared.kernel.table import Delete, Operation, Put, Table, Value, write_all
from shared.sales.models import Tally


class HeldStore:
    """The held sales of one tenant."""

    def __init__(self, table: Table, tenant: str) -> None:
        """Keep the table."""
        self._table = table
        self._tenant = tenant

    def replace(self, run_id: str, held: Mapping[str, Tally]) -> None:
        """Let a run hold exactly these sums, by ERP employee."""
        prefix = join_key("run", run_id, "")
        rows = self._table.query(self._tenant, key_from=prefix, key_before=end_of_prefix(prefix))
        before = {split_key(row.key)[2]: _tally(row.values) for row in rows}
        operations: list[Operation] = []
        for erp_id in before.keys() - held.keys():
            operations += [Delete(key) for key in _keys(run_id, erp_id)]
        for erp_id, tally in held.items():
            if before.get(erp_id) != tally:
                operations += [Put(key, _values(tally)) for key in _keys(run_id, erp_id)]
        write_all(self._table, self._tenant, operations)

    def runs_holding(self, erp_employee_ids: Collection[str]) -> set[str]:
        """Return the runs that hold sales of any of the ERP employees."""
        if not erp_employee_ids:
            return set()
        wanted = set(erp_employee_ids)
        keys = [join_key("employee", erp_id, "") for erp_id in wanted]
        first, last = min(keys, key=storage_order), max(keys, key=storage_order)
        rows = self._table.query(self._tenant, key_from=first, key_before=end_of_prefix(last), select=["transactions"])
        parts = (split_key(row.key) for row in rows)
        return {run_id for _, erp_id, run_id in parts if erp_id in wanted}


def _keys(run_id: str, erp_id: str) -> tuple[str, str]:
    return join_key("run", run_id, erp_id), join_key("employee", erp_id, run_id)


def _values(tally: Tally) -> dict[str, Value]:
    return {
        "amountMinor": tally.amount_minor,
        "unitsSold": tally.units_sold,
        "transactions": tally.transactions,
    }


def _tally(values: Mapping[str, Value]) -> Tally:
    return Tally(*(int(str(values[name])) for name in ("amountMinor", "unitsSold", "transactions")))
