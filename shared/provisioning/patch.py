"""PATCH of a resource (RFC 7644, 3.5.2), as a function from resource to resource.

Beyond the RFC, because Entra ID does so: operations in any case, paths as names inside a value without path, a list of
values to remove from an attribute, and a `replace` whose filter fits nothing adds the value that the filter describes.
"""

from copy import deepcopy
from typing import Any

from shared.provisioning.attributes import Attribute, Kind
from shared.provisioning.expressions import Path, fits, read_path
from shared.provisioning.reading import Resource, read_resource, read_value
from shared.provisioning.refusal import ScimRefused

PATCH_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
MAX_OPERATIONS = 1000


def patched(kind: Kind, resource: Resource, body: dict[str, Any]) -> Resource:
    """Return a resource after all operations of a PATCH; the given one stays as it is. ScimRefused: none is done."""
    operations = next((value for name, value in body.items() if name.lower() == "operations"), None)
    if not isinstance(operations, list) or not 0 < len(operations) <= MAX_OPERATIONS:
        raise ScimRefused("invalidSyntax", f"Operations must be a list of 1 to {MAX_OPERATIONS}")
    after = deepcopy(resource)
    for operation in operations:
        _apply(kind, after, operation)
    return read_resource(kind, after)


def _apply(kind: Kind, resource: Resource, operation: object) -> None:
    given = {str(name).lower(): value for name, value in operation.items()} if isinstance(operation, dict) else {}
    verb, path, value = str(given.get("op", "")).lower(), given.get("path"), given.get("value")
    if verb not in ("add", "replace", "remove"):
        raise ScimRefused("invalidSyntax", "op must be add, replace or remove")
    if path is not None and not isinstance(path, str):
        raise ScimRefused("invalidPath", "path must be text")
    if path:
        _change(kind, resource, read_path(kind, path), verb, value)
        return
    if verb == "remove":
        raise ScimRefused("noTarget", "remove needs a path")
    if not isinstance(value, dict):
        raise ScimRefused("invalidValue", "without a path, value must be an object")
    for name, content in value.items():
        if name.lower() not in ("schemas", "id", "meta"):
            _change(kind, resource, read_path(kind, name), verb, content)


def _change(kind: Kind, resource: Resource, path: Path, verb: str, value: object) -> None:
    if path.attribute is None:
        _change_extension(kind, resource, path, verb, value)
        return
    home = resource.setdefault(path.extension, {}) if path.extension else resource
    if verb != "remove" and value is None:
        verb = "remove"
    if path.where:
        _change_fitting(home, path.attribute, path, verb, value)
    elif path.part:
        _change_part(home, path.attribute, path.part, verb, value)
    else:
        _change_whole(home, path.attribute, verb, value)


def _change_extension(kind: Kind, resource: Resource, path: Path, verb: str, value: object) -> None:
    if verb == "remove":
        resource.pop(path.extension, None)
    elif isinstance(value, dict):
        for name, content in value.items():
            _change(kind, resource, read_path(kind, f"{path.extension}:{name}"), verb, content)
    else:
        raise ScimRefused("invalidValue", "the value of an extension must be an object")


def _change_whole(home: Resource, attribute: Attribute, verb: str, value: object) -> None:
    read = read_value(attribute, value)
    before = home.get(attribute.name)
    if verb == "remove" and attribute.multi and read:
        gone = {_key(one) for one in read}
        home[attribute.name] = [one for one in before or [] if _key(one) not in gone]
    elif verb == "remove" or read is None:
        if verb != "add":
            home.pop(attribute.name, None)
    elif attribute.multi and verb == "add":
        added = {_key(one) for one in read}
        home[attribute.name] = [one for one in before or [] if _key(one) not in added] + read
    elif attribute.kind == "complex" and not attribute.multi:
        home[attribute.name] = {**(before or {}), **read}
    else:
        home[attribute.name] = read


def _key(value: Resource) -> tuple[str, str]:
    """Return what tells values of an attribute apart: what they hold and what for; for members the ID alone."""
    return str(value.get("value", sorted(value.items()))), str(value.get("type", ""))


def _change_part(home: Resource, attribute: Attribute, part: Attribute, verb: str, value: object) -> None:
    if attribute.multi:
        values = home.setdefault(attribute.name, [])
        if not values and verb != "remove":
            values.append({})
    else:
        values = [home.setdefault(attribute.name, {})]
    for one in values:
        _set(one, part, verb, value)


def _change_fitting(home: Resource, attribute: Attribute, path: Path, verb: str, value: object) -> None:
    values: list[Resource] = home.setdefault(attribute.name, [])
    fitting = [one for one in values if fits(path.where, one)]
    if verb == "remove" and path.part is None:
        home[attribute.name] = [one for one in values if not any(one is gone for gone in fitting)]
        return
    if not fitting and verb != "remove":
        fitting = [{one.attribute.name: one.wanted for one in path.where}]
        values += fitting
    for one in fitting:
        if path.part:
            _set(one, path.part, verb, value)
        else:
            one.update(_one_value(attribute, value))
        if one.get("primary") is True:
            # The last one that is primary stays so.
            values.sort(key=lambda other, chosen=one: other is chosen)  # type: ignore[misc]


def _one_value(attribute: Attribute, value: object) -> Resource:
    read = read_value(attribute, value)
    if not read or len(read) != 1:
        raise ScimRefused("invalidValue", f"one value of {attribute.name} is needed")
    found: Resource = read[0]
    return found


def _set(home: Resource, part: Attribute, verb: str, value: object) -> None:
    read = None if verb == "remove" else read_value(part, value)
    if read is None:
        home.pop(part.name, None)
    else:
        home[part.name] = read
