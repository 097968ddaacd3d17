"""What the import queue's messages ask for, and what happens to a run whose message is given up."""

from collections.abc import Callable
from datetime import datetime

from shared.kernel.errors import Busy, DataRefused, HubError
from shared.kernel.message import Message
from shared.sales.context import ImportContext
from shared.sales.files import FILE_MESSAGE, give_up_file, import_file_now
from shared.sales.outcome import fail_run, note_waiting
from shared.sales.publish import publish_run, republish_run
from shared.sales.stage import stage_slice


def handle_import_message(context: ImportContext, message: Message) -> None:
    """Do what a message of the queue `import-slices` asks for. Idempotent by run and slice."""
    handler = _HANDLERS.get(message.type)
    if handler is None:
        raise DataRefused(f"message {message.id!r} asks for {message.type!r}, which the import does not know")
    handler(context, message)


def give_up_import_message(context: ImportContext, message: Message, error: HubError) -> None:
    """Let the run of a message that was parked end as Failed; a file that has none yet gets one that says why."""
    if message.type == FILE_MESSAGE:
        give_up_file(context, str(message.data.get("file")), error)
    run_id = message.data.get("runId")
    if isinstance(run_id, str) and context.runs.find(run_id):
        fail_run(context, run_id, error)


def delay_import_message(
    context: ImportContext, message: Message, error: HubError, tries: int, next_at: datetime
) -> None:
    """Note on a run why it waits, unless it only waits for another worker of its own."""
    run_id = message.data.get("runId")
    if isinstance(error, Busy) or not isinstance(run_id, str):
        return
    if run := context.runs.find(run_id):
        note_waiting(context, run, error, tries, next_at)


_HANDLERS: dict[str, Callable[[ImportContext, Message], object]] = {
    "import.stage": stage_slice,
    FILE_MESSAGE: lambda context, message: import_file_now(context, str(message.data["file"])),
    "import.publish": lambda context, message: publish_run(context, str(message.data["runId"])),
    "import.republish": lambda context, message: republish_run(context, str(message.data["runId"])),
}
