"""Settings of the payroll system, and of the SFTP server where it picks files up."""

from collections.abc import Iterable

from pydantic import Field, model_validator

from shared.adapters.settings.kinds import Authority, Group, HostKeys, HttpUrl, one_token_source
from shared.kernel.errors import ConfigurationError, FieldProblem
from shared.kernel.secret import Secret


class PayrollSettings(Group):
    """The payroll system that approved incentives go to (INC-50 to INC-53)."""

    base_url: HttpUrl = Field(alias="PAYROLL_BASE_URL")
    token_url: HttpUrl | None = Field(alias="PAYROLL_TOKEN_URL")
    authority: Authority | None = Field(default=None, alias="PAYROLL_AUTHORITY")
    """Instead of a token URL, where payroll trusts Entra ID: tokens come through MSAL (INC-32)."""
    client_id: str = Field(alias="PAYROLL_CLIENT_ID", min_length=1)
    client_secret: Secret = Field(alias="PAYROLL_CLIENT_SECRET")
    scope: str = Field(default="", alias="PAYROLL_SCOPE")
    call_timeout: float = Field(default=60.0, alias="PAYROLL_CALL_TIMEOUT", gt=0, le=120)
    retry_first_delay: float = Field(default=2.0, alias="PAYROLL_RETRY_FIRST_DELAY", ge=0, le=8)
    earnings_code: str = Field(default="INCENT", alias="PAYROLL_EARNINGS_CODE", min_length=1, max_length=32)
    currency: str = Field(default="EUR", alias="PAYROLL_CURRENCY", pattern=r"^[A-Z]{3}$")
    export_lease: float = Field(default=600.0, alias="EXPORT_LEASE_SECONDS", ge=0.5, le=600)
    """An export whose worker died is taken up by another one after that; longer than a step with all its retries."""
    approval_deadline: str = Field(
        default="5 18:00", alias="APPROVAL_DEADLINE", pattern=r"^[0-9]{1,2} ([01][0-9]|2[0-3]):[0-5][0-9]$"
    )
    """Days after the last day of the period, and the time of that day in the business time zone."""

    _token_source = model_validator(mode="before")(one_token_source)


class SftpSettings(Group):
    """Where payroll picks files up (INC-54)."""

    host: str = Field(alias="SFTP_HOST", min_length=1)
    port: int = Field(default=22, alias="SFTP_PORT", ge=1, le=65535)
    username: str = Field(alias="SFTP_USERNAME", min_length=1)
    private_key: Secret | None = Field(default=None, alias="SFTP_PRIVATE_KEY")
    password: Secret | None = Field(default=None, alias="SFTP_PASSWORD")
    host_key: HostKeys = Field(alias="SFTP_HOST_KEY")
    """The pinned key, as in known_hosts or as fingerprint; several with commas or on lines, while it is rotated or
    where the server has keys of several kinds."""
    directory: str = Field(default="/incoming/dsif", alias="SFTP_DIRECTORY", pattern=r"^/")
    timeout: float = Field(default=30.0, alias="SFTP_TIMEOUT", gt=0, le=120)
    retry_first_delay: float = Field(default=2.0, alias="SFTP_RETRY_FIRST_DELAY", ge=0, le=8)

    @property
    def credentials(self) -> tuple[Secret | None, Secret | None]:
        """Private key and password: the key is tried first, the other where the server wants it as well.

        A setting of this process wins over the vault: a password that is set keeps the vault's key from being used.
        """
        if self.password and not self.password.in_vault and self.private_key and self.private_key.in_vault:
            return None, self.password
        return self.private_key, self.password

    def used_secrets(self) -> Iterable[Secret]:
        """Return the one that there is, the private key when there is none."""
        private_key, password = self.credentials
        if password and not (private_key and private_key.find()):
            return [password if private_key is None or password.find() else private_key]
        return [private_key] if private_key else []

    @model_validator(mode="after")
    def _one_way_in(self) -> "SftpSettings":
        given = [one for one in (self.private_key, self.password) if one]
        if not given:
            text = "give either SFTP_PRIVATE_KEY or SFTP_PASSWORD, or both where the server wants both"
            problem = FieldProblem("SFTP_PRIVATE_KEY", text)
            raise ConfigurationError((problem,))
        return self
