"""INC-30: access tokens, with real keys and a key set on a real socket."""

import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import sha256
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import RSAAlgorithm

from shared.adapters.json_web_tokens import COOL_DOWN, KEYS_LIFE, JsonWebTokens, KeySet
from shared.kernel.errors import NetworkFailure, Unauthenticated
from tests.unit.adapters.loopback import Behaviour, Loopback, answer, reset

ISSUER = "https://login.example.com/v2.0"
AUDIENCE = "api://dsif-api"


def ago(**time: float) -> datetime:
    return datetime.now(UTC) - timedelta(**time)


@cache
def private_key(name: str) -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def key_set(*names: str) -> bytes:
    keys = [
        RSAAlgorithm.to_jwk(private_key(name).public_key(), as_dict=True) | {"kid": name, "use": "sig"}
        for name in names
    ]
    return answer(body=json.dumps({"keys": keys}).encode())


def claims(**changes: Any) -> dict[str, Any]:
    """Return good claims with changes; one that is None is left out."""
    now = datetime.now(UTC)
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "somebody",
        "iat": now,
        "nbf": now,
        "exp": now + timedelta(hours=1),
        "roles": ["DSIF.Admin"],
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def token(key: str = "first", kid: str | None = "first", **changes: Any) -> str:
    headers = {"kid": kid} if kid is not None else {}
    return jwt.encode(claims(**changes), private_key(key), algorithm="RS256", headers=headers)


