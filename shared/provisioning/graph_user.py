"""How a user of Microsoft Graph becomes a user here: the mapping of properties to SCIM attributes (INC-33)."""

from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType

from shared.provisioning.attributes import ENTERPRISE_SCHEMA, EXTERNAL_ID
from shared.provisioning.graph_pages import Entry
from shared.provisioning.reading import Resource

PRINCIPAL_NAME = "userPrincipalName"
MAPPING: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        PRINCIPAL_NAME: ("userName",),
        "displayName": ("displayName",),
        "givenName": ("name", "givenName"),
        "surname": ("name", "familyName"),
        "jobTitle": ("title",),
        "preferredLanguage": ("preferredLanguage",),
        "department": (ENTERPRISE_SCHEMA, "department"),
        "employeeId": (ENTERPRISE_SCHEMA, "employeeNumber"),
    }
)
"""Property -> where its value stands, as Entra ID's own mapping has it. `mail` is the e-mail address of type `work`."""


def with_entry(resource: Resource, entry: Entry) -> Resource:
    """Return a user's attributes after an entry, all but `active`. What it does not name stays; a name never goes."""
    after = deepcopy(resource)
    after[EXTERNAL_ID.name] = entry.object_id
    for name, place in MAPPING.items():
        if name in entry.values and (entry.values[name] or name != PRINCIPAL_NAME):
            _put(after, place, entry.values[name] or None)
    if "mail" in entry.values:
        others = [one for one in after.get("emails", []) if one.get("type") != "work"]
        address = entry.values["mail"]
        primary = {} if any(one.get("primary") for one in others) else {"primary": True}
        work = [{"value": address, "type": "work", **primary}] if address else []
        _put(after, ("emails",), work + others or None)
    return after


def _put(resource: Resource, place: tuple[str, ...], value: object) -> None:
    """Write a value to its place, None to take it away."""
    outer, *inner = place
    if not inner:
        found = value
    else:
        others = {name: one for name, one in resource.get(outer, {}).items() if name != inner[0]}
        found = others | ({} if value is None else {inner[0]: value}) or None
    if found is None:
        resource.pop(outer, None)
    else:
        resource[outer] = found
