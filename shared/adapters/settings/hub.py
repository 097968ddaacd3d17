"""Settings of the hub itself: who we are, where we store, whose tokens we accept."""

from pydantic import Field, SecretStr

from shared.adapters.settings.kinds import Group, HttpUrl, Seconds


class HubSettings(Group):
    """Who we are, and how messages are retried."""

    tenant: str = Field(default="default", alias="HUB_TENANT", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    page_token_secret: SecretStr = Field(alias="HUB_PAGE_TOKEN_SECRET", min_length=16)
    message_retry_delays: Seconds = Field(default=(30.0, 120.0, 600.0), alias="HUB_MESSAGE_RETRY_DELAYS")
    """Seconds to wait before a failed message is tried again; after the last one it is parked."""
    notification_url: HttpUrl | None = Field(default=None, alias="HUB_NOTIFICATION_URL")
    """Where operators' notifications are posted (a chat or incident tool's incoming webhook)."""
    health_deadline: float = Field(default=5.0, alias="HUB_HEALTH_DEADLINE", gt=0, le=60)


class StorageSettings(Group):
    """The storage account: a connection string on a laptop, an endpoint with managed identity in Azure."""

    connection_string: SecretStr = Field(alias="AzureWebJobsStorage", min_length=1)


class AuthSettings(Group):
    """Whose access tokens the API accepts (INC-30)."""

    issuer: str = Field(alias="AUTH_ISSUER", min_length=1)
    audience: str = Field(default="api://dsif-api", alias="AUTH_AUDIENCE", min_length=1)
    jwks_url: HttpUrl = Field(alias="AUTH_JWKS_URL")
