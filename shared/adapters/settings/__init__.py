"""All settings of the hub as one typed object, read from the environment in groups.

A wrong setting is reported by name when its group is first used, and all of them by `Settings.problems()`
(behind /api/v1/health/startup); importing or building the object never fails.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import TypeVar

from pydantic import ValidationError

from shared.adapters.settings.hub import AuthSettings, HubSettings, StorageSettings
from shared.adapters.settings.kinds import Group
from shared.adapters.settings.mail import MailSettings
from shared.adapters.settings.payroll import PayrollSettings, SftpSettings
from shared.adapters.settings.people import HrSettings, IncentiveSettings
from shared.adapters.settings.sales import ErpSettings, ImportSettings
from shared.adapters.settings.telemetry import TelemetrySettings
from shared.kernel.errors import ConfigurationError, FieldProblem

__all__ = [
    "AuthSettings",
    "ErpSettings",
    "HrSettings",
    "HubSettings",
    "ImportSettings",
    "IncentiveSettings",
    "MailSettings",
    "PayrollSettings",
    "Settings",
    "SftpSettings",
    "StorageSettings",
    "TelemetrySettings",
]

GroupType = TypeVar("GroupType", bound=Group)


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

    @cached_property
    def telemetry(self) -> TelemetrySettings:
        """Where spans and metrics go."""
        return self._read(TelemetrySettings)

    def problems(self) -> tuple[FieldProblem, ...]:
        """Return every wrong or missing setting by name; empty when the hub can start."""
        found: list[FieldProblem] = []
        for group in (
            "hub",
            "storage",
            "erp",
            "imports",
            "hr",
            "incentives",
            "payroll",
            "sftp",
            "mail",
            "auth",
            "telemetry",
        ):
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
