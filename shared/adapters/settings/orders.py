"""Settings of the sales system that orders go to."""

from pydantic import Field, model_validator

from shared.adapters.settings.kinds import Authority, Group, HttpUrl, one_token_source
from shared.kernel.secret import Secret


class SalesSettings(Group):
    """The sales system (RES-01). The group is read only where SALES_BASE_URL is set."""

    base_url: HttpUrl = Field(alias="SALES_BASE_URL")
    token_url: HttpUrl | None = Field(alias="SALES_TOKEN_URL")
    authority: Authority | None = Field(default=None, alias="SALES_AUTHORITY")
    """Instead of a token URL, where the sales system trusts Entra ID: tokens come through MSAL (INC-32)."""
    client_id: str = Field(alias="SALES_CLIENT_ID", min_length=1)
    client_secret: Secret = Field(alias="SALES_CLIENT_SECRET")
    scope: str = Field(default="", alias="SALES_SCOPE")
    call_timeout: float = Field(default=30.0, alias="SALES_CALL_TIMEOUT", gt=0, le=120)
    retry_first_delay: float = Field(default=1.0, alias="SALES_RETRY_FIRST_DELAY", ge=0, le=8)

    _token_source = model_validator(mode="before")(one_token_source)
