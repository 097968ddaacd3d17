"""Resources and lists as SCIM answers them, and what the server says of itself (RFC 7643, 5 to 7)."""

from typing import Any

from shared.provisioning.attributes import KINDS, Attribute, Kind
from shared.provisioning.directory import MAX_COUNT, Found, meta_of
from shared.provisioning.selection import selected
from shared.provisioning.store import Stored

LIST_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
_CORE = "urn:ietf:params:scim:schemas:core:2.0"


def shown(kind: Kind, stored: Stored, base: str, wanted: str = "", unwanted: str = "") -> dict[str, Any]:
    """Return a resource; `wanted` and `unwanted` are names of attributes with commas between."""
    location = f"{base}{kind.endpoint}/{stored.resource_id}"
    whole = {
        "schemas": [kind.schema, *([kind.extension] if kind.extension in stored.resource else [])],
        "id": stored.resource_id,
        **stored.resource,
        "meta": {**meta_of(kind, stored), "location": location},
    }
    return selected(kind, whole, wanted, unwanted)


def listed(found: Found, resources: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a list's answer."""
    head = {"schemas": [LIST_SCHEMA], "totalResults": found.total, "startIndex": found.start}
    return {**head, "itemsPerPage": len(resources), "Resources": resources}


def provider_configuration(base: str) -> dict[str, Any]:
    """Return what the server can do."""
    return {
        "schemas": [f"{_CORE}:ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": {"supported": False, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": MAX_COUNT},
        "changePassword": {"supported": False},
        "sort": {"supported": False},
        "etag": {"supported": True},
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "OAuth bearer token",
                "description": "The provisioning service's own token, or an access token (RFC 6750)",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base}/ServiceProviderConfig"},
    }


def resource_types(base: str) -> list[dict[str, Any]]:
    """Return the kinds of resources."""
    return [
        {
            "schemas": [f"{_CORE}:ResourceType"],
            "id": kind.name,
            "name": kind.name,
            "description": kind.about,
            "endpoint": kind.endpoint,
            "schema": kind.schema,
            "schemaExtensions": [{"schema": kind.extension, "required": False}] if kind.extension else [],
            "meta": {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/{kind.name}"},
        }
        for kind in KINDS.values()
    ]


def schemas(base: str) -> list[dict[str, Any]]:
    """Return the schemas."""
    found = [(kind.schema, kind.name, kind.attributes) for kind in KINDS.values()]
    found += [
        (kind.extension, f"Enterprise{kind.name}", kind.extension_attributes)
        for kind in KINDS.values()
        if kind.extension
    ]
    return [
        {
            "schemas": [f"{_CORE}:Schema"],
            "id": urn,
            "name": name,
            "attributes": [_described(one) for one in attributes],
            "meta": {"resourceType": "Schema", "location": f"{base}/Schemas/{urn}"},
        }
        for urn, name, attributes in found
    ]


def _described(attribute: Attribute) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": attribute.name,
        "type": attribute.kind,
        "multiValued": attribute.multi,
        "required": attribute.required,
        "caseExact": attribute.exact,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "server" if attribute.unique else "none",
    }
    return found | ({"subAttributes": [_described(one) for one in attribute.parts]} if attribute.parts else {})
