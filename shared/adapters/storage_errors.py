"""What goes wrong with storage, in the hub's own words: what passes by itself, and what lasts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from shared.kernel.errors import StorageRefused, StorageUnavailable

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError

_TIMED_OUT, _THROTTLED = 408, 429
_NO_ACCESS = (401, 403)
_NOT_IMPLEMENTED, _VERSION_NOT_SUPPORTED = 501, 505


def passes(status: int) -> bool:
    """Tell whether an answer of this status may be another one later, without anybody acting.

    408, 429 and 5xx, but for what storage will never do (501, 505). Any other 4xx is an answer with a meaning.
    """
    if status in (_TIMED_OUT, _THROTTLED):
        return True
    return status >= 500 and status not in (_NOT_IMPLEMENTED, _VERSION_NOT_SUPPORTED)


def away(service: str, status: int, code: str) -> StorageUnavailable:
    """Return the error for an answer whose status passes; `code` is storage's own, "" where it gave none."""
    return StorageUnavailable(service, f"answered {status} {code}".rstrip())


def lasting(service: str, status: int, code: str, reason: str = "") -> StorageRefused:
    """Return the error for an answer whose status does not pass and that has no meaning of its own for the port."""
    text = f"answered {status} {code} {reason}".rstrip().replace("  ", " ")
    if status in _NO_ACCESS:
        text += ": the hub's identity needs its role for this service, and the account's firewall must let it in"
    return StorageRefused(service, text, status)


def refused(service: str, error: "AzureError") -> StorageRefused:
    """Return the error for what the SDK raises and neither passes nor has a meaning of its own for the port."""
    status = int(getattr(error, "status_code", None) or 0)
    if not status:
        return StorageRefused(service, f"a request cannot be made ({type(error).__name__})")
    return lasting(service, status, str(getattr(error, "error_code", None) or ""))


@contextmanager
def passing_named(service: str) -> Iterator[None]:
    """Raise what the SDK raises as StorageUnavailable where it passes; it has retried already.

    That is: no connection, no answer in time, a torn answer, no access token, and statuses as `passes` has them.
    """
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        passing = _passing(service, error)
        if passing is None:
            raise
    else:
        return
    # Outside the handler: the SDK's error quotes addresses and keys of rows, and is not chained to ours.
    raise passing


def _passing(service: str, error: Exception) -> StorageUnavailable | None:
    from azure.core.exceptions import DecodeError, HttpResponseError, ServiceRequestError, ServiceResponseError

    if isinstance(error, HttpResponseError) and not isinstance(error, DecodeError) and error.status_code:
        code = str(getattr(error, "error_code", None) or "")
        return away(service, error.status_code, code) if passes(error.status_code) else None
    if isinstance(error, HttpResponseError | ServiceRequestError | ServiceResponseError):
        from shared.adapters.storage_transport import root_of

        return StorageUnavailable(service, f"does not answer ({type(root_of(error)).__name__})")
    return None
