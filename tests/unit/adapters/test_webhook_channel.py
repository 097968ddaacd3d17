"""INC-06, RES-12: operators are told through a webhook whose URL is a secret and shown nowhere."""

import logging
import traceback
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

import pytest

from shared.adapters.partners import Partners
from shared.adapters.settings.secret_settings import SECRETS
from shared.adapters.webhook_channel import WebhookChannel
from shared.kernel.errors import CredentialsRefused, HubError
from tests.fakes.secrets import fixed, rotated
from tests.fakes.tables import MemoryTables
from tests.unit.adapters.loopback import Behaviour, Loopback, answer, reset
from tests.unit.adapters.manual_time import ManualTime
from tests.unit.telemetry.watched import Watched

PATH, QUERY = "/services/T0/a-token-in-the-path/", "sig=a-token-in-the-query&sp=%2Ftriggers%2Frun"
NOTIFICATION = {"id": "n-1", "type": "import.failed"}


def client_of(watched: Watched) -> Callable[[str], object]:
    hands = ManualTime()
    partners = Partners(MemoryTables(), "acme", hands.clock, hands.sleep, watched.telemetry)
    return partial(partners.webhook, "notifications")


def channel(*urls: str, watched: Watched | None = None) -> WebhookChannel:
    secret = rotated(*urls) if len(urls) == 2 else fixed(*urls, setting="HUB_NOTIFICATION_URL")
    return WebhookChannel(secret, client_of(watched or Watched()))  # type: ignore[arg-type]


def test_a_notification_is_posted_to_path_and_query() -> None:
    with Loopback(answer(202)) as chat:
        assert channel(f"{chat.url}{PATH}?{QUERY}").post(NOTIFICATION, idempotency_key="n-1")
    (request,) = chat.requests
    assert request.startswith(f"POST {PATH}?{QUERY} HTTP/1.1".encode())
    assert request.endswith(b'{"id": "n-1", "type": "import.failed"}')
    assert chat.header(0, "X-Idempotency-Key") == "n-1"


def test_where_there_is_no_url_nothing_is_posted() -> None:
    assert not channel().post(NOTIFICATION, idempotency_key="n-1")


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_url_that_was_rotated_is_taken_up_at_once(status: int) -> None:
    with Loopback(answer(status)) as old, Loopback(answer(200)) as new:
        assert channel(f"{old.url}/one", f"{new.url}/two").post(NOTIFICATION, idempotency_key="n-1")
    assert [len(old.requests), len(new.requests)] == [1, 1]


@pytest.mark.parametrize("status", [401, 404])
def test_a_url_that_lets_nobody_in_is_told_by_the_name_of_the_setting(status: int) -> None:
    with Loopback(answer(status)) as chat, pytest.raises(CredentialsRefused) as refused:
        channel(f"{chat.url}{PATH}?{QUERY}").post(NOTIFICATION, idempotency_key="n-1")
    assert [problem.field for problem in refused.value.problems] == ["HUB_NOTIFICATION_URL"]


@pytest.mark.parametrize(
    "behaviour",
    [
        answer(400),
        answer(401),
        answer(302, headers={"Location": "/elsewhere"}),
        answer(503),
        answer(200, b"short", headers={"Content-Length": "50"}),
        reset,
    ],
    ids=["refused", "not let in", "redirected", "failed", "torn", "reset"],
)
def test_whatever_goes_wrong_shows_nothing_of_the_url(behaviour: Behaviour, caplog: pytest.LogCaptureFixture) -> None:
    watched = Watched()
    with Loopback(behaviour) as chat, caplog.at_level(logging.INFO), pytest.raises(HubError) as failed:
        channel(f"{chat.url}{PATH}?{QUERY}", watched=watched).post(NOTIFICATION, idempotency_key="n-1")
    assert chat.requests
    spans = watched.spans()
    assert spans
    shown = "".join(traceback.format_exception(failed.value)) + caplog.text
    shown += "".join(span.to_json() for span in spans) + repr(watched.points())
    assert "a-token" not in shown
    assert "services" not in shown


@pytest.mark.parametrize(
    ("url", "fine"),
    [
        ("https://chat.example.com/hooks/abc?sig=def", True),
        ("http://127.0.0.1:7080/notifications", True),
        ("http://chat.example.com/hooks/abc", False),
        ("chat.example.com/hooks/abc", False),
        ("https://chat.example.com/hooks/a bc", False),
        ("https://chat.example.com/hooks/../abc", False),
    ],
)
def test_what_a_url_must_be_is_told_without_it(url: str, *, fine: bool) -> None:
    problem = SECRETS["HUB_NOTIFICATION_URL"].rule(url)
    assert (problem == "") == fine
    assert urlsplit(url).path.strip("/") not in problem
