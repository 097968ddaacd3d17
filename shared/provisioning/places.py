"""What a name of an attribute names (RFC 7644, 3.10): in any case, with or without the URN of its schema."""

from dataclasses import dataclass

from shared.provisioning.attributes import Attribute, Kind, of_the_server
from shared.provisioning.refusal import ScimRefused


@dataclass(frozen=True)
class Place:
    """An attribute or a part of one: the names on the way to it, and what stands there."""

    steps: tuple[str, ...]
    attribute: Attribute


def place_of(kind: Kind, text: str, scim_type: str) -> Place:
    """Return what `[URN:]attribute[.part]` names. ScimRefused (`scim_type`) for what there is not."""
    extension, rest = without_schema(kind, text)
    name, dot, part_name = rest.partition(".")
    found = None if extension else kind.find(name) or of_the_server(name)
    if found is None and (found := kind.find_in_extension(name)):
        extension = kind.extension
    part = found.part(part_name) if found and dot else None
    if found is None or (dot and part is None):
        raise ScimRefused(scim_type, f"there is no attribute {text[:80]!r}")
    steps = (*((extension,) if extension else ()), found.name, *((part.name,) if part else ()))
    return Place(steps, part or found)


def without_schema(kind: Kind, text: str) -> tuple[str, str]:
    """Return the extension that a path names ("" for the core schema) and what follows."""
    for schema in (kind.extension, kind.schema):
        if schema and text.lower().startswith(schema.lower()):
            rest = text[len(schema) :]
            if rest == "" or rest.startswith(":"):
                return schema if schema == kind.extension else "", rest[1:]
    return "", text
