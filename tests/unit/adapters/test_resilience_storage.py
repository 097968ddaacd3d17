"""Breaker, rate limit, leases and idempotency on the real table adapter: same behaviour, counted transactions."""

from collections.abc import Callable

import pytest

from shared.adapters.resilience.circuit_breaker import CircuitBreaker
from shared.adapters.resilience.idempotency import Idempotency
from shared.adapters.resilience.lease import Leases
from shared.adapters.resilience.leased_rows import LeaseLost
from shared.adapters.resilience.policies import policy_of
from shared.adapters.resilience.rate_limit import TokenBucket
from shared.adapters.storage_account import StorageAccount
from shared.adapters.tables import AzureTables
from shared.kernel.errors import Busy, CircuitOpen, ServerFailure
from tests.unit.adapters.manual_time import ManualTime

pytestmark = pytest.mark.azurite
ERP = policy_of("erp")


class Costs:
    """Two instances on one account, for a tenant that nobody else uses."""

    def __init__(self, account: StorageAccount, tenant: str) -> None:
        self.account, self.tenant, self.time = account, tenant, ManualTime()
        self.tables = [AzureTables(account), AzureTables(account)]
        for name in ("CircuitBreakers", "RateLimits", "Locks", "Idempotency"):
            self.tables[0].table(name).put(tenant, "~there", {})

    def of(self, work: Callable[[], object]) -> int:
        before = self.account.transactions.total
        work()
        return self.account.transactions.total - before


@pytest.fixture
def costs(storage_account: StorageAccount, unique: Callable[[str], str]) -> Costs:
    return Costs(storage_account, unique("tenant"))


def test_ten_healthy_calls(costs: Costs) -> None:
    breaker = CircuitBreaker(costs.tables[0], costs.tenant, "erp", ERP.breaker, clock=costs.time.clock)
    assert ERP.bucket
    bucket = TokenBucket(
        costs.tables[0], costs.tenant, "erp", ERP.bucket, clock=costs.time.clock, sleep=costs.time.sleep
    )

    def ten() -> None:
        for _ in range(10):
            breaker.call(bucket.take)
            costs.time.advance(0.5)

    assert costs.of(ten) == 3
    assert costs.of(ten) == 2


def test_a_circuit_opens_for_the_other_instance(costs: Costs) -> None:
    one, two = (
        CircuitBreaker(tables, costs.tenant, "erp", ERP.breaker, clock=costs.time.clock) for tables in costs.tables
    )

    def fail() -> None:
        raise ServerFailure("erp", "down")

    for _ in range(3):
        with pytest.raises(ServerFailure):
            one.call(fail)
    with pytest.raises(CircuitOpen) as caught:
        two.call(fail)
    assert caught.value.retry_after == 120
    costs.time.advance(120.5)
    two.call(lambda: None)
    two.call(lambda: None)
    assert (two.state(), two.metric()) == ("closed", 0)


def test_an_operation_runs_once(costs: Costs) -> None:
    one, two = (
        Idempotency(tables, costs.tenant, clock=costs.time.clock, sleep=costs.time.sleep) for tables in costs.tables
    )
    assert costs.of(lambda: one.run("export", "2025-01", lambda: {"rows": 3}, "p")) == 2
    assert costs.of(lambda: one.run("export", "2025-01", lambda: None, "p")) == 1
    assert two.run("export", "2025-01", lambda: None, "p") == {"rows": 3}


def test_a_lease_is_fenced(costs: Costs) -> None:
    one, two = (Leases(tables, costs.tenant, clock=costs.time.clock) for tables in costs.tables)
    lease = one.acquire("x", 10)
    with pytest.raises(Busy):
        two.acquire("x")
    costs.time.advance(10.001)
    assert two.acquire("x").token == lease.token + 1
    with pytest.raises(LeaseLost):
        one.renew(lease)
