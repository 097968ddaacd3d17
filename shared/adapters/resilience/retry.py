"""Retries with exponential back-off, jitter, Retry-After and a budget (RES-04, RES-05, INC-70)."""

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from shared.adapters.resilience.policies import RetryPolicy
from shared.adapters.resilience.retry_budget import RetryBudget
from shared.kernel.errors import CircuitOpen, PartnerUnavailable

if TYPE_CHECKING:
    from tenacity import RetryCallState

Result = TypeVar("Result")
Sleep = Callable[[float], None]
"""Waits for seconds."""
Chance = Callable[[], float]
"""Returns a random number, 0 <= x < 1."""
OnRetry = Callable[[PartnerUnavailable, float], None]
"""Is told before each retry: the error, and the seconds that will be waited."""


class Retry:
    """Calls again after a PartnerUnavailable, and after nothing else: the type decides, never a message.

    CircuitOpen, PartnerRefused and ContractBroken pass through at once. Where our own attempts opened the circuit, what
    went wrong comes out instead: it tells more, and when to come back is known. When the retries or the budget are
    used up, or the partner asks for a longer wait than the policy's `max_retry_after`, the last error goes to the
    caller, whose queued message then waits instead of this thread.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        budget: RetryBudget,
        *,
        sleep: Sleep = time.sleep,
        chance: Chance = random.random,
        on_retry: OnRetry | None = None,
    ) -> None:
        """Keep the policy; one budget is shared by all callers of an adapter in this process."""
        self._policy = policy
        self._budget = budget
        self._sleep = sleep
        self._chance = chance
        self._on_retry = on_retry

    def call(self, attempt: Callable[[], Result]) -> Result:
        """Return the attempt's result. Raises the error of the last attempt."""
        last: list[PartnerUnavailable] = []

        def remembered() -> Result:
            try:
                return attempt()
            except PartnerUnavailable as error:
                last[:] = [error]
                raise

        try:
            return self._persistently(remembered)
        except CircuitOpen as error:
            if not last:
                raise
            last[0].retry_after = error.retry_after
            raise last[0] from None

    def _persistently(self, attempt: Callable[[], Result]) -> Result:
        from tenacity import Retrying, retry_if_exception_type

        self._budget.request()
        return Retrying(
            retry=retry_if_exception_type(PartnerUnavailable),
            wait=self._wait,
            stop=self._stop,
            sleep=self._sleep,
            before_sleep=self._tell,
            reraise=True,
        )(attempt)

    def _wait(self, state: "RetryCallState") -> float:
        delay = self._policy.delay(state.attempt_number, self._chance())
        wish = _error_of(state).retry_after
        if wish is None:
            return delay
        # Never earlier than asked; the spread keeps instances that were told the same instant apart.
        return wish + self._policy.jitter * self._chance() * min(delay, 1.0)

    def _stop(self, state: "RetryCallState") -> bool:
        if state.attempt_number > self._policy.retries:
            return True
        wish = _error_of(state).retry_after
        if wish is not None and wish > self._policy.max_retry_after:
            return True
        return not self._budget.spend()

    def _tell(self, state: "RetryCallState") -> None:
        if self._on_retry:
            self._on_retry(_error_of(state), state.upcoming_sleep)


def _error_of(state: "RetryCallState") -> PartnerUnavailable:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, PartnerUnavailable)
    return error
