"""What goes wrong with storage: what passes by itself, in the hub's own words; the rest stays what it is."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.kernel.errors import StorageUnavailable

_TIMED_OUT, _THROTTLED = 408, 429
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
