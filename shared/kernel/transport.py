"""What carries the hub's messages: storage queues, or Service Bus."""

from collections.abc import Mapping
from enum import StrEnum

SETTING = "HUB_QUEUES"


class Transport(StrEnum):
    """The transports; their values are those of the setting."""

    STORAGE = "storage"
    SERVICE_BUS = "servicebus"


def chosen_transport(environment: Mapping[str, str]) -> Transport:
    """Return the transport that is set, storage queues where none is.

    A value that is none is read as storage queues: an app without functions could not say what is wrong. The typed
    settings refuse it by name.
    """
    try:
        return Transport(environment.get(SETTING) or Transport.STORAGE)
    except ValueError:
        return Transport.STORAGE
