"""The attributes that users and groups have here (RFC 7643, 4): one table for reading, filters and `/Schemas`."""

from collections.abc import Mapping
from dataclasses import dataclass

USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE_SCHEMA = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@dataclass(frozen=True)
class Attribute:
    """An attribute. `kind`: string, boolean, complex or reference; `exact`: case counts when compared."""

    name: str
    kind: str = "string"
    multi: bool = False
    required: bool = False
    exact: bool = False
    unique: bool = False
    parts: tuple["Attribute", ...] = ()

    def part(self, name: str) -> "Attribute | None":
        """Return a sub-attribute by its name in any case."""
        return next((one for one in self.parts if one.name.lower() == name.lower()), None)


@dataclass(frozen=True)
class Kind:
    """A kind of resource: its schema, endpoint, attributes and those of its extension."""

    name: str
    endpoint: str
    schema: str
    about: str
    attributes: tuple[Attribute, ...]
    extension: str = ""
    extension_attributes: tuple[Attribute, ...] = ()

    def find(self, name: str) -> Attribute | None:
        """Return an attribute of the core schema by its name in any case."""
        return _named(self.attributes, name)

    def find_in_extension(self, name: str) -> Attribute | None:
        """Return an attribute of the extension by its name in any case."""
        return _named(self.extension_attributes, name)


def _named(attributes: tuple[Attribute, ...], name: str) -> Attribute | None:
    return next((one for one in attributes if one.name.lower() == name.lower()), None)


def _texts(*names: str) -> tuple[Attribute, ...]:
    return tuple(Attribute(name) for name in names)


def _values(name: str) -> Attribute:
    parts = (*_texts("value", "display", "type"), Attribute("primary", "boolean"))
    return Attribute(name, "complex", multi=True, parts=parts)


ID = Attribute("id", exact=True)
EXTERNAL_ID = Attribute("externalId", exact=True)
_NAME = _texts("formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix")
_ADDRESS = _texts("formatted", "streetAddress", "locality", "region", "postalCode", "country", "type")
_REFERENCE = (Attribute("value", exact=True), Attribute("$ref", "reference", exact=True))

USER = Kind(
    "User",
    "/Users",
    USER_SCHEMA,
    "Somebody who may sign in",
    (
        EXTERNAL_ID,
        Attribute("userName", required=True, unique=True),
        Attribute("name", "complex", parts=_NAME),
        *_texts("displayName", "nickName", "title", "userType", "preferredLanguage", "locale", "timezone"),
        Attribute("profileUrl", "reference", exact=True),
        Attribute("active", "boolean"),
        *(_values(name) for name in ("emails", "phoneNumbers", "roles")),
        Attribute("addresses", "complex", multi=True, parts=(*_ADDRESS, Attribute("primary", "boolean"))),
    ),
    ENTERPRISE_SCHEMA,
    (
        *_texts("employeeNumber", "costCenter", "organization", "division", "department"),
        Attribute("manager", "complex", parts=(*_REFERENCE, Attribute("displayName"))),
    ),
)
GROUP = Kind(
    "Group",
    "/Groups",
    GROUP_SCHEMA,
    "People who are granted something together",
    (
        EXTERNAL_ID,
        Attribute("displayName", required=True),
        Attribute("members", "complex", multi=True, parts=(*_REFERENCE, *_texts("display", "type"))),
    ),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (USER, GROUP)}
