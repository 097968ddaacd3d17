"""The stand-in host: what it refuses, how it routes, and that it answers as the real one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import azure.functions as func
import pytest
import requests

from local.host.configuration import HostError, connection_string, disabled, load_host_json, load_settings, resolve
from local.host.host import FunctionsHost
from local.host.index import IndexedFunction, index
from local.host.router import Router
from local.host.timers import TimerListener

HOST_JSON = {"extensions": {"http": {"routePrefix": "api", "maxOutstandingRequests": 2}}}


def app_of(*register: Callable[[func.FunctionApp], object]) -> func.FunctionApp:
    app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
    for one in register:
        one(app)
    return app


def http(name: str, route: str, **options: Any) -> Callable[[func.FunctionApp], object]:
    def register(app: func.FunctionApp) -> object:
        def handle(req: func.HttpRequest) -> func.HttpResponse:
            if req.params.get("raise"):
                raise RuntimeError("inside")
            return func.HttpResponse(f"{name} {dict(req.route_params)} {len(req.get_body())}", headers={"X-Name": name})

        return app.function_name(name=name)(app.route(route=route, **options)(handle))

    return register


def timer(schedule: str) -> Callable[[func.FunctionApp], object]:
    def register(app: func.FunctionApp) -> object:
        def tick(timer: func.TimerRequest) -> None:
            """Do nothing."""

        return app.function_name(name="Tick")(app.timer_trigger(arg_name="timer", schedule=schedule)(tick))

    return register


def with_wrong_parameter(app: func.FunctionApp) -> object:
    def handle(request: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse()

    return app.function_name(name="Wrong")(app.route(route="x", trigger_arg_name="req")(handle))


def with_async(app: func.FunctionApp) -> object:
    async def handle(req: func.HttpRequest) -> func.HttpResponse:
        return func.HttpResponse()

    return app.function_name(name="Async")(app.route(route="x")(handle))


@pytest.mark.parametrize(
    ("register", "words"),
    [
        ([], "no functions"),
        ([timer("%SCHEDULE%")], "function 'Tick': setting 'SCHEDULE' is not set"),
        ([timer("%SCHEDULE")], "unclosed %"),
        ([http("One", "admin/x")], "routes must not begin with admin"),
        ([with_wrong_parameter], r"parameters \['request'\] are not the bindings \['req'\]"),
        ([with_async], "async functions are not run"),
    ],
)
def test_an_app_that_the_real_host_would_not_run_is_refused_by_name(register: list[Any], words: str) -> None:
    with pytest.raises(HostError, match=words):
        index(app_of(*register), {})


def test_a_schedule_that_does_not_parse_is_refused() -> None:
    function = IndexedFunction("Tick", None, "timerTrigger", "timer", {"schedule": "every day"})
    with pytest.raises(HostError, match="'every day' is no NCRONTAB schedule"):
        TimerListener(function, "", None)  # type: ignore[arg-type]


def test_settings_of_the_file_give_way_to_the_environment(tmp_path: Any) -> None:
    file = tmp_path / "local.settings.json"
    file.write_text('{"Values": {"A": "file", "B": "file"}}')
    environment = {"A": "environment"}
    load_settings(file, environment)
    assert environment == {"A": "environment", "B": "file"}
    file.write_text("{}")
    with pytest.raises(HostError, match=r"not a local\.settings\.json"):
        load_settings(file, environment)


def test_settings_replace_what_host_json_says_as_in_the_real_host(tmp_path: Any) -> None:
    (tmp_path / "host.json").write_text('{"extensions": {"queues": {"batchSize": 8, "maxDequeueCount": 5}}}')
    settings = {
        "AzureFunctionsJobHost__extensions__queues__batchSize": "2",
        "AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls": "4",
        "AzureFunctionsJobHost": "nothing",
        "Other__extensions__queues__batchSize": "3",
    }
    assert load_host_json(tmp_path, settings)["extensions"] == {
        "queues": {"batchSize": "2", "maxDequeueCount": 5},
        "serviceBus": {"maxConcurrentCalls": "4"},
    }


def test_names_are_looked_up_as_the_real_host_does() -> None:
    assert resolve("a-%X%-b", {"X": "1"}, "here") == "a-1-b"
    assert connection_string("Storage", {"Storage": "plain", "AzureWebJobsStorage": "prefixed"}, "here") == "prefixed"
    assert disabled("Tick", {"AzureWebJobs.Tick.Disabled": "true"})
    assert disabled("Tick", {"AzureWebJobs_Tick_Disabled": "1"})
    assert not disabled("Tick", {"AzureWebJobs_Tick_Disabled": "false"})


@pytest.mark.parametrize(
    ("method", "path", "found"),
    [
        ("GET", "/api/v1/things", ("List", {})),
        ("GET", "/api/v1/things/", ("List", {})),
        ("GET", "/API/V1/Things/all", ("All", {})),
        ("GET", "/api/v1/things/7", ("Show", {"id": "7"})),
        ("GET", "/api/v1/numbers/7", ("Number", {"n": "7"})),
        ("GET", "/api/v1/numbers/x", None),
        ("GET", "/api/v1/maybe", ("Maybe", {})),
        ("GET", "/api/v1/maybe/a", ("Maybe", {"what": "a"})),
        ("GET", "/api/files/a/b/c", ("Files", {"rest": "a/b/c"})),
        ("POST", "/api/v1/things", None),
        ("GET", "/v1/things", None),
    ],
)
def test_routes(method: str, path: str, found: tuple[str, dict[str, str]] | None) -> None:
    app = app_of(
        http("Show", "v1/things/{id}", methods=["GET"]),
        http("All", "v1/things/all", methods=["GET"]),
        http("List", "v1/things", methods=["GET"]),
        http("Number", "v1/numbers/{n:int}", methods=["GET"]),
        http("Maybe", "v1/maybe/{what?}", methods=["GET"]),
        http("Files", "files/{*rest}", methods=["GET"]),
    )
    match = Router(index(app, {}), "api").find(method, path)
    assert (match and (match[0].name, match[1])) == found


@contextmanager
def running(*register: Callable[[func.FunctionApp], object]) -> Iterator[str]:
    with FunctionsHost(app_of(*register), HOST_JSON, environment={}, listen=False) as host:
        yield host.url


def test_a_function_answers_over_http_and_a_failing_one_gives_nothing_away() -> None:
    with running(http("Echo", "echo/{id}")) as url:
        good = requests.post(f"{url}/api/echo/5", data=b"\xff\x00", timeout=10)
        assert (good.status_code, good.text, good.headers["X-Name"]) == (200, "Echo {'id': '5'} 2", "Echo")
        bad = requests.get(f"{url}/api/echo/5?raise=1", timeout=10)
        assert (bad.status_code, bad.content) == (500, b"")
        assert requests.get(f"{url}/api/nothing", timeout=10).status_code == 404


def test_keys_are_asked_for_where_they_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_HOST_FUNCTION_KEY", "function-key")
    monkeypatch.setenv("LOCAL_HOST_MASTER_KEY", "master-key")
    closed = http("Closed", "closed", auth_level=func.AuthLevel.FUNCTION)
    with running(closed, http("Open", "open", auth_level=func.AuthLevel.ANONYMOUS)) as url:

        def status(path: str, key: str = "") -> int:
            return requests.get(f"{url}{path}", headers={"x-functions-key": key}, timeout=10).status_code

        assert status("/api/open") == 200
        assert [status("/api/closed", key) for key in ("", "wrong", "function-key", "master-key")] == [
            401,
            401,
            200,
            200,
        ]
        assert [status("/admin/host/status", key) for key in ("function-key", "master-key")] == [401, 200]
        assert requests.get(f"{url}/api/closed?code=function-key", timeout=10).status_code == 200
        assert status("/admin/host/ping") == 200


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [("Tick", '{"input": ""}', 202), ("tick", "{}", 202), ("Tick", "", 400), ("Unknown", "{}", 404)],
)
def test_a_run_by_hand_is_accepted_at_once(name: str, body: str, status: int) -> None:
    with running(timer("0 0 1 * * *")) as url:
        assert requests.post(f"{url}/admin/functions/{name}", data=body, timeout=10).status_code == status
