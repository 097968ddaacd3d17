"""All settings of the hub as one typed object, read from the environment in groups.

A wrong setting is reported by name when its group is first used, and all of them by `Settings.problems()`
(behind /api/v1/health/startup); importing or building the object never fails. A setting that is a secret comes from
the environment, or else from the vault, where it is read when it is needed and no earlier.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

from pydantic import ValidationError

from shared.adapters.settings.graph import GraphSettings
from shared.adapters.settings.hub import AuthSettings, HubSettings, StorageSettings, VaultSettings
from shared.adapters.settings.kinds import Group
from shared.adapters.settings.mail import MailSettings
from shared.adapters.settings.orders import SalesSettings
from shared.adapters.settings.payroll import PayrollSettings, SftpSettings
from shared.adapters.settings.people import HrSettings, IncentiveSettings
from shared.adapters.settings.queues import QueueSettings
from shared.adapters.settings.sales import ErpSettings, ImportSettings
from shared.adapters.settings.secret_settings import SECRETS, LocalSecrets
from shared.adapters.settings.telemetry import TelemetrySettings
from shared.kernel.errors import ConfigurationError, FieldProblem, HubError
from shared.kernel.field_problems import field_problems
from shared.kernel.secret import Secret, SecretStore

__all__ = [
    "AuthSettings",
    "ErpSettings",
    "GraphSettings",
    "HrSettings",
    "HubSettings",
    "ImportSettings",
    "IncentiveSettings",
    "MailSettings",
    "PayrollSettings",
    "QueueSettings",
    "SalesSettings",
    "Settings",
    "SftpSettings",
    "StorageSettings",
    "TelemetrySettings",
    "VaultSettings",
]

GroupType = TypeVar("GroupType", bound=Group)
_GROUPS = (
    "hub",
    "storage",
    "queues",
    "vault",
    "erp",
    "imports",
    "hr",
    "incentives",
    "payroll",
    "sftp",
    "sales",
    "graph",
    "mail",
    "auth",
    "telemetry",
)
_OF_GRAPH = ("GRAPH_BASE_URL", "GRAPH_TOKEN_URL", "GRAPH_AUTHORITY", "GRAPH_CLIENT_ID")


def no_vault() -> SecretStore:
    """Say that there is no vault. ConfigurationError."""
    raise ConfigurationError((FieldProblem("KEY_VAULT_URL", "is set, and this process was given no vault"),))


class Settings:
    """All settings; each group is validated when first read, and its ConfigurationError names what is wrong."""

    def __init__(self, environment: Mapping[str, str], vault: Callable[[], SecretStore] = no_vault) -> None:
        """Keep the environment; nothing is read yet. `vault` is asked for where KEY_VAULT_URL is set."""
        self._environment = environment
        self._vault = vault

    @cached_property
    def hub(self) -> HubSettings:
        """Tenant, page tokens, message retries."""
        return self._read(HubSettings)

    @cached_property
    def storage(self) -> StorageSettings:
        """The storage account."""
        return self._read(StorageSettings)

    @cached_property
    def vault(self) -> VaultSettings:
        """Where secrets are."""
        return self._read(VaultSettings)

    @cached_property
    def queues(self) -> QueueSettings:
        """What carries messages."""
        return self._read(QueueSettings)

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
    def sales(self) -> SalesSettings | None:
        """The sales system; None where SALES_BASE_URL is not set, and no orders are taken in."""
        return self._read(SalesSettings) if self.has_sales else None

    @cached_property
    def graph(self) -> GraphSettings | None:
        """Microsoft Graph; None where none of its settings is given, and no users are pulled."""
        return self._read(GraphSettings) if self.has_graph else None

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

    @cached_property
    def telemetry(self) -> TelemetrySettings:
        """Where spans and metrics go."""
        return self._read(TelemetrySettings)

    def problems(self) -> tuple[FieldProblem, ...]:
        """Return every wrong or missing setting by name; empty when the hub can start. Reads the secrets in use."""
        found: list[FieldProblem] = []
        vault_answers = True
        for name in _GROUPS:
            try:
                group: Group | None = getattr(self, name)
                for secret in group.used_secrets() if group and vault_answers else ():
                    found += _unreadable(secret)
            except ConfigurationError as error:
                found += error.problems
            except HubError as error:
                vault_answers = False
                found.append(FieldProblem("KEY_VAULT_URL", f"the vault does not answer ({error.code})"))
        return tuple(dict.fromkeys(found))

    @property
    def has_vault(self) -> bool:
        """Whether there is a vault for what the environment does not hold."""
        return bool(self._environment.get("KEY_VAULT_URL"))

    @property
    def has_sales(self) -> bool:
        """Whether orders are taken in."""
        return bool(self._environment.get("SALES_BASE_URL"))

    @property
    def has_graph(self) -> bool:
        """Whether users are pulled from Microsoft Graph: one of its settings is given, so that all must be."""
        return any(self._environment.get(name) for name in _OF_GRAPH)

    def secret(self, setting: str) -> Secret | None:
        """Return a setting that is a secret: the environment's, else the vault's, else None. Nothing is read."""
        kind = SECRETS[setting]
        tenant = self._environment.get("HUB_TENANT") or "default"
        try:
            path, local = kind.path(tenant), LocalSecrets(self._environment, tenant)
        except ValueError as error:
            raise ConfigurationError((FieldProblem("HUB_TENANT", str(error)),)) from None
        if self._environment.get(setting):
            return Secret(setting, path, lambda: local, kind.rule)
        if self.has_vault:
            return Secret(setting, path, self._vault, kind.rule, in_vault=True)
        return None

    def _read(self, group: type[GroupType]) -> GroupType:
        names = [field.alias for field in group.model_fields.values() if field.alias]
        secrets = {name: secret for name in names if name in SECRETS and (secret := self.secret(name))}
        texts = {name: text for name in names if name not in SECRETS and (text := self._environment.get(name))}
        problems = [one for secret in secrets.values() if not secret.in_vault for one in _unreadable(secret)]
        try:
            read = group.model_validate(texts | secrets)
        except ValidationError as error:
            problems += [replace(one, field=one.field.partition(".")[0]) for one in field_problems(error)]
        except ConfigurationError as error:
            problems += error.problems
        else:
            if not problems:
                return read
        raise ConfigurationError(tuple(problems))


def _unreadable(secret: Secret) -> Iterator[FieldProblem]:
    """Yield what is wrong with a secret. HubError when where it is kept does not answer."""
    try:
        secret.versions()
    except ConfigurationError as error:
        yield from error.problems
