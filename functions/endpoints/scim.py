"""The SCIM server (INC-33)."""

import re
from typing import Any
from urllib.parse import urlsplit

from functions.answering import ApiRequest
from functions.partner_contract import PartnerAnswer
from shared.hub import Hub
from shared.kernel.errors import NotFound
from shared.provisioning import answers
from shared.provisioning.attributes import Kind
from shared.provisioning.directory import MAX_COUNT, Directory, version_of
from shared.provisioning.patch import patched
from shared.provisioning.reading import read_json, read_resource
from shared.provisioning.refusal import ScimRefused
from shared.provisioning.store import Stored


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
    """Show a user or group."""
    directory = _directory(hub, request)
    return _shown(directory.kind, directory.get(request.path("id")), request)


def put(hub: Hub, request: ApiRequest) -> PartnerAnswer:
    """Replace a user or group."""
    directory = _directory(hub, request)
    after = read_resource(directory.kind, read_json(request.http.get_body()))
    return _shown(directory.kind, directory.change(request.path("id"), _version(request), lambda _: after), request)


def patch(hub: Hub, request: ApiRequest) -> PartnerAnswer:
    """Change a user or group."""
    directory = _directory(hub, request)
    body, kind = read_json(request.http.get_body()), directory.kind
    stored = directory.change(request.path("id"), _version(request), lambda before: patched(kind, before, body))
    return _shown(kind, stored, request)


def delete(hub: Hub, request: ApiRequest) -> PartnerAnswer:
    """Remove a user or group."""
    _directory(hub, request).delete(request.path("id"), _version(request))
    return PartnerAnswer(204, {})


def configuration(hub: Hub, request: ApiRequest) -> PartnerAnswer:  # noqa: ARG001 - an endpoint's signature
    """Say what the server can do."""
    return PartnerAnswer(200, answers.provider_configuration(_base(request)))


def discover(hub: Hub, request: ApiRequest) -> PartnerAnswer:  # noqa: ARG001 - an endpoint's signature
    """List or show the schemas or the kinds of resources."""
    base = _base(request)
    of_schemas = _endpoint(request) == "/Schemas"
    items = answers.schemas(base) if of_schemas else answers.resource_types(base)
    wanted = request.http.route_params.get("id")
    if wanted is None:
        head = {"schemas": [answers.LIST_SCHEMA], "totalResults": len(items), "startIndex": 1}
        return PartnerAnswer(200, {**head, "itemsPerPage": len(items), "Resources": items})
    for item in items:
        if item["id"] == wanted:
            return PartnerAnswer(200, item)
    raise NotFound(f"there is no {wanted[:80]!r}")


def _directory(hub: Hub, request: ApiRequest) -> Directory:
    return hub.directories[_endpoint(request)]


def _endpoint(request: ApiRequest) -> str:
    """Return the part of the address after the server's own: `/Users`."""
    path = urlsplit(str(request.http.url)).path.partition("/scim/v2")[2]
    return "/" + path.split("/")[1]


def _resource(kind: Kind, stored: Stored, request: ApiRequest) -> dict[str, Any]:
    wanted, unwanted = request.query("attributes") or "", request.query("excludedAttributes") or ""
    return answers.shown(kind, stored, _base(request), wanted, unwanted)


def _shown(kind: Kind, stored: Stored, request: ApiRequest, status: int = 200) -> PartnerAnswer:
    location = f"{_base(request)}{kind.endpoint}/{stored.resource_id}"
    headers = {"ETag": version_of(stored)} | ({"Location": location} if status == 201 else {})
    return PartnerAnswer(status, _resource(kind, stored, request), headers)


def _base(request: ApiRequest) -> str:
    """Return the server's own address, as the caller wrote it."""
    before, found, _ = str(request.http.url).partition("/scim/v2")
    return before + found


def _version(request: ApiRequest) -> str:
    return str(request.http.headers.get("If-Match") or "").strip()


def _number(request: ApiRequest, name: str, otherwise: int) -> int:
    text = request.query(name)
    if text is None:
        return otherwise
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise ScimRefused("invalidValue", f"{name} must be a whole number")
    return int(text)
