"""What a client sends, as the hub keeps it: names spelled as the schema does, values of the schema's types.

Names are read in any case (RFC 7643, 2.1); null and an empty list are no value (2.5). Booleans may come as the strings
"True" and "False", a complex value as its `value` alone, a single one as a list of one: Entra ID sends all three. What
no schema knows is ignored.
"""

from typing import Any

from shared.kernel import strict_json
from shared.provisioning.attributes import Attribute, Kind
from shared.provisioning.refusal import ScimRefused

Resource = dict[str, Any]
"""The attributes of a resource; those of the extension below its URN. Without id, schemas and meta."""


def read_json(body: bytes) -> dict[str, Any]:
    """Return a body that is a JSON object. ScimRefused (invalidSyntax)."""
    try:
        found = strict_json.read_json(body)
    except strict_json.NotJson as error:
        raise ScimRefused("invalidSyntax", f"the body is not JSON in UTF-8 with one meaning: it {error}") from None
    if not isinstance(found, dict):
        raise ScimRefused("invalidSyntax", "the body must be a JSON object")
    _refuse_repeats(found)
    return found


def _refuse_repeats(value: object) -> None:
    """Refuse an attribute that is given twice: its name is the same in any case."""
    if isinstance(value, list):
        for one in value:
            _refuse_repeats(one)
    elif isinstance(value, dict):
        seen: set[str] = set()
        for name, one in value.items():
            if name.lower() in seen:
                raise ScimRefused("invalidSyntax", f"{name[:100]} is given more than once")
            seen.add(name.lower())
            _refuse_repeats(one)


def read_resource(kind: Kind, given: dict[str, Any]) -> Resource:
    """Return a whole resource. ScimRefused (invalidValue) names what is missing or of the wrong type."""
    resource: Resource = {}
    for name, value in given.items():
        attribute = kind.find(name)
        if attribute:
            _keep(resource, attribute, value)
        elif kind.extension and name.lower() == kind.extension.lower() and isinstance(value, dict):
            extension: Resource = {}
            for inner, content in value.items():
                attribute = kind.find_in_extension(inner)
                if attribute:
                    _keep(extension, attribute, content)
            if extension:
                resource[kind.extension] = extension
    missing = [one.name for one in kind.attributes if one.required and not str(resource.get(one.name, "")).strip()]
    if missing:
        raise ScimRefused("invalidValue", f"{missing[0]} is required")
    return resource


def read_value(attribute: Attribute, value: object) -> Any:  # noqa: ANN401 - JSON
    """Return the value of an attribute, None where it is none. ScimRefused (invalidValue)."""
    if not attribute.multi:
        return _single(attribute, value)
    items = value if isinstance(value, list) else [] if value is None else [value]
    read: dict[tuple[str, str], Any] = {}
    for one in (_single(attribute, item) for item in items):
        if one is not None:
            read.pop(key := key_of(attribute, one), None)  # Of the same value twice the later one stays, in its place.
            read[key] = one
    found = list(read.values())
    _let_one_be_primary(found)
    return found or None


def key_of(attribute: Attribute, value: Resource) -> tuple[str, str]:
    """Return what tells values apart: what they hold and what for; of members, who it is alone."""
    held = value["value"] if "value" in value else sorted(value.items())
    return str(held), str(value.get("type", "")) if attribute.part("primary") else ""


def _keep(resource: Resource, attribute: Attribute, value: object) -> None:
    read = read_value(attribute, value)
    if read is not None:
        resource[attribute.name] = read


def _single(attribute: Attribute, value: object) -> Any:  # noqa: ANN401 - JSON
    if value is None:
        return None
    if attribute.kind == "complex":
        return _complex(attribute, value)
    if attribute.kind == "boolean":
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        if isinstance(value, bool):
            return value
    elif isinstance(value, str):
        return value
    raise ScimRefused("invalidValue", f"{attribute.name} must be a {attribute.kind}")


def _complex(attribute: Attribute, value: object) -> Resource | None:
    if not attribute.multi and isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, str) and attribute.part("value"):
        value = {"value": value} if value else {}
    if not isinstance(value, dict):
        raise ScimRefused("invalidValue", f"{attribute.name} must be made of objects")
    found: Resource = {}
    for name, content in value.items():
        part = attribute.part(name)
        if part:
            _keep(found, part, content)
    return found or None


def _let_one_be_primary(values: list[Any]) -> None:
    """Let the last one that says so be the primary one: what is added as primary takes the others' place."""
    primary = [one for one in values if isinstance(one, dict) and one.get("primary") is True]
    for one in primary[:-1]:
        one["primary"] = False
