"""The attributes that users and groups have here (RFC 7643, 4): one table for reading, filters and `/Schemas`."""

from collections.abc import Mapping
from dataclasses import dataclass

USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE_SCHEMA = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


@dataclass(frozen=True)
class Attribute:
    """An attribute. `kind`: string, boolean, dateTime, complex or reference; `exact`: case counts when compared."""

    name: str
    kind: str = "string"
    multi: bool = False
    required: bool = False
    exact: bool = False
    unique: bool = False
    indexed: bool = False
    """Resources are found by its value without reading all of them."""
    parts: tuple["Attribute", ...] = ()
    references: tuple[str, ...] = ()
    """What a reference is to: kinds of resources, or `external`."""

    def part(self, name: str) -> "Attribute | None":
        """Return a sub-attribute by its name in any case."""
        return _named(self.parts, name)


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
        """Return an attribute that a client may set, of the core schema, by its name in any case."""
        return _named(self.attributes, name)

    def find_in_extension(self, name: str) -> Attribute | None:
        """Return an attribute of the extension by its name in any case."""
        return _named(self.extension_attributes, name)


def of_the_server(name: str) -> Attribute | None:
    """Return an attribute that every resource has and no client sets, by its name in any case."""
    return _named(_OF_THE_SERVER, name)


def _named(attributes: tuple[Attribute, ...], name: str) -> Attribute | None:
    return next((one for one in attributes if one.name.lower() == name.lower()), None)


def _texts(*names: str) -> tuple[Attribute, ...]:
    return tuple(Attribute(name) for name in names)


def _values(name: str, value: Attribute | None = None) -> Attribute:
    parts = (value or Attribute("value"), *_texts("display", "type"), Attribute("primary", "boolean"))
    return Attribute(name, "complex", multi=True, parts=parts)


def _link(name: str, *references: str) -> Attribute:
    return Attribute(name, "reference", exact=True, references=references)


EXTERNAL_ID = Attribute("externalId", exact=True, indexed=True)
USER_NAME = Attribute("userName", required=True, unique=True)
_OF_THE_SERVER = (
    Attribute("id", exact=True),
    Attribute("schemas", "reference", multi=True, references=("uri",)),
    Attribute(
        "meta",
        "complex",
        parts=(
            Attribute("resourceType", exact=True),
            Attribute("created", "dateTime"),
            Attribute("lastModified", "dateTime"),
            _link("location", "uri"),
            Attribute("version", exact=True),
        ),
    ),
)
"""Common to all resources (RFC 7643, 3.1)."""

_NAME = _texts("formatted", "familyName", "givenName", "middleName", "honorificPrefix", "honorificSuffix")
_ADDRESS = _texts("formatted", "streetAddress", "locality", "region", "postalCode", "country", "type")

USER = Kind(
    "User",
    "/Users",
    USER_SCHEMA,
    "Somebody who may sign in",
    (
        EXTERNAL_ID,
        USER_NAME,
        Attribute("name", "complex", parts=_NAME),
        *_texts("displayName", "nickName", "title", "userType", "preferredLanguage", "locale", "timezone"),
        _link("profileUrl", "external"),
        Attribute("active", "boolean"),
        *(_values(name) for name in ("emails", "phoneNumbers", "ims", "entitlements", "roles")),
        _values("photos", _link("value", "external")),
        Attribute("addresses", "complex", multi=True, parts=(*_ADDRESS, Attribute("primary", "boolean"))),
    ),
    ENTERPRISE_SCHEMA,
    (
        *_texts("employeeNumber", "costCenter", "organization", "division", "department"),
        Attribute(
            "manager",
            "complex",
            parts=(Attribute("value", exact=True), _link("$ref", "User"), Attribute("displayName")),
        ),
    ),
)
GROUP = Kind(
    "Group",
    "/Groups",
    GROUP_SCHEMA,
    "People who are granted something together",
    (
        EXTERNAL_ID,
        Attribute("displayName", required=True, indexed=True),
        Attribute(
            "members",
            "complex",
            multi=True,
            parts=(Attribute("value", exact=True), _link("$ref", "User", "Group"), *_texts("display", "type")),
        ),
    ),
)
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (USER, GROUP)}
