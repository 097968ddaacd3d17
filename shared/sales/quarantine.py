"""A dropped file that could not be imported: moved to `erp-quarantine`, with a report beside it (INC-09)."""

import json

from shared.kernel.blob import BlobChanged, BlobMissing
from shared.kernel.clock import to_iso
from shared.kernel.fitting import MAX_BLOB_NAME, shortened
from shared.sales.context import ImportContext
from shared.sales.rejects import page_of_rejects
from shared.sales.runs import ImportRun

_REPORTED_REJECTS = 1000
_LONGEST = MAX_BLOB_NAME - 60
"""Characters of a file's name: run ID and ending of the report come to it."""


def quarantine_file(context: ImportContext, run: ImportRun) -> None:
    """Copy the file and its report, then remove it from the inbox. Idempotent by run.

    A file that was replaced meanwhile stays in the inbox: it is another file, with an import of its own.
    """
    name = f"{run.run_id}/{shortened(run.file_name, _LONGEST)}"
    try:
        context.quarantine.copy(name, context.inbox, run.file_name, etag=run.file_etag)
        copied = True
    except (BlobMissing, BlobChanged):
        copied = False
    report = json.dumps(_report(context, run), indent=2, ensure_ascii=False).encode()
    context.quarantine.write(f"{name}.report.json", report, content_type="application/json")
    if copied:
        try:
            context.inbox.delete(run.file_name, etag=run.file_etag)
        except BlobChanged:
            return


def _report(context: ImportContext, run: ImportRun) -> dict[str, object]:
    rejects = page_of_rejects(context.rejects, run, _REPORTED_REJECTS, None)
    return {
        "fileName": run.file_name,
        "runId": run.run_id,
        "reportedAt": to_iso(context.clock()),
        "code": run.failure_code,
        "reason": run.failure,
        "rejects": [dict(row.values) for row in rejects.rows],
        "moreRejects": rejects.next_position is not None,
    }
