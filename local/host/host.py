"""The host: indexes an app, serves its HTTP functions, listens for its other triggers."""

import logging
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Protocol

from local.host.blobs import BlobWatcher
from local.host.configuration import connection_string, disabled
from local.host.http import HttpSide
from local.host.index import IndexedFunction, index
from local.host.invoke import Invoker
from local.host.queues import QueueListener
from local.host.service_bus import ServiceBusListener
from local.host.timers import TimerListener

_log = logging.getLogger("host")


class Listener(Protocol):
    """Something that listens for a trigger."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> None:
        """End, letting running functions finish."""
        ...


class FunctionsHost:
    """Runs an app while the context is open."""

    def __init__(
        self,
        app: Any,  # noqa: ANN401 - a FunctionApp
        host_json: Mapping[str, Any],
        *,
        environment: Mapping[str, str] = os.environ,
        port: int = 0,
        listen: bool = True,
    ) -> None:
        """Index the app and take the port. HostError, OSError. `listen=False` serves HTTP alone."""
        self.functions = index(app, environment)
        self._environment = environment
        self._host_json = dict(host_json)
        self._invoker = Invoker()
        self._http = HttpSide(self.functions, self._host_json, self._invoker, port)
        self.url = f"http://127.0.0.1:{self._http.port}"
        self._listeners = [item for one in self.functions if listen and (item := self._listener(one))]

    def __enter__(self) -> "FunctionsHost":
        """Start everything."""
        for listener in self._listeners:
            listener.start()
        self._http.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything; running functions finish."""
        self._http.stop()
        # All at once: each waits for its own running functions.
        with ThreadPoolExecutor(max(1, len(self._listeners))) as stopping:
            list(stopping.map(lambda listener: listener.stop(), self._listeners))
        self._invoker.stop()

    def _listener(self, function: IndexedFunction) -> Listener | None:
        if function.trigger == "httpTrigger" or disabled(function.name, self._environment):
            return None
        where = f"function {function.name!r}"
        name = str(function.options.get("connection") or "Storage")
        match function.trigger:
            case "timerTrigger":
                storage = connection_string("Storage", self._environment, where)
                return TimerListener(function, storage, self._invoker)
            case "queueTrigger":
                options = self._host_json.get("extensions", {}).get("queues", {})
                lease = float(self._environment.get("LOCAL_HOST_QUEUE_LEASE_SECONDS") or 30)
                connection = connection_string(name, self._environment, where)
                return QueueListener(function, connection, options, self._invoker, lease)
            case "serviceBusTrigger":
                options = self._host_json.get("extensions", {}).get("serviceBus", {})
                name = str(function.options.get("connection") or "ServiceBus")
                connection = connection_string(name, self._environment, where)
                return ServiceBusListener(function, connection, options, self._invoker)
            case "blobTrigger":
                poll = float(self._environment.get("LOCAL_HOST_BLOB_POLL_SECONDS") or 1)
                options = self._host_json.get("extensions", {}).get("blobs", {})
                connection = connection_string(name, self._environment, where)
                return BlobWatcher(function, connection, options, self._invoker, poll)
            case other:
                _log.warning("%s: a %s is listed, not listened to", where, other)
                return None
