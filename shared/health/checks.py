"""Health checks and what they add up to."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NoAnswer
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from typing import Any

from shared.kernel.errors import HubError


class Verdict(StrEnum):
    """Of one check."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    FAIL = "fail"


class Health(StrEnum):
    """Of the hub."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True)
class Check:
    """A named check. `vital`: without it the hub can do nothing.

    `probe` returns None, or why the thing is not quite right; it raises when it is not there.
    """

    name: str
    probe: Callable[[], str | None]
    vital: bool = False


@dataclass(frozen=True)
class Finding:
    """What a check found; latency in milliseconds."""

    name: str
    verdict: Verdict
    latency: float
    reason: str = ""
    vital: bool = False

    def shown(self) -> dict[str, Any]:
        """Return the finding as the API tells it."""
        status = {Verdict.PASS: Health.HEALTHY, Verdict.WARN: Health.DEGRADED, Verdict.FAIL: Health.UNHEALTHY}
        return {
            "name": self.name,
            "verdict": self.verdict.value,
            "status": status[self.verdict].value,
            "latencyMs": round(self.latency, 1),
            "reason": self.reason or None,
        }


class HealthChecks:
    """Runs checks, all at once, and keeps what they found for a few seconds: probing must cost nothing."""

    def __init__(self, checks: Mapping[str, Check], deadline: float, *, keep: float = 5.0) -> None:
        """Keep checks by name, and the deadline in seconds."""
        self._checks, self._deadline, self._keep = checks, deadline, keep
        self._found: dict[tuple[str, ...], tuple[float, list[Finding]]] = {}

    def run(self, names: tuple[str, ...] | None = None) -> list[Finding]:
        """Run the named checks (all of them when None); one that does not answer in time has failed."""
        wanted = names if names is not None else tuple(self._checks)
        at, found = self._found.get(wanted, (0.0, []))
        if found and monotonic() - at < self._keep:
            return found
        pool = ThreadPoolExecutor(max(1, len(wanted)), thread_name_prefix="health")
        begin = monotonic()
        futures = {name: pool.submit(_examine, self._checks[name]) for name in wanted}
        findings: list[Finding] = []
        for name, future in futures.items():
            try:
                findings.append(future.result(timeout=max(0.0, begin + self._deadline - monotonic())))
            except NoAnswer:
                text = f"no answer within {self._deadline:g} s"
                late = Finding(name, Verdict.FAIL, self._deadline * 1000, text, self._checks[name].vital)
                findings.append(late)
        pool.shutdown(wait=False)
        self._found[wanted] = (monotonic(), findings)
        return findings


def overall(findings: list[Finding]) -> Health:
    """Return the hub's health: unhealthy without a vital thing, degraded when anything else is not right."""
    if any(item.verdict is Verdict.FAIL and item.vital for item in findings):
        return Health.UNHEALTHY
    if any(item.verdict is not Verdict.PASS for item in findings):
        return Health.DEGRADED
    return Health.HEALTHY


def _examine(check: Check) -> Finding:
    begin = monotonic()
    try:
        reason = check.probe()
    except HubError as error:
        return Finding(check.name, Verdict.FAIL, _milliseconds(begin), error.code, check.vital)
    except Exception as error:  # noqa: BLE001 - whatever is wrong is the finding; its text may hold addresses
        return Finding(check.name, Verdict.FAIL, _milliseconds(begin), type(error).__name__, check.vital)
    verdict = Verdict.WARN if reason else Verdict.PASS
    return Finding(check.name, verdict, _milliseconds(begin), reason or "", check.vital)


def _milliseconds(begin: float) -> float:
    return (monotonic() - begin) * 1000
