"""All settings of the hub as one typed object, read from the environment in groups.

A wrong setting is reported by name when its group is first used, and all of them by `Settings.problems()`
(behind /api/v1/health/startup); importing or building the object never fails.
"""

from base64 import b64decode
from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator

from shared.adapters.sftp_host_key import pinned_fingerprints
from shared.kernel.errors import ConfigurationError, FieldProblem
from shared.kernel.mail import is_address
from shared.kernel.pay_period import PayCalendar

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be a URL such as https://erp.example.com")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("must use https (http is for this machine only)")
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


def _base64(value: object) -> object:
    if isinstance(value, str):
        try:
            b64decode(value, validate=True)
        except ValueError:
            raise ValueError("must be base64, as the portal shows it") from None
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
    return tuple(pinned_fingerprints(value)) if isinstance(value, str) else value


def _seconds(value: object) -> object:
    if isinstance(value, str):
        return tuple(float(part) for part in value.split(",") if part.strip())
    return value


HttpUrl = Annotated[str, BeforeValidator(_http_url)]
AccessKey = Annotated[SecretStr, BeforeValidator(_base64)]
TimeZone = Annotated[ZoneInfo, BeforeValidator(_time_zone)]
Names = Annotated[tuple[str, ...], BeforeValidator(_names)]
Domain = Annotated[str, BeforeValidator(_domain)]
Addresses = Annotated[tuple[str, ...], BeforeValidator(_addresses)]
Seconds = Annotated[tuple[Annotated[float, Field(ge=0)], ...], BeforeValidator(_seconds)]


class _Group(BaseModel):
    """Settings that are used together; each field's alias is the setting's name."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True, populate_by_name=False)


GroupType = TypeVar("GroupType", bound=_Group)


class HubSettings(_Group):
    """Who we are, and how messages are retried."""

    tenant: str = Field(default="default", alias="HUB_TENANT", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    page_token_secret: SecretStr = Field(alias="HUB_PAGE_TOKEN_SECRET", min_length=16)
    message_retry_delays: Seconds = Field(default=(30.0, 120.0, 600.0), alias="HUB_MESSAGE_RETRY_DELAYS")
    """Seconds to wait before a failed message is tried again; after the last one it is parked."""
    notification_url: HttpUrl | None = Field(default=None, alias="HUB_NOTIFICATION_URL")
    """Where operators' notifications are posted (a chat or incident tool's incoming webhook)."""
    health_deadline: float = Field(default=5.0, alias="HUB_HEALTH_DEADLINE", gt=0, le=60)


class StorageSettings(_Group):
    """The storage account: a connection string on a laptop, an endpoint with managed identity in Azure."""

    connection_string: SecretStr = Field(alias="AzureWebJobsStorage", min_length=1)


class ErpSettings(_Group):
    """The ERP that sales are imported from (INC-02, INC-03, INC-08)."""

    base_url: HttpUrl = Field(alias="ERP_BASE_URL")
    token_url: HttpUrl = Field(alias="ERP_TOKEN_URL")
    client_id: str = Field(alias="ERP_CLIENT_ID", min_length=1)
    client_secret: SecretStr = Field(alias="ERP_CLIENT_SECRET", min_length=1)
    scope: str = Field(default="", alias="ERP_SCOPE")
    page_size: int = Field(default=1000, alias="ERP_PAGE_SIZE", ge=1, le=5000)
    call_timeout: float = Field(default=45.0, alias="ERP_CALL_TIMEOUT", gt=0, le=120)
    """Seconds to wait for one answer (RES-03: 45 for an ERP)."""
    retry_first_delay: float = Field(default=2.0, alias="ERP_RETRY_FIRST_DELAY", ge=0, le=60)
    """Seconds before the first retry (RES-04: 2 for an ERP)."""


class ImportSettings(_Group):
    """The rules of the sales import."""

    time_zone: TimeZone = Field(default=ZoneInfo("UTC"), alias="ERP_BUSINESS_TIME_ZONE")
    max_reject_share: Decimal = Field(default=Decimal("0.05"), alias="ERP_MAX_REJECT_SHARE", ge=0, le=1)
    known_stores: Names = Field(default=(), alias="ERP_KNOWN_STORES")
    """Store IDs, comma-separated; empty: every store is accepted."""
    currency: str = Field(default="EUR", alias="ERP_CURRENCY", pattern=r"^[A-Z]{3}$")
    pages_per_slice: int = Field(default=20, alias="ERP_PAGES_PER_SLICE", ge=1, le=200)
    """Pages that one function execution works through; more go to further slices."""
    writers: int = Field(default=2, alias="ERP_STAGING_WRITERS", ge=1, le=8)
    """Threads that write staged sales while the next page is fetched."""
    slice_lease: float = Field(default=60.0, alias="ERP_SLICE_LEASE_SECONDS", ge=0.5, le=600)
    stall_after: float = Field(default=900.0, alias="IMPORT_STALL_SECONDS", ge=1)
    """A run without progress for so long is taken up again."""
    triggers_calculation: bool = Field(default=False, alias="IMPORT_TRIGGERS_CALCULATION")
    pay_calendar: PayCalendar = Field(default=PayCalendar.MONTH, alias="PAY_CALENDAR")
    expected_by: time = Field(default=time(1, 30), alias="IMPORT_EXPECTED_BY")
    """UTC time of day after which yesterday's import must have been started."""


