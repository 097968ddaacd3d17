"""The ports to a partner's JSON API: authenticated, retried, rate-limited, bounded. Errors as in `kernel.errors`."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol


class JsonReader(Protocol):
    """Reads."""

    def get_json(self, path: str, params: Mapping[str, str], *, check: Callable[[Any], object] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Return the parsed answer, numbers with decimals as Decimal.

        An item of a list at the top level that has no one meaning (a name twice, NaN) is a `strict_json.Unreadable`.
        `check` looks at the answer inside the retry: a MalformedResponse that it raises is retried as any other.
        """
        ...


class JsonPoster(Protocol):
    """Writes; retried under the idempotency key."""

    def post_body(
        self,
        path: str,
        body: bytes,
        *,
        idempotency_key: str,
        check: Callable[[Any], object] | None = None,
        accept: frozenset[int] = frozenset(),
    ) -> Any:  # noqa: ANN401 - JSON
        """Send JSON as it is, return the parsed answer. `check` looks at it inside the retry.

        An error status in `accept` is an answer where its body passes the check, and an error where it does not: Busy
        where the partner asks to come back (Retry-After), and where the check raises it.
        """
        ...
