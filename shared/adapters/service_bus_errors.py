"""What goes wrong with Service Bus, in the hub's own words."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.kernel.errors import (
    ConfigurationError,
    DataRefused,
    FieldProblem,
    HubError,
    NetworkFailure,
    PartnerTimeout,
    RateLimited,
    ServerFailure,
)

SERVICE_BUS = "service-bus"


@contextmanager
def in_our_words(queue: str) -> Iterator[None]:
    """Raise what the SDK raises as errors of the hub; only calls of the SDK may stand inside.

    ConfigurationError: there is no such queue, or we may not use it. DataRefused: a message is too large. Anything
    else passes: NetworkFailure, PartnerTimeout, RateLimited, ServerFailure (the queue is full).
    """
    try:
        yield
    except Exception as error:
        raise _translated(error, queue) from error


def _translated(error: Exception, queue: str) -> HubError:
    from azure.core.exceptions import ResourceNotFoundError
    from azure.servicebus import exceptions as sdk

    match error:
        case sdk.MessagingEntityNotFoundError() | ResourceNotFoundError():
            return _setting(f"the namespace has no queue {queue}")
        case sdk.MessagingEntityDisabledError():
            return _setting(f"queue {queue} is disabled")
        case sdk.ServiceBusAuthorizationError():
            return _setting(f"the hub may not use queue {queue}: check the key, or the roles of its identity")
        case sdk.MessageSizeExceededError():
            return DataRefused(f"a message is too large for queue {queue}")
        case sdk.OperationTimeoutError():
            return PartnerTimeout(SERVICE_BUS, f"no answer in time, queue {queue}")
        case sdk.ServiceBusServerBusyError():
            return RateLimited(SERVICE_BUS, f"asks for slower sending, queue {queue}")
        case sdk.ServiceBusQuotaExceededError():
            return ServerFailure(SERVICE_BUS, f"queue {queue} is full")
        case _:
            return NetworkFailure(SERVICE_BUS, f"{type(error).__name__}, queue {queue}")


def _setting(problem: str) -> ConfigurationError:
    return ConfigurationError((FieldProblem("ServiceBusConnection", problem),))
