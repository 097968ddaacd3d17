"""Filters and attribute paths as text (RFC 7644, figure 1 and 3.5.2).

A filter is comparisons (`userName sw "a"`, `title pr`), values with a condition (`emails[type eq "work"]`), joined by
`and`, `or`, `not (...)` and parentheses; names and operators in any case. A path names what PATCH changes:
`[URN:]attribute[condition].part`, where all but the attribute may be missing.

Beyond the RFC, because Entra ID asks so: a comparison of a part after a condition (`emails[type eq "work"].value eq
"a@b.example"`), a boolean as the text "True", and attributes of the extension without its URN.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from shared.kernel.clock import from_iso
from shared.provisioning.attributes import Attribute, Kind, of_the_server
from shared.provisioning.conditions import TESTS, Comparison, Condition, Either, Every, Literal, Not, OneValue
from shared.provisioning.places import Place, place_of, without_schema
from shared.provisioning.refusal import ScimRefused

MAX_CHARACTERS = 4096
"""Of a filter or path."""
MAX_DEPTH = 20
"""Parentheses inside each other."""

_TOKEN = re.compile(r'\s*(?:"(?:[^"\\]|\\.)*"|[()\[\]]|[^\s()\[\]"]+)')
_WORDS = {"true": True, "false": False, "null": None}
_ORDER = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
_OPERATORS_OF = {"boolean": frozenset({"eq", "ne"}), "dateTime": _ORDER}
"""Of other kinds all."""


@dataclass(frozen=True)
class Path:
    """Where something stands in a resource. Without attribute: the whole extension."""

    extension: str
    attribute: Attribute | None
    where: Condition | None = None
    part: Attribute | None = None


_Resolve = Callable[[str], Place]


def read_filter(kind: Kind, text: str) -> Condition:
    """Return a filter. ScimRefused (invalidFilter) says what is wrong."""
    reader = _Reader(text, "invalidFilter")
    found = reader.either(lambda name: place_of(kind, name, "invalidFilter"))
    reader.end()
    return found


def read_path(kind: Kind, text: str, scim_type: str = "invalidPath") -> Path:
    """Return a path. ScimRefused for what does not parse, is no attribute, or is not the client's to change."""
    reader = _Reader(text, scim_type)
    name = reader.word("an attribute")
    extension, rest = without_schema(kind, name)
    if extension and not rest:
        reader.end()
        return Path(extension, None)
    if not extension and of_the_server(rest.partition(".")[0]):
        raise ScimRefused("mutability", f"{name[:80]} is set by the server alone")
    place = place_of(kind, name, scim_type)
    extension = place.steps[0] if place.steps[0] == kind.extension else ""
    top = (kind.find_in_extension if extension else kind.find)(place.steps[1 if extension else 0])
    assert top
    where, part = None, place.attribute if place.attribute is not top else None
    if reader.take("["):
        where, part = reader.condition_of(place), reader.part_of(place)
    reader.end()
    return Path(extension, top, where, part)


