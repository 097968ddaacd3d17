"""A file dropped into `erp-inbox` (INC-09)."""

from dataclasses import dataclass
from datetime import datetime

from shared.kernel.blob import MAX_FILE_BYTES
from shared.kernel.clock import business_day
from shared.kernel.dropped_file import is_folder, now_or_by_message
from shared.kernel.errors import DataRefused, HubError, InvalidRequest
from shared.sales.context import IMPORT_QUEUE, ImportContext
from shared.sales.file_source import day_of_file
from shared.sales.outcome import fail_run
from shared.sales.runs import ImportRun, Trigger
from shared.sales.start import StartRequest, start_import

FILE_MESSAGE = "import.file"


@dataclass(frozen=True)
class DroppedFile:
    """A version of a file in the inbox."""

    name: str
    etag: str
    size: int
    last_modified: datetime

    @property
    def key(self) -> str:
        """The key under which it is imported once."""
        return f"file|{self.name}|{self.etag}"


def import_file(context: ImportContext, name: str) -> str | None:
    """Import a file that the host tells of, as `import_file_now`; None also where a message does it later."""
    return now_or_by_message(context, IMPORT_QUEUE, FILE_MESSAGE, name, lambda: import_file_now(context, name))


def import_file_now(context: ImportContext, name: str) -> str | None:
    """Start the import of a file; None when it is gone, or a folder. Idempotent by the file's name and ETag.

    Its data is from when the file was last written, however late it is told of.

    A file that is too large, or does not say what it is about, becomes a failed run and goes to quarantine.
    """
    file = _file_named(context, name)
    if file is None:
        return None
    result = context.once.run("import-file", file.key, lambda: {"runId": _start(context, file)})
    return str(result["runId"])


def give_up_file(context: ImportContext, name: str, error: HubError) -> None:
    """Let a file whose import could not even be started end as a failed run, in quarantine. Idempotent as above."""
    file = _file_named(context, name)
    if file is not None:
        context.once.run("import-file", file.key, lambda: {"runId": _refuse(context, file, error)})


def _file_named(context: ImportContext, name: str) -> DroppedFile | None:
    info = context.inbox.info(name)
    if info is None or is_folder(info):
        return None
    return DroppedFile(name, info.etag, info.size, info.last_modified)


def _start(context: ImportContext, file: DroppedFile) -> str:
    try:
        _check_size(file)
        day = day_of_file(context.inbox, file.name, file.etag, context.rules.time_zone)
        return start_import(
            context,
            StartRequest(
                day,
                Trigger.FILE,
                "erp-inbox",
                file_name=file.name,
                file_etag=file.etag,
                as_of=file.last_modified,
            ),
        )
    except (DataRefused, InvalidRequest) as error:
        return _refuse(context, file, DataRefused(error.message))


def _check_size(file: DroppedFile) -> None:
    if file.size > MAX_FILE_BYTES:
        text = f"file {file.name!r} has {file.size} bytes, at most {MAX_FILE_BYTES} are accepted"
        raise DataRefused(f"{text}: split it by stores")


def _refuse(context: ImportContext, file: DroppedFile, error: HubError) -> str:
    run_id = context.new_id()
    context.runs.create(
        ImportRun(
            run_id=run_id,
            tenant=context.tenant,
            source="file",
            day=business_day(context.clock(), context.rules.time_zone),
            trigger=Trigger.FILE,
            started_by="erp-inbox",
            requested_at=context.clock(),
            file_name=file.name,
            file_etag=file.etag,
            as_of=file.last_modified,
            correlation_id=run_id,
        )
    )
    fail_run(context, run_id, error)
    return run_id
