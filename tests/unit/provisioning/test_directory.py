"""INC-33: a name is one user's, whoever dies, repeats or comes at the same time; and what is found is what there is."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shared.kernel.entity_tags import Preconditions
from shared.kernel.errors import NotFound, TooLarge
from shared.kernel.keys import split_key
from shared.kernel.table import Operation, Page, Row
from shared.provisioning import directory as directories
from shared.provisioning.attributes import GROUP, USER, Kind
from shared.provisioning.directory import Directory
from shared.provisioning.refusal import ScimRefused, VersionDiffers
from shared.provisioning.store import ResourceStore
from tests.fakes.hook import Hook
from tests.fakes.tables import MemoryTable, MemoryTables


class Killed(Exception):
    """Whoever was at work died right here."""


class Interruption(Hook):
    """Does something before and after each storage operation."""

    def __init__(self) -> None:
        self.do: Callable[[str], None] = lambda _place: None

    def before(self, operation: str, _place: str, _item: str) -> None:
        self.do(f"before {operation}")

    def after(self, operation: str, _place: str, _item: str) -> None:
        self.do(f"after {operation}")

    @contextmanager
    def at(self, moment: int, do: Callable[[], None]) -> Iterator[list[str]]:
        """Do something once, at the n-th place from 1; give the places passed."""
        places: list[str] = []

        def act(place: str) -> None:
            places.append(place)
            if len(places) == moment:
                self.do = lambda _place: None
                do()

        self.do = act
        try:
            yield places
        finally:
            self.do = lambda _place: None


class World:
    """A directory in memory."""

    def __init__(self, kind: Kind = USER) -> None:
        self.interruption = Interruption()
        self.table = MemoryTables(self.interruption).table("ScimUsers")
        self.now = datetime(2025, 1, 20, tzinfo=UTC)
        numbers = count(1)
        self.directory = Directory(
            kind, ResourceStore(self.table, "default", kind), self.clock, lambda: f"{next(numbers):08d}"
        )

    def clock(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def set(self, resource_id: str, **attributes: Any) -> None:
        self.directory.change(resource_id, lambda before: before | attributes)

    def found(self, text: str) -> list[str]:
        return [one.resource_id for one in self.directory.search(text, 1, 100).items]

    def names(self) -> dict[str, str]:
        """Return who there is, by ID, and check that every row beside is that of somebody, and that none is missing."""
        resources = {one.resource_id: one.resource for one in self.directory.search("", 1, 100).items}
        keys = [split_key(row.key) for row in self.table.query("default")]
        names = [one.resource["userName"].casefold() for one in self.directory.search("", 1, 100).items]
        assert len(set(names)) == len(names)
        assert sum(key[0] == "name" for key in keys) == len(resources)
        assert sum(key[0] == "index" for key in keys) == sum("externalId" in one for one in resources.values())
        for resource_id, one in resources.items():
            assert self.found(f"userName eq {json.dumps(one['userName'])}") == [resource_id]
            if "externalId" in one:
                assert resource_id in self.found(f"externalId eq {json.dumps(one['externalId'])}")
        return {resource_id: str(one["userName"]) for resource_id, one in resources.items()}


def die() -> None:
    raise Killed


ACTIONS: dict[str, Callable[[World], object]] = {
    "create": lambda world: world.directory.create({"userName": "new", "externalId": "x2"}),
    "rename": lambda world: world.set("00000001", userName="other"),
    "change what it is found by": lambda world: world.set("00000001", externalId="x3"),
    "forget what it is found by": lambda world: world.directory.change("00000001", lambda _: {"userName": "ada"}),
    "delete": lambda world: world.directory.delete("00000001"),
}
RESULT = {
    "create": ["ada", "new"],
    "rename": ["other"],
    "change what it is found by": ["ada"],
    "forget what it is found by": ["ada"],
    "delete": [],
}


@pytest.mark.parametrize("name", ACTIONS)
def test_whoever_is_killed_at_any_operation_leaves_all_or_nothing(name: str) -> None:
    moment, reached = 0, True
    while reached:
        moment += 1
        world = World()
        world.directory.create({"userName": "ada", "externalId": "x1"})
        with suppress(Killed), world.interruption.at(moment, die) as places:
            ACTIONS[name](world)
        reached = len(places) == moment
        assert sorted(world.names().values()) in (["ada"], RESULT[name])
        with suppress(ScimRefused, NotFound):  # It was done before the end came.
            ACTIONS[name](world)
        assert sorted(world.names().values()) == RESULT[name], places
    assert moment > 2


@pytest.mark.parametrize("other", ["create", "rename"])
def test_two_that_want_a_name_at_once_do_not_both_get_it(other: str) -> None:
    """The second one comes at every moment of the first."""
    for moment in range(1, 7):
        world = World()
        world.directory.create({"userName": "ada"})
        refused: list[str] = []

        def meanwhile(world: World = world, refused: list[str] = refused) -> None:
            try:
                world.directory.create({"userName": "OTHER"})
            except ScimRefused as error:
                refused.append(error.scim_type)

        with world.interruption.at(moment, meanwhile):
            try:
                if other == "create":
                    world.directory.create({"userName": "other"})
                else:
                    world.set("00000001", userName="other")
            except ScimRefused as error:
                refused.append(error.scim_type)
        assert len(refused) == (1 if moment <= (2 if other == "create" else 4) else 0)
        assert set(refused) <= {"uniqueness"}
        assert [name.lower() for name in world.names().values()].count("other") == 1


class AnswersLost:
    """A table whose answers to writes get lost on the way, so that each is sent once more."""

    def __init__(self, table: MemoryTable) -> None:
        self._table = table

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    def transact(self, partition: str, operations: Sequence[Operation]) -> Sequence[str]:
        self._table.transact(partition, operations)
        return self._table.transact(partition, operations)


@pytest.mark.parametrize(("kind", "resource"), [(USER, {"userName": "a"}), (GROUP, {"displayName": "a"})])
def test_a_write_whose_answer_was_lost_counts_once(kind: Kind, resource: dict[str, Any]) -> None:
    world = World(kind)
    store: Any = AnswersLost(world.table)
    numbers = count(1)
    directory = Directory(kind, ResourceStore(store, "default", kind), world.clock, lambda: f"{next(numbers):08d}")
    created = directory.create(resource)
    changed = directory.change(created.resource_id, lambda before: before | {"externalId": "x"})
    assert (changed.version, directory.search("", 1, 10).total) == (2, 1)
    with suppress(NotFound):  # as if somebody else had removed it
        directory.delete(created.resource_id)
    assert list(world.table.query("default")) == []
    if kind is USER:
        directory.create(resource)
        with pytest.raises(ScimRefused):
            directory.create(resource)


def test_a_change_is_decided_again_when_somebody_else_was_faster() -> None:
    world = World(GROUP)
    group = world.directory.create({"displayName": "Team"})

    def add(member: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return lambda before: before | {"members": [*before.get("members", []), {"value": member}]}

    def meanwhile() -> None:
        world.directory.change(group.resource_id, add("u2"))

    with world.interruption.at(3, meanwhile):
        world.directory.change(group.resource_id, add("u1"))
    members = world.directory.get(group.resource_id).resource["members"]
    assert [one["value"] for one in members] == ["u2", "u1"]


def test_a_version_that_is_not_the_one_expected_is_refused() -> None:
    world = World()
    world.directory.create({"userName": "ada"})
    world.set("00000001", title="x")
    for wrong in (
        Preconditions('W/"1"'),
        Preconditions('W/"1", W/"3"'),
        Preconditions(""),
        Preconditions("2"),
        Preconditions(if_none_match="*"),
        Preconditions("*", '"2"'),
    ):
        with pytest.raises(VersionDiffers):
            world.directory.delete("00000001", wrong)
    for right in (
        Preconditions('W/"2"'),
        Preconditions('"1", "2"'),
        Preconditions("*"),
        Preconditions("*", '"1"'),
        Preconditions(),
    ):
        assert world.directory.change("00000001", lambda before: before, right).version == 2


def test_what_changes_nothing_is_not_written() -> None:
    world = World()
    world.directory.create({"userName": "ada"})
    (before,) = world.table.query("default", key_from="resource|", key_before="resource|~")
    world.set("00000001", userName="ada")
    (after,) = world.table.query("default", key_from="resource|", key_before="resource|~")
    assert before.etag == after.etag


def test_an_identifier_that_cannot_be_one_finds_nobody() -> None:
    world = World()
    for resource_id in ("x" * 2000, "é", "\ud800", "a/b", ""):
        assert world.found(f"id eq {json.dumps(resource_id)}") == []
        with pytest.raises(NotFound):
            world.directory.get(resource_id)


def test_several_may_have_one_external_id_or_display_name() -> None:
    world = World(GROUP)
    for number in range(3):
        world.directory.create({"displayName": "Team" if number else "team", "externalId": "x"})
    assert world.found('displayName eq "TEAM"') == ["00000001", "00000002", "00000003"]
    assert world.found('externalId eq "x" and displayName eq "team"') == ["00000001", "00000002", "00000003"]
    assert world.found('externalId eq "X"') == []


class Counted(MemoryTable):
    """A table that counts the rows that were read."""

    rows = 0

    def get(self, partition: str, key: str) -> Row | None:
        self.rows += 1
        return super().get(partition, key)

    def page(self, partition: str, **options: Any) -> Page:
        found = super().page(partition, **options)
        self.rows += len(found.rows)
        return found

    def query(self, partition: str, **options: Any) -> Iterator[Row]:
        for row in super().query(partition, **options):
            self.rows += 1
            yield row


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (USER, 'userName eq "n7"'),
        (USER, 'externalId eq "x7"'),
        (USER, 'active eq true and externalId eq "x7"'),
        (USER, 'id eq "00000008"'),
        (GROUP, 'externalId eq "x7"'),
        (GROUP, 'displayName eq "n7"'),
        (GROUP, 'id eq "00000008" and members eq "u7"'),
    ],
)
def test_what_entra_id_matches_by_is_found_without_reading_the_table(kind: Kind, text: str) -> None:
    table, numbers = Counted("Scim", Hook()), count(1)
    store = ResourceStore(table, "default", kind)
    directory = Directory(kind, store, lambda: datetime(2025, 1, 20, tzinfo=UTC), lambda: f"{next(numbers):08d}")
    for number in range(50):
        names = {"userName": f"n{number}", "active": True} if kind is USER else {"members": [{"value": f"u{number}"}]}
        directory.create({"displayName": f"n{number}", "externalId": f"x{number}", **names})
    table.rows = 0
    assert [one.resource_id for one in directory.search(text, 1, 100).items] == ["00000008"]
    assert table.rows <= 2


def test_an_answer_has_no_more_large_groups_than_fit_and_paging_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directories, "MAX_ANSWER_BYTES", 20_000)
    world = World(GROUP)
    for number in range(5):
        members = [{"value": f"{number:08d}-{member:027d}"} for member in range(2000)]
        world.directory.create({"displayName": f"g{number}", "members": members if number % 2 else []})
    for text in ("", "displayName pr"):
        seen: list[str] = []
        while len(seen) < 5:
            found = world.directory.search(text, len(seen) + 1, 100)
            assert (found.total, bool(found.items)) == (5, True)
            seen += [one.resource["displayName"] for one in found.items]
        assert seen == ["g0", "g1", "g2", "g3", "g4"]


def test_a_group_that_no_row_can_hold_is_refused_and_the_one_before_stays() -> None:
    world = World(GROUP)
    group = world.directory.create({"displayName": "All"})
    large = [{"value": str(number**9) * 4} for number in range(60_000)]
    with pytest.raises(TooLarge):
        world.set(group.resource_id, members=large)
    assert world.directory.get(group.resource_id).resource == {"displayName": "All"}


names = st.sampled_from(["ada", "ADA", "bob", "Straße", "STRASSE", "eve"])
external_ids = st.sampled_from(["x1", "X1", "x2", None])
moments = st.integers(0, 8)


class DirectoryMachine(RuleBasedStateMachine):
    """Everything that clients do to three users, with deaths in between."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()

    def act(self, moment: int, do: Callable[[], object]) -> None:
        with suppress(Killed, ScimRefused, NotFound), self.world.interruption.at(moment, die):
            do()

    @rule(name=names, external_id=external_ids, moment=moments)
    def create(self, name: str, external_id: str | None, moment: int) -> None:
        found = {"userName": name} | ({"externalId": external_id} if external_id else {})
        self.act(moment, lambda: self.world.directory.create(found))

    @rule(number=st.integers(1, 6), name=names, external_id=external_ids, moment=moments)
    def put(self, number: int, name: str, external_id: str | None, moment: int) -> None:
        found = {"userName": name} | ({"externalId": external_id} if external_id else {})
        self.act(moment, lambda: self.world.directory.change(f"{number:08d}", lambda _: found))

    @rule(number=st.integers(1, 6), moment=moments)
    def delete(self, number: int, moment: int) -> None:
        self.act(moment, lambda: self.world.directory.delete(f"{number:08d}"))

    @invariant()
    def names_are_unique_and_lead_to_who_has_them(self) -> None:
        self.world.names()


DirectoryMachine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestDirectoryInvariant = DirectoryMachine.TestCase
