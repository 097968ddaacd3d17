"""Redirects: inside the partner's origin a GET is followed a few times, everything else breaks the contract."""

from dataclasses import replace
from urllib.parse import urljoin, urlsplit

from shared.adapters.http_wire import WireAnswer, WireRequest
from shared.kernel.errors import ContractBroken

MAX_REDIRECTS = 3
FOLLOWED = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of a URL. ValueError when it is malformed."""
    parts = urlsplit(url)
    return parts.scheme.lower(), (parts.hostname or "").lower(), parts.port or _PORTS.get(parts.scheme.lower())


def redirected(partner: str, request: WireRequest, answer: WireAnswer) -> WireRequest:
    """Return the request that follows a redirect. ContractBroken unless it is a GET and stays in the origin.

    The Authorization header goes along only because the origin is the same; the new address brings its own query.
    """
    target = answer.headers.get("location", "")
    if request.method not in ("GET", "HEAD") or not target:
        raise ContractBroken(
            partner, f"{request.label} answered {answer.status}: only a GET is followed, to a Location"
        )
    try:
        url = urljoin(request.url, target)
        same = origin_of(url) == origin_of(request.url)
    except ValueError:
        url, same = "", False
    if not same:
        raise ContractBroken(partner, f"{request.label} redirects to another origin")
    return replace(request, url=url, params={})
