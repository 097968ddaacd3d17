"""Settings of the ERP and of the import of its sales."""

from datetime import time
from decimal import Decimal
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from shared.adapters.settings.kinds import Authority, Group, HttpUrl, Names, TimeZone, one_token_source
from shared.kernel.pay_period import PayCalendar
from shared.kernel.secret import Secret


class ErpSettings(Group):
    """The ERP that sales are imported from (INC-02, INC-03, INC-08)."""

    base_url: HttpUrl = Field(alias="ERP_BASE_URL")
    token_url: HttpUrl | None = Field(alias="ERP_TOKEN_URL")
    authority: Authority | None = Field(default=None, alias="ERP_AUTHORITY")
    """Instead of a token URL, where the ERP trusts Entra ID: tokens come through MSAL (INC-32)."""
    client_id: str = Field(alias="ERP_CLIENT_ID", min_length=1)
    client_secret: Secret = Field(alias="ERP_CLIENT_SECRET")
    scope: str = Field(default="", alias="ERP_SCOPE")
    page_size: int = Field(default=1000, alias="ERP_PAGE_SIZE", ge=1, le=5000)
    call_timeout: float = Field(default=45.0, alias="ERP_CALL_TIMEOUT", gt=0, le=120)
    """Seconds for one call, from the connection to the end of the answer (RES-03: 45 for an ERP)."""
    retry_first_delay: float = Field(default=2.0, alias="ERP_RETRY_FIRST_DELAY", ge=0, le=60)
    """Seconds before the first retry (RES-04: 2 for an ERP)."""

    _token_source = model_validator(mode="before")(one_token_source)


class ImportSettings(Group):
    """The rules of the sales import."""

    time_zone: TimeZone = Field(default=ZoneInfo("UTC"), alias="ERP_BUSINESS_TIME_ZONE")
    max_reject_share: Decimal = Field(default=Decimal("0.05"), alias="ERP_MAX_REJECT_SHARE", ge=0, le=1)
    confirm_drop_share: Decimal = Field(default=Decimal("0.5"), alias="ERP_CONFIRM_DROP_SHARE", ge=0, le=1)
    """A store or a day that loses more than this share of its records or amount, or everything, drops."""
    confirm_drop_records: int = Field(default=10, alias="ERP_CONFIRM_DROP_RECORDS", ge=1)
    """A drop of a store or a day that had as many records counts only once somebody has confirmed it."""
    known_stores: Names = Field(default=(), alias="ERP_KNOWN_STORES")
    """Store IDs, comma-separated; empty: every store is accepted."""
    currency: str = Field(default="EUR", alias="ERP_CURRENCY", pattern=r"^[A-Z]{3}$")
    pages_per_slice: int = Field(default=20, alias="ERP_PAGES_PER_SLICE", ge=1, le=200)
    """Pages that one function execution works through; more go to further slices."""
    writers: int = Field(default=2, alias="ERP_STAGING_WRITERS", ge=1, le=8)
    """Threads that write staged sales while the next page is fetched."""
    slice_lease: float = Field(default=180.0, alias="ERP_SLICE_LEASE_SECONDS", ge=0.5, le=600)
    """Longer than a page can take, with the wait for the rate limit: three calls time out, the third opens the circuit.
    It is prolonged between pages, and a worker that outlives its lease works beside the one that took the slice over.
    """
    stall_after: float = Field(default=900.0, alias="IMPORT_STALL_SECONDS", ge=1)
    """A run without progress for so long is taken up again."""
    triggers_calculation: bool = Field(default=False, alias="IMPORT_TRIGGERS_CALCULATION")
    pay_calendar: PayCalendar = Field(default=PayCalendar.MONTH, alias="PAY_CALENDAR")
    expected_by: time = Field(default=time(1, 30), alias="IMPORT_EXPECTED_BY")
    """UTC time of day after which yesterday's import must have been started."""
