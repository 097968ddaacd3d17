"""The app in Microsoft's worker, as a process: a request per line on standard input, an answer per line.

    {}                                             -> {"functions": [{"name", "bindings"}]}
    {"function", "inputs": [[name, datum]], "metadata": {name: datum}, "traceparent"}
                                                   -> {"returned": datum or null, "raised": text or null}

A datum is `{"type", "value"}`, bytes as base64. The library's own entry for a native caller is used, so that nothing of
gRPC is needed. It keeps its functions in the module: one app, and one transport, for each process.
"""

import asyncio
import json
import os
import sys
from base64 import b64decode, b64encode
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import NAMESPACE_OID, uuid4, uuid5


class _Messages:
    """Stands in for the gRPC classes that the worker fills: whatever it is, it keeps what it is given."""

    BindingInfo = type("BindingInfo", (SimpleNamespace,), {"in": 0, "out": 1, "inout": 2, "undefined": 0})
    StatusResult = type("StatusResult", (SimpleNamespace,), {"Failure": 0, "Success": 1})

    def __getattr__(self, name: str) -> type[SimpleNamespace]:
        return SimpleNamespace


class Worker:
    """The worker, with the functions of one app."""

    def __init__(self, app: Path) -> None:
        """Load the app as the worker does when the host starts it. RuntimeError with what the worker says."""
        from azure_functions_runtime import handle_event, native_invocation
        from azure_functions_runtime.utils.threadpool import start_threadpool_executor

        self._invoke = native_invocation.invocation_request_native
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        start_threadpool_executor()
        start = SimpleNamespace(capabilities={}, function_app_directory=str(app))
        properties = {"host": "127.0.0.1", "protos": _Messages()}
        request = SimpleNamespace(request=SimpleNamespace(worker_init_request=start), properties=properties)
        answer = self._loop.run_until_complete(handle_event.worker_init_request(request))
        if answer.result.status != _Messages.StatusResult.Success:  # type: ignore[attr-defined]
            raise RuntimeError(f"the worker refuses the app: {answer.result.exception.message}")
        listed = self._loop.run_until_complete(handle_event.functions_metadata_request(request))
        self._functions = listed.function_metadata_results

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Answer a request."""
        if "function" not in request:
            listed = [
                {"name": one.name, "bindings": list(map(json.loads, one.raw_bindings))} for one in self._functions
            ]
            return {"functions": listed}
        function_id = str(uuid5(NAMESPACE_OID, request["function"]))
        inputs = [(name, _datum(given)) for name, given in request["inputs"]]
        metadata = {name: _datum(given) for name, given in request["metadata"].items()}
        done, returned, _, error, trace = self._loop.run_until_complete(
            self._invoke(str(uuid4()), function_id, inputs, metadata, request["traceparent"])
        )
        return {"returned": _plain(returned), "raised": None if done else f"{error}\n{trace}"}


def _datum(given: dict[str, Any]) -> Any:
    from azure_functions_runtime.bindings.datumdef import Datum

    match given["type"], given["value"]:
        case "bytes", value:
            return Datum(b64decode(value), "bytes")
        case "http", parts:
            groups = {"headers", "params", "query"}
            return Datum(
                {
                    name: {key: _datum(one) for key, one in part.items()} if name in groups else _datum(part)
                    for name, part in parts.items()
                },
                "http",
            )
        case kind, value:
            return Datum(value, kind)


def _plain(datum: Any) -> dict[str, Any] | None:
    if datum is None:
        return None
    if datum.type == "http":
        parts = datum.value
        headers = {name: value.value for name, value in parts["headers"].items()}
        body = b64encode(parts["body"].value).decode()
        return {"type": "http", "value": {"status": parts["status_code"].value, "headers": headers, "body": body}}
    return {"type": datum.type, "value": datum.value}


def main() -> None:
    """Serve until the input ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the app prints is no answer
    worker = Worker(Path(sys.argv[1]))
    for line in sys.stdin:
        print(json.dumps(worker.answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    # As the platform does: the app's folder comes first, its packages after it.
    sys.path[0] = sys.argv[1]
    main()
