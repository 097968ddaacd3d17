"""Storage queue triggers: poll, run, delete; after five tries to the poison queue.

What fails at one message concerns that message alone, and nothing is deleted that no function has done or taken to the
poison queue.
"""

import logging
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from local.host.configuration import duration
from local.host.index import IndexedFunction
from local.host.invoke import Invoker
from local.host.trigger_data import trigger_data

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient, QueueMessage

_log = logging.getLogger("host")
_SLOWEST_POLL = 1.0
_LONGEST_PAUSE = 600
"""Seconds before a message of a poison queue, which has nowhere further to go, is tried again."""

Item = TypeVar("Item")


class QueueListener:
    """Listens to one queue for one function."""

    def __init__(
        self,
        function: IndexedFunction,
        connection: str,
        options: Mapping[str, Any],
        invoker: Invoker,
        lease: float,
    ) -> None:
        """Keep everything; `lease` is for how many seconds a message is ours, renewed while its function runs."""
        self._function, self._connection, self._invoker, self._lease = function, connection, invoker, lease
        self._queue = str(function.options["queueName"])
        self._is_last = self._queue.endswith("-poison")
        self._batch = int(options.get("batchSize", 16))
        self._tries = int(options.get("maxDequeueCount", 5))
        self._delay = int(duration(str(options.get("visibilityTimeout", "00:00:00"))))
        self._stopping = threading.Event()
        self._running: dict[str, tuple[QueueMessage, Future[Any]]] = {}
        self._thread = threading.Thread(target=self._listen, name=f"queue {self._queue}", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more messages, wait for those that are being worked on."""
        self._stopping.set()
        self._thread.join()

    def _listen(self) -> None:
        client = self._client(self._queue)
        pause, down = 0.05, False
        while not self._stopping.is_set() or self._running:
            try:
                busy = self._turn(client)
                down = False
            except Exception as error:  # noqa: BLE001 - the emulator is gone for a while: go on trying
                if not down:
                    _log.warning("queue %s: %s; trying again", self._queue, type(error).__name__)
                busy, down = False, True
            pause = 0.02 if busy or self._running else min(_SLOWEST_POLL, pause * 1.5)
            self._stopping.wait(pause) if not self._stopping.is_set() else threading.Event().wait(0.02)

    def _turn(self, client: "QueueClient") -> bool:
        """Settle what is done, renew what runs long, take more; tell whether anything came."""
        done = [one for one in self._running.values() if one[1].done()]
        _each(done, lambda one: self._settle(client, one[0], failed=one[1].exception() is not None))
        room = self._batch - len(self._running)
        if self._stopping.is_set() or room <= 0:
            return False
        taken = list(_receive(client, room, self._lease))
        _each(taken, lambda message: self._begin(client, message))
        return bool(taken)

    def _begin(self, client: "QueueClient", message: "QueueMessage") -> None:
        if (message.dequeue_count or 0) > self._tries and not self._is_last:
            self._to_poison(client, message)
            return
        body, metadata = trigger_data(self._function, _content(message), _values(message))
        future = self._invoker.start(self._function, body, metadata)
        self._running[message.id] = (message, future)
        threading.Timer(self._lease / 2, self._renew, (client, message.id)).start()

    def _renew(self, client: "QueueClient", message_id: str) -> None:
        """Keep a message ours while its function runs."""
        found = self._running.get(message_id)
        if found is None or found[1].done():
            return
        message, future = found
        try:
            renewed = client.update_message(message, visibility_timeout=max(1, round(self._lease)))
        except Exception as error:  # noqa: BLE001 - lost: the message comes again, as with the real host
            _log.warning("queue %s: message %s was lost (%s)", self._queue, message_id, type(error).__name__)
            return
        self._running[message_id] = (renewed, future)
        threading.Timer(self._lease / 2, self._renew, (client, message_id)).start()

    def _settle(self, client: "QueueClient", message: "QueueMessage", *, failed: bool) -> None:
        del self._running[message.id]
        count = message.dequeue_count or 0
        if not failed:
            client.delete_message(message)
        elif self._is_last:
            pause = max(1, self._delay) * 2 ** min(count, 10)
            client.update_message(message, visibility_timeout=min(pause, _LONGEST_PAUSE))
        elif count >= self._tries:
            self._to_poison(client, message)
        else:
            client.update_message(message, visibility_timeout=self._delay)

    def _to_poison(self, client: "QueueClient", message: "QueueMessage") -> None:
        _create(self._client(f"{self._queue}-poison")).send_message(message.content, time_to_live=-1)
        client.delete_message(message)

    def _client(self, queue: str) -> "QueueClient":
        from azure.storage.queue import QueueClient

        return QueueClient.from_connection_string(self._connection, queue, retry_total=1, connection_timeout=5)


def _each(items: Iterable[Item], action: Callable[[Item], None]) -> None:
    """Do something with each, whatever becomes of the others; raises the first error when all had their turn."""
    errors: list[Exception] = []
    for item in items:
        try:
            action(item)
        except Exception as error:  # noqa: BLE001 - raised below
            errors.append(error)
    if errors:
        raise errors[0]


def _content(message: "QueueMessage") -> bytes:
    """Return what a message says; one that is not base64 as it is, for its function to refuse.

    The real host moves it to the poison queue, unseen by any function.
    """
    text = str(message.content or "")
    try:
        return b64decode("".join(text.split()), validate=True)
    except ValueError:
        return text.encode()


def _receive(client: "QueueClient", room: int, lease: float) -> Any:  # noqa: ANN401 - the SDK's pager
    from azure.core.exceptions import ResourceNotFoundError

    def take() -> Any:  # noqa: ANN401
        return next(
            client.receive_messages(messages_per_page=min(room, 32), visibility_timeout=max(1, round(lease))).by_page(),
            [],
        )

    try:
        return take()
    except ResourceNotFoundError:
        _create(client)
        return []


def _create(client: "QueueClient") -> "QueueClient":
    from azure.core.exceptions import ResourceExistsError

    try:
        client.create_queue()
    except ResourceExistsError:
        return client
    return client


def _values(message: "QueueMessage") -> dict[str, Any]:
    return {
        "Id": message.id,
        "DequeueCount": message.dequeue_count or 0,
        "InsertionTime": _time(message.inserted_on),
        "ExpirationTime": _time(message.expires_on),
        "NextVisibleTime": _time(message.next_visible_on),
        "PopReceipt": message.pop_receipt or "",
    }


def _time(instant: datetime | None) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S+00:00") if instant else ""


def encoded(text: str) -> str:
    """Return a message as it lies on a queue."""
    return b64encode(text.encode()).decode()
