"""The cache before a vault: asked rarely, by one at a time; what was read bridges an outage, for a bounded time."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from shared.adapters.secret_cache import CachedSecrets, CacheLife
from shared.kernel.errors import ConfigurationError, FieldProblem, NetworkFailure, RateLimited
from tests.fakes.secrets import MemorySecrets
from tests.unit.adapters.manual_time import ManualTime

PATH, OTHER = "integrations/acme/erp/client-secret", "integrations/acme/hr/client-secret"
AWAY = NetworkFailure("key-vault", "the vault does not answer")


class Cached:
    """A cache over secrets in memory, on hands that move when told."""

    def __init__(self, most: int = 256) -> None:
        self.time = ManualTime()
        self.store = MemorySecrets({PATH: ("one",), OTHER: ("other",)})
        life = CacheLife(fresh=timedelta(seconds=300), stale=timedelta(seconds=3600))
        self.secrets = CachedSecrets(self.store, life, self.time.clock, most=most)

    def read(self, path: str = PATH) -> tuple[str, ...]:
        return self.secrets.versions(path)


@pytest.fixture
def cached() -> Cached:
    return Cached()


def test_a_value_is_read_once_in_its_life(cached: Cached) -> None:
    cached.read()
    cached.time.advance(299)
    assert cached.read() == ("one",)
    assert cached.store.reads[PATH] == 1
    cached.store.values[PATH] = ("two",)
    cached.time.advance(2)
    assert cached.read() == ("two",)


def test_many_threads_read_once() -> None:
    cached = Cached()
    entered, go_on = threading.Event(), threading.Event()
    plain = cached.store.versions

    def slow(path: str) -> tuple[str, ...]:
        entered.set()
        assert go_on.wait(5)
        return plain(path)

    cached.store.versions = slow  # type: ignore[method-assign]
    with ThreadPoolExecutor(8) as pool:
        found = [pool.submit(cached.read) for _ in range(8)]
        assert entered.wait(5)
        go_on.set()
        assert {one.result(5) for one in found} == {("one",)}
    assert cached.store.reads[PATH] == 1


def test_while_one_reads_again_what_has_grown_old_the_others_go_on_with_it(cached: Cached) -> None:
    cached.read()
    cached.time.advance(301)
    cached.store.values[PATH] = ("two",)
    entered, go_on = threading.Event(), threading.Event()
    plain = cached.store.versions

    def slow(path: str) -> tuple[str, ...]:
        entered.set()
        assert go_on.wait(5)
        return plain(path)

    cached.store.versions = slow  # type: ignore[method-assign]
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(cached.read)
        assert entered.wait(5)
        assert cached.read() == ("one",)
        go_on.set()
        assert reading.result(5) == ("two",)
    assert cached.read() == ("two",)


def test_one_that_hangs_holds_up_no_other_secret(cached: Cached) -> None:
    entered, go_on = threading.Event(), threading.Event()
    plain = cached.store.versions

    def slow(path: str) -> tuple[str, ...]:
        if path == PATH:
            entered.set()
            assert go_on.wait(5)
        return plain(path)

    cached.store.versions = slow  # type: ignore[method-assign]
    with ThreadPoolExecutor(2) as pool:
        hanging = pool.submit(cached.read, PATH)
        assert entered.wait(5)
        assert pool.submit(cached.read, OTHER).result(5) == ("other",)
        go_on.set()
        assert hanging.result(5) == ("one",)


def test_while_the_vault_is_away_the_last_value_is_used_for_a_bounded_time_and_health_says_so(cached: Cached) -> None:
    cached.read()
    assert cached.secrets.probe(PATH) is None
    cached.store.failure = AWAY
    cached.time.advance(3899)
    assert cached.read() == ("one",)
    assert cached.secrets.probe(PATH) == "1 secrets cannot be read (NetworkFailure); the oldest was read 3899 s ago"
    cached.time.advance(2)
    with pytest.raises(NetworkFailure):
        cached.read()
    with pytest.raises(NetworkFailure):
        cached.secrets.probe(PATH)
    cached.store.failure = None
    cached.time.advance(6)
    assert cached.read() == ("one",)
    assert cached.secrets.probe(PATH) is None


def test_health_looks_again_at_what_failed_although_nobody_asked_for_it(cached: Cached) -> None:
    cached.store.failure = AWAY
    with pytest.raises(NetworkFailure):
        cached.read(OTHER)
    cached.store.failure = None
    cached.time.advance(6)
    assert cached.secrets.probe(PATH) is None


@pytest.mark.parametrize(
    ("failure", "left_alone"),
    [
        (AWAY, 5),
        (RateLimited("key-vault", "429", retry_after=40), 40),
        (RateLimited("key-vault", "429", retry_after=86400), 300),
        (ConfigurationError((FieldProblem("KEY_VAULT_URL", "403"),)), 5),
    ],
    ids=["away", "asks for 40 s", "asks for a day", "lets nobody in"],
)
def test_a_vault_that_fails_is_left_alone_for_a_while(cached: Cached, failure: Exception, left_alone: float) -> None:
    cached.store.failure = failure
    for _ in range(3):
        with pytest.raises(type(failure)):
            cached.read()
    assert cached.store.reads[PATH] == 1
    cached.time.advance(left_alone - 1)
    with pytest.raises(type(failure)):
        cached.read()
    assert cached.store.reads[PATH] == 1
    cached.store.failure = None
    cached.time.advance(2)
    assert cached.read() == ("one",)


def test_a_refused_value_is_read_at_once_but_not_again_and_again(cached: Cached) -> None:
    cached.read()
    cached.time.advance(10)
    for _ in range(3):
        cached.secrets.refresh(PATH)
        cached.read()
    assert cached.store.reads[PATH] == 2


def test_a_refused_value_is_still_used_when_the_vault_is_away(cached: Cached) -> None:
    cached.read()
    cached.time.advance(10)
    cached.store.failure = AWAY
    cached.secrets.refresh(PATH)
    assert cached.read() == ("one",)


def test_that_there_is_none_is_remembered_shortly_and_a_secret_that_was_removed_is_gone(cached: Cached) -> None:
    cached.read()
    cached.store.values.clear()
    cached.time.advance(301)
    assert cached.read() == ()
    cached.store.values[PATH] = ("new",)
    cached.time.advance(29)
    assert cached.read() == ()
    cached.time.advance(2)
    assert cached.read() == ("new",)


def test_the_number_of_entries_is_bounded() -> None:
    cached = Cached(most=2)
    for path in (PATH, OTHER, PATH, "integrations/acme/x/y"):
        cached.read(path)
    cached.read(PATH)
    assert cached.store.reads[PATH] == 1
    cached.read(OTHER)
    assert cached.store.reads[OTHER] == 2


def test_no_value_is_in_any_text(cached: Cached) -> None:
    cached.store.values[PATH] = ("s3cr3t",)
    cached.read()
    assert "s3cr3t" not in f"{cached.secrets!r}{cached.secrets._entries!r}"