class HrSettings(_Group):
    """The HR system that people come from (INC-20, INC-24, INC-25)."""

    base_url: HttpUrl = Field(alias="HR_BASE_URL")
    token_url: HttpUrl = Field(alias="HR_TOKEN_URL")
    client_id: str = Field(alias="HR_CLIENT_ID", min_length=1)
    client_secret: SecretStr = Field(alias="HR_CLIENT_SECRET", min_length=1)
    scope: str = Field(default="", alias="HR_SCOPE")
    page_size: int = Field(default=1000, alias="HR_PAGE_SIZE", ge=1, le=5000)
    pages_per_slice: int = Field(default=10, alias="HR_PAGES_PER_SLICE", ge=1, le=100)
    """Pages that one function execution works through."""
    call_timeout: float = Field(default=30.0, alias="HR_CALL_TIMEOUT", gt=0, le=120)
    retry_first_delay: float = Field(default=2.0, alias="HR_RETRY_FIRST_DELAY", ge=0, le=8)
    max_termination_share: Decimal = Field(default=Decimal("0.1"), alias="HR_MAX_TERMINATION_SHARE", ge=0, le=1)
    """When a larger share of the active employees is missing at once, the full sync terminates nobody and fails."""
    webhook_secret: SecretStr = Field(alias="HR_WEBHOOK_SECRET", min_length=16)
    """One, or several with commas between while they are being rotated: all are accepted."""

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """Every secret that a webhook may be signed with."""
        return tuple(part.strip() for part in self.webhook_secret.get_secret_value().split(",") if part.strip())


class PayrollSettings(_Group):
    """The payroll system that approved incentives go to (INC-50 to INC-53)."""

    base_url: HttpUrl = Field(alias="PAYROLL_BASE_URL")
    token_url: HttpUrl = Field(alias="PAYROLL_TOKEN_URL")
    client_id: str = Field(alias="PAYROLL_CLIENT_ID", min_length=1)
    client_secret: SecretStr = Field(alias="PAYROLL_CLIENT_SECRET", min_length=1)
    scope: str = Field(default="", alias="PAYROLL_SCOPE")
    call_timeout: float = Field(default=60.0, alias="PAYROLL_CALL_TIMEOUT", gt=0, le=120)
    retry_first_delay: float = Field(default=2.0, alias="PAYROLL_RETRY_FIRST_DELAY", ge=0, le=8)
    earnings_code: str = Field(default="INCENT", alias="PAYROLL_EARNINGS_CODE", min_length=1, max_length=32)
    currency: str = Field(default="EUR", alias="PAYROLL_CURRENCY", pattern=r"^[A-Z]{3}$")
    export_lease: float = Field(default=120.0, alias="EXPORT_LEASE_SECONDS", ge=0.5, le=600)
    """An export whose worker died is taken up by another one after that."""
    approval_deadline: str = Field(
        default="5 18:00", alias="APPROVAL_DEADLINE", pattern=r"^[0-9]{1,2} ([01][0-9]|2[0-3]):[0-5][0-9]$"
    )
    """Days after the last day of the period, and the time of that day in the business time zone."""


