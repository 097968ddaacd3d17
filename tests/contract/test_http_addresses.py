"""RES-05: where the HTTP client goes, and where nothing leads it."""

import socket
from contextlib import suppress

import pytest

from shared.adapters.http import Call
from shared.kernel.errors import (
    ContractBroken,
)
from tests.contract.http_client import OK, Tokens, make
from tests.unit.adapters.loopback import Loopback, answer


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_get_is_followed_inside_the_origin(status: int) -> None:
    with Loopback(answer(status, headers={"Location": "/there?page=2"}), OK) as partner:
        make(partner.url, tokens=Tokens()).get_json("/x", {"key": "s3cr3t"})
    assert partner.requests[1].startswith(b"GET /there?page=2 HTTP/1.1")
    assert partner.header(1, "Authorization") == "Bearer token-1"


@pytest.mark.parametrize("target", ["http://127.0.0.2/x", "//evil.example/x", "https://127.0.0.1/x", "http://[bad", ""])
def test_it_is_never_followed_elsewhere(target: str) -> None:
    with Loopback(answer(302, headers={"Location": target}), OK) as partner, pytest.raises(ContractBroken):
        make(partner.url, retries=3).get_json("/x")
    assert len(partner.requests) == 1


def test_a_write_is_never_followed() -> None:
    with Loopback(answer(307, headers={"Location": "/there"}), OK) as partner, pytest.raises(ContractBroken):
        make(partner.url).post_json("/x", 1, idempotency_key="k")
    assert len(partner.requests) == 1


def test_it_is_followed_three_times_at_most() -> None:
    with Loopback(answer(302, headers={"Location": "/x"})) as partner, pytest.raises(ContractBroken):
        make(partner.url).get_json("/x")
    assert len(partner.requests) == 4


def test_an_address_that_is_not_allowed_is_not_called() -> None:
    with Loopback(OK) as partner, pytest.raises(ContractBroken, match="not allowed"):
        make(partner.url, allowed=lambda url: False).get_json("/x")
    assert partner.requests == []


@pytest.mark.parametrize("path", ["", "x", "@evil/x", "/a?b", "/a#b", "/a b", "/../x", "/a/..", "/a\\b"])
def test_a_path_leads_nowhere_else(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        Call("GET", path)


def test_the_body_of_a_redirect_is_not_read_without_end() -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nTransfer-Encoding: chunked\r\n\r\n")
        with suppress(OSError):
            while True:
                connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    with Loopback(endless, OK) as partner:
        make(partner.url).get_json("/x")
    assert len(partner.requests) == 2