def part(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def hand_made(header: dict[str, Any], sign: Callable[[bytes], bytes] = lambda _signed: b"") -> str:
    """Return a token that no library would make."""
    content = {name: int(v.timestamp()) if isinstance(v, datetime) else v for name, v in claims().items()}
    signed = f"{part(json.dumps(header).encode())}.{part(json.dumps(content).encode())}"
    return f"{signed}.{part(sign(signed.encode()))}"


def signed_with_the_public_key(form: PublicFormat) -> str:
    public = private_key("first").public_key().public_bytes(Encoding.PEM, form)
    return hand_made({"alg": "HS256", "kid": "first"}, lambda text: hmac.new(public, text, sha256).digest())


def tampered() -> str:
    head, _, signature = token().split(".")
    other = part(json.dumps({"sub": "admin", "iss": ISSUER, "aud": AUDIENCE, "iat": 1, "exp": 9999999999}).encode())
    return f"{head}.{other}.{signature}"


@pytest.fixture
def provider() -> Iterator[Loopback]:
    with Loopback(key_set("first")) as running:
        yield running


def verifier(provider: Loopback, clock: Callable[[], datetime] = ago) -> JsonWebTokens:
    return JsonWebTokens(ISSUER, AUDIENCE, KeySet(f"{provider.url}/keys", clock))


def test_a_good_token_gives_its_claims(provider: Loopback) -> None:
    found = verifier(provider).claims(token())
    assert (found["sub"], found["roles"]) == ("somebody", ["DSIF.Admin"])


REFUSED: dict[str, tuple[Callable[[], str], str]] = {
    "expired": (lambda: token(exp=ago(minutes=2)), "has expired"),
    "not-yet": (lambda: token(nbf=ago(minutes=-2)), "not valid yet"),
    "issued-tomorrow": (lambda: token(iat=ago(days=-1)), "not valid yet"),
    "audience": (lambda: token(aud="api://other"), "another audience"),
    "issuer": (lambda: token(iss="https://evil.example.com"), "another issuer"),
    "foreign-key": (lambda: token(key="foreign"), "signature is wrong"),
    "unknown-kid": (lambda: token(key="foreign", kid="foreign"), "unknown key"),
    "no-kid": (lambda: token(kid=None), "names no key"),
    "empty-kid": (lambda: token(kid=""), "names no key"),
    "number-kid": (lambda: hand_made({"alg": "RS256", "kid": 1}), "access token"),
    "tampered": (tampered, "signature is wrong"),
    "none": (lambda: hand_made({"alg": "none", "kid": "first"}), "not signed with RS256"),
    "None": (lambda: hand_made({"alg": "None", "kid": "first"}), "not signed with RS256"),
    "no-alg": (lambda: hand_made({"kid": "first"}), "access token"),
    "unsigned": (lambda: hand_made({"alg": "RS256", "kid": "first"}), "signature is wrong"),
    "public-key-pem": (lambda: signed_with_the_public_key(PublicFormat.SubjectPublicKeyInfo), "not signed with RS256"),
    "public-key-pkcs1": (lambda: signed_with_the_public_key(PublicFormat.PKCS1), "not signed with RS256"),
    "no-exp": (lambda: token(exp=None), "lacks a required claim"),
    "no-iat": (lambda: token(iat=None), "lacks a required claim"),
    "no-iss": (lambda: token(iss=None), "lacks a required claim"),
    "no-aud": (lambda: token(aud=None), "lacks a required claim"),
    "no-sub": (lambda: token(sub=None), "lacks a required claim"),
    "sub-is-a-number": (lambda: hand_signed(sub=7), "not valid"),
    "garbage": (lambda: "a.b.c", "does not parse"),
    "header-is-a-list": (lambda: f"{part(b'[]')}.{part(b'{}')}.{part(b'x')}", "access token"),
    "nested-header": (lambda: f"{part(b'[' * 9000)}.{part(b'{}')}.{part(b'x')}", "does not parse"),
    "header-not-utf8": (lambda: f"{part(bytes([255, 254]))}.{part(b'{}')}.{part(b'x')}", "does not parse"),
}


def hand_signed(**changes: Any) -> str:
    """Return a token signed with the right key over claims that the library would refuse to write."""
    content = {n: int(v.timestamp()) if isinstance(v, datetime) else v for n, v in claims(**changes).items()}
    return jwt.api_jws.encode(
        json.dumps(content).encode(), private_key("first"), algorithm="RS256", headers={"kid": "first"}
    )


@pytest.mark.parametrize(("make", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_token_is_refused_by_the_check_that_failed(
    provider: Loopback, make: Callable[[], str], reason: str
) -> None:
    with pytest.raises(Unauthenticated, match=reason) as refused:
        verifier(provider).claims(make())
    assert "first" not in refused.value.message
    assert refused.value.__cause__ is None


def test_a_clock_that_is_a_little_off_does_no_harm(provider: Loopback) -> None:
    assert verifier(provider).claims(token(exp=ago(seconds=10), nbf=ago(seconds=-10)))


class Hands:
    """Time that passes when told."""

    def __init__(self) -> None:
        self.now = datetime(2025, 1, 15, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def test_made_up_key_ids_do_not_reach_the_identity_provider(provider: Loopback) -> None:
    hands = Hands()
    tokens = verifier(provider, hands)
    tokens.claims(token())
    for number in range(20):
        with pytest.raises(Unauthenticated):
            tokens.claims(token(key="foreign", kid=f"made-up-{number}"))
        assert tokens.claims(token())
    assert len(provider.requests) == 1
    hands.now += COOL_DOWN
    with pytest.raises(Unauthenticated):
        tokens.claims(token(key="foreign", kid="made-up"))
    assert len(provider.requests) == 2


def test_a_new_key_is_accepted_and_a_withdrawn_one_is_not_for_ever() -> None:
    hands = Hands()
    with Loopback(key_set("first"), key_set("first", "second"), key_set("second")) as provider:
        tokens = verifier(provider, hands)
        tokens.claims(token())
        hands.now += COOL_DOWN
        assert tokens.claims(token(key="second", kid="second"))
        assert tokens.claims(token())
        hands.now += KEYS_LIFE
        with pytest.raises(Unauthenticated, match="unknown key"):
            tokens.claims(token())


BROKEN: dict[str, Behaviour] = {
    "500": answer(500),
    "reset": reset,
    "no-json": answer(body=b"<html>"),
    "a-list": answer(body=b"[]"),
    "no-keys": answer(body=b'{"keys": []}'),
    "redirect": answer(302, headers={"Location": "http://127.0.0.1:9/keys"}),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_dead_identity_provider_does_no_harm_while_keys_are_known(broken: Behaviour) -> None:
    hands = Hands()
    with Loopback(key_set("first"), broken) as provider:
        tokens = verifier(provider, hands)
        tokens.claims(token())
        hands.now += KEYS_LIFE
        for _ in range(5):
            assert tokens.claims(token())
        assert len(provider.requests) == 2
        with pytest.raises(NetworkFailure):
            tokens.claims(token(key="second", kid="second"))


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_without_any_key_callers_are_told_to_come_back(broken: Behaviour) -> None:
    hands = Hands()
    with Loopback(broken, key_set("first")) as provider:
        tokens = verifier(provider, hands)
        for _ in range(3):
            with pytest.raises(NetworkFailure) as unavailable:
                tokens.claims(token())
        assert unavailable.value.retry_after
        assert provider.url not in unavailable.value.message
        assert len(provider.requests) == 1
        hands.now += COOL_DOWN
        assert tokens.claims(token())
