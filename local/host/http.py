"""The host's HTTP side: functions under their routes, and the /admin endpoints."""

import hmac
import json
import logging
import os
import time
from collections.abc import Mapping
from threading import BoundedSemaphore, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import azure.functions as func
from azure.functions.meta import Datum

from local.host.http_connection import HttpServer
from local.host.index import IndexedFunction
from local.host.invoke import Invoker
from local.host.manual import run_by_hand
from local.host.router import Router

_log = logging.getLogger("host")


class HttpSide:
    """Serves an app's HTTP functions on 127.0.0.1."""

    def __init__(
        self, functions: list[IndexedFunction], host_json: dict[str, Any], invoker: Invoker, port: int
    ) -> None:
        """Take the port (0: any free one). OSError when it is taken."""
        options = host_json.get("extensions", {}).get("http", {})
        self.functions = {function.name.lower(): function for function in functions}
        self.router = Router(functions, str(options.get("routePrefix", "api")))
        self.invoker = invoker
        self.free = BoundedSemaphore(int(options.get("maxOutstandingRequests", 200)))
        self.began = time.monotonic()
        headers: Mapping[str, str] = options.get("customHeaders", {})
        self._server = HttpServer(port, self.answer, headers)
        self.port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), name="http", daemon=True)

    def start(self) -> None:
        """Serve."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, method: str, path: str, target: str, headers: dict[str, str], body: bytes) -> func.HttpResponse:
        """Answer one request, by its path and by its target, the path and query as they came."""
        query = _query(target)
        if path.startswith("/admin/"):
            return self._admin(method, path, headers, query, body)
        found = self.router.find(method, path)
        if found is None:
            return func.HttpResponse(status_code=404)
        function, params = found
        if not _may_call(function, headers, query):
            return func.HttpResponse(status_code=401)
        if not self.free.acquire(blocking=False):
            return func.HttpResponse(status_code=429)
        try:
            url = f"http://127.0.0.1:{self.port}{target}"
            result = self.invoker.run(function, _datum(method, url, headers, (params, query), body))
        except Exception:  # noqa: BLE001 - logged by the invoker; the real host answers 500 with nothing in it
            return func.HttpResponse(status_code=500)
        finally:
            self.free.release()
        return result if isinstance(result, func.HttpResponse) else func.HttpResponse(str(result or ""))

    def _admin(
        self, method: str, path: str, headers: dict[str, str], query: dict[str, str], body: bytes
    ) -> func.HttpResponse:
        if path == "/admin/host/ping":
            return func.HttpResponse(status_code=200)
        if not _has_key(headers, query, "LOCAL_HOST_MASTER_KEY"):
            return func.HttpResponse(status_code=401)
        if path == "/admin/host/status":
            status = {"id": "local", "state": "Running", "version": "stand-in", "processUptime": self._uptime()}
            return _json(status)
        if path.rstrip("/") == "/admin/functions" and method == "GET":
            return _json([{"name": one.name, "type": one.trigger} for one in self.functions.values()])
        if path.startswith("/admin/functions/") and method == "POST":
            return self._by_hand(path.removeprefix("/admin/functions/"), body)
        return func.HttpResponse(status_code=404)

    def _by_hand(self, name: str, body: bytes) -> func.HttpResponse:
        function = self.functions.get(name.lower())
        if function is None:
            return func.HttpResponse(status_code=404)
        try:
            given = json.loads(body)
            text = str(given.get("input") or "")
        except (ValueError, AttributeError):
            return func.HttpResponse('the body must be JSON: {"input": "..."}', status_code=400)
        run_by_hand(self.invoker, function, text)
        return func.HttpResponse(status_code=202)

    def _uptime(self) -> int:
        return int((time.monotonic() - self.began) * 1000)


def _may_call(function: IndexedFunction, headers: dict[str, str], query: dict[str, str]) -> bool:
    """Tell whether a caller has the key that the function's level asks for; the master key opens everything."""
    level = str(getattr(function.options.get("authLevel"), "value", function.options.get("authLevel"))).lower()
    if level == "anonymous" or _has_key(headers, query, "LOCAL_HOST_MASTER_KEY"):
        return True
    return level == "function" and _has_key(headers, query, "LOCAL_HOST_FUNCTION_KEY")


def _has_key(headers: dict[str, str], query: dict[str, str], setting: str) -> bool:
    """Compare in constant time; without the setting, keys are not asked for, as under `func start`."""
    wanted = os.environ.get(setting)
    given = headers.get("x-functions-key") or query.get("code", "")
    return not wanted or hmac.compare_digest(given.encode(), wanted.encode())


def _json(content: object) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(content), mimetype="application/json")


def _query(target: str) -> dict[str, str]:
    """Return the query; values of one name are one value with commas between, as the real host hands them over."""
    found: dict[str, str] = {}
    for name, value in parse_qsl(urlsplit(target).query, keep_blank_values=True):
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def _datum(
    method: str, url: str, headers: dict[str, str], given: tuple[dict[str, str], dict[str, str]], body: bytes
) -> Datum:
    """Return what an HTTP function is called with; `given` are the route's parameters and the query's."""
    params, query = given

    def texts(values: dict[str, str]) -> dict[str, Datum]:
        return {name: Datum(value, "string") for name, value in values.items()}

    content = {
        "method": Datum(method, "string"),
        "url": Datum(url, "string"),
        "headers": texts({name.lower(): value for name, value in headers.items()}),
        "params": texts(params),
        "query": texts(query),
        "body": Datum(body, "bytes"),
    }
    return Datum(content, "http")
