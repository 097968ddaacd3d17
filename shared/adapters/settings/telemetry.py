"""Settings of telemetry: who gets spans and metrics."""

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from shared.adapters.settings.kinds import Group, HttpUrl
from shared.kernel.errors import ConfigurationError, FieldProblem


class TelemetrySettings(Group):
    """Where spans and metrics go (RES-08, RES-09, INC-73); with `none` OpenTelemetry is not even loaded."""

    exporter: Literal["none", "console", "otlp", "application-insights"] = Field(
        default="none", alias="TELEMETRY_EXPORTER"
    )
    otlp_endpoint: HttpUrl | None = Field(default=None, alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    """The collector's base address, such as http://127.0.0.1:4318; the OTLP paths are appended."""
    connection_string: SecretStr = Field(default=SecretStr(""), alias="APPLICATIONINSIGHTS_CONNECTION_STRING")
    authentication: str = Field(
        default="",
        alias="APPLICATIONINSIGHTS_AUTHENTICATION_STRING",
        pattern=r"^$|^([Cc]lient[Ii]d=[0-9A-Fa-f-]{36};)?Authorization=AAD$",
    )
    """Without one, the connection string alone admits; with `ClientId=<ID>;Authorization=AAD` an identity does."""

    @property
    def client_id(self) -> str:
        """The user-assigned identity, "" for none."""
        return self.authentication.partition(";")[0].partition("=")[2] if ";" in self.authentication else ""

    @model_validator(mode="after")
    def _is_complete(self) -> "TelemetrySettings":
        """Name what the chosen exporter lacks."""
        needed = {
            "otlp": ("OTEL_EXPORTER_OTLP_ENDPOINT", self.otlp_endpoint),
            "application-insights": (
                "APPLICATIONINSIGHTS_CONNECTION_STRING",
                self.connection_string.get_secret_value(),
            ),
        }.get(self.exporter)
        if needed and not needed[1]:
            problem = FieldProblem(needed[0], f"is missing; TELEMETRY_EXPORTER is {self.exporter}")
            raise ConfigurationError((problem,))
        return self
