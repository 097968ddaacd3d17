"""Settings of the payroll system, and of the SFTP server where it picks files up."""

from pydantic import Field, SecretStr, model_validator

from shared.adapters.settings.kinds import Group, HostKeys, HttpUrl
from shared.kernel.errors import ConfigurationError, FieldProblem


class PayrollSettings(Group):
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


class SftpSettings(Group):
    """Where payroll picks files up (INC-54)."""

    host: str = Field(alias="SFTP_HOST", min_length=1)
    port: int = Field(default=22, alias="SFTP_PORT", ge=1, le=65535)
    username: str = Field(alias="SFTP_USERNAME", min_length=1)
    private_key: SecretStr = Field(default=SecretStr(""), alias="SFTP_PRIVATE_KEY")
    password: SecretStr = Field(default=SecretStr(""), alias="SFTP_PASSWORD")
    host_key: HostKeys = Field(alias="SFTP_HOST_KEY")
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
