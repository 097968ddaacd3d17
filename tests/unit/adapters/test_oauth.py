"""Client credentials: one fetch for all threads, kept until shortly before the end, nothing secret shown."""

import json
import logging
import socket
import threading
from itertools import count

import pytest

from shared.adapters.http_wire import Timeouts, Wire
from shared.adapters.oauth import ClientCredentials, ClientSettings
from shared.kernel.errors import (
    ConfigurationError,
    ContractBroken,
    CredentialsRefused,
    HubError,
    MalformedResponse,
    NetworkFailure,
    PartnerRefused,
    RateLimited,
    ServerFailure,
)
from tests.fakes.secrets import fixed
from tests.unit.adapters.loopback import Behaviour, Loopback, answer, reset
from tests.unit.adapters.manual_time import ManualTime

SECRET = "s3cr3t&=+"
ABSENT = "absent"


def granted(token: str = "abc", **more: object) -> bytes:
    return answer(200, json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": 3600} | more).encode())


def make(url: str, hands: ManualTime | None = None, scope: str = "sales.read") -> ClientCredentials:
    settings = ClientSettings(f"{url}/token", "hub", fixed(SECRET), scope, ("ERP_CLIENT_ID", "ERP_CLIENT_SECRET"))
    wire = Wire("erp-identity", Timeouts(5, 5, 10))
    return ClientCredentials("erp-identity", settings, wire=wire, clock=(hands or ManualTime()).clock)


def test_the_form_of_rfc_6749() -> None:
    with Loopback(granted()) as provider:
        assert make(provider.url).token() == "abc"
    head, _, body = provider.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /token HTTP/1.1")
    assert provider.header(0, "Content-Type") == "application/x-www-form-urlencoded"
    assert body == b"grant_type=client_credentials&client_id=hub&client_secret=s3cr3t%26%3D%2B&scope=sales.read"


def test_a_token_is_kept_until_a_minute_before_its_end() -> None:
    hands = ManualTime()
    with Loopback(granted("one"), granted("two")) as provider:
        source = make(provider.url, hands)
        source.token()
        hands.advance(3539)
        assert source.token() == "one"
        hands.advance(2)
        assert source.token() == "two"


@pytest.mark.parametrize(
    ("life", "kept"),
    [
        (100, 49),
        ("3600", 3539),
        (3600.0, 3539),
        (ABSENT, 239),
        (None, 239),
        ("", 239),
        (-1, 239),
        ("-1", 239),
        (1e30, 86339),
    ],
    ids=repr,
)
def test_odd_lives(life: object, kept: float) -> None:
    """RFC 6749, 5.1: `expires_in` is but recommended; what says nothing of a life leaves the usual one."""
    hands = ManualTime()
    first = granted("one", expires_in=life) if life != ABSENT else answer(200, b'{"access_token": "one"}')
    with Loopback(first, granted("two")) as provider:
        source = make(provider.url, hands)
        source.token()
        hands.advance(kept)
        assert source.token() == "one"
        hands.advance(2)
        assert source.token() == "two"


@pytest.mark.parametrize("kind", ["BEARER", None, ""])
def test_a_bearer_token_by_any_spelling(kind: object) -> None:
    with Loopback(granted(token_type=kind)) as provider:
        assert make(provider.url).token() == "abc"


BASIC = "Basic aHViOnMzY3IzdCUyNiUzRCUyQg=="
"""Of `hub:s3cr3t%26%3D%2B`."""
REFUSALS = {
    "invalid_client, 401": answer(401, b'{"error": "invalid_client"}'),
    "invalid_client, 400": answer(400, b'{"error": "invalid_client"}'),
    "invalid_request": answer(400, b'{"error": "invalid_request"}'),
    "400 that asks for Basic": answer(400, b"no", content_type="text/plain", headers={"WWW-Authenticate": "Basic"}),
    "401 in HTML": answer(401, b"<html>", content_type="text/html", headers={"WWW-Authenticate": "Basic"}),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS.keys())
def test_a_provider_that_knows_basic_alone_is_found_out_once(refusal: bytes) -> None:
    """RFC 6749, 2.3.1: ID and secret are form-encoded before they become Basic, and never sent in both ways."""
    hands = ManualTime()
    with Loopback(refusal, granted("one", expires_in=100), granted("two")) as provider:
        source = make(provider.url, hands)
        assert source.token() == "one"
        hands.advance(60)
        assert source.token() == "two"
    assert [provider.header(number, "Authorization") for number in range(len(provider.requests))] == [
        None,
        BASIC,
        BASIC,
    ]
    for request in provider.requests[1:]:
        assert request.partition(b"\r\n\r\n")[2] == b"grant_type=client_credentials&scope=sales.read"


def test_a_provider_that_knows_the_form_is_not_asked_by_basic_when_the_secret_is_wrong_later() -> None:
    hands = ManualTime()
    with Loopback(granted("one", expires_in=100), REFUSALS["invalid_client, 401"]) as provider:
        source = make(provider.url, hands)
        source.token()
        hands.advance(60)
        with pytest.raises(CredentialsRefused):
            source.token()
    assert {provider.header(number, "Authorization") for number in range(len(provider.requests))} == {None}


@pytest.mark.parametrize("second", [*REFUSALS.values(), answer(403), answer(302)])
def test_credentials_that_are_wrong_in_both_ways_are_refused(second: bytes) -> None:
    with Loopback(REFUSALS["invalid_client, 401"], second) as provider, pytest.raises(CredentialsRefused):
        make(provider.url).token()


def test_a_provider_that_fails_at_the_second_way_is_tried_again_later() -> None:
    failing = (REFUSALS["invalid_client, 401"], answer(503))
    with Loopback(*failing, REFUSALS["invalid_client, 401"], granted()) as provider:
        source = make(provider.url)
        with pytest.raises(ServerFailure):
            source.token()
        assert source.token() == "abc"


def test_an_invalidated_token_is_fetched_anew_and_only_that_one() -> None:
    with Loopback(granted("one"), granted("two")) as provider:
        source = make(provider.url)
        source.invalidate(source.token())
        assert source.token() == "two"
        source.invalidate("one")
        assert source.token() == "two"
    assert len(provider.requests) == 2


class Crowd:
    """A lock that tells when eight threads have come to it."""

    def __init__(self) -> None:
        self.is_there = threading.Event()
        self._lock, self._number = threading.Lock(), count(1)

    def __enter__(self) -> None:
        if next(self._number) == 8:
            self.is_there.set()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def at_once(source: ClientCredentials, crowd: Crowd) -> list[object]:
    """Return what eight threads get that all ask before the provider answers."""
    source._held._lock = crowd  # type: ignore[assignment]
    found: list[object] = []

    def work() -> None:
        try:
            found.append(source.token())
        except HubError as error:
            found.append(type(error))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return found


def answering(reply: bytes, crowd: Crowd) -> Behaviour:
    """Return a behaviour that answers when the crowd is there."""

    def behave(connection: socket.socket) -> None:
        crowd.is_there.wait(20)
        connection.sendall(reply)

    return behave


def test_many_threads_fetch_once() -> None:
    crowd = Crowd()
    with Loopback(answering(granted(), crowd)) as provider:
        assert at_once(make(provider.url), crowd) == ["abc"] * 8
    assert len(provider.requests) == 1


def test_a_dead_provider_is_asked_once_by_all_who_wait() -> None:
    crowd = Crowd()
    with Loopback(answering(answer(503), crowd)) as provider:
        source = make(provider.url)
        assert at_once(source, crowd) == [ServerFailure] * 8
        assert len(provider.requests) == 1
        with pytest.raises(ServerFailure):
            source.token()
    assert len(provider.requests) == 2


FAILURES: dict[str, tuple[Behaviour, type[HubError]]] = {
    "503": (answer(503, headers={"Retry-After": "5"}), ServerFailure),
    "429": (answer(429), RateLimited),
    "reset": (reset, NetworkFailure),
    "403": (answer(403, b"no", content_type="text/plain"), PartnerRefused),
    "400 in HTML": (answer(400, b"<html>", content_type="text/html"), PartnerRefused),
    "redirect": (answer(302, headers={"Location": "/x"}), ContractBroken),
    "HTML": (answer(200, b"<html>", content_type="text/html"), MalformedResponse),
    "no token": (answer(200, b"{}"), MalformedResponse),
    "no object": (answer(200, b"[]"), MalformedResponse),
    "a token that is no header": (granted("a\r\nb"), MalformedResponse),
    "another kind": (granted(token_type="mac"), ContractBroken),
    "no number": (granted(expires_in="soon"), MalformedResponse),
    "not a number": (granted(expires_in="nan"), MalformedResponse),
    "no life at all": (granted(expires_in=True), MalformedResponse),
    "a token twice": (answer(200, b'{"access_token": "a", "access_token": "b"}'), MalformedResponse),
    "no object, deep": (answer(200, b"[" * 100_000), MalformedResponse),
}


@pytest.mark.parametrize(("behaviour", "error"), FAILURES.values(), ids=FAILURES.keys())
def test_failures(behaviour: Behaviour, error: type[HubError]) -> None:
    with Loopback(behaviour) as provider, pytest.raises(error) as caught:
        make(provider.url).token()
    assert str(caught.value).startswith("erp-identity: ")


@pytest.mark.parametrize("reason", ["invalid_client", "unauthorized_client", "invalid_scope"])
@pytest.mark.parametrize("status", [400, 401])
def test_wrong_credentials_are_for_the_operator(reason: str, status: int) -> None:
    body = json.dumps({"error": reason, "error_description": f"{SECRET} is wrong"}).encode()
    with Loopback(answer(status, body)) as provider, pytest.raises(ConfigurationError) as caught:
        make(provider.url).token()
    assert [problem.field for problem in caught.value.problems] == ["ERP_CLIENT_ID", "ERP_CLIENT_SECRET"]
    assert reason in str(caught.value)
    assert SECRET not in str(caught.value)


def test_nothing_secret_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Loopback(granted("tok3n")) as provider:
        source = make(provider.url)
        source.token()
    shown = f"{source!r}{source._held!r}{source._held._held!r}{vars(source._fetch)!r}{caplog.text}"
    assert "tok3n" not in shown
    assert "s3cr3t" not in shown
