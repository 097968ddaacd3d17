"""INC-72, RES-10: health checks."""

import threading

import pytest

from shared.health.checks import Check, Finding, Health, HealthChecks, Verdict, overall
from shared.hub import Hub
from shared.kernel.errors import ServerFailure


def checks(*given: Check, deadline: float = 5, keep: float = 0) -> HealthChecks:
    return HealthChecks({one.name: one for one in given}, deadline, keep=keep)


def test_a_check_passes_warns_or_fails_with_a_reason_that_gives_nothing_away() -> None:
    def unreachable() -> str | None:
        raise ConnectionError("http://10.0.0.1/?key=secret")

    def refused() -> str | None:
        raise ServerFailure("erp", "503 from https://erp.internal")

    found = checks(
        Check("good", lambda: None),
        Check("slow", lambda: "1,200 messages wait"),
        Check("gone", unreachable),
        Check("erp", refused),
    ).run()
    assert [(one.name, one.verdict.value, one.reason) for one in found] == [
        ("good", "pass", ""),
        ("slow", "warn", "1,200 messages wait"),
        ("gone", "fail", "ConnectionError"),
        ("erp", "fail", "ServerFailure"),
    ]


def test_a_check_that_does_not_answer_has_failed_and_holds_nobody_up() -> None:
    release = threading.Event()

    def hangs() -> str | None:
        release.wait(30)
        return None

    found = checks(Check("hangs", hangs), Check("good", lambda: None), deadline=0.2).run()
    release.set()
    assert [(one.name, one.verdict, one.reason) for one in found] == [
        ("hangs", Verdict.FAIL, "no answer within 0.2 s"),
        ("good", Verdict.PASS, ""),
    ]


def test_checks_run_side_by_side() -> None:
    together = threading.Barrier(3, timeout=10)

    def waits_for_the_others() -> str | None:
        together.wait()
        return None

    found = checks(*(Check(name, waits_for_the_others) for name in "abc")).run()
    assert {one.verdict for one in found} == {Verdict.PASS}


def test_what_was_found_is_kept_for_a_while() -> None:
    calls: list[int] = []
    kept = checks(Check("counted", lambda: calls.append(1)), keep=60)
    kept.run()
    kept.run()
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("findings", "health"),
    [
        ([], Health.HEALTHY),
        ([Finding("a", Verdict.PASS, 1)], Health.HEALTHY),
        ([Finding("a", Verdict.WARN, 1)], Health.DEGRADED),
        ([Finding("a", Verdict.FAIL, 1)], Health.DEGRADED),
        ([Finding("a", Verdict.FAIL, 1, vital=True), Finding("b", Verdict.PASS, 1)], Health.UNHEALTHY),
    ],
)
def test_the_hub_is_as_well_as_what_it_cannot_do_without(findings: list[Finding], health: Health) -> None:
    assert overall(findings) is health


def test_startup_names_each_setting_that_is_missing() -> None:
    problems = {one.field for one in Hub({"ERP_PAGE_SIZE": "many"}).settings.problems()}
    assert {"AzureWebJobsStorage", "ERP_BASE_URL", "ERP_PAGE_SIZE", "AUTH_ISSUER", "HUB_PAGE_TOKEN_SECRET"} <= problems
