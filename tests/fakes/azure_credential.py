"""A credential for Azure's services, and tokens such as Entra ID gives: for emulators, which verify no signature."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from azure.core.credentials import AccessToken

TOKEN = "t0ken-of-the-hub"


@dataclass
class Credential:
    """Somebody who gets tokens; keeps what was asked for: scopes and tenant."""

    token: str = TOKEN
    failure: Exception | None = None
    asked: list[tuple[tuple[str, ...], str | None]] = field(default_factory=list)

    def get_token(self, *scopes: str, tenant_id: str | None = None, **_: Any) -> AccessToken:
        if self.failure:
            raise self.failure
        self.asked.append((scopes, tenant_id))
        return AccessToken(self.token, int(datetime.now(UTC).timestamp()) + 3600)


def storage_token() -> str:
    """Return a token for storage that Azurite accepts: it looks at times, issuer and audience."""
    now = datetime.now(UTC)
    claims = {
        "aud": "https://storage.azure.com",
        "iss": "https://sts.windows.net/00000000-1111-2222-3333-444444444444/",
        "iat": now,
        "nbf": now - timedelta(minutes=1),
        "exp": now + timedelta(hours=1),
        "oid": "the-hub",
    }
    return jwt.encode(claims, "nobody verifies this signature, it is for an emulator", algorithm="HS256")
