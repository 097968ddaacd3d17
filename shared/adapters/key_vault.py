"""Secrets from Azure Key Vault, by the hub's managed identity (RES-11, INC-25).

Every read asks the vault: `CachedSecrets` stands before it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared.adapters.resilience.policies import RetryPolicy
from shared.adapters.resilience.retry import Retry
from shared.adapters.resilience.retry_after import retry_after_seconds
from shared.adapters.vault_names import vault_name
from shared.kernel.clock import Clock
from shared.kernel.errors import (
    ConfigurationError,
    ContractBroken,
    FieldProblem,
    HubError,
    MalformedResponse,
    NetworkFailure,
    PartnerRefused,
    RateLimited,
    ServerFailure,
)

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.keyvault.secrets import SecretClient

PARTNER = "key-vault"
VAULT_RETRY = RetryPolicy(2, 0.5, 4, 2, 0.2, max_retry_after=5)
"""Short: somebody waits for the value, and a value that was read before bridges what is longer."""
_THROTTLED = 429
_REFUSED = (401, 403)


@dataclass(frozen=True)
class Version:
    """A version of a secret, without its value."""

    number: str
    enabled: bool
    created: datetime
    not_before: datetime | None = None
    expires: datetime | None = None

    @property
    def holds_from(self) -> datetime:
        """When it takes over from the version before."""
        return max(self.created, self.not_before or self.created)

    def holds(self, now: datetime) -> bool:
        """Tell whether it is enabled, has begun and has not expired. It exists, so it is not asked when it was made."""
        begun = self.not_before is None or self.not_before <= now
        return self.enabled and begun and (self.expires is None or now < self.expires)


def holding(versions: Iterable[Version], now: datetime, overlap: timedelta) -> list[Version]:
    """Return the versions that hold now, the newest first.

    The newest one holds until it expires or is disabled; one before it for `overlap` after its successor took over.
    """
    found = sorted((one for one in versions if one.holds(now)), key=lambda one: one.holds_from, reverse=True)
    return [one for at, one in enumerate(found) if at == 0 or now < found[at - 1].holds_from + overlap]


class KeyVaultSecrets:
    """Implements `SecretStore`. Thread-safe."""

    def __init__(
        self,
        url: str,
        credential: "Callable[[], TokenCredential]",
        *,
        overlap: timedelta,
        retry: Retry,
        clock: Clock,
        transport: object | None = None,
    ) -> None:
        """Connect to nothing yet; the SDK loads when this is first used. `transport` is the SDK's, for tests."""
        self._url = url
        self._credential = credential
        self._overlap = overlap
        self._retry = retry
        self._clock = clock
        self._transport = transport

    def versions(self, path: str) -> tuple[str, ...]:
        """Return every value that holds now, the newest first.

        PartnerUnavailable (retried already), ConfigurationError when the vault does not let this identity in,
        PartnerRefused, ContractBroken.
        """
        try:
            name = vault_name(path)
        except ValueError as error:
            raise ConfigurationError((FieldProblem("HUB_TENANT", f"does not fit: secret {path}: {error}"),)) from None
        return self._retry.call(lambda: self._told(lambda: self._read(name)))

    def refresh(self, path: str) -> None:
        """Do nothing: nothing is kept here."""

    def _read(self, name: str) -> tuple[str, ...]:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            found = [_version(one) for one in self._client.list_properties_of_secret_versions(name)]
        except ResourceNotFoundError:
            return ()
        values = []
        for version in holding(found, self._clock(), self._overlap):
            try:
                values.append(self._client.get_secret(name, version.number).value or "")
            except ResourceNotFoundError:
                continue  # deleted since it was listed
        return tuple(value for value in values if value)

    @cached_property
    def _client(self) -> "SecretClient":
        from azure.keyvault.secrets import SecretClient

        # Our own retry knows our budget of time; the SDK would sleep for as long as the vault asks.
        options: dict[str, Any] = {"retry_total": 0, "connection_timeout": 3, "read_timeout": 5}
        if self._transport is not None:
            options["transport"] = self._transport
        return SecretClient(self._url, self._credential(), **options)

    def _told(self, read: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
        """Say in the hub's own errors what went wrong, by who must act."""
        try:
            return read()
        except HubError:
            raise
        except Exception as error:  # noqa: BLE001 - the SDK raises Python's own errors too, for answers it cannot read
            failure = _failure_of(error, self._clock())
        # Outside the handler, so that the SDK's error, which quotes the vault's answer, is not chained to ours.
        raise failure


def _version(properties: Any) -> Version:  # noqa: ANN401 - the SDK's model, all of whose fields are optional
    created = properties.created_on or datetime.fromtimestamp(0, UTC)
    return Version(
        str(properties.version),
        bool(properties.enabled),
        created,
        properties.not_before,
        properties.expires_on,
    )


def _failure_of(error: Exception, now: datetime) -> HubError:
    from azure.core.exceptions import (
        ClientAuthenticationError,
        HttpResponseError,
        ServiceRequestError,
        ServiceResponseError,
    )

    if isinstance(error, HttpResponseError) and error.status_code:
        return _answered(error, now)
    if isinstance(error, ClientAuthenticationError):
        return _configuration("AZURE_CLIENT_ID", f"there is no managed identity or login ({type(error).__name__})")
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return NetworkFailure(PARTNER, f"the vault does not answer ({type(error).__name__})")
    # The SDK verifies that the vault asks for a token for the vault's own domain.
    return ContractBroken(PARTNER, f"what answers is no vault ({type(error).__name__})")


def _answered(error: Any, now: datetime) -> HubError:  # noqa: ANN401 - the SDK's error
    status = int(error.status_code)
    headers = error.response.headers if error.response else {}
    wait = retry_after_seconds(headers.get("Retry-After"), now)
    if status < 400:
        return MalformedResponse(PARTNER, f"the vault's answer {status} cannot be read")
    if status == _THROTTLED:
        return RateLimited(PARTNER, "the vault answered 429", retry_after=wait)
    if status >= 500:
        return ServerFailure(PARTNER, f"the vault answered {status}", retry_after=wait)
    if status in _REFUSED:
        need = "this identity needs the role Key Vault Secrets User, and the vault's firewall must let it in"
        return _configuration("KEY_VAULT_URL", f"the vault answered {status}: {need}")
    return PartnerRefused(PARTNER, f"the vault answered {status}", status=status)


def _configuration(setting: str, problem: str) -> ConfigurationError:
    return ConfigurationError((FieldProblem(setting, problem),))
