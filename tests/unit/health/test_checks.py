"""INC-72, RES-10: checks side by side under one deadline, and what they add up to."""

from collections.abc import Callable
from threading import Barrier, Event
from time import monotonic

import pytest

from shared.health.checks import Check, Finding, HealthChecks, Verdict, overall
from shared.health.storage import probe_queues
from shared.kernel.adapter import AdapterHealth, Health
from shared.kernel.errors import CircuitOpen, ConfigurationError, FieldProblem
from shared.kernel.message import new_message
from tests.fakes.queues import MemoryQueues


def checks_of(checks: list[Check], deadline: float, *, keep: float = 5) -> HealthChecks:
    return HealthChecks({check.name: check for check in checks}, deadline, keep=keep)


PASS, WARN, FAIL = Verdict.PASS, Verdict.WARN, Verdict.FAIL


@pytest.mark.parametrize(
    ("vital", "others", "health"),
    [
        (PASS, [], Health.HEALTHY),
        (PASS, [PASS, PASS], Health.HEALTHY),
        (PASS, [WARN], Health.DEGRADED),
        (PASS, [FAIL], Health.DEGRADED),
        (WARN, [PASS], Health.DEGRADED),
        (FAIL, [PASS], Health.UNHEALTHY),
        (FAIL, [FAIL], Health.UNHEALTHY),
    ],
)
def test_what_the_findings_add_up_to(vital: Verdict, others: list[Verdict], health: Health) -> None:
    findings = [Finding("storage", vital, 1, vital=True), *(Finding("partner", other, 1) for other in others)]
    assert overall(findings) is health


def failing(error: Exception) -> Callable[[], str | None]:
    def probe() -> str | None:
        raise error

    return probe


@pytest.mark.parametrize(
    ("probe", "verdict", "reason"),
    [
        (lambda: None, PASS, None),
        (lambda: "a queue is long", WARN, "a queue is long"),
        (failing(CircuitOpen("erp", 5)), FAIL, "CircuitOpen"),
        (failing(OSError("https://secret@erp.example.com")), FAIL, "OSError"),
        (
            failing(ConfigurationError((FieldProblem("ERP_SCOPE", "is missing"),))),
            FAIL,
            "setting ERP_SCOPE: is missing",
        ),
    ],
    ids=["pass", "warn", "ours", "foreign", "setting"],
)
def test_a_check_passes_warns_or_fails_and_gives_no_address_away(
    probe: Callable[[], str | None], verdict: Verdict, reason: str | None
) -> None:
    (finding,) = checks_of([Check("one", probe)], 5).run()
    shown = finding.shown()
    assert (finding.verdict, shown["reason"]) == (verdict, reason)
    assert shown["latencyMs"] >= 0


def test_checks_run_side_by_side() -> None:
    meeting = Barrier(3)

    def meet() -> None:
        meeting.wait(5)

    checks = checks_of([Check(str(n), meet) for n in range(3)], 5)
    assert [finding.verdict for finding in checks.run()] == [PASS, PASS, PASS]


def test_one_that_hangs_fails_within_the_deadline_without_a_second_thread_and_may_recover() -> None:
    answers, calls = Event(), list[int]()

    def hang() -> str | None:
        calls.append(1)
        answers.wait(20)
        return None

    checks = checks_of([Check("slow", hang), Check("quick", lambda: None)], 0.1, keep=0)
    for _ in range(3):
        begin = monotonic()
        slow, quick = checks.run()
        assert monotonic() - begin < 5
        assert (slow.verdict, slow.reason, quick.verdict) == (FAIL, "no answer within 0.1 s", PASS)
    assert len(calls) == 1
    answers.set()
    end = monotonic() + 5
    while checks.run(["slow"])[0].verdict is FAIL:
        assert monotonic() < end


def test_probing_often_looks_once() -> None:
    calls: list[int] = []
    checks = checks_of([Check("one", lambda: calls.append(1))], 5)
    for _ in range(50):
        checks.run()
        checks.run(["one"])
    assert len(calls) == 1


def test_what_a_partner_answered_is_good_for_longer_and_a_failure_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """INC-72: a partner is asked once a minute, and sooner only to see whether it is back."""
    now, asked, down = [0.0], list[float](), [False]
    monkeypatch.setattr("shared.health.checks.monotonic", lambda: now[0])

    def ask() -> str | None:
        asked.append(now[0])
        if down[0]:
            raise OSError
        return None

    checks = HealthChecks({"hr": Check("hr", ask, keep=60)}, 5)
    found = []
    for now[0] in range(0, 200, 6):
        (finding,) = checks.run()
        found.append((finding.verdict, round(finding.age)))
    assert asked == [0, 60, 120, 180]
    assert found[:11] == [(PASS, age) for age in range(0, 60, 6)] + [(PASS, 0)]
    down[0], now[0] = True, 240.0
    assert checks.run()[0].verdict is FAIL
    down[0], now[0] = False, 254.0
    assert checks.run()[0].verdict is FAIL
    now[0] = 260.0
    assert checks.run()[0].verdict is PASS


def test_a_partner_that_must_not_be_asked_is_not_and_that_is_seen_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now, asked, reason = [0.0], list[float](), list[str | None]([None])
    monkeypatch.setattr("shared.health.checks.monotonic", lambda: now[0])
    check = Check("hr", lambda: asked.append(now[0]), keep=60, held_back=lambda: reason[0])
    checks = HealthChecks({"hr": check}, 5)
    assert checks.run()[0].verdict is PASS
    reason[0], now[0] = "the circuit is open", 10.0
    (finding,) = checks.run()
    assert (finding.verdict, finding.reason, asked) == (WARN, "the circuit is open", [0])
    reason[0], now[0] = None, 20.0
    assert checks.run()[0].verdict is PASS
    assert asked == [0], "what it answered before is still good"


def test_a_partner_that_tells_how_it_is_is_taken_at_its_word() -> None:
    """RES-10: pass, warn and fail are healthy, degraded and unhealthy."""
    for status, verdict in ((Health.HEALTHY, PASS), (Health.DEGRADED, WARN), (Health.UNHEALTHY, FAIL)):
        (finding,) = checks_of([Check("sales", lambda given=status: AdapterHealth(given, 12.3, "why"))], 5).run()  # type: ignore[misc]
        assert (finding.verdict, finding.latency, finding.reason) == (verdict, 12.3, "why")


def test_only_the_named_checks_run() -> None:
    checks = checks_of([Check("storage", lambda: None), Check("erp", failing(AssertionError()))], 5)
    assert [finding.name for finding in checks.run(["storage"])] == ["storage"]


@pytest.mark.parametrize(("waiting", "reason"), [(1000, None), (1001, "imports: 1001 messages wait")])
def test_a_queue_is_long_above_a_thousand(waiting: int, reason: str | None) -> None:
    """INC-73."""
    queues = MemoryQueues()
    message = new_message(message_id="m", message_type="t", tenant="default", now=queues._clock())
    for _ in range(waiting):
        queues.send("imports", message)
    assert probe_queues(queues, ("imports", "others")) == reason