class SftpSettings(_Group):
    """Where payroll picks files up (INC-54)."""

    host: str = Field(alias="SFTP_HOST", min_length=1)
    port: int = Field(default=22, alias="SFTP_PORT", ge=1, le=65535)
    username: str = Field(alias="SFTP_USERNAME", min_length=1)
    private_key: SecretStr = Field(default=SecretStr(""), alias="SFTP_PRIVATE_KEY")
    password: SecretStr = Field(default=SecretStr(""), alias="SFTP_PASSWORD")
    host_key: Annotated[tuple[str, ...], BeforeValidator(_host_keys)] = Field(alias="SFTP_HOST_KEY")
    """The pinned key, as in known_hosts or as fingerprint; several with commas while it is rotated."""
    directory: str = Field(default="/incoming/dsif", alias="SFTP_DIRECTORY", pattern=r"^/")
    timeout: float = Field(default=30.0, alias="SFTP_TIMEOUT", gt=0, le=120)
    retry_first_delay: float = Field(default=2.0, alias="SFTP_RETRY_FIRST_DELAY", ge=0, le=8)

    @model_validator(mode="after")
    def _one_way_in(self) -> "SftpSettings":
        if bool(self.private_key.get_secret_value()) == bool(self.password.get_secret_value()):
            problem = FieldProblem("SFTP_PRIVATE_KEY", "give either SFTP_PRIVATE_KEY or SFTP_PASSWORD")
            raise ConfigurationError((problem,))
        return self


class IncentiveSettings(_Group):
    """Where the incentive plans are (INC-40)."""

    plans: str = Field(default="plans", alias="INCENTIVE_PLANS", min_length=1)
    """A folder of YAML files, relative to the app."""


class AuthSettings(_Group):
    """Whose access tokens the API accepts (INC-30)."""

    issuer: str = Field(alias="AUTH_ISSUER", min_length=1)
    audience: str = Field(default="api://dsif-api", alias="AUTH_AUDIENCE", min_length=1)
    jwks_url: HttpUrl = Field(alias="AUTH_JWKS_URL")


class MailSettings(_Group):
    """Who sends e-mails, from where, and who gets those that are for a role (INC-60, INC-61)."""

    provider: Literal["none", "smtp", "sendgrid", "communication-services"] = Field(
        default="none", alias="MAIL_PROVIDER"
    )
    domain: Domain = Field(default="", alias="MAIL_DOMAIN")
    """E-mails come from noreply@ this domain."""
    smtp_host: str = Field(default="", alias="MAIL_SMTP_HOST")
    smtp_port: int = Field(default=587, alias="MAIL_SMTP_PORT", ge=1, le=65535)
    smtp_starttls: bool = Field(default=True, alias="MAIL_SMTP_STARTTLS")
    smtp_username: str = Field(default="", alias="MAIL_SMTP_USERNAME")
    """Without one, the hub does not log in."""
    smtp_password: SecretStr = Field(default=SecretStr(""), alias="MAIL_SMTP_PASSWORD")
    sendgrid_key: SecretStr = Field(default=SecretStr(""), alias="MAIL_SENDGRID_KEY")
    sendgrid_base_url: HttpUrl = Field(default="https://api.sendgrid.com", alias="MAIL_SENDGRID_BASE_URL")
    acs_endpoint: HttpUrl | None = Field(default=None, alias="MAIL_ACS_ENDPOINT")
    acs_access_key: AccessKey = Field(default=SecretStr(""), alias="MAIL_ACS_ACCESS_KEY")
    finance: Addresses = Field(default=(), alias="MAIL_FINANCE")
    admins: Addresses = Field(default=(), alias="MAIL_ADMINS")
    approvers: Addresses = Field(default=(), alias="MAIL_APPROVERS")

    @property
    def sender(self) -> str:
        """The address that e-mails come from."""
        return f"noreply@{self.domain}"

    @model_validator(mode="after")
    def _is_complete(self) -> "MailSettings":
        """Name what the chosen provider lacks, each setting by its own name."""
        needed = _MAIL_NEEDS[self.provider]
        if self.provider == "smtp" and self.smtp_username:
            needed = (*needed, "smtp_password")
        problems = [
            FieldProblem(str(MailSettings.model_fields[name].alias), f"is missing; MAIL_PROVIDER is {self.provider}")
            for name in needed
            if not getattr(self, name)
        ]
        in_clear = not self.smtp_starttls and self.smtp_host not in _LOOPBACK
        if self.provider == "smtp" and in_clear:
            problems.append(FieldProblem("MAIL_SMTP_STARTTLS", "must be true (false is for this machine only)"))
        if problems:
            raise ConfigurationError(tuple(problems))
        return self


