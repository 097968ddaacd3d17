"""Settings of the HR system and of the incentive plans."""

from decimal import Decimal

from pydantic import Field, model_validator

from shared.adapters.settings.kinds import Authority, Group, HttpUrl, one_token_source
from shared.kernel.secret import Secret


class HrSettings(Group):
    """The HR system that people come from (INC-20, INC-24, INC-25)."""

    base_url: HttpUrl = Field(alias="HR_BASE_URL")
    token_url: HttpUrl | None = Field(alias="HR_TOKEN_URL")
    authority: Authority | None = Field(default=None, alias="HR_AUTHORITY")
    """Instead of a token URL, where the HR system trusts Entra ID: tokens come through MSAL (INC-32)."""
    client_id: str = Field(alias="HR_CLIENT_ID", min_length=1)
    client_secret: Secret = Field(alias="HR_CLIENT_SECRET")
    scope: str = Field(default="", alias="HR_SCOPE")
    page_size: int = Field(default=1000, alias="HR_PAGE_SIZE", ge=1, le=5000)
    pages_per_slice: int = Field(default=10, alias="HR_PAGES_PER_SLICE", ge=1, le=100)
    """Pages that one function execution works through."""
    call_timeout: float = Field(default=30.0, alias="HR_CALL_TIMEOUT", gt=0, le=120)
    retry_first_delay: float = Field(default=2.0, alias="HR_RETRY_FIRST_DELAY", ge=0, le=8)
    max_termination_share: Decimal = Field(default=Decimal("0.1"), alias="HR_MAX_TERMINATION_SHARE", ge=0, le=1)
    """When a larger share of the active employees is missing at once, the full sync terminates nobody and fails."""
    webhook_secret: Secret = Field(alias="HR_WEBHOOK_SECRET")
    """One, or several (commas in the setting, versions in the vault) while they are rotated: all are accepted."""

    _token_source = model_validator(mode="before")(one_token_source)


class IncentiveSettings(Group):
    """Where the incentive plans are (INC-40), and who may approve (INC-42)."""

    plans: str = Field(default="plans", alias="INCENTIVE_PLANS", min_length=1)
    """A folder of YAML files, relative to the app."""
    four_eyes: bool = Field(default=True, alias="HUB_FOUR_EYES")
    """Whoever ran or submitted a calculation does not approve it."""
