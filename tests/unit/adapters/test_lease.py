"""Leases: one holder at a time, tokens that only grow, no block beyond the lease."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.resilience.lease import Lease, Leases
from shared.adapters.resilience.leased_rows import LeasedRows, LeaseLost
from shared.kernel.contention import MOST_TRIES
from shared.kernel.errors import Busy
from tests.fakes.tables import MemoryTables
from tests.unit.adapters.manual_time import CountingHook, ManualTime


class World:
    """Two instances on the same tables."""

    def __init__(self) -> None:
        self.time, self.hook = ManualTime(), CountingHook()
        tables = MemoryTables(self.hook)
        self.leases = [Leases(tables, "t", clock=self.time.clock) for _ in range(2)]


def test_one_holder_at_a_time() -> None:
    world = World()
    lease = world.leases[0].acquire("export|2025-01", 60)
    world.time.advance(20)
    with pytest.raises(Busy) as caught:
        world.leases[1].acquire("export|2025-01")
    assert caught.value.retry_after == 40
    assert world.leases[1].acquire("another").token == 1
    world.leases[0].release(lease)
    assert world.leases[1].acquire("export|2025-01").token == 2


def test_at_most_two_transactions_to_acquire() -> None:
    world = World()
    lease = world.leases[0].acquire("x")
    assert world.hook.total == 2
    world.leases[0].release(lease)
    before = world.hook.total
    world.leases[1].acquire("x")
    assert world.hook.total - before == 2


def test_a_crashed_holder_blocks_for_five_minutes_at_most() -> None:
    world = World()
    stale = world.leases[0].acquire("x")
    world.time.advance(299.9)
    with pytest.raises(Busy):
        world.leases[1].acquire("x")
    world.time.advance(0.2)
    taken = world.leases[1].acquire("x")
    assert taken.token > stale.token
    with pytest.raises(LeaseLost):
        world.leases[0].renew(stale)
    world.leases[0].release(stale)
    with pytest.raises(Busy):
        world.leases[0].acquire("x")


def test_renewing_prolongs_under_the_same_token() -> None:
    world = World()
    lease = world.leases[0].acquire("x", 10)
    world.time.advance(9)
    renewed = world.leases[0].renew(lease, 10)
    assert renewed.token == lease.token
    world.time.advance(9)
    with pytest.raises(Busy):
        world.leases[1].acquire("x")
    with pytest.raises(LeaseLost):
        world.leases[0].renew(lease)


def test_holding_releases_after_a_failure_too() -> None:
    world = World()
    with pytest.raises(ZeroDivisionError), world.leases[0].hold("x"):
        raise ZeroDivisionError
    with world.leases[1].hold("x") as lease:
        assert lease.token == 2


@given(st.lists(st.tuples(st.sampled_from(["acquire", "renew", "release", "wait"]), st.integers(0, 1)), max_size=40))
def test_tokens_grow_and_never_two_hold(steps: list[tuple[str, int]]) -> None:
    world = World()
    held: dict[int, Lease] = {}
    last = 0
    for step, number in steps:
        mine = held.get(number)
        valid = [lease for lease in held.values() if lease.expires > world.time.now]
        if step == "wait":
            world.time.advance(40)
        elif step == "acquire":
            try:
                held[number] = world.leases[number].acquire("x", 60)
            except Busy:
                assert valid
                continue
            assert not valid
            assert held[number].token > last
            last = held[number].token
        elif mine and step == "release":
            world.leases[number].release(held.pop(number))
        elif mine:
            try:
                held[number] = world.leases[number].renew(mine, 60)
            except LeaseLost:
                del held[number]
            else:
                assert mine.token == last


def test_a_lease_that_is_prolonged_between_the_parts_of_the_work_outlives_its_duration() -> None:
    world = World()
    with world.leases[0].hold_on("x", 10) as prolong:
        for _ in range(5):
            world.time.advance(8)
            prolong()
            with pytest.raises(Busy):
                world.leases[1].acquire("x")
    assert world.leases[1].acquire("x").token == 2


def test_whoever_was_taken_over_learns_it_when_prolonging_and_releases_nothing() -> None:
    world = World()
    with world.leases[0].hold_on("x", 10) as prolong:
        world.time.advance(11)
        world.leases[1].acquire("x", 60)
        with pytest.raises(LeaseLost):
            prolong()
    with pytest.raises(Busy):
        world.leases[0].acquire("x")


def test_whoever_is_always_overtaken_at_claiming_pauses_and_ends_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.kernel.contention._LONGEST_PAUSE", 0.0)
    world = World()
    monkeypatch.setattr(LeasedRows, "_write", lambda *_arguments: None)
    with pytest.raises(Busy, match="a lease is being changed by others"):
        world.leases[0].acquire("x")
    assert world.hook.total == MOST_TRIES
