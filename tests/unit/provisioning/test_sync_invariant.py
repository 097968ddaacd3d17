"""INC-33: however changes are split into pages and rounds, repeated, interleaved, killed: the end is one full read."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from shared.provisioning.graph_user import MAPPING
from shared.provisioning.sync import start_sync
from shared.provisioning.sync_runs import SyncStatus
from tests.unit.provisioning.graph_world import Killed, World, killing

NAMES = ["ada", "ben", "cleo", "dan", "eva"]
names = st.sampled_from(NAMES)
who = st.integers(0, 9)
small = st.integers(0, 60)


def expected(world: World) -> dict[str, dict[str, Any]]:
    """Return what one full read of the tenant into an empty directory gives, by externalId."""
    fresh = World(page_size=100, pages_per_slice=1)
    fresh.graph = world.graph
    size, world.graph.page_size = world.graph.page_size, 100
    run = fresh.pull()
    world.graph.page_size = size
    assert (run.status, run.pages) == (SyncStatus.SUCCEEDED, 1)
    return by_object(fresh)


def by_object(world: World) -> dict[str, dict[str, Any]]:
    """Return the users here by externalId."""
    users = world.users().values()
    found = {user["externalId"]: user for user in users}
    assert len(found) == len(users), "nobody is there twice"
    return found


def check(world: World) -> None:
    """Hold the directory against one full read: the same users, all others inactive or gone."""
    wanted, found = expected(world), by_object(world)
    assert {key: user for key, user in found.items() if key in wanted} == wanted
    left = {key: user["active"] for key, user in found.items() if key not in wanted}
    assert not any(left.values())
    assert not {key for key in left if world.graph.removal(key) == "deleted" and key not in world.missed}


class PullMachine(RuleBasedStateMachine):
    """Users of a tenant come, change, exchange names and leave while pulls run, repeat, interleave and die."""

    @initialize(size=st.integers(1, 3), slices=st.integers(1, 2))
    def begin(self, size: int, slices: int) -> None:
        self.world = World(page_size=size, pages_per_slice=slices, share="1")
        self.ids: list[str] = []
        self.given_up = 0

    def some(self, index: int) -> str | None:
        return self.ids[index % len(self.ids)] if self.ids else None

    def give_up_name(self, name: str) -> list[dict[str, Any]]:
        """Return the change by which whoever has a name gets another one first: they are unique in a tenant."""
        holders = [user["id"] for user in self.world.graph.everybody() if user["userPrincipalName"] == name]
        self.given_up += 1
        return [{"id": one, "set": {"userPrincipalName": f"{name}-{self.given_up}"}} for one in holders]

    @rule(name=names, enabled=st.booleans())
    def join(self, name: str, enabled: bool) -> None:
        object_id = f"id{len(self.ids)}"
        self.ids.append(object_id)
        user = {"id": object_id, "userPrincipalName": name, "accountEnabled": enabled, "surname": name}
        self.world.graph.change([*self.give_up_name(name), {"add": user}])

    @rule(index=who, prop=st.sampled_from(sorted(MAPPING.keys() - {"userPrincipalName"})), value=names | st.none())
    def change(self, index: int, prop: str, value: str | None) -> None:
        if object_id := self.some(index):
            self.world.graph.change([{"id": object_id, "set": {prop: value}}])

    @rule(index=who, enabled=st.booleans())
    def enable(self, index: int, enabled: bool) -> None:
        if object_id := self.some(index):
            self.world.graph.change([{"id": object_id, "set": {"accountEnabled": enabled}}])

    @rule(index=who, name=names)
    def rename(self, index: int, name: str) -> None:
        if object_id := self.some(index):
            renamed = {"id": object_id, "set": {"userPrincipalName": name}}
            self.world.graph.change([*self.give_up_name(name), renamed])

    @rule(index=who, other=who)
    def exchange_names(self, index: int, other: int) -> None:
        one, two = self.some(index), self.some(other)
        if one and two and one != two:
            had = {user["id"]: user["userPrincipalName"] for user in self.world.graph.everybody()}
            swapped = ((one, had[two]), (two, had[one]))
            self.world.graph.change([{"id": key, "set": {"userPrincipalName": name}} for key, name in swapped])

    @rule(index=who, reason=st.sampled_from(["changed", "deleted"]))
    def leave(self, index: int, reason: str) -> None:
        object_id = self.some(index)
        if object_id and self.world.graph.removal(object_id) != "deleted":
            self.world.graph.change([{"id": object_id, "delete": reason}])

    @rule(index=who)
    def restore(self, index: int) -> None:
        if object_id := self.some(index):
            self.world.graph.change([{"id": object_id, "restore": True}])

    @rule()
    def graph_forgets_links(self) -> None:
        # Who is deleted for good while nobody can be told of it stays here, inactive.
        self.world.missed |= set(self.ids)
        self.world.graph.forget_links()

    @rule(full=st.booleans())
    def somebody_starts(self, full: bool) -> None:
        if full:
            self.world.missed |= set(self.ids)
        start_sync(self.world.context, "somebody", full=full)

    @rule(times=st.integers(1, 3), twice=st.booleans())
    def work_a_little(self, times: int, twice: bool) -> None:
        for _ in range(times):
            self.world.deliver(keep=twice)

    @rule(steps=small)
    def kill_a_worker(self, steps: int) -> None:
        self.world.interrupt, _ = killing(steps)
        try:
            self.world.deliver()
        finally:
            self.world.interrupt = lambda: None

    @rule(steps=small, index=who, name=names)
    def others_overtake_a_slow_worker(self, steps: int, index: int, name: str) -> None:
        """While it stands still, a user changes and others carry the run on; then it wakes up."""
        left = steps

        def interrupt() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self.world.interrupt = lambda: None
                self.rename(index, name)
                for _ in range(4):
                    self.world.deliver(keep=True)

        self.world.interrupt = interrupt
        try:
            self.world.deliver(keep=True)
        finally:
            self.world.interrupt = lambda: None

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.work()
        run = self.world.pull()
        assert run.status is SyncStatus.SUCCEEDED, run.failure
        check(self.world)
        assert self.world.pull().pages == 1


PullMachine.TestCase.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestPullInvariant = PullMachine.TestCase


def a_busy_round() -> World:
    """Return a world whose pull creates, changes, deactivates, removes, exchanges names, and is told to begin again."""
    world = World(people=4, page_size=2, pages_per_slice=2, share="1")
    world.pull()
    one, two, three, _ = world.graph.users()
    swapped = ((one["id"], two["userPrincipalName"]), (two["id"], one["userPrincipalName"]))
    world.graph.change([{"id": key, "set": {"userPrincipalName": name}} for key, name in swapped])
    world.graph.change([{"id": three["id"], "delete": "changed"}, {"add": {"id": "new", "userPrincipalName": "ada"}}])
    return world


@pytest.mark.parametrize("forgotten", [False, True], ids=["what changed", "everybody"])
def test_a_worker_killed_at_any_storage_operation_leaves_the_same_directory(forgotten: bool) -> None:
    victim, reached = 0, True
    while reached:
        victim += 1
        world = a_busy_round()
        if forgotten:
            world.graph.forget_links()
        run_id = start_sync(world.context, "somebody")
        world.interrupt, died = killing(victim)
        while world.deliver():
            pass
        world.interrupt = lambda: None
        reached = died()
        run = world.context.runs.get(run_id)
        assert (run.status, run.full) == (SyncStatus.SUCCEEDED, forgotten), victim
        check(world)
        assert [user["userName"] for user in world.users().values() if not user["active"]] != [], victim
    assert victim > 40


@pytest.mark.parametrize("forgotten", [False, True], ids=["what changed", "everybody"])
def test_a_worker_that_is_overtaken_at_any_storage_operation_changes_nothing_any_more(forgotten: bool) -> None:
    """While it stands still, everybody changes again, and others do the rest of its run; then it wakes up."""
    moment, reached = 0, True
    while reached:
        moment += 1
        world = a_busy_round()
        if forgotten:
            # Who is deleted for good before he was read is never told of.
            world.missed = {user["id"] for user in world.graph.users()}
            world.graph.forget_links()
        start_sync(world.context, "somebody")
        stop, reached_it = killing(moment)

        def overtake(world: World = world, stop: Callable[[], None] = stop) -> None:
            try:
                stop()
            except Killed:
                world.interrupt = lambda: None
                world.deliver_again()
                first, *_, last = world.graph.users()
                world.graph.change([{"id": last["id"], "set": {"surname": "Later", "userPrincipalName": "later"}}])
                world.graph.change([{"id": first["id"], "delete": "deleted"}])
                while world.deliver():
                    pass

        world.interrupt = overtake
        while world.deliver():
            pass
        reached = reached_it()
        world.work()
        assert world.pull().status is SyncStatus.SUCCEEDED
        check(world)
    assert moment > 40


def test_whoever_starts_a_pull_can_die_at_any_operation() -> None:
    victim = 0
    while True:
        victim += 1
        world = a_busy_round()
        world.interrupt, _ = killing(victim)
        try:
            start_sync(world.context, "somebody")
            break
        except Killed:  # the next one starts, or wakes what was left behind
            world.interrupt = lambda: None
        world.now = world.now.replace(hour=23)
        start_sync(world.context, "timer")
        world.work()
        check(world)
    assert victim > 4
