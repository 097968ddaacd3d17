"""Start an import: by the timer, by hand, by the API, by a dropped file, or by the watchdog (INC-01, INC-09)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from shared.kernel.clock import business_day, plausible
from shared.kernel.errors import FieldProblem, InvalidRequest
from shared.kernel.message import send_message
from shared.sales.context import IMPORT_QUEUE, ImportContext
from shared.sales.models import ALL_STORES
from shared.sales.runs import ImportRun, Trigger


@dataclass(frozen=True)
class StartRequest:
    """What is to be imported, and who says so.

    `key` makes it happen once: the same key gives the same run, or Conflict where it stands for another day or store.
    None: each request is a run of its own.
    """

    day: date
    trigger: Trigger
    started_by: str
    key: str | None = None
    store_id: str = ""
    file_name: str = ""
    file_etag: str = ""
    as_of: datetime | None = None
    """From when a file's data is; None for the ERP, which is read as it stands."""
    correlation_id: str = ""


def start_import(context: ImportContext, request: StartRequest) -> str:
    """Store a run, queue its first slice, return its ID. Idempotent by `request.key`.

    InvalidRequest for a day of no plausible year or that has not begun yet in the business time zone, and for a store
    that is none.
    """
    if problem := _problem_of_store(context, request.store_id):
        raise InvalidRequest("storeId is not valid", (FieldProblem("storeId", problem),))
    try:
        plausible(request.day)
    except ValueError as error:
        raise InvalidRequest(f"date: {error}", (FieldProblem("date", str(error)),)) from None
    if request.day > business_day(context.clock(), context.rules.time_zone):
        raise InvalidRequest(f"{request.day.isoformat()} is in the future: there are no sales to import yet")
    if request.key is None:
        return _create(context, request)
    what = {"date": request.day.isoformat(), "storeId": request.store_id}
    result = context.once.run("start-import", request.key, lambda: {"runId": _create(context, request)}, what)
    return str(result["runId"])


def _problem_of_store(context: ImportContext, store_id: str) -> str:
    if store_id == ALL_STORES:
        return f"{ALL_STORES!r} is no store: leave it out to import all stores"
    known = context.rules.known_stores
    if store_id and known and store_id not in known:
        return f"{store_id!r} is not a known store (ERP_KNOWN_STORES)"
    return ""


def start_daily_import(context: ImportContext, trigger: Trigger, started_by: str, at: datetime) -> str:
    """Start the import of the business day before the one of the instant `at`, when the timer fires or should have.

    Idempotent by the day, whoever asks: timer, second instance, watchdog.
    """
    return start_import_of(context, day_imported_at(context, at), trigger, started_by)


def day_imported_at(context: ImportContext, at: datetime) -> date:
    """Return the business day that the timer imports when it fires at an instant: the one before."""
    return business_day(at, context.rules.time_zone) - timedelta(days=1)


def start_import_of(context: ImportContext, day: date, trigger: Trigger, started_by: str) -> str:
    """Start the scheduled import of a day. Idempotent by the day, whoever asks."""
    return start_import(context, StartRequest(day, trigger, started_by, key=f"daily|{day.isoformat()}"))


def enqueue_slice(context: ImportContext, run: ImportRun, number: int, cursor: str) -> None:
    """Queue a slice of a run. The message's ID is the slice's, so that repeats are recognisable."""
    send_message(
        context,
        IMPORT_QUEUE,
        message_id=f"{run.run_id}-{run.generation}-{number}",
        message_type="import.stage",
        subject=run.run_id,
        correlation_id=run.correlation_id,
        data={"runId": run.run_id, "generation": run.generation, "slice": number, "cursor": cursor},
    )


def _create(context: ImportContext, request: StartRequest) -> str:
    run_id = context.new_id()
    run = context.runs.create(
        ImportRun(
            run_id=run_id,
            tenant=context.tenant,
            source="file" if request.file_name else "erp",
            day=request.day,
            trigger=request.trigger,
            started_by=request.started_by,
            requested_at=context.clock(),
            progress_at=context.clock(),
            store_id=request.store_id,
            file_name=request.file_name,
            file_etag=request.file_etag,
            as_of=request.as_of,
            correlation_id=request.correlation_id or run_id,
        )
    )
    enqueue_slice(context, run, 0, context.source_of(run).first_cursor)
    return run.run_id
