"""What settings can be: each kind reads text, and says in words what it wants."""

from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shared.adapters.sftp_host_key import PinnedKeys, pinned_keys
from shared.kernel.errors import ConfigurationError, FieldProblem
from shared.kernel.mail import is_address
from shared.kernel.secret import Secret

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def http_url(value: str) -> str:
    """Return a URL without a slash at its end. ValueError says what it must be, and shows nothing of it."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL such as https://erp.example.com")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError("must use https (http is for this machine only)")
    return value.rstrip("/")


def _authority(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "https" or not parts.hostname or not parts.path.strip("/"):
        raise ValueError("must be an authority with its tenant, such as https://login.microsoftonline.com/<tenant ID>")
    return value.rstrip("/")


def _time_zone(value: object) -> object:
    if isinstance(value, str):
        if value not in available_timezones():
            raise ValueError("must be an IANA time zone such as Europe/Berlin")
        return ZoneInfo(value)
    return value


def _names(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _domain(value: str) -> str:
    if not is_address(f"noreply@{value}"):
        raise ValueError("must be a domain such as example.com")
    return value


def _addresses(value: object) -> object:
    found = _names(value)
    if isinstance(found, tuple) and not all(is_address(str(one)) for one in found):
        raise ValueError("must be e-mail addresses, comma-separated")
    return found


def _host_keys(value: object) -> object:
    return pinned_keys(value) if isinstance(value, str) else value


def _seconds(value: object) -> object:
    if isinstance(value, str):
        return tuple(float(part) for part in value.split(",") if part.strip())
    return value


HostKeys = Annotated[PinnedKeys, BeforeValidator(_host_keys)]
HttpUrl = Annotated[str, BeforeValidator(http_url)]
Authority = Annotated[str, BeforeValidator(_authority)]
TimeZone = Annotated[ZoneInfo, BeforeValidator(_time_zone)]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Domain = Annotated[str, BeforeValidator(_domain)]
Addresses = Annotated[tuple[str, ...], BeforeValidator(_addresses)]
Seconds = Annotated[tuple[Annotated[float, Field(ge=0)], ...], BeforeValidator(_seconds)]


class Group(BaseModel):
    """Settings that are used together; each field's alias is the setting's name."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True, populate_by_name=False)

    def used_secrets(self) -> Iterable[Secret]:
        """Return the secrets that this configuration cannot do without. May ask where they are kept."""
        found = (getattr(self, name) for name, field in type(self).model_fields.items() if field.is_required())
        return [one for one in found if isinstance(one, Secret)]


def one_token_source(cls: type[Group], given: dict[str, Any]) -> dict[str, Any]:
    """Let a partner have either a token URL, or an authority and a scope (INC-32). ConfigurationError."""
    token_url, authority, scope = (str(cls.model_fields[name].alias) for name in ("token_url", "authority", "scope"))
    if authority not in given:
        return given
    if token_url in given:
        text = f"give either {token_url} or {authority}"
        raise ConfigurationError((FieldProblem(token_url, text), FieldProblem(authority, text)))
    if scope not in given:
        text = f"is missing: with {authority} it is needed, such as api://<application ID>/.default"
        raise ConfigurationError((FieldProblem(scope, text),))
    return given | {token_url: None}
