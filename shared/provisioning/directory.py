"""What can be done with users and groups (RFC 7644, 3.3 to 3.6)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from shared.kernel.clock import Clock, to_iso
from shared.kernel.entity_tags import ANY, Preconditions
from shared.kernel.errors import Busy, NotFound
from shared.kernel.identifiers import NewId
from shared.kernel.table import RowChanged
from shared.provisioning.attributes import Kind
from shared.provisioning.conditions import Condition, equalities
from shared.provisioning.filters import read_filter
from shared.provisioning.reading import Resource
from shared.provisioning.refusal import VersionDiffers
from shared.provisioning.store import ResourceStore, Stored

_MAX_TRIES = 20
MAX_COUNT = 200
"""Resources in one answer."""
MAX_ANSWER_BYTES = 2_000_000
"""Compressed, of the resources in one answer: it ends before the first one that would make it larger."""


@dataclass(frozen=True)
class Found:
    """Some of the resources that fit, from `start` (the first is 1) on, and how many fit."""

    total: int
    start: int
    items: list[Stored]


class Directory:
    """The resources of one kind."""

    def __init__(self, kind: Kind, store: ResourceStore, clock: Clock, new_id: NewId) -> None:
        """Keep the store."""
        self.kind = kind
        self._store = store
        self._clock = clock
        self._new_id = new_id

    def create(self, resource: Resource) -> Stored:
        """Store a new one. ScimRefused (uniqueness), TooLarge."""
        now = self._clock()
        stored = Stored(self._new_id(), resource, 1, now, now)
        self._store.add(stored)
        return stored

    def get(self, resource_id: str) -> Stored:
        """Return one. NotFound."""
        found = self._store.find(resource_id)
        if found is None:
            raise NotFound(f"there is no {self.kind.name} {resource_id}")
        return found

    def change(
        self, resource_id: str, decide: Callable[[Resource], Resource], preconditions: Preconditions = ANY
    ) -> Stored:
        """Store what `decide` makes of one; what changes nothing is not written.

        NotFound, VersionDiffers, ScimRefused, TooLarge, Busy.
        """
        for _ in range(_MAX_TRIES):
            before = self._expected(resource_id, preconditions)
            resource = decide(before.resource)
            if resource == before.resource:
                return before
            after = replace(before, resource=resource, version=before.version + 1, changed=self._clock())
            try:
                self._store.replace(before, after)
            except RowChanged:
                continue
            return after
        raise Busy(f"{self.kind.name} {resource_id} is being changed by others", retry_after=1)

    def delete(self, resource_id: str, preconditions: Preconditions = ANY) -> None:
        """Remove one. NotFound, VersionDiffers, Busy."""
        for _ in range(_MAX_TRIES):
            try:
                self._store.remove(self._expected(resource_id, preconditions))
            except RowChanged:
                continue
            return
        raise Busy(f"{self.kind.name} {resource_id} is being changed by others", retry_after=1)

    def search(self, text: str, start: int, count: int) -> Found:
        """Return those that fit a filter ("" for all), oldest first. ScimRefused (invalidFilter)."""
        page = _Page(count)
        if not text:
            ids = self._store.ids()
            if start <= len(ids):
                page.fill(self._store.all(ids[start - 1]))
            return Found(len(ids), start, page.items)
        wanted, total = read_filter(self.kind, text), 0
        for one in self._candidates(wanted):
            if wanted.met_by(self._seen(one)):
                total += 1
                if total >= start:
                    page.offer(one)
        return Found(total, start, page.items)

    def _candidates(self, wanted: Condition) -> Iterable[Stored]:
        """Return what may fit: what one of the filter's equalities finds by a row of its own, else everything."""
        equal = {one.steps[0]: one.wanted for one in equalities(wanted) if len(one.steps) == 1}
        if isinstance(resource_id := equal.get("id"), str):
            found = self._store.find(resource_id)
            return [found] if found else []
        for attribute in self.kind.attributes:
            value = equal.get(attribute.name)
            if isinstance(value, str) and (attribute.unique or attribute.indexed):
                return self._store.having(attribute, value)
        return self._store.all()

    def _seen(self, stored: Stored) -> dict[str, Any]:
        """Return a resource as filters see it."""
        schemas = [self.kind.schema, *([self.kind.extension] if self.kind.extension in stored.resource else [])]
        return {
            "id": stored.resource_id,
            "schemas": schemas,
            "meta": meta_of(self.kind, stored),
            **stored.resource,
        }

    def _expected(self, resource_id: str, preconditions: Preconditions) -> Stored:
        found = self.get(resource_id)
        if not preconditions.allow_change(version_of(found)):
            raise VersionDiffers(f"{self.kind.name} {resource_id} is now in version {version_of(found)}")
        return found


def version_of(stored: Stored) -> str:
    """Return the ETag of a resource."""
    return f'W/"{stored.version}"'


def meta_of(kind: Kind, stored: Stored) -> dict[str, str]:
    """Return what the server says of a resource, without its address."""
    return {
        "resourceType": kind.name,
        "created": to_iso(stored.created),
        "lastModified": to_iso(stored.changed),
        "version": version_of(stored),
    }


class _Page:
    """The resources of one answer: not more than asked for, nor than fit in; but one, if there is any."""

    def __init__(self, count: int) -> None:
        self.items: list[Stored] = []
        self._count = count
        self._left = MAX_ANSWER_BYTES

    def fill(self, resources: Iterable[Stored]) -> None:
        """Take as many as it holds."""
        for one in resources:
            if not self.offer(one):
                return

    def offer(self, one: Stored) -> bool:
        """Take one more, unless it is full; tell whether it was taken."""
        if len(self.items) < self._count and (not self.items or one.stored_bytes <= self._left):
            self.items.append(one)
            self._left -= one.stored_bytes
            return True
        self._count = 0  # What comes after one that does not fit is for the next answer.
        return False
