"""RES-12: the whole story, partners that misbehave included; no secret and nobody's name in any log, span or metric."""

import json
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests

from local.demo.__main__ import IMPATIENT, SETTINGS
from local.demo.story import NEWCOMERS, Story
from local.processes import Stack
from shared.adapters.settings.secret_settings import SECRETS
from tests.waiting import until

WATCHED = {"TELEMETRY_EXPORTER": "console", "LOCAL_HOST_LOG_FORMAT": "json", "HUB_MESSAGE_RETRY_DELAYS": "0.5,1,3"}


@dataclass(frozen=True)
class Told:
    """What the hub told of itself, and what it must not tell."""

    output: str
    secrets: set[str]
    names: set[str]
    addresses: set[str]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return every JSON object of the output."""
        found = [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]
        assert all(isinstance(one, dict) for one in found)
        return found


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    logs: Path = tmp_path_factory.mktemp("logs")
    options = ("--records", "45", "--employees", "60", "--sprinkle")
    with Stack(settings=SETTINGS | IMPATIENT | WATCHED, sandbox_options=options, logs=logs) as stack:
        story = Story(stack, date(2025, 1, 1), faults=True, tell=lambda _chapter: None)
        story.play()
        _misbehave(story, stack)
        people = story.admin.ask_sandbox("GET", "/hr/ledger")["employees"]
        tokens = story.admin.ask_sandbox("GET", "/identity/tokens")
        mails = story.admin.ask_sandbox("GET", "/mailbox")
        secrets = _secrets(stack._environment()) | set(tokens)
    names = {one["lastName"] for one in people} | {f"{one['firstName']} {one['lastName']}" for one in people}
    names -= {employee_id for employee_id, _ in NEWCOMERS}
    addresses = {one["email"] for one in people} | {mail["to"] for mail in mails}
    return Told((logs / "host.log").read_text(), secrets, names, addresses)


def _misbehave(story: Story, stack: Stack) -> None:
    """Let callers and data be wrong in ways that the hub has something to say about."""
    url = f"{stack.host_url}/api/v1/webhooks/hr"
    requests.post(url, data=b'{"firstName": "Erika"}', headers={"X-Signature": "wrong"}, timeout=10)
    requests.get(f"{story.admin.base}/admin/imports", headers={"Authorization": "Bearer not.a.token"}, timeout=10)
    story.admin.status("POST", "/admin/imports", json={"date": "not a date"})
    _provision(stack)
    _pull(story)
    story.admin.ask_sandbox("DELETE", "/faults")
    # Twice: the first may meet a token that a fault before it has revoked.
    refusal = {"route": "erp.sales", "kind": "status", "status": 400, "times": 2}
    story.admin.ask_sandbox("POST", "/faults", json=[refusal])
    run = story.admin.wait_for(story.admin.start_import("2025-02-03"))
    assert run["status"] == "Failed"


def _pull(story: Story) -> None:
    """Pull the users from Microsoft Graph, one of them unfit (INC-33)."""
    unfit = {"userPrincipalName": "trillian@heartofgold.example", "mail": ["trillian@heartofgold.example"]}
    story.admin.ask_sandbox("POST", "/graph/users", json=[{"add": unfit}])
    run_id = story.admin.call("POST", "/admin/provisioning/syncs")["runId"]
    run = until(lambda: (one := story.admin.call("GET", f"/admin/provisioning/syncs/{run_id}"))["finishedAt"] and one)
    assert (run["status"], run["refused"]) == ("PartialSuccess", 1)


def _provision(stack: Stack) -> None:
    """Provision somebody, twice, and ask for him in a way that is not understood (INC-33)."""
    url, user = f"{stack.host_url}/api/v1/scim/v2/Users", {"userName": "zaphod@heartofgold.example"}
    headers = {"Authorization": f"Bearer {stack._environment()['SCIM_TOKEN']}"}
    answers = [requests.post(url, json=user, headers=headers, timeout=10) for _ in range(2)]
    wrong = {"filter": f'userName like "{user["userName"]}"'}
    answers.append(requests.get(url, params=wrong, headers=headers, timeout=10))
    assert [answer.status_code for answer in answers] == [201, 409, 400]


def _secrets(environment: dict[str, str]) -> set[str]:
    """Return every secret that the hub was given."""
    found = {one for name, kind in SECRETS.items() for one in kind.split(environment.get(name, "")) if one}
    connection = environment["AzureWebJobsStorage"]
    account_key = re.search(r"AccountKey=([^;]+)", connection)
    assert account_key
    return found | {connection, account_key[1]}


def _found(told: Told, wanted: set[str]) -> list[str]:
    """Return which of these the output holds, as they are and as JSON writes them."""
    spellings = {text: {text, json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]} for text in wanted}
    return [
        text
        for text, written in spellings.items()
        if any(re.search(rf"(?<!\w){re.escape(one)}(?!\w)", told.output) for one in written)
    ]


def test_what_is_searched_for_is_there_to_be_found(told: Told) -> None:
    assert {"erp-secret", "hr-secret", "payroll-secret", "sftp-password", "local-hr-webhook-secret"} <= told.secrets
    assert sum(secret.count(".") == 2 for secret in told.secrets) > 3, "tokens"
    assert len(told.names) > 30
    assert len(told.addresses) > 60
    broken = Told(json.dumps({"message": f"mail to {min(told.addresses)}"}), told.secrets, told.names, told.addresses)
    assert _found(broken, told.addresses) == [min(told.addresses)]


def test_no_secret_is_told(told: Told) -> None:
    assert _found(told, told.secrets) == []


def test_nobody_is_named(told: Told) -> None:
    assert _found(told, told.names) == []
    assert _found(told, told.addresses) == []
    assert re.findall(r"[\w.]+@[\w.]+\.example", told.output) == []


def test_the_output_is_all_that_there_is_to_see(told: Told) -> None:
    """The search means something: every kind of log, span and metric is in what was searched."""
    lines = told.lines
    spans = {line["name"] for line in lines if "context" in line}
    assert {"integration.execute", "process import-slices", "process hr-events", "process payroll-exports"} <= spans
    adapters = {
        line["attributes"]["integration.adapter_id"] for line in lines if line.get("name") == "integration.execute"
    }
    assert {"erp", "hr", "payroll", "payroll-sftp", "e-mail", "graph"} <= adapters
    metrics = {
        metric["name"]
        for line in lines
        for resource in line.get("resource_metrics", ())
        for scope in resource["scope_metrics"]
        for metric in scope["metrics"]
    }
    assert {"integration_requests_total", "integration.latency", "integration_errors_total"} <= metrics
    levels = {line["level"] for line in lines if "level" in line}
    assert {"INFO", "WARNING", "ERROR"} <= levels


def test_every_log_line_of_a_message_has_its_correlation_and_trace_id(told: Told) -> None:
    about_messages = [line for line in told.lines if line.get("messageId") or line.get("deadLetterId")]
    assert about_messages
    assert all(line["correlationId"] and line["traceId"] and line["spanId"] for line in about_messages)


def test_one_trace_goes_from_the_request_over_the_queue_to_the_partner(told: Told) -> None:
    spans = [line for line in told.lines if "context" in line]
    by_trace: dict[str, set[str]] = {}
    for span in spans:
        by_trace.setdefault(span["context"]["trace_id"], set()).add(span["name"])
    wanted = {"request StartImport", "process import-slices", "integration.execute"}
    assert sum(wanted <= names for names in by_trace.values()) >= 31
