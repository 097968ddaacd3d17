"""Attribute paths and filters (RFC 7644, 3.4.2.2 and 3.5.2): `eq` and `and`, which are what Entra ID sends.

A path is `[URN:]attribute[filter].part`, where all but the attribute may be missing. Names in any case.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from shared.provisioning.attributes import ID, Attribute, Kind
from shared.provisioning.reading import Resource
from shared.provisioning.refusal import ScimRefused

_TEXT = r'"(?:[^"\\]|\\.)*"'
_BRACKET = rf'\[(?:[^\]"]|{_TEXT})*\]'
_PATH = re.compile(rf"(?P<name>[A-Za-z][\w$-]*)(?P<where>{_BRACKET})?(?:\.(?P<part>[\w$-]+))?", re.ASCII)
_COMPARISON = re.compile(
    rf"\s*(?P<path>[A-Za-z][\w.:$-]*(?:{_BRACKET})?(?:\.[\w$-]+)?)\s+eq\s+(?P<value>{_TEXT}|true|false)\s*",
    re.ASCII | re.IGNORECASE,
)
_AND = re.compile(r"and\s", re.IGNORECASE)
MAX_CHARACTERS = 4096
"""Of a filter or path."""


@dataclass(frozen=True)
class Condition:
    """An attribute of a complex value that must equal something."""

    attribute: Attribute
    wanted: str | bool

    def met_by(self, value: object) -> bool:
        """Tell whether a value equals the wanted one, as the attribute's case rule says."""
        if isinstance(value, str) and isinstance(self.wanted, str) and not self.attribute.exact:
            return value.casefold() == self.wanted.casefold()
        return type(value) is type(self.wanted) and value == self.wanted


@dataclass(frozen=True)
class Path:
    """Where something stands in a resource. Without attribute: the whole extension."""

    extension: str
    attribute: Attribute | None
    where: tuple[Condition, ...] = ()
    part: Attribute | None = None


@dataclass(frozen=True)
class Comparison:
    """A path whose value, or one of whose values, must equal something."""

    path: Path
    condition: Condition


Filter = tuple[Comparison, ...]
"""Comparisons that must all hold."""


def read_path(kind: Kind, text: str, scim_type: str = "invalidPath") -> Path:
    """Return a path. ScimRefused for what does not parse or is no attribute."""
    extension, rest = _without_schema(kind, text.strip())
    if extension and not rest:
        return Path(extension, None)
    match = _PATH.fullmatch(rest) if len(text) <= MAX_CHARACTERS else None
    if not match:
        raise ScimRefused(scim_type, f"the path {text[:80]!r} is not one that is understood")
    attribute = None if extension else kind.find(match["name"])
    if attribute is None and (found := kind.find_in_extension(match["name"])):
        extension, attribute = kind.extension, found
    if attribute is None and match["name"].lower() == "id" and scim_type == "invalidFilter":
        attribute = ID
    if attribute is None:
        raise ScimRefused(scim_type, f"there is no attribute {text[:80]!r}")
    part = attribute.part(match["part"]) if match["part"] else None
    if (match["part"] and not part) or (match["where"] and not attribute.multi):
        raise ScimRefused(scim_type, f"there is no attribute {text[:80]!r}")
    where = tuple(_conditions(attribute, match["where"][1:-1], scim_type)) if match["where"] else ()
    return Path(extension, attribute, where, part)


def read_filter(kind: Kind, text: str) -> Filter:
    """Return a filter. ScimRefused (invalidFilter) for what does not parse or is not supported."""
    found = []
    for path_text, wanted in _comparisons(text, "invalidFilter"):
        path = read_path(kind, path_text, "invalidFilter")
        compared = path.part or path.attribute
        if compared and compared.kind == "complex" and (value := compared.part("value")):
            path, compared = Path(path.extension, path.attribute, path.where, value), value
        if compared is None or compared.kind == "complex":
            raise ScimRefused("invalidFilter", f"{path_text[:80]!r} has no value to compare")
        found.append(Comparison(path, _condition(compared, "invalidFilter", wanted=wanted)))
    return tuple(found)


def matches(conditions: Filter, resource: Resource) -> bool:
    """Tell whether a resource (with its `id`) fits a filter."""
    return all(any(map(one.condition.met_by, _values(one.path, resource))) for one in conditions)


def fits(conditions: tuple[Condition, ...], value: Resource) -> bool:
    """Tell whether one value of a multi-valued attribute fits the conditions of a path."""
    return all(one.met_by(value.get(one.attribute.name)) for one in conditions)


def _values(path: Path, resource: Resource) -> Iterator[Any]:
    home = resource.get(path.extension, {}) if path.extension else resource
    found = home.get(path.attribute.name) if path.attribute else None
    for value in found if isinstance(found, list) else [found]:
        if path.part is None:
            yield value
        elif isinstance(value, dict) and fits(path.where, value):
            yield value.get(path.part.name)


def _without_schema(kind: Kind, text: str) -> tuple[str, str]:
    """Return the extension that a path names ("" for the core schema) and what follows."""
    for schema in (kind.extension, kind.schema):
        if schema and text.lower().startswith(schema.lower()):
            rest = text[len(schema) :]
            if rest == "" or rest.startswith(":"):
                return schema if schema == kind.extension else "", rest[1:]
    return "", text


def _conditions(attribute: Attribute, text: str, scim_type: str) -> Iterator[Condition]:
    for name, wanted in _comparisons(text, scim_type):
        part = attribute.part(name)
        if part is None:
            raise ScimRefused(scim_type, f"{attribute.name} has no {name[:80]!r}")
        yield _condition(part, scim_type, wanted=wanted)


def _condition(attribute: Attribute, scim_type: str, *, wanted: str | bool) -> Condition:
    if attribute.kind == "boolean" and isinstance(wanted, str) and wanted.lower() in ("true", "false"):
        wanted = wanted.lower() == "true"
    if isinstance(wanted, bool) is not (attribute.kind == "boolean"):
        raise ScimRefused(scim_type, f"{attribute.name} is a {attribute.kind}")
    return Condition(attribute, wanted)


def _comparisons(text: str, scim_type: str) -> Iterator[tuple[str, str | bool]]:
    """Yield path and value of each comparison."""
    at = 0
    while len(text) <= MAX_CHARACTERS and (match := _COMPARISON.match(text, at)):
        value = match["value"]
        try:
            yield match["path"], json.loads(value if value.startswith('"') else value.lower())
        except ValueError:
            break
        at = match.end()
        if at == len(text):
            return
        following = _AND.match(text, at)
        if not following:
            break
        at = following.end()
    raise ScimRefused(scim_type, "the filter is not supported: comparisons by eq, joined by and")
