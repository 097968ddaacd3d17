"""Which attributes of a resource an answer has: `attributes` and `excludedAttributes` (RFC 7644, 3.9)."""

from typing import Any

from shared.provisioning.attributes import Kind
from shared.provisioning.places import place_of, without_schema
from shared.provisioning.reading import Resource
from shared.provisioning.refusal import ScimRefused

_ALWAYS = (("schemas",), ("id",))

_Steps = tuple[str, ...]


def selected(kind: Kind, whole: Resource, wanted: str, unwanted: str) -> Resource:
    """Return what of a resource is asked for; names with commas between, unknown ones are ignored.

    `wanted` goes before `unwanted` (a client sends one of them). `schemas` and `id` are always there.
    """
    if wanted:
        return _kept(whole, [*_ALWAYS, *_steps(kind, wanted)]) or {}
    return _left(whole, [steps for steps in _steps(kind, unwanted) if steps not in _ALWAYS]) or {}


def _kept(value: Any, ways: list[_Steps]) -> Any:  # noqa: ANN401 - JSON
    """Return what of a value the ways lead to, None where none does. A way that ends here leads to all of it."""
    if () in ways:
        return value
    if isinstance(value, list):
        return [kept for one in value if (kept := _kept(one, ways)) is not None] or None
    if not isinstance(value, dict):
        return None
    parts = {name: _kept(content, _beyond(name, ways)) for name, content in value.items()}
    return {name: kept for name, kept in parts.items() if kept is not None} or None


def _left(value: Any, ways: list[_Steps]) -> Any:  # noqa: ANN401 - JSON
    """Return what of a value remains without that to which the ways lead, None where nothing does."""
    if () in ways:
        return None
    if isinstance(value, list):
        return [left for one in value if (left := _left(one, ways)) is not None] if ways else value
    if not isinstance(value, dict) or not ways:
        return value
    parts = {name: _left(content, _beyond(name, ways)) for name, content in value.items()}
    return {name: left for name, left in parts.items() if left is not None} or None


def _beyond(name: str, ways: list[_Steps]) -> list[_Steps]:
    return [steps[1:] for steps in ways if steps[0] == name]


def _steps(kind: Kind, names: str) -> list[_Steps]:
    found: list[_Steps] = []
    for name in (one.strip() for one in names.split(",")):
        extension, rest = without_schema(kind, name)
        if extension and not rest:
            found.append((extension,))
            continue
        try:
            found.append(place_of(kind, name, "invalidPath").steps)
        except ScimRefused:
            continue
    return found
