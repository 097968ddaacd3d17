"""Health checks and what they add up to (INC-72, RES-10).

Each check passes, warns or fails. The hub is `unhealthy` when a vital check fails (without storage it can do
nothing), `degraded` when any other check fails or any check warns (a partner is down, a queue is long), else
`healthy`. A degraded hub still takes work: only `unhealthy` is answered with 503.
"""

from collections.abc import Callable, Iterable, Mapping
from contextvars import copy_context
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any

from shared.kernel.adapter import AdapterHealth, Health
from shared.kernel.errors import ConfigurationError, HubError

KEEP = 5.0
"""Seconds for which a finding is good: probing costs nothing, however often it is done."""
KEEP_FAILURE = 15.0
"""Seconds for which a failure is, at most: whoever mends something wants to see that it is mended."""
KEEP_REFUSED = 300.0
"""Seconds for which it is that a partner refuses our credentials: who is asked too often locks the account."""

Probe = Callable[[], str | AdapterHealth | None]
"""Returns None, or why a thing is not quite right, or how it says that it is; raises when it is not there."""


class Verdict(StrEnum):
    """Of one check."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """A named check. `vital`: without it the hub can do nothing. What the probe returns is shown to anybody.

    `keep` is for how many seconds its finding is good, where that is longer than for others: a partner is not to be
    asked again and again. `held_back` says meanwhile, and each time, why it must not be asked at all.
    """

    name: str
    probe: Probe
    vital: bool = False
    keep: float = 0.0
    held_back: Callable[[], str | None] | None = None


@dataclass(frozen=True)
class Finding:
    """What a check found; latency in milliseconds, age in seconds."""

    name: str
    verdict: Verdict
    latency: float
    reason: str = ""
    vital: bool = False
    age: float = 0.0
    refused: bool = False
    """Credentials or settings are wrong: asked again it fails again."""

    def shown(self) -> dict[str, Any]:
        """Return the finding as the API tells it."""
        return {
            "name": self.name,
            "verdict": self.verdict.value,
            "status": _STATUS[self.verdict].value,
            "latencyMs": round(self.latency, 1),
            "ageSeconds": round(self.age),
            "reason": self.reason or None,
        }


class HealthChecks:
    """Runs checks side by side, under one deadline, and not more often than every few seconds. Thread-safe."""

    def __init__(self, checks: Mapping[str, Check], deadline: float, *, keep: float = KEEP) -> None:
        """Keep the checks by name, in the order in which they are told; `deadline` and `keep` in seconds."""
        self._runs = {name: _Run(check, keep) for name, check in checks.items()}
        self._deadline = deadline

    def run(self, names: Iterable[str] | None = None) -> list[Finding]:
        """Return what the named checks find (all of them when None); one that does not answer in time has failed.

        KeyError for a name that no check has.
        """
        wanted = list(self._runs.values()) if names is None else [self._runs[name] for name in names]
        for run in wanted:
            run.begin()
        end = monotonic() + self._deadline
        return [run.finding(end, self._deadline) for run in wanted]


def overall(findings: Iterable[Finding]) -> Health:
    """Return the hub's health by the rule above."""
    found = list(findings)
    if any(item.verdict is Verdict.FAIL and item.vital for item in found):
        return Health.UNHEALTHY
    if any(item.verdict is not Verdict.PASS for item in found):
        return Health.DEGRADED
    return Health.HEALTHY


def examine(check: Check) -> Finding:
    """Run one check. Never raises.

    An error that is not ours is told by its type alone: its text may hold addresses. Settings are told by name.
    """
    begin = monotonic()
    verdict, reason, refused = Verdict.FAIL, "", False
    try:
        found = check.probe()
        if isinstance(found, AdapterHealth):
            return Finding(check.name, _VERDICT[found.status], found.latency, found.reason, check.vital)
        reason = found or ""
        verdict = Verdict.WARN if reason else Verdict.PASS
    except ConfigurationError as error:
        reason, refused = error.message, True
    except HubError as error:
        reason = error.code
    except Exception as error:  # noqa: BLE001 - whatever is wrong is the finding
        reason = type(error).__name__
    return Finding(check.name, verdict, (monotonic() - begin) * 1000, reason, check.vital, refused=refused)


class _Run:
    """A check, its last finding, and its thread where one is at it.

    A check that hangs keeps its one thread and gets no second one: it fails until it answers. The thread is a
    daemon, so it holds up no shutdown.
    """

    def __init__(self, check: Check, keep: float) -> None:
        self._check, self._keep = check, keep
        self._found: tuple[float, Finding] | None = None
        self._asked: tuple[float, Finding] | None = None
        self._answered = Event()
        self._busy = False
        self._lock = Lock()

    def begin(self) -> None:
        """Start the check unless it runs or its finding is fresh."""
        with self._lock:
            fresh = self._found is not None and monotonic() - self._found[0] < self._keep
            if self._busy or fresh:
                return
            self._busy = True
            self._answered.clear()
        # In the context of whoever asks: what the probe logs and calls belongs to that request.
        Thread(target=copy_context().run, args=(self._examine,), name=f"health {self._check.name}", daemon=True).start()

    def finding(self, end: float, deadline: float) -> Finding:
        """Return the finding, waiting for it until `end`."""
        self._answered.wait(max(0.0, end - monotonic()))
        with self._lock:
            if self._busy or self._found is None:
                reason = f"no answer within {deadline:g} s"
                return Finding(self._check.name, Verdict.FAIL, deadline * 1000, reason, self._check.vital)
            found = self._asked if self._asked and self._asked[1] is self._found[1] else self._found
            return replace(found[1], age=monotonic() - found[0])

    def _examine(self) -> None:
        finding = self._held_back() or self._kept() or self._ask()
        with self._lock:
            self._found = (monotonic(), finding)
            self._busy = False
            self._answered.set()

    def _held_back(self) -> Finding | None:
        if self._check.held_back is None:
            return None
        finding = examine(replace(self._check, probe=self._check.held_back))
        return None if finding.verdict is Verdict.PASS else finding

    def _kept(self) -> Finding | None:
        """Return what the probe found the last time, while that is good."""
        if self._asked is None:
            return None
        at, finding = self._asked
        keep = self._check.keep
        if finding.verdict is not Verdict.PASS and keep:
            keep = KEEP_REFUSED if finding.refused else min(keep, KEEP_FAILURE)
        return finding if monotonic() - at < keep else None

    def _ask(self) -> Finding:
        finding = examine(self._check)
        self._asked = (monotonic(), finding)
        return finding


_STATUS = {Verdict.PASS: Health.HEALTHY, Verdict.WARN: Health.DEGRADED, Verdict.FAIL: Health.UNHEALTHY}
_VERDICT = {status: verdict for verdict, status in _STATUS.items()}
