"""Settings of e-mail."""

from collections.abc import Iterable, Mapping
from typing import Literal

from pydantic import Field, model_validator

from shared.adapters.settings.kinds import LOOPBACK, Addresses, Domain, Group, HttpUrl
from shared.kernel.errors import ConfigurationError, FieldProblem
from shared.kernel.secret import Secret


class MailSettings(Group):
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
    smtp_password: Secret | None = Field(default=None, alias="MAIL_SMTP_PASSWORD")
    sendgrid_key: Secret | None = Field(default=None, alias="MAIL_SENDGRID_KEY")
    sendgrid_base_url: HttpUrl = Field(default="https://api.sendgrid.com", alias="MAIL_SENDGRID_BASE_URL")
    acs_endpoint: HttpUrl | None = Field(default=None, alias="MAIL_ACS_ENDPOINT")
    acs_access_key: Secret | None = Field(default=None, alias="MAIL_ACS_ACCESS_KEY")
    finance: Addresses = Field(default=(), alias="MAIL_FINANCE")
    admins: Addresses = Field(default=(), alias="MAIL_ADMINS")
    approvers: Addresses = Field(default=(), alias="MAIL_APPROVERS")

    @property
    def sender(self) -> str:
        """The address that e-mails come from."""
        return f"noreply@{self.domain}"

    def used_secrets(self) -> Iterable[Secret]:
        """Return what the chosen provider needs."""
        return [one for name in self._needed() if isinstance(one := getattr(self, name), Secret)]

    def _needed(self) -> tuple[str, ...]:
        needed = _MAIL_NEEDS[self.provider]
        return (*needed, "smtp_password") if self.provider == "smtp" and self.smtp_username else needed

    @model_validator(mode="after")
    def _is_complete(self) -> "MailSettings":
        """Name what the chosen provider lacks, each setting by its own name."""
        problems = [
            FieldProblem(str(MailSettings.model_fields[name].alias), f"is missing; MAIL_PROVIDER is {self.provider}")
            for name in self._needed()
            if not getattr(self, name)
        ]
        in_clear = not self.smtp_starttls and self.smtp_host not in LOOPBACK
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
