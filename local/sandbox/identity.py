"""The identity provider: client credentials (RFC 6749, 4.4), RS256 tokens, published keys."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from threading import Lock
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

AUDIENCE = "api://dsif-api"


@dataclass(frozen=True)
class Client:
    """Somebody who may ask for tokens, and what the tokens say."""

    secret: str
    audience: str
    claims: dict[str, Any] = field(default_factory=dict)


def _person(number: int, name: str, **claims: Any) -> dict[str, Any]:  # noqa: ANN401 - claims of any kind
    """Return the claims of a token of somebody at headquarters, as the provider tells who they are."""
    return {"email": f"{name}@retail.example", "employeeId": f"HQ-{number:03d}", **claims}


CLIENTS = {
    "hub-erp": Client("erp-secret", "erp"),
    "hub-hr": Client("hr-secret", "hr"),
    "hub-payroll": Client("payroll-secret", "payroll"),
    "hub-sales": Client("sales-secret", "sales"),
    "hub-graph": Client("graph-secret", "graph"),
    "admin": Client("admin-secret", AUDIENCE, _person(1, "admin", roles=["DSIF.Admin"])),
    "approver": Client("approver-secret", AUDIENCE, _person(2, "approver", roles=["DSIF.Approver"])),
    "admin-app": Client(
        "admin-app-secret", AUDIENCE, _person(3, "admin-app", roles=["DSIF.Admin"], scp="Employees.Read")
    ),
    "approver-app": Client(
        "approver-app-secret",
        AUDIENCE,
        _person(4, "approver-app", roles=["DSIF.Approver"], scp="Approvals.Write Calculations.Read"),
    ),
    "stranger": Client("stranger-secret", AUDIENCE, {}),
    "reader": Client("reader-secret", AUDIENCE, {"scp": "Employees.Read Calculations.Read"}),
}


class TokenRefused(Exception):
    """A request for a token is refused; `code` is that of RFC 6749, 5.2."""

    def __init__(self, status: int, code: str) -> None:
        """Keep status and code."""
        super().__init__(code)
        self.status, self.code = status, code


class Identity:
    """Issues tokens and knows which of them are good."""

    def __init__(self, issuer: str, lifetime: float = 3600) -> None:
        """Make the first key."""
        self.issuer = issuer
        self.lifetime = lifetime
        self.issued = 0
        self._good: set[str] = set()
        self.tokens: list[str] = []
        self._keys: dict[str, RSAPrivateKey] = {}
        self._lock = Lock()
        self.rotate()

    def rotate(self) -> str:
        """Sign with a new key from now on; the one before stays published."""
        key_id = token_hex(8)
        key = generate_private_key(public_exponent=65537, key_size=2048)
        with self._lock:
            self._keys = {**dict(list(self._keys.items())[-1:]), key_id: key}
        return key_id

    def keys(self) -> dict[str, Any]:
        """Return the published keys (a JWKS)."""
        return {
            "keys": [
                RSAAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": key_id, "use": "sig", "alg": "RS256"}
                for key_id, key in self._keys.items()
            ]
        }

    def configuration(self) -> dict[str, Any]:
        """Return where everything is (OpenID Connect Discovery), with the tenant `identity`."""
        base = self.issuer.removesuffix("/v2.0")
        return {
            "issuer": self.issuer,
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
        }

    def grant(self, grant_type: str, client_id: str, secret: str) -> dict[str, Any]:
        """Return a token response. TokenRefused."""
        if grant_type != "client_credentials":
            raise TokenRefused(400, "unsupported_grant_type")
        client = CLIENTS.get(client_id)
        if client is None or client.secret != secret:
            raise TokenRefused(401, "invalid_client")
        token = self.token(client_id)
        return {"access_token": token, "token_type": "Bearer", "expires_in": int(self.lifetime)}

    def token(self, client_id: str, **claims: Any) -> str:  # noqa: ANN401 - claims of any kind
        """Return a good token of a client; claims can be overridden, one that is None is left out."""
        client = CLIENTS[client_id]
        now = datetime.now(UTC)
        given = {
            "iss": self.issuer,
            "aud": client.audience,
            "sub": client_id,
            "oid": client_id,
            "tid": "sandbox",
            "iat": now,
            "nbf": now - timedelta(seconds=5),
            "exp": now + timedelta(seconds=self.lifetime),
            "jti": token_hex(8),
            **client.claims,
            **claims,
        }
        key_id, key = list(self._keys.items())[-1]
        payload = {name: value for name, value in given.items() if value is not None}
        token = jwt.encode(payload, key, algorithm="RS256", headers={"kid": key_id})
        with self._lock:
            self.issued += 1
            self._good.add(token)
            self.tokens.append(token)
        return token

    def accepts(self, token: str, audience: str) -> bool:
        """Tell whether a token is one of ours, for an audience, not expired and not revoked."""
        if token not in self._good:
            return False
        try:
            jwt.decode(token, options={"verify_signature": False, "verify_exp": True}, audience=audience)
        except jwt.InvalidTokenError:
            return False
        return True

    def revoke_all(self) -> None:
        """Let no token issued so far be good any more."""
        with self._lock:
            self._good.clear()
