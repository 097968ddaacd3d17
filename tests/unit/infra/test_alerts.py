"""INC-73: every alert is there, as severe as the specification says, and watches for what the code really says."""

import ast
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from croniter import croniter

from shared.adapters.logs import JsonLines
from shared.adapters.telemetry.metrics import METRICS as METRICS_OF_THE_HUB
from shared.payroll.schedule import LATE_AFTER
from tests.unit.functions.indexed import triggers
from tests.unit.infra.templates import INFRA, ROOT, resources, syntax_trees, template, variable

LOGS = "modules/log-alerts.bicep"
METRICS = "modules/metric-alerts.bicep"

SEVERITY = {
    "erp-import-failed": "high",
    "payroll-export-late": "critical",
    "hr-webhook-failures": "medium",
    "dead-letters": "high",
}
"""INC-73, RES-06."""
THRESHOLDS = {
    "integration-latency": "Seconds > 5",
    "integration-error-rate": "Failed / Calls > 0.05",
    "integration-queue-depth": "Depth > 1000",
    "integration-circuit-open": "Open > 0",
    "hr-webhook-failures": "Failures > 10",
    "function-app-server-errors": "Failures > 10",
}
ALERTED_METRICS = {
    "integration.latency",
    "integration.error_rate",
    "integration.queue_depth",
    "integration.circuit_open",
    "integration.heartbeat_age",
}
"""INC-73, and the timers."""


def log_alerts() -> dict[str, dict[str, Any]]:
    return {alert["name"]: alert for alert in variable("alerts", LOGS)}


def query(name: str) -> str:
    return (INFRA / "queries" / f"{name}.kql").read_text()


def alert_lines() -> Iterator[tuple[dict[str, str], set[str]]]:
    """Yield what log lines say besides their text, `extra={"event": ..., ...}`: the literals, and every field."""
    for tree in syntax_trees("shared", "functions"):
        for node in ast.walk(tree):
            if isinstance(node, ast.Dict):
                fields = {key.value for key in node.keys if isinstance(key, ast.Constant)}
                literals = {
                    str(key.value): str(value.value)
                    for key, value in zip(node.keys, node.values, strict=True)
                    if isinstance(key, ast.Constant) and isinstance(value, ast.Constant)
                }
                if "alert" in fields or "event" in literals:
                    yield literals, {str(field) for field in fields}


def logged_events() -> dict[str, str]:
    """Return the events that log lines name, and how loudly."""
    found = {}
    for literals, fields in alert_lines():
        # Of timers the metric is watched: one that stands still may take the line that would say so with it.
        assert "event" in literals or "timer" in fields, fields
        if "event" in literals:
            found[literals["event"]] = literals.get("alert", "")
    return found


def longest_gap(schedule: str) -> timedelta:
    """Return the longest time between two ticks of a six-field schedule."""
    ticks = croniter(schedule, datetime(2025, 1, 1, tzinfo=UTC), second_at_beginning=True)
    times = [ticks.get_next(datetime) for _ in range(400)]
    gap: timedelta = max(later - earlier for earlier, later in pairwise(times))
    return gap


def minutes(duration: str) -> int:
    """Return an ISO 8601 duration such as PT15M, PT2H or P2D in minutes."""
    found = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?)?", duration)
    assert found
    days, hours, rest = (int(part or 0) for part in found.groups())
    return (days * 24 + hours) * 60 + rest


@pytest.mark.parametrize(("name", "severity"), SEVERITY.items())
def test_an_alert_is_as_severe_as_the_specification_says(name: str, severity: str) -> None:
    assert log_alerts()[name]["severity"] == severity


def test_critical_is_the_severest() -> None:
    assert variable("severities", LOGS) == variable("severities", METRICS) == {"critical": 0, "high": 1, "medium": 2}


@pytest.mark.parametrize(("name", "condition"), THRESHOLDS.items())
def test_an_alert_has_the_threshold_of_the_specification(name: str, condition: str) -> None:
    assert condition in query(name)


@pytest.mark.parametrize("module", [LOGS, METRICS])
def test_every_alert_tells_the_action_group(module: str) -> None:
    (rule,) = [
        one["config"]["config"]["properties"]
        for one in template(module)["resources"].values()
        if one["type"].startswith("Microsoft.Insights/")
    ]
    actions = rule["actions"]
    assert actions in ({"actionGroups": ["actionGroupId"]}, [{"actionGroupId": "actionGroupId"}])
    assert rule["enabled"] in ("enabled", True)  # when each is there: test_parameters.py
    assert "alert" in str(rule["severity"])


def test_the_receivers_are_parameters() -> None:
    (group,) = resources("Microsoft.Insights/actionGroups")
    given = group["properties"]
    assert given["emailReceivers"]["loop_type"]["detail"]["array_name"] == "emailAddresses"
    assert given["webhookReceivers"]["loop_type"]["detail"]["array_name"] == "webhookUrls"


def test_each_query_belongs_to_one_alert() -> None:
    files = {path.stem for path in (INFRA / "queries").glob("*.kql")}
    assert files == log_alerts().keys()
    for name, alert in log_alerts().items():
        assert alert["query"]["function"]["parameters"]["file_path"] == f"../queries/{name}.kql"


@pytest.mark.parametrize("name", sorted(path.stem for path in (INFRA / "queries").glob("*.kql")))
def test_a_query_says_what_each_row_is_about(name: str) -> None:
    """One alert for each subject: without the column, the rule could not be made."""
    assert "Subject = " in query(name)
    assert set(re.findall(r"^(\w+)$", query(name), re.M)) <= {"AppMetrics", "AppRequests", "AppTraces", "limits"}


