"""Conditions on a resource or on one value of it, as a filter states them (RFC 7644, 3.4.2.2)."""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from shared.kernel.clock import from_iso
from shared.provisioning.attributes import Attribute
from shared.provisioning.reading import Resource

Literal = str | bool | None

TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "co": operator.contains,
    "sw": str.startswith,
    "ew": str.endswith,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
}
"""Operators that compare with a value. `pr`, the remaining one, asks whether there is any."""


class Condition(Protocol):
    """Something that a resource, or a value of a multi-valued attribute, meets or not."""

    def met_by(self, resource: Resource) -> bool:
        """Tell whether it does."""
        ...


@dataclass(frozen=True)
class Comparison:
    """The attribute at the end of `steps` compared with a value, by the attribute's case rule.

    Of several values one that fits is enough (RFC 7644, 3.4.2.2). No value equals null and differs from all others.
    """

    steps: tuple[str, ...]
    attribute: Attribute
    operator: str
    wanted: Literal = None

    def met_by(self, resource: Resource) -> bool:
        """Tell whether it fits."""
        values = values_at(resource, self.steps)
        if self.operator == "pr" or self.wanted is None:
            return bool(values) is (self.operator != "eq")
        if not values:
            return self.operator == "ne"
        wanted, test = self._comparable(self.wanted), TESTS[self.operator]
        return any(test(self._comparable(value), wanted) for value in values)

    def _comparable(self, value: Any) -> Any:  # noqa: ANN401 - JSON
        if self.attribute.kind == "dateTime":
            return from_iso(value)
        if isinstance(value, str) and not self.attribute.exact:
            return value.casefold()
        return value


@dataclass(frozen=True)
class OneValue:
    """One value of a multi-valued attribute that meets a condition, and `then` too."""

    steps: tuple[str, ...]
    where: Condition
    then: Condition | None = None

    def met_by(self, resource: Resource) -> bool:
        """Tell whether there is one."""
        return any(
            self.where.met_by(value) and (self.then is None or self.then.met_by(value))
            for value in values_at(resource, self.steps)
        )


@dataclass(frozen=True)
class Every:
    """Conditions that must all be met."""

    parts: tuple[Condition, ...]

    def met_by(self, resource: Resource) -> bool:
        """Tell whether they are."""
        return all(one.met_by(resource) for one in self.parts)


@dataclass(frozen=True)
class Either:
    """Conditions of which one must be met."""

    parts: tuple[Condition, ...]

    def met_by(self, resource: Resource) -> bool:
        """Tell whether one is."""
        return any(one.met_by(resource) for one in self.parts)


@dataclass(frozen=True)
class Not:
    """A condition that must not be met."""

    part: Condition

    def met_by(self, resource: Resource) -> bool:
        """Tell whether it is not."""
        return not self.part.met_by(resource)


def values_at(resource: Resource, steps: tuple[str, ...]) -> list[Any]:
    """Return the values at the end of a way through a resource; an empty text is no value."""
    found: list[Any] = [resource]
    for step in steps:
        inner = [one.get(step) for one in found]
        found = [value for one in inner for value in (one if isinstance(one, list) else [one]) if value not in _NOTHING]
    return found


_NOTHING: tuple[object, ...] = (None, "", {})


def equalities(condition: Condition) -> Iterator[Comparison]:
    """Yield comparisons by `eq` without which the condition cannot be met."""
    if isinstance(condition, Every):
        for part in condition.parts:
            yield from equalities(part)
    elif isinstance(condition, Comparison) and condition.operator == "eq" and condition.wanted is not None:
        yield condition


def described(condition: Condition) -> Resource | None:
    """Return the value that a condition describes, such as `type eq "work"`; None where it leaves a choice."""
    found = {one.steps[0]: one.wanted for one in equalities(condition)}
    parts = condition.parts if isinstance(condition, Every) else (condition,)
    return found if len(found) == len(parts) else None
