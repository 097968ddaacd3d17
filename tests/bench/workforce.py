"""What people cost: events taken in, and a full sync. Run as a child process by the bench: prints one JSON line."""

import json
import sys
import time
from typing import Any

from shared.hub import Hub
from shared.kernel.webhook_signature import sign
from shared.workforce.apply import handle_hr_message
from shared.workforce.full_sync import start_sync
from shared.workforce.receive import receive
from tests.bench.imports import drain


def delivery(number: int, secret: str) -> tuple[dict[str, str], bytes]:
    """Return headers (lower case) and body of an event as the HR system sends it."""
    content = {
        "eventId": f"bench-{number}",
        "eventType": "employee.updated",
        "timestamp": "2025-01-10T12:00:00Z",
        "data": {
            "employeeId": f"H-{number:05d}",
            "changes": [{"field": "lastName", "oldValue": "Abel", "newValue": "Berg"}],
            "effectiveDate": None,
            "modifiedBy": "hr",
        },
    }
    body = json.dumps(content).encode()
    headers = {
        "authorization": f"Bearer {secret}",
        "x-webhook-signature": sign(secret, body),
        "x-event-type": "employee.updated",
        "x-delivery-id": f"bench-{number}",
    }
    return headers, body


def receiver_cost(hub: Hub, events: int = 50) -> dict[str, float]:
    """Return storage transactions for an accepted event and for a repeat."""
    secret = hub.settings.hr.webhook_secret.value()
    count = hub.storage_account.transactions
    receive(hub.workforce, *delivery(0, secret))  # table and queue are there from now on
    before = count.total
    for number in range(1, events + 1):
        assert receive(hub.workforce, *delivery(number, secret)).status == 200
    accepted, before = count.total - before, count.total
    for number in range(1, events + 1):
        assert receive(hub.workforce, *delivery(number, secret)).body["duplicate"]
    return {"accepted": accepted / events, "duplicate": (count.total - before) / events}


def sync_cost(hub: Hub) -> dict[str, Any]:
    """Do a full sync; return what it counted, seconds and storage transactions (taking messages off not counted)."""
    count = hub.storage_account.transactions
    before, began = count.total, time.perf_counter()
    run_id = start_sync(hub.workforce, "bench")
    drain(hub, "hr-events", lambda message: handle_hr_message(hub.workforce, message))
    run = hub.workforce.sync_runs.get(run_id)
    return {
        "status": run.status.value,
        "people": run.counts.created + run.counts.updated + run.counts.terminated + run.counts.unchanged,
        "unchanged": run.counts.unchanged,
        "seconds": time.perf_counter() - began,
        "transactions": count.total - before - hub.__dict__.pop("polls"),
    }


def main() -> None:
    """Measure; settings come as JSON on standard input."""
    given: dict[str, str] = json.load(sys.stdin)
    hub = Hub(given)
    first = sync_cost(hub)
    results = {"firstSync": first, "syncUnchanged": sync_cost(hub)}
    print(json.dumps({**results, "receiver": receiver_cost(Hub({**given, "HUB_TENANT": "receiver"}))}))


if __name__ == "__main__":
    main()