def test_a_query_looks_back_further_than_it_is_asked() -> None:
    """A line can come in minutes late: between two windows none may fall through."""
    for name, alert in log_alerts().items():
        assert minutes(alert["window"]) >= 2 * minutes(alert["every"]), name
        assert minutes(alert["window"]) <= 2880, name


def test_queries_ask_for_metrics_that_there_are() -> None:
    asked = {
        name
        for path in (INFRA / "queries").glob("*.kql")
        for name in re.findall(r'Name == "([^"]+)"', path.read_text())
    }
    assert asked == ALERTED_METRICS
    assert asked <= METRICS_OF_THE_HUB.keys()


def test_every_event_that_a_log_line_names_has_its_alert_and_the_reverse() -> None:
    watched = {}
    for name, alert in log_alerts().items():
        for event in re.findall(r'tostring\(Line\.event\) == "([^"]+)"', query(name)):
            watched[event] = alert["severity"]
    logged = logged_events()
    assert watched.keys() == logged.keys()
    assert {event: loud for event, loud in logged.items() if loud} == {
        event: severity for event, severity in watched.items() if logged[event]
    }


def test_a_query_reads_fields_that_the_line_has() -> None:
    fields = {literals["event"]: given for literals, given in alert_lines() if "event" in literals}
    for name in log_alerts():
        asked = set(re.findall(r"Line\.(\w+)", query(name)))
        for event in re.findall(r'tostring\(Line\.event\) == "([^"]+)"', query(name)):
            assert asked - {"message"} <= fields[event], name


def test_a_line_reaches_the_query_as_one_json_object() -> None:
    record = logging.makeLogRecord({"msg": "import %s failed", "args": ("r-1",), "event": "import.failed"})
    line = json.loads(JsonLines().format(record))
    assert (line["event"], line["message"]) == ("import.failed", "import r-1 failed")


def test_a_timer_is_missed_after_its_longest_gap_and_not_before() -> None:
    limits = {
        name: float(limit)
        for name, limit in re.findall(r'^    "(\w+)", (\d+\.0),?$', query("timer-heartbeat-missing"), re.M)
    }
    schedules = {name: str(trigger["schedule"]) for name, trigger in triggers("timerTrigger").items()}
    assert limits.keys() == schedules.keys()
    for name, schedule in schedules.items():
        gap = longest_gap(schedule).total_seconds()
        assert gap < limits[name], name
        assert limits[name] <= max(gap * 5, gap + 3600), name
        assert limits[name] < minutes(log_alerts()["timer-heartbeat-missing"]["window"]) * 60


def test_a_late_export_is_told_more_often_than_the_alert_looks_back() -> None:
    """The timer says it again each time: the alert must not end in between."""
    gap = longest_gap(str(triggers("timerTrigger")["ExportPayroll"]["schedule"]))
    assert gap < timedelta(minutes=minutes(log_alerts()["payroll-export-late"]["window"]))
    assert timedelta(hours=25) == LATE_AFTER


def test_azure_s_own_metrics_are_watched_too() -> None:
    """They fire even when the hub says nothing any more."""
    watched = {(alert["namespace"], alert["metric"]) for alert in variable("alerts", METRICS)}
    assert watched == {
        ("Microsoft.ServiceBus/namespaces", "DeadletteredMessages"),
        ("Microsoft.ServiceBus/namespaces", "ActiveMessages"),
        ("Microsoft.Storage/storageAccounts", "Availability"),
        ("Microsoft.Storage/storageAccounts", "Transactions"),
        ("Microsoft.KeyVault/vaults", "Availability"),
        ("Microsoft.EventGrid/systemTopics", "DeadLetteredCount"),
        ("Microsoft.EventGrid/systemTopics", "DroppedEventCount"),
    }
    for alert in variable("alerts", METRICS):
        if alert["namespace"] == "Microsoft.ServiceBus/namespaces":
            assert [one["name"] for one in alert["dimensions"]] == ["EntityName"]  # for each queue by itself


def test_a_rule_on_a_metric_is_made_also_where_the_metric_is_not_there_yet() -> None:
    """A resource that has done nothing has no metrics, and one rule that is refused fails the whole deployment."""
    (rule,) = template(METRICS)["resources"].values()
    (criterion,) = rule["config"]["config"]["properties"]["criteria"]["allOf"]
    assert criterion["skipMetricValidation"] is True


def test_answers_with_5xx_are_counted_from_the_log() -> None:
    """Flex Consumption lists no metric of that name."""
    assert "toint(ResultCode) between (500 .. 599)" in query("function-app-server-errors")
    assert "Microsoft.Web/sites" not in {alert["namespace"] for alert in variable("alerts", METRICS)}


def test_no_log_line_that_alerts_watch_for_is_sampled_away() -> None:
    sampling = json.loads((ROOT / "host.json").read_text())["logging"]["applicationInsights"]["samplingSettings"]
    assert {"Exception", "Request", "Trace"} <= set(sampling["excludedTypes"].split(";"))


def test_somebody_who_gets_an_alert_finds_what_to_do() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "docs" / "alerts.md").read_text(), re.MULTILINE)
    assert sorted(rows) == sorted([*log_alerts(), *(alert["name"] for alert in variable("alerts", METRICS))])
