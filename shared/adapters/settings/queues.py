"""Settings of what carries messages."""

from typing import Literal

from pydantic import Field, SecretStr, model_validator

from shared.adapters.settings.kinds import Group
from shared.kernel.errors import ConfigurationError, FieldProblem
from shared.kernel.transport import Transport


class QueueSettings(Group):
    """Storage queues or Service Bus, and where the Service Bus namespace is.

    The functions' triggers read the same settings, by the names that the host prescribes.
    """

    transport: Transport = Field(default=Transport.STORAGE, alias="HUB_QUEUES")
    connection_string: SecretStr = Field(default=SecretStr(""), alias="ServiceBusConnection")
    """For a broker on this machine; in Azure the namespace and an identity."""
    namespace: str = Field(
        default="", alias="ServiceBusConnection__fullyQualifiedNamespace", pattern=r"^[A-Za-z0-9.-]+$"
    )
    credential: Literal["managedidentity"] | None = Field(default=None, alias="ServiceBusConnection__credential")
    """Read by the host's triggers alone."""
    client_id: str = Field(default="", alias="ServiceBusConnection__clientId")
    """Of the user-assigned identity; without one, whoever `azure_credential` finds."""

    @model_validator(mode="after")
    def _one_way_to_the_broker(self) -> "QueueSettings":
        by_string = bool(self.connection_string.get_secret_value())
        if self.transport is Transport.SERVICE_BUS and by_string == bool(self.namespace):
            problem = "HUB_QUEUES is servicebus: give either this or ServiceBusConnection__fullyQualifiedNamespace"
            raise ConfigurationError((FieldProblem("ServiceBusConnection", problem),))
        return self
