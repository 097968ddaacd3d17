"""Timer triggers: six-field NCRONTAB in UTC, never two runs at once, one catch-up after a gap."""

import json
import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from croniter import croniter

from local.host.configuration import HostError
from local.host.index import IndexedFunction
from local.host.invoke import Invoker
from local.host.manual import timer_datum

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

_log = logging.getLogger("host")


class TimerListener:
    """Runs one timer function on its schedule."""

    def __init__(self, function: IndexedFunction, connection: str, invoker: Invoker) -> None:
        """Keep everything. HostError for a schedule that does not parse."""
        self._function, self._connection, self._invoker = function, connection, invoker
        text = str(function.options["schedule"])
        self._schedule = text if len(text.split()) == 6 else f"0 {text}"
        if not croniter.is_valid(self._schedule, second_at_beginning=True):
            raise HostError(f"function {function.name!r}: {text!r} is no NCRONTAB schedule")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"timer {function.name}", daemon=True)

    def start(self) -> None:
        """Begin to run."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the present run."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        planned = self._planned()
        past_due = planned is not None and planned < datetime.now(UTC)
        if past_due or self._function.options.get("runOnStartup") in (True, "true", "True"):
            self._invoke(past_due=past_due)
        while not self._stopping.is_set():
            following = self._next(datetime.now(UTC))
            self._remember(following)
            if self._stopping.wait((following - datetime.now(UTC)).total_seconds()):
                return
            late = datetime.now(UTC) - following
            self._invoke(past_due=late > timedelta(seconds=10))

    def _invoke(self, *, past_due: bool) -> None:
        try:
            self._invoker.run(self._function, timer_datum(past_due=past_due))
        except Exception:  # noqa: BLE001 - logged by the invoker; a failure does not stop a timer
            return

    def _next(self, after: datetime) -> datetime:
        following: datetime = croniter(self._schedule, after, second_at_beginning=True).get_next(datetime)
        return following

    def _planned(self) -> datetime | None:
        try:
            status = json.loads(self._blob().download_blob().readall())
            return datetime.fromisoformat(status["Next"])
        except Exception:  # noqa: BLE001 - no status yet, or no storage: then nothing was missed
            return None

    def _remember(self, following: datetime) -> None:
        status = {"Last": datetime.now(UTC).isoformat(), "Next": following.isoformat()}
        try:
            _create_container(self._blob())
            self._blob().upload_blob(json.dumps(status), overwrite=True)
        except Exception as error:  # noqa: BLE001 - the timer runs all the same
            _log.warning("timer %s: status is not stored (%s)", self._function.name, type(error).__name__)

    def _blob(self) -> "BlobClient":
        from azure.storage.blob import BlobClient

        name = f"timers/local/Host.Functions.{self._function.name}/status"
        return BlobClient.from_connection_string(self._connection, "azure-webjobs-hosts", name)


def _create_container(blob: "BlobClient") -> None:
    from azure.core.exceptions import ResourceExistsError

    try:
        blob._get_container_client().create_container()
    except ResourceExistsError:
        return