_MAIL_NEEDS: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "smtp": ("domain", "smtp_host"),
    "sendgrid": ("domain", "sendgrid_key"),
    "communication-services": ("domain", "acs_endpoint", "acs_access_key"),
}


class Settings:
    """All settings; each group is validated when first read, and its ConfigurationError names what is wrong."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Keep the environment; nothing is read yet."""
        self._environment = environment

    @cached_property
    def hub(self) -> HubSettings:
        """Tenant, page tokens, message retries."""
        return self._read(HubSettings)

    @cached_property
    def storage(self) -> StorageSettings:
        """The storage account."""
        return self._read(StorageSettings)

    @cached_property
    def erp(self) -> ErpSettings:
        """The ERP and its identity provider."""
        return self._read(ErpSettings)

    @cached_property
    def imports(self) -> ImportSettings:
        """The rules of the sales import."""
        return self._read(ImportSettings)

    @cached_property
    def hr(self) -> HrSettings:
        """The HR system."""
        return self._read(HrSettings)

    @cached_property
    def payroll(self) -> PayrollSettings:
        """The payroll system."""
        return self._read(PayrollSettings)

    @cached_property
    def sftp(self) -> SftpSettings:
        """Where payroll picks files up."""
        return self._read(SftpSettings)

    @cached_property
    def incentives(self) -> IncentiveSettings:
        """Where the plans are."""
        return self._read(IncentiveSettings)

    @cached_property
    def auth(self) -> AuthSettings:
        """Whose tokens are accepted."""
        return self._read(AuthSettings)

    @cached_property
    def mail(self) -> MailSettings:
        """Who sends e-mails."""
        return self._read(MailSettings)

    def problems(self) -> tuple[FieldProblem, ...]:
        """Return every wrong or missing setting by name; empty when the hub can start."""
        found: list[FieldProblem] = []
        for group in ("hub", "storage", "erp", "imports", "hr", "incentives", "payroll", "sftp", "mail", "auth"):
            try:
                getattr(self, group)
            except ConfigurationError as error:
                found += error.problems
        return tuple(found)

    def _read(self, group: type[GroupType]) -> GroupType:
        given = {
            field.alias: self._environment[field.alias]
            for field in group.model_fields.values()
            if field.alias and self._environment.get(field.alias, "") != ""
        }
        try:
            return group.model_validate(given)
        except ValidationError as error:
            raise ConfigurationError(tuple(_problem(item["loc"], item["msg"]) for item in error.errors())) from None


def _problem(location: tuple[int | str, ...], message: str) -> FieldProblem:
    text = "is missing" if message == "Field required" else message.removeprefix("Value error, ")
    return FieldProblem(str(location[0]), text)
