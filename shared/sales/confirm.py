"""A person confirms what drops by an import (INC-05)."""

from dataclasses import replace

from shared.kernel.contention import Contention
from shared.kernel.errors import Conflict
from shared.kernel.table import RowChanged
from shared.sales.context import ImportContext
from shared.sales.outcome import enqueue_publish
from shared.sales.runs import ImportRun, RunStatus


def confirm_import(context: ImportContext, run_id: str, confirmed_by: str) -> ImportRun:
    """Let a run count although stores drop by it, as listed in its `drops`; return it. Idempotent by run.

    What drops is compared again when the run is published: more than was confirmed is asked for anew. NotFound;
    Conflict for a run that waits for no confirmation.
    """
    contention = Contention(f"import run {run_id}")
    while True:
        run = context.runs.get(run_id)
        if run.status is not RunStatus.NEEDS_CONFIRMATION and not run.confirmed_by:
            raise Conflict(f"import run {run_id} is {run.status.value}: it waits for no confirmation")
        if run.status.final:
            return run
        try:
            run = context.runs.save(
                replace(
                    run,
                    status=RunStatus.PUBLISHING,
                    confirmed_by=run.confirmed_by or confirmed_by,
                    progress_at=context.clock(),
                )
            )
        except RowChanged:
            contention.pause()
            continue
        enqueue_publish(context, run_id, run.correlation_id, confirmed=True)
        return run
