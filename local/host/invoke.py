"""Run a function, as the worker does: decode, call on a thread, log one line."""

import logging
import os
import time
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import azure.functions as func
from azure.functions.meta import Datum

from local.host.index import IndexedFunction

_log = logging.getLogger("host")


class Invoker:
    """Runs functions on the worker's threads."""

    def __init__(self, threads: int | None = None) -> None:
        """Make the pool: PYTHON_THREADPOOL_THREAD_COUNT threads, or as many as the worker would."""
        default = min(32, (os.cpu_count() or 1) + 4)
        count = threads or int(os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT") or default)
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="function")

    def run(self, function: IndexedFunction, datum: Datum, metadata: dict[str, Any] | None = None) -> Any:  # noqa: ANN401
        """Return what the function returns; raises what it raises."""
        return self.start(function, datum, metadata).result()

    def start(self, function: IndexedFunction, datum: Datum, metadata: dict[str, Any] | None = None) -> "Future[Any]":
        """Run a function without waiting for it."""
        return self._pool.submit(self._call, function, datum, metadata or {})

    def _call(self, function: IndexedFunction, datum: Datum, metadata: dict[str, Any]) -> Any:  # noqa: ANN401
        invocation = str(uuid4())
        began = time.monotonic()
        outcome = "Failed"
        try:
            converter = func.get_binding_registry().get(function.trigger)
            argument = converter.decode(datum, trigger_metadata=metadata)
            arguments: dict[str, Any] = {function.parameter: argument}
            if function.wants_context:
                arguments["context"] = SimpleNamespace(
                    function_name=function.name,
                    invocation_id=invocation,
                    # As of a host that sends no telemetry of its own.
                    trace_context=SimpleNamespace(trace_parent="", trace_state="", attributes={}),
                )
            result = function.call(**arguments)
            outcome = "Succeeded"
        except Exception:
            _log.exception("function %s raised", function.name)
            raise
        finally:
            milliseconds = (time.monotonic() - began) * 1000
            _log.info(
                "Executed 'Functions.%s' (%s, Id=%s, Duration=%.0fms)", function.name, outcome, invocation, milliseconds
            )
        return result

    def stop(self) -> None:
        """Let running functions finish, take no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)
