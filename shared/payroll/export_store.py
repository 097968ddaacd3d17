"""The exports of a tenant. Table Exports, partition tenant:
`export|newest-first export ID`   the export, so that the list is a range scan
`period|period|sequence`          whose turn it is: written together with the export, so that of two that start at
                                  once one comes into being
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from shared.kernel.clock import from_iso, to_iso
from shared.kernel.errors import NotFound
from shared.kernel.identifiers import key_if_any, newest_first
from shared.kernel.keys import end_of_prefix, join_key
from shared.kernel.long_cells import long_cells, read_long_cells
from shared.kernel.table import Insert, Page, Row, RowExists, Table, Value
from shared.payroll.export import Approved, ControlTotals, Export, ExportStatus, Step


class ExportStore:
    """The exports of one tenant."""

    def __init__(self, table: Table, tenant: str) -> None:
        """Keep the table."""
        self._table = table
        self._tenant = tenant

    def create(self, export: Export) -> Export | None:
        """Store a new export; None when its turn was taken by another one."""
        turn = join_key("period", export.period, f"{export.sequence:06d}")
        operations = [Insert(_key(export.export_id), _values(export)), Insert(turn, {"exportId": export.export_id})]
        try:
            etags = self._table.transact(self._tenant, operations)
        except RowExists:
            return None
        return replace(export, etag=etags[0])

    def get(self, export_id: str) -> Export:
        """Return an export. NotFound."""
        key = key_if_any(export_id)
        row = self._table.get(self._tenant, join_key("export", key)) if key else None
        if row is None:
            raise NotFound(f"there is no export {export_id!r}")
        return _export(row)

    def save(self, export: Export) -> Export:
        """Write an export over the version that it was read as. RowChanged when somebody was faster."""
        row = Row(self._tenant, _key(export.export_id), {}, export.etag)
        return replace(export, etag=self._table.replace(row, _values(export)))

    def last_of(self, period: str) -> Export | None:
        """Return the last export of a period, or None."""
        exports = self.of_period(period)
        return exports[-1] if exports else None

    def of_period(self, period: str) -> list[Export]:
        """Return the exports of a period in their order."""
        prefix = join_key("period", period, "")
        turns = self._table.query(self._tenant, key_from=prefix, key_before=end_of_prefix(prefix))
        return [self.get(str(row.values["exportId"])) for row in turns]

    def page(self, size: int, position: str | None) -> Page:
        """Return a page of rows, newest first; `exports_of` reads them."""
        prefix = join_key("export", "")
        return self._table.page(
            self._tenant, size=size, position=position, key_from=prefix, key_before=end_of_prefix(prefix)
        )

    def running(self) -> list[Export]:
        """Return the exports that are not finished."""
        prefix = join_key("export", "")
        equal = {"status": ExportStatus.RUNNING.value}
        rows = self._table.query(self._tenant, key_from=prefix, key_before=end_of_prefix(prefix), equal=equal)
        return [_export(row) for row in rows]


def exports_of(page: Page) -> list[Export]:
    """Return the exports on a page."""
    return [_export(row) for row in page.rows]


def _key(export_id: str) -> str:
    return join_key("export", newest_first(export_id))


def _values(export: Export) -> dict[str, Value]:
    answered, seen = export.answered, export.seen
    values: dict[str, Value | None] = {
        "exportId": export.export_id,
        "period": export.period,
        "sequence": export.sequence,
        "trigger": export.trigger,
        "startedBy": export.started_by,
        "startedAt": to_iso(export.started_at),
        "currency": export.currency,
        "force": export.force,
        "seenCount": seen.count if seen else None,
        "seenMinor": seen.total_minor if seen else None,
        "seenBlob": export.seen_blob or None,
        "status": export.status.value,
        "step": export.step.value if export.step else None,
        "completed": _json(export.completed),
        "frozenBlob": export.frozen_blob,
        "recordCount": export.totals.record_count,
        "totalMinor": export.totals.total_minor,
        "calculations": export.calculations,
        **long_cells("withheld", dict(export.withheld)),
        "withheldCount": export.withheld_count,
        "csvSize": export.csv_size,
        "csvSha256": export.csv_sha256,
        "csvPath": export.csv_path,
        "csvPart": export.csv_part,
        "csvTaken": export.csv_taken,
        "payrollBatchId": export.payroll_batch_id,
        "payrollStatus": export.payroll_status,
        "answeredCount": answered.record_count if answered else None,
        "answeredMinor": answered.total_minor if answered else None,
        "recordsAccepted": export.records_accepted,
        "recordsRejected": export.records_rejected,
        "acceptedMinor": export.accepted_minor,
        "answerBlob": export.answer_blob,
        "stops": export.stops,
        "failureCode": export.failure_code,
        "failure": export.failure,
        "progressAt": to_iso(export.progress_at) if export.progress_at else None,
        "finishedAt": to_iso(export.finished_at) if export.finished_at else None,
    }
    return {name: value for name, value in values.items() if value is not None}


def _export(row: Row) -> Export:
    values: Mapping[str, Any] = row.values
    answered = ControlTotals(values["answeredCount"], values["answeredMinor"]) if "answeredCount" in values else None
    return Export(
        export_id=values["exportId"],
        period=values["period"],
        sequence=values["sequence"],
        trigger=values["trigger"],
        started_by=values["startedBy"],
        started_at=from_iso(values["startedAt"]),
        currency=values["currency"],
        force=values["force"],
        seen=Approved(values["seenCount"], values["seenMinor"]) if "seenCount" in values else None,
        seen_blob=values.get("seenBlob", ""),
        status=ExportStatus(values["status"]),
        step=Step(values["step"]) if "step" in values else None,
        completed=json.loads(values["completed"]),
        frozen_blob=values["frozenBlob"],
        totals=ControlTotals(values["recordCount"], values["totalMinor"]),
        calculations=values["calculations"],
        withheld=read_long_cells("withheld", values),
        withheld_count=values["withheldCount"],
        csv_size=values["csvSize"],
        csv_sha256=values["csvSha256"],
        csv_path=values["csvPath"],
        csv_part=values.get("csvPart", ""),
        csv_taken=values.get("csvTaken", False),
        payroll_batch_id=values["payrollBatchId"],
        payroll_status=values["payrollStatus"],
        answered=answered,
        records_accepted=values["recordsAccepted"],
        records_rejected=values["recordsRejected"],
        accepted_minor=values["acceptedMinor"],
        answer_blob=values["answerBlob"],
        stops=values["stops"],
        failure_code=values["failureCode"],
        failure=values["failure"],
        progress_at=from_iso(values["progressAt"]) if "progressAt" in values else None,
        finished_at=from_iso(values["finishedAt"]) if "finishedAt" in values else None,
        etag=row.etag,
    )


def _json(content: Mapping[str, str]) -> str:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False)
