"""UUIDv7 from the package: valid, in order, different in every thread."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from shared.adapters.identifiers import new_uuid7
from shared.kernel.clock import utc_now
from shared.kernel.identifiers import newest_first, time_of


def test_identifiers_of_one_thread_ascend() -> None:
    made = [new_uuid7() for _ in range(5000)]
    assert made == sorted(set(made))
    assert abs(utc_now() - time_of(made[-1])) < timedelta(minutes=1)
    assert newest_first(made[0]).endswith(made[0])


def test_threads_never_share_an_identifier() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_uuid7(), range(5000)))
    assert len(set(made)) == 5000
