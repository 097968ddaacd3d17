"""The SCIM server (INC-33). What is its own of each address stands in the path: `/Users`, `/Groups`, `/Schemas`."""

import re
from typing import Any

from functions.answering import ApiRequest
from functions.endpoints.unmatched import refusal
from functions.partner_contract import PartnerAnswer, scim_error
from shared.access.routes import SCIM_ROOT
from shared.hub import Hub
from shared.kernel.entity_tags import Preconditions
from shared.kernel.errors import Forbidden, NotFound
from shared.provisioning import answers
from shared.provisioning.attributes import Kind
from shared.provisioning.directory import MAX_COUNT, Directory, version_of
from shared.provisioning.patch import patched
from shared.provisioning.reading import read_json, read_resource
from shared.provisioning.refusal import ScimRefused
from shared.provisioning.store import Stored

_ROOT = re.compile(r"/scim/v2", re.IGNORECASE)
_MOST_DIGITS = 18
_NOT_SUPPORTED = {"bulk", "me", ".search"}
"""RFC 7644, table 1: endpoints that a server may do without. They answer 501."""


def create(hub: Hub, request: ApiRequest) -> PartnerAnswer:
    """Create a user or group."""
    directory = _directory(hub, request)
    stored = directory.create(read_resource(directory.kind, read_json(request.http.get_body())))
    return _shown(directory.kind, stored, request, 201)


def list_all(hub: Hub, request: ApiRequest) -> PartnerAnswer:
    """List what fits; `filter`, `startIndex`, `count`, `attributes`, `excludedAttributes`."""
    directory = _directory(hub, request)
    start, count = _number(request, "startIndex", 1), _number(request, "count", MAX_COUNT)
    found = directory.search(request.query("filter") or "", max(1, start), max(0, min(count, MAX_COUNT)))
    items = [_resource(directory.kind, one, request) for one in found.items]
    return PartnerAnswer(200, answers.listed(found, items))


def show(hub: Hub, request: ApiRequest) -> PartnerAnswer:
    """Show a user or group; with If-None-Match only if it has changed."""
    directory = _directory(hub, request)
    stored = directory.get(request.path("id"))
    if _preconditions(request).is_known(version_of(stored)):
        return PartnerAnswer(304, {}, {"ETag": version_of(stored)})
    return _shown(directory.kind, stored, request)


def put(hub: Hub, request: ApiRequest) -> PartnerAnswer:
    """Replace a user or group."""
    directory = _directory(hub, request)
    after = read_resource(directory.kind, read_json(request.http.get_body()))
    stored = directory.change(request.path("id"), lambda _: after, _preconditions(request))
    return _shown(directory.kind, stored, request)


def patch(hub: Hub, request: ApiRequest) -> PartnerAnswer:
    """Change a user or group."""
    directory = _directory(hub, request)
    body, kind = read_json(request.http.get_body()), directory.kind
    stored = directory.change(request.path("id"), lambda before: patched(kind, before, body), _preconditions(request))
    if kind.extension or request.query("attributes"):
        return _shown(kind, stored, request)
    # A group is not shown after each change of a member: it may be large, and nobody reads it (Entra ID wants 204).
    return PartnerAnswer(204, {}, {"ETag": version_of(stored)})


def delete(hub: Hub, request: ApiRequest) -> PartnerAnswer:
    """Remove a user or group."""
    _directory(hub, request).delete(request.path("id"), _preconditions(request))
    return PartnerAnswer(204, {})


def configuration(hub: Hub, request: ApiRequest) -> PartnerAnswer:  # noqa: ARG001 - an endpoint's signature
    """Say what the server can do."""
    _refuse_filter(request)
    return PartnerAnswer(200, answers.provider_configuration(_base(request)))


def discover(hub: Hub, request: ApiRequest) -> PartnerAnswer:  # noqa: ARG001 - an endpoint's signature
    """List or show the schemas or the kinds of resources."""
    _refuse_filter(request)
    base = _base(request)
    items = answers.schemas(base) if _endpoint(request) == "schemas" else answers.resource_types(base)
    wanted = request.http.route_params.get("id")
    if wanted is None:
        head = {"schemas": [answers.LIST_SCHEMA], "totalResults": len(items), "startIndex": 1}
        return PartnerAnswer(200, {**head, "itemsPerPage": len(items), "Resources": items})
    for item in items:
        if item["id"] == wanted:
            return PartnerAnswer(200, item)
    raise NotFound(f"there is no {wanted[:80]!r}")


def decline(hub: Hub, request: ApiRequest) -> PartnerAnswer:  # noqa: ARG001 - an endpoint's signature
    """Say of an address that no other function answers: another method is meant, it is not supported, or is nothing."""
    if request.address().rstrip("/").rpartition("/")[2].lower() in _NOT_SUPPORTED:
        return scim_error(501, "this is not supported (ServiceProviderConfig says what is)", "", {})
    raise refusal(request)


def _directory(hub: Hub, request: ApiRequest) -> Directory:
    endpoint = _endpoint(request)
    return next(one for path, one in hub.directories.items() if path.lower() == f"/{endpoint}")


def _endpoint(request: ApiRequest) -> str:
    """Return the part of the path after the server's own, in lower case (the host's routes match in any case)."""
    return request.address()[len(SCIM_ROOT) :].split("/")[1].lower()


def _resource(kind: Kind, stored: Stored, request: ApiRequest) -> dict[str, Any]:
    wanted, unwanted = request.query("attributes") or "", request.query("excludedAttributes") or ""
    return answers.shown(kind, stored, _base(request), wanted, unwanted)


def _shown(kind: Kind, stored: Stored, request: ApiRequest, status: int = 200) -> PartnerAnswer:
    location = f"{_base(request)}{kind.endpoint}/{stored.resource_id}"
    headers = {"ETag": version_of(stored)} | ({"Location": location} if status == 201 else {})
    return PartnerAnswer(status, _resource(kind, stored, request), headers)


def _base(request: ApiRequest) -> str:
    """Return the server's own address, as the caller wrote it."""
    url = str(request.http.url)
    found = _ROOT.search(url)
    # A path whose letters are percent-encoded leads here as well.
    return url[: found.end()] if found else f"{url[: url.lower().find('/api/')]}/api/{SCIM_ROOT}"


def _preconditions(request: ApiRequest) -> Preconditions:
    return Preconditions(request.http.headers.get("If-Match"), request.http.headers.get("If-None-Match"))


def _refuse_filter(request: ApiRequest) -> None:
    """Refuse a filter of what cannot be filtered, lest anybody believes that all items fit it (RFC 7644, 4)."""
    if "filter" in request.http.params:
        raise Forbidden("what the server says of itself cannot be filtered: leave the filter out")


def _number(request: ApiRequest, name: str, otherwise: int) -> int:
    """Return a number of any length (RFC 7644, 3.4.2.4: integer); one beyond all resources as the largest there is."""
    text = request.http.params.get(name)
    if text is None:
        return otherwise
    if not (match := re.fullmatch(r"(-?)0*([0-9]+)", text, re.ASCII)):
        raise ScimRefused("invalidValue", f"{name} must be a whole number")
    size = int(match[2]) if len(match[2]) <= _MOST_DIGITS else 10**_MOST_DIGITS
    return -size if match[1] else size