class _Reader:
    """Reads a text from left to right."""

    def __init__(self, text: str, scim_type: str) -> None:
        self._scim_type = scim_type
        if len(text) > MAX_CHARACTERS:
            raise self.refused(f"{len(text)} characters are more than {MAX_CHARACTERS}")
        self._tokens: list[str] = []
        self._at = self._depth = 0
        position, text = 0, text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if not match:
                raise self.refused(f"the text that begins with {text[position : position + 40].strip()!r} does not end")
            self._tokens.append(match[0].strip())
            position = match.end()

    def refused(self, message: str) -> ScimRefused:
        """Return a refusal."""
        return ScimRefused(self._scim_type, message)

    def end(self) -> None:
        """Require that nothing follows."""
        if self._next() is not None:
            raise self.refused(f"{self._next()!r} was not expected")

    def take(self, wanted: str) -> bool:
        """Go on if this is what follows."""
        following = self._next()
        if following is None or following.lower() != wanted:
            return False
        self._at += 1
        return True

    def word(self, wanted: str) -> str:
        """Return the word that must follow."""
        following = self._next()
        if following is None or following[0] in '()[]"':
            raise self.refused(f"{wanted} is missing" + ("" if following is None else f" before {following[:80]!r}"))
        self._at += 1
        return following

    def either(self, resolve: _Resolve) -> Condition:
        """Read conditions joined by `or`, which binds less than `and`."""
        parts = [self._every(resolve)]
        while self.take("or"):
            parts.append(self._every(resolve))
        return parts[0] if len(parts) == 1 else Either(tuple(parts))

    def condition_of(self, place: Place) -> Condition:
        """Read the condition of one value, up to `]`."""
        if not (place.attribute.multi and place.attribute.kind == "complex"):
            raise self.refused(f"{place.steps[-1]} has no values to choose from")
        found = self.either(lambda name: self._part(place.attribute, name))
        self._require("]")
        return found

    def part_of(self, place: Place) -> Attribute | None:
        """Read the part after `]`, if one follows."""
        if not (self._next() or "").startswith("."):
            return None
        return self._part(place.attribute, self.word("a part")[1:]).attribute

    def _every(self, resolve: _Resolve) -> Condition:
        parts = [self._single(resolve)]
        while self.take("and"):
            parts.append(self._single(resolve))
        return parts[0] if len(parts) == 1 else Every(tuple(parts))

    def _single(self, resolve: _Resolve) -> Condition:
        negated = self.take("not")
        if negated or self._next() == "(":
            self._require("(")
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise self.refused(f"more than {MAX_DEPTH} parentheses inside each other")
            inner = self.either(resolve)
            self._require(")")
            self._depth -= 1
            return Not(inner) if negated else inner
        place = resolve(self.word("an attribute"))
        return self._of_values(place) if self.take("[") else self._comparison(place)

    def _of_values(self, place: Place) -> Condition:
        where, part = self.condition_of(place), self.part_of(place)
        then = self._comparison(Place((part.name,), part)) if part else None
        return OneValue(place.steps, where, then)

    def _comparison(self, place: Place) -> Condition:
        operator = self.word(f"an operator after {place.steps[-1]}").lower()
        if operator == "pr":
            return Comparison(place.steps, place.attribute, operator)
        if operator not in TESTS:
            raise self.refused(f"{operator[:80]!r} is no operator: eq, ne, co, sw, ew, pr, gt, ge, lt, le")
        value = place.attribute.part("value")
        if place.attribute.kind == "complex" and value:
            place = Place((*place.steps, value.name), value)
        return Comparison(place.steps, place.attribute, operator, self._wanted(place.attribute, operator))

    def _wanted(self, attribute: Attribute, operator: str) -> Literal:
        if attribute.kind == "complex":
            raise self.refused(f"{attribute.name} has no value to compare: name a part of it")
        wanted = self._literal(f"{attribute.name} {operator}")
        if attribute.kind == "boolean" and isinstance(wanted, str) and wanted.lower() in ("true", "false"):
            wanted = wanted.lower() == "true"
        if operator not in _OPERATORS_OF.get(attribute.kind, TESTS) or (
            wanted is None and operator not in ("eq", "ne")
        ):
            raise self.refused(f"{attribute.name} cannot be compared by {operator}")
        if wanted is not None and isinstance(wanted, bool) is not (attribute.kind == "boolean"):
            raise self.refused(f"{attribute.name} is a {attribute.kind}")
        if attribute.kind == "dateTime" and isinstance(wanted, str):
            self._require_instant(attribute, wanted)
        return wanted

    def _literal(self, after: str) -> Literal:
        text = self._next()
        self._at += 1
        if text is not None and text.lower() in _WORDS:
            return _WORDS[text.lower()]
        if text is None or not text.startswith('"'):
            raise self.refused(f"after {after} a text in quotation marks, true, false or null is missing")
        try:
            return str(json.loads(text))
        except ValueError:
            raise self.refused(f"the text {text[:80]} is not one of JSON") from None

    def _require_instant(self, attribute: Attribute, text: str) -> None:
        try:
            from_iso(text)
        except (ValueError, OverflowError):
            raise self.refused(f"{attribute.name} must be ISO 8601 with an offset") from None

    def _part(self, attribute: Attribute, name: str) -> Place:
        found = attribute.part(name)
        if found is None:
            raise self.refused(f"{attribute.name} has no part {name[:80]!r}")
        return Place((found.name,), found)

    def _require(self, mark: str) -> None:
        if not self.take(mark):
            following = self._next()
            raise self.refused(f"{mark!r} is missing" + (f" before {following[:80]!r}" if following else ""))

    def _next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None
