"""PATCH of a resource (RFC 7644, 3.5.2), as a function from resource to resource.

Beyond the RFC, because Entra ID does so: operations in any case, paths as names inside a value without path, a list of
values to remove from an attribute, and a condition that nothing meets adds the value that it describes.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from shared.provisioning.attributes import Attribute, Kind
from shared.provisioning.conditions import Condition, described
from shared.provisioning.filters import Path, read_path
from shared.provisioning.reading import Resource, key_of, read_resource, read_value
from shared.provisioning.refusal import ScimRefused

PATCH_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
MAX_OPERATIONS = 1000
_OF_THE_SERVER = {"schemas", "id", "meta"}
"""A client that sends a whole resource sends them too; they are passed over."""


def patched(kind: Kind, resource: Resource, body: dict[str, Any]) -> Resource:
    """Return a resource after all operations of a PATCH; the given one stays as it is. ScimRefused: none is done."""
    operations = next((value for name, value in body.items() if name.lower() == "operations"), None)
    if not isinstance(operations, list) or not 0 < len(operations) <= MAX_OPERATIONS:
        raise ScimRefused("invalidSyntax", f"Operations must be a list of 1 to {MAX_OPERATIONS}")
    after = deepcopy(resource)
    for change in _joined(change for operation in operations for change in _changes(kind, operation)):
        _apply(kind, after, change)
    return read_resource(kind, after)


@dataclass(frozen=True)
class _Change:
    """One thing to do: `verb` is add, replace or remove."""

    verb: str
    path: Path
    value: object

    def joined(self, following: "_Change") -> "_Change | None":
        """Return one change that does what this and the following one do; None where there is none."""
        if self.verb != following.verb or self.path != following.path or not self._names_values:
            return None
        if not following._names_values:
            return None
        return replace(self, value=[*_listed(self.value), *_listed(following.value)])

    @property
    def _names_values(self) -> bool:
        """Whether it adds or removes values of an attribute that may have many, by naming them."""
        attribute, chosen = self.path.attribute, self.path.where or self.path.part
        return bool(attribute and attribute.multi and not chosen and self.verb != "replace" and self.value is not None)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _joined(changes: Iterator[_Change]) -> Iterator[_Change]:
    """Join changes of one attribute that follow each other: a large group is then gone through once for all of them."""
    last: _Change | None = None
    for change in changes:
        both = last.joined(change) if last else None
        if last and not both:
            yield last
        last = both or change
    if last:
        yield last


def _changes(kind: Kind, operation: object) -> Iterator[_Change]:
    """Yield what an operation of a PATCH asks for."""
    given = {str(name).lower(): value for name, value in operation.items()} if isinstance(operation, dict) else {}
    verb, path, value = str(given.get("op", "")).lower(), given.get("path"), given.get("value")
    if verb not in ("add", "replace", "remove"):
        raise ScimRefused("invalidSyntax", "op must be add, replace or remove")
    if path is not None and not isinstance(path, str):
        raise ScimRefused("invalidPath", "path must be text")
    if path:
        yield _simplest(_Change(verb, read_path(kind, path), value))
        return
    if verb == "remove":
        raise ScimRefused("noTarget", "remove needs a path")
    if not isinstance(value, dict):
        raise ScimRefused("invalidValue", "without a path, value must be an object")
    for name, content in value.items():
        if name.lower() not in _OF_THE_SERVER:
            yield _Change(verb, read_path(kind, name), content)


def _simplest(change: _Change) -> _Change:
    """Return the removal of a member by condition as that of a list of members, and any other change as it is."""
    attribute, where, part = change.path.attribute, change.path.where, change.path.part
    if change.verb == "remove" and attribute and where and not part and not attribute.part("primary"):
        member = described(where)
        if member is not None and member.keys() == {"value"}:
            return _Change("remove", replace(change.path, where=None), [member])
    return change


def _apply(kind: Kind, resource: Resource, change: _Change) -> None:
    path, verb, value = change.path, change.verb, change.value
    if path.attribute is None:
        _change_extension(kind, resource, path, verb, value)
        return
    home = resource.setdefault(path.extension, {}) if path.extension else resource
    if value is None and verb == "add":
        return
    if value is None:
        verb = "remove"
    if path.where:
        _change_fitting(home, path.attribute, path.where, path.part, verb, value)
    elif path.part:
        _change_part(home, path.attribute, path.part, verb, value)
    else:
        _change_whole(home, path.attribute, verb, value)


def _change_extension(kind: Kind, resource: Resource, path: Path, verb: str, value: object) -> None:
    if verb == "remove":
        resource.pop(path.extension, None)
    elif isinstance(value, dict):
        for name, content in value.items():
            if name.lower() not in _OF_THE_SERVER:
                _apply(kind, resource, _Change(verb, read_path(kind, f"{path.extension}:{name}"), content))
    else:
        raise ScimRefused("invalidValue", "the value of an extension must be an object")


def _change_whole(home: Resource, attribute: Attribute, verb: str, value: object) -> None:
    read = read_value(attribute, value)
    before = home.get(attribute.name)
    if verb == "remove" and attribute.multi and value is not None:
        # Those that are named alone: an empty list removes nobody, where no value at all removes everybody.
        home[attribute.name] = _without(attribute, before or [], read or [])
    elif verb == "remove" or (verb == "replace" and read is None):
        home.pop(attribute.name, None)
    elif read is None:
        return
    elif attribute.multi and verb == "add":
        added = {key_of(attribute, one) for one in read}
        home[attribute.name] = [one for one in before or [] if key_of(attribute, one) not in added] + read
    elif attribute.kind == "complex" and not attribute.multi:
        home[attribute.name] = {**(before or {}), **read}
    else:
        home[attribute.name] = read


def _without(attribute: Attribute, values: list[Resource], gone: list[Resource]) -> list[Resource]:
    """Return the values that are not named: by what they hold, and what for where that is said."""
    exactly = {key_of(attribute, one) for one in gone}
    held = {key_of(attribute, one)[0] for one in gone if not one.get("type")}
    kept = [one for one in values if key_of(attribute, one) not in exactly]
    return [one for one in kept if key_of(attribute, one)[0] not in held]


def _change_part(home: Resource, attribute: Attribute, part: Attribute, verb: str, value: object) -> None:
    if attribute.multi:
        values = home.setdefault(attribute.name, [])
        if not values and verb != "remove":
            values.append({})
    else:
        values = [home.setdefault(attribute.name, {})]
    for one in values:
        _set(one, part, verb, value)


def _change_fitting(
    home: Resource, attribute: Attribute, where: Condition, part: Attribute | None, verb: str, value: object
) -> None:
    values: list[Resource] = home.setdefault(attribute.name, [])
    if verb == "remove" and part is None:
        home[attribute.name] = [one for one in values if not where.met_by(one)]
        return
    fitting = [one for one in values if where.met_by(one)]
    if not fitting and verb != "remove":
        new = described(where)
        if new is None:
            raise ScimRefused("noTarget", f"no value of {attribute.name} meets the condition of the path")
        fitting = [new]
        values += fitting
    for one in fitting:
        if part:
            _set(one, part, verb, value)
        else:
            _put(one, attribute, verb, value)
    if any(one.get("primary") is True for one in fitting):
        # Of several that say they are primary the last one is: that shall be one of these.
        home[attribute.name] = [one for one in values if not _among(one, fitting)] + fitting


def _among(value: Resource, others: list[Resource]) -> bool:
    return any(value is other for other in others)


def _put(one: Resource, attribute: Attribute, verb: str, value: object) -> None:
    read = read_value(attribute, value)
    if not read or len(read) != 1:
        raise ScimRefused("invalidValue", f"one value of {attribute.name} is needed")
    if verb == "replace":
        one.clear()
    one.update(read[0])


def _set(home: Resource, part: Attribute, verb: str, value: object) -> None:
    read = None if verb == "remove" else read_value(part, value)
    if read is None:
        home.pop(part.name, None)
    else:
        home[part.name] = read
