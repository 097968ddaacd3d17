"""Settings of the hub itself: who we are, where we store, whose tokens we accept."""

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from shared.adapters.settings.kinds import Group, HttpUrl, Seconds
from shared.kernel.errors import ConfigurationError, FieldProblem
from shared.kernel.secret import Secret


class HubSettings(Group):
    """Who we are, and how messages are retried."""

    tenant: str = Field(default="default", alias="HUB_TENANT", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    page_token_secret: Secret = Field(alias="HUB_PAGE_TOKEN_SECRET")
    message_retry_delays: Seconds = Field(default=(30.0, 120.0, 600.0), alias="HUB_MESSAGE_RETRY_DELAYS")
    """Seconds to wait before a failed message is tried again; after the last one it is parked."""
    notification_url: Secret | None = Field(default=None, alias="HUB_NOTIFICATION_URL")
    """Where operators' notifications are posted: a chat or incident tool's incoming webhook, whose URL opens it."""
    health_deadline: float = Field(default=5.0, alias="HUB_HEALTH_DEADLINE", gt=0, le=60)


class VaultSettings(Group):
    """Where secrets are that are no settings of this process, and how long they are used (RES-11, INC-25)."""

    url: HttpUrl | None = Field(default=None, alias="KEY_VAULT_URL")
    client_id: str = Field(default="", alias="AZURE_CLIENT_ID")
    """The user-assigned identity of the hub; empty: the system-assigned one, or a developer's login."""
    cache_seconds: float = Field(default=300.0, alias="SECRET_CACHE_SECONDS", gt=0, le=86400)
    """A secret is used for so long before it is read again."""
    stale_seconds: float = Field(default=14400.0, alias="SECRET_STALE_SECONDS", ge=0, le=86400)
    """And for so long after that while the vault does not answer."""
    overlap_seconds: float = Field(default=86400.0, alias="SECRET_OVERLAP_SECONDS", ge=0, le=7776000)
    """The version before the newest one is accepted for so long after the newest one began."""


class StorageSettings(Group):
    """The storage account: a connection string on a laptop, addresses and a managed identity in Azure (INC-32).

    The names are those of the Functions host, which reads the same settings for its own triggers.
    """

    connection_string: SecretStr | None = Field(default=None, alias="AzureWebJobsStorage")
    blob_uri: HttpUrl | None = Field(default=None, alias="AzureWebJobsStorage__blobServiceUri")
    queue_uri: HttpUrl | None = Field(default=None, alias="AzureWebJobsStorage__queueServiceUri")
    table_uri: HttpUrl | None = Field(default=None, alias="AzureWebJobsStorage__tableServiceUri")
    credential: Literal["managedidentity"] | None = Field(default=None, alias="AzureWebJobsStorage__credential")
    client_id: str = Field(default="", alias="AzureWebJobsStorage__clientId")

    @model_validator(mode="after")
    def _one_way_in(self) -> "StorageSettings":
        uris = {name: getattr(self, name) for name in ("blob_uri", "queue_uri", "table_uri")}
        text = ""
        if self.connection_string and any(uris.values()):
            text, names = "give either a connection string or addresses, not both", ["connection_string"]
        elif not self.connection_string and not any(uris.values()):
            text, names = "is missing", ["connection_string"]
        elif not self.connection_string:
            text, names = "is missing", [name for name, uri in uris.items() if not uri]
        if text and names:
            fields = StorageSettings.model_fields
            raise ConfigurationError(tuple(FieldProblem(str(fields[name].alias), text) for name in names))
        return self


class AuthSettings(Group):
    """Whose access tokens the API accepts (INC-30)."""

    issuer: str = Field(alias="AUTH_ISSUER", min_length=1)
    audience: str = Field(default="api://dsif-api", alias="AUTH_AUDIENCE", min_length=1)
    jwks_url: HttpUrl = Field(alias="AUTH_JWKS_URL")
    scim_token: Secret | None = Field(default=None, alias="SCIM_TOKEN")
    """What the identity provider's provisioning service shows in place of an access token (INC-33); several while it is
    rotated. Without one, it needs an access token like everybody else."""
