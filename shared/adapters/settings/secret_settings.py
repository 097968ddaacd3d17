"""Which settings are secrets, the path of each (RES-11), and the store of those that the environment holds.

`docs/secrets.md` shows the same table.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.adapters.settings.kinds import http_url
from shared.kernel.secret import any_value, secret_path


def _long_enough(value: str) -> str:
    return "" if len(value) >= 16 else "should have at least 16 characters"


def _webhook(value: str) -> str:
    try:
        parts = urlsplit(http_url(value))
    except ValueError as error:
        return str(error)
    unfit = any(one.isspace() or one == "\\" for one in value) or ".." in parts.path.split("/")
    return "must be a URL without spaces, backslashes and .." if unfit else ""


def _base64(value: str) -> str:
    try:
        b64decode(value, validate=True)
    except ValueError:
        return "must be base64, as the portal shows it"
    return ""


def _opaque_token(value: str) -> str:
    fits = re.fullmatch(r"[A-Za-z0-9_~+/=-]{32,1000}", value)
    return "" if fits else "must have 32 to 1000 characters of A-Z a-z 0-9 _ ~ + / = -"


@dataclass(frozen=True)
class SecretSetting:
    """A setting that is a secret: the last two parts of its path, and what a value must be."""

    adapter: str
    name: str
    rule: Callable[[str], str] = any_value
    several: bool = False
    """Whether the setting may hold several values with commas between, all of which are accepted."""

    def path(self, tenant: str) -> str:
        """Return the path of a tenant's secret."""
        return secret_path(tenant, self.adapter, self.name)

    def split(self, value: str) -> tuple[str, ...]:
        """Return the values that a setting's text holds."""
        if not self.several:
            return (value,)
        return tuple(part.strip() for part in value.split(",") if part.strip())


SECRETS: Mapping[str, SecretSetting] = {
    "HUB_PAGE_TOKEN_SECRET": SecretSetting("hub", "page-token-secret", _long_enough),
    "HUB_NOTIFICATION_URL": SecretSetting("hub", "notification-url", _webhook),
    "ERP_CLIENT_SECRET": SecretSetting("erp", "client-secret"),
    "HR_CLIENT_SECRET": SecretSetting("hr", "client-secret"),
    "HR_WEBHOOK_SECRET": SecretSetting("hr", "webhook-secret", _long_enough, several=True),
    "SCIM_TOKEN": SecretSetting("scim", "token", _opaque_token, several=True),
    "PAYROLL_CLIENT_SECRET": SecretSetting("payroll", "client-secret"),
    "SALES_CLIENT_SECRET": SecretSetting("sales", "client-secret"),
    "GRAPH_CLIENT_SECRET": SecretSetting("graph", "client-secret"),
    "SFTP_PRIVATE_KEY": SecretSetting("payroll-sftp", "private-key"),
    "SFTP_PASSWORD": SecretSetting("payroll-sftp", "password"),
    "MAIL_SMTP_PASSWORD": SecretSetting("e-mail", "smtp-password"),
    "MAIL_SENDGRID_KEY": SecretSetting("e-mail", "sendgrid-api-key"),
    "MAIL_ACS_ACCESS_KEY": SecretSetting("e-mail", "acs-access-key", _base64),
}


class LocalSecrets:
    """Implements `SecretStore` over the environment: each path is one setting, as the table of secrets says."""

    def __init__(self, environment: Mapping[str, str], tenant: str) -> None:
        """Keep the environment; it is looked at anew for each read."""
        self._environment = environment
        self._settings = {kind.path(tenant): setting for setting, kind in SECRETS.items()}

    def versions(self, path: str) -> tuple[str, ...]:
        """Return the setting's value, or values where it may hold several; none when it is not set."""
        setting = self._settings.get(path, "")
        value = self._environment.get(setting, "")
        if not value:
            return ()
        return SECRETS[setting].split(value)

    def refresh(self, path: str) -> None:
        """Do nothing: nothing is kept here."""
