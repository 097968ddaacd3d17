"""What can be done with users and groups (RFC 7644, 3.3 to 3.6)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from shared.kernel.clock import Clock
from shared.kernel.errors import Busy, NotFound
from shared.kernel.identifiers import NewId
from shared.kernel.table import RowChanged
from shared.provisioning.attributes import Kind
from shared.provisioning.expressions import Filter, matches, read_filter
from shared.provisioning.reading import Resource
from shared.provisioning.refusal import VersionDiffers
from shared.provisioning.store import ResourceStore, Stored

_MAX_TRIES = 20
MAX_COUNT = 200
"""Resources in one answer."""


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
        """Store a new one. ScimRefused (uniqueness)."""
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

    def change(self, resource_id: str, version: str, decide: Callable[[Resource], Resource]) -> Stored:
        """Store what `decide` makes of one; what changes nothing is not written.

        `version`: that of If-Match, "" for any. NotFound, VersionDiffers, ScimRefused, Busy.
        """
        for _ in range(_MAX_TRIES):
            before = self._expected(resource_id, version)
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

    def delete(self, resource_id: str, version: str) -> None:
        """Remove one. NotFound, VersionDiffers, Busy."""
        for _ in range(_MAX_TRIES):
            try:
                self._store.remove(self._expected(resource_id, version))
            except RowChanged:
                continue
            return
        raise Busy(f"{self.kind.name} {resource_id} is being changed by others", retry_after=1)

    def search(self, text: str, start: int, count: int) -> Found:
        """Return those that fit a filter ("" for all), oldest first. ScimRefused (invalidFilter)."""
        if not text:
            ids = self._store.ids()
            some = (self._store.find(one) for one in ids[start - 1 : start - 1 + count])
            return Found(len(ids), start, [one for one in some if one])
        wanted = read_filter(self.kind, text)
        fitting = [one for one in self._candidates(wanted) if matches(wanted, {"id": one.resource_id, **one.resource})]
        return Found(len(fitting), start, fitting[start - 1 : start - 1 + count])

    def _candidates(self, wanted: Filter) -> list[Stored]:
        """Return what may fit: one row where the filter names one, else what the store can find by."""
        equal: dict[str, str] = {}
        for one in wanted:
            name, value = one.path.attribute.name if one.path.attribute else "", one.condition.wanted
            if name in ("id", "userName") and isinstance(value, str):
                found = self._store.find(value) if name == "id" else self._store.named(value)
                return [found] if found else []
            if name in ("externalId", "displayName") and isinstance(value, str):
                equal[name] = value
        return self._store.all(equal)

    def _expected(self, resource_id: str, version: str) -> Stored:
        found = self.get(resource_id)
        if version not in ("", "*") and version_of(found) not in (one.strip() for one in version.split(",")):
            raise VersionDiffers(f"{self.kind.name} {resource_id} is now in version {version_of(found)}")
        return found


def version_of(stored: Stored) -> str:
    """Return the ETag of a resource."""
    return f'W/"{stored.version}"'
