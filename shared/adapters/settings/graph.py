"""Settings of Microsoft Graph, where users are pulled from it."""

from decimal import Decimal
from typing import Any

from pydantic import Field, model_validator

from shared.adapters.settings.kinds import Authority, Group, HttpUrl, one_token_source
from shared.kernel.secret import Secret

_SCOPE = "https://graph.microsoft.com/.default"


class GraphSettings(Group):
    """Microsoft Graph (INC-33). The group is read only where address, token source or client is given."""

    base_url: HttpUrl = Field(default="https://graph.microsoft.com/v1.0", alias="GRAPH_BASE_URL")
    token_url: HttpUrl | None = Field(alias="GRAPH_TOKEN_URL")
    authority: Authority | None = Field(default=None, alias="GRAPH_AUTHORITY")
    """The tenant whose users are pulled: tokens come through MSAL (INC-32). A token URL instead is for a laptop."""
    client_id: str = Field(alias="GRAPH_CLIENT_ID", min_length=1)
    client_secret: Secret = Field(alias="GRAPH_CLIENT_SECRET")
    scope: str = Field(default=_SCOPE, alias="GRAPH_SCOPE")
    call_timeout: float = Field(default=30.0, alias="GRAPH_CALL_TIMEOUT", gt=0, le=120)
    retry_first_delay: float = Field(default=2.0, alias="GRAPH_RETRY_FIRST_DELAY", ge=0, le=8)
    pages_per_slice: int = Field(default=10, alias="GRAPH_PAGES_PER_SLICE", ge=1, le=100)
    """Pages that one function execution works through."""
    max_deactivation_share: Decimal = Field(default=Decimal("0.1"), alias="GRAPH_MAX_DEACTIVATION_SHARE", ge=0, le=1)
    """When a larger share of the users is missing in a full read, nobody is deactivated and the run fails."""

    @model_validator(mode="before")
    @classmethod
    def _token_source(cls, given: dict[str, Any]) -> dict[str, Any]:
        return one_token_source(cls, {"GRAPH_SCOPE": _SCOPE} | given)
