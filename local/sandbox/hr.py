"""The HR system: people with a history, told by its API (INC-24) and by webhooks (INC-20)."""

import hmac
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from random import Random
from threading import Lock
from typing import Any

import requests

from local.sandbox.generator import Shape, employees_of

Event = dict[str, Any]
HIRED = date(2024, 3, 1)
_STRANGE_NAMES = ('O"Neil', "Müller, geb. Weiß", "=HYPERLINK", "D'Angelo", "+Plus", "Ærø", "-Minus", "@home", "Þór\ns")
_TRIES = 6


class Hr:
    """What the HR system holds, and everything that happened to it."""

    def __init__(self, shape: Shape, month: date = date(2025, 1, 1)) -> None:
        """Make people and their history of a month from the shape's seed."""
        self._lock = Lock()
        self._people = {one["employeeId"]: _hired(number, one) for number, one in enumerate(employees_of(shape), 1)}
        self.events = list(_history(self._people, month))
        self.deliveries: Counter[str] = Counter()
        for event in self.events:
            _happen(self._people, event)

    def everybody(self) -> list[dict[str, Any]]:
        """Return all employees as they are now, by ID."""
        with self._lock:
            return [json.loads(json.dumps(self._people[key])) for key in sorted(self._people)]

    def page(self, page: int, size: int) -> dict[str, Any]:
        """Return a page as the contract says."""
        everybody = self.everybody()
        return {
            "data": everybody[(page - 1) * size : page * size],
            "pagination": {
                "page": page,
                "pageSize": size,
                "totalRecords": len(everybody),
                "totalPages": -(-len(everybody) // size),
            },
            "metadata": {"extractedAt": datetime.now(UTC).isoformat()},
        }

    def change(self, changes: list[dict[str, Any]]) -> int:
        """Change people without telling anybody: `{employeeId, set}`, `{employeeId, delete: true}` or `{add}`."""
        with self._lock:
            for one in changes:
                if "add" in one:
                    self._people[one["add"]["employeeId"]] = {"assignments": [], **one["add"]}
                elif one.get("delete"):
                    self._people.pop(one["employeeId"])
                else:
                    self._people[one["employeeId"]] |= one["set"]
        return len(changes)

    def deliver(self, order: dict[str, Any]) -> dict[str, Any]:
        """Send events to a hub: `{url, secret, shuffle, repeat, events, limit}`; return the answers by status."""
        events: list[Event] = order.get("events") or self.events[: order.get("limit")]
        draw = Random(f"{order.get('seed', 7)}|deliveries")
        # Pairs (delivery ID, event): what comes twice has the same delivery ID.
        sent = [(f"delivery-{event['eventId']}", event) for event in events]
        sent += [one for one in sent if draw.random() < order.get("repeat", 0.0)]
        if order.get("shuffle"):
            draw.shuffle(sent)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda one: _send(order["url"], order["secret"], *one), sent))
        statuses = Counter(str(status) for status, _ in answers)
        with self._lock:
            self.deliveries += statuses
        return {
            "events": len(events),
            "sent": len(sent),
            "byStatus": dict(statuses),
            "duplicates": sum(duplicate for _, duplicate in answers),
        }


def _send(url: str, secret: str, delivery_id: str, event: Event) -> tuple[int, bool]:
    """Deliver one event, again while the hub says that it failed; return the status and whether it was known."""
    body = json.dumps(event, ensure_ascii=False).encode()
    headers = {
        "Authorization": f"Bearer {secret}",
        "X-Webhook-Signature": f"sha256={hmac.new(secret.encode(), body, sha256).hexdigest()}",
        "X-Event-Type": str(event["eventType"]),
        "X-Delivery-Id": delivery_id,
        "Content-Type": "application/json",
    }
    with requests.Session() as session:
        session.trust_env = False
        for _ in range(_TRIES):
            try:
                answer = session.post(url, data=body, headers=headers, timeout=30)
            except requests.RequestException:
                continue
            if answer.status_code < 500:
                return answer.status_code, bool(answer.json().get("duplicate"))
    return 599, False


def _hired(number: int, named: dict[str, str]) -> dict[str, Any]:
    role = "StoreManager" if number % 20 == 0 else "SalesAssociate"
    last_name = _STRANGE_NAMES[number // 20 % len(_STRANGE_NAMES)] if number % 20 == 7 else named["lastName"]
    return {
        **named,
        "employeeNumber": f"{100_000 + number}",
        "lastName": last_name,
        "email": f"employee{number:05d}@retail.example",
        "userId": f"user-{number:05d}",
        "role": role,
        "status": "Active",
        "hireDate": HIRED.isoformat(),
        "terminationDate": None,
        "assignments": [_assignment(named["employeeId"], 1, named["storeId"], role, HIRED)],
    }


def _assignment(employee_id: str, number: int, store: str, role: str, start: date) -> dict[str, Any]:
    name = f"A-{employee_id.removeprefix('H-')}-{number}"
    return {"assignmentId": name, "storeId": store, "role": role, "startDate": start.isoformat(), "endDate": None}


class _Clock:
    """Numbers events and tells when each was made."""

    def __init__(self, begin: date) -> None:
        self.number = 0
        self.at = datetime(begin.year, begin.month, begin.day, 8, tzinfo=UTC)

    def event(self, kind: str, data: dict[str, Any]) -> Event:
        self.number += 1
        self.at += timedelta(minutes=7, microseconds=self.number)
        stamp = self.at.isoformat().replace("+00:00", "Z")
        return {"eventId": f"hr-{self.number:06d}", "eventType": kind, "timestamp": stamp, "data": data}


def _history(people: dict[str, dict[str, Any]], month: date) -> "list[Event]":
    """Return what happens: some are told of from the beginning, then changes in the course of the month."""
    events: list[Event] = []
    clock = _Clock(HIRED)
    for number, (employee_id, person) in enumerate(people.items(), 1):
        if number % 5 == 0:
            about = {name: value for name, value in person.items() if name != "assignments"}
            events.append(clock.event("employee.created", about | {"effectiveDate": None, "modifiedBy": "hr"}))
            place = {"employeeId": employee_id, **person["assignments"][0]}
            events.append(clock.event("assignment.created", place))
    clock.at = datetime(month.year, month.month, 2, 8, tzinfo=UTC)
    for number, (employee_id, person) in enumerate(people.items(), 1):
        events += _changes(clock, number, employee_id, person, month)
    return events


def _changes(clock: _Clock, number: int, employee_id: str, person: dict[str, Any], month: date) -> list[Event]:
    middle = month.replace(day=16)

    def updated(effective: date | None, **fields: Any) -> Event:  # noqa: ANN401 - fields of any kind
        changes = [{"field": name, "oldValue": person[name], "newValue": value} for name, value in fields.items()]
        data = {"employeeId": employee_id, "changes": changes, "modifiedBy": "hr"}
        return clock.event("employee.updated", data | {"effectiveDate": effective.isoformat() if effective else None})

    def moved(store: str, role: str) -> list[Event]:
        first = person["assignments"][0]["assignmentId"]
        end = (middle - timedelta(days=1)).isoformat()
        ended = {"employeeId": employee_id, "assignmentId": first, "endDate": end}
        begun = {"employeeId": employee_id, **_assignment(employee_id, 2, store, role, middle)}
        return [clock.event("assignment.ended", ended), clock.event("assignment.created", begun)]

    other_store = "S002" if person["storeId"] == "S001" else "S001"
    match number % 50:
        case 11 | 31:
            maiden = [updated(None, lastName="Zwischenname"), updated(None, lastName=f"{person['lastName']}-Neu")]
            return [*maiden, updated(date(2099, 1, 1), email="later@retail.example")]
        case 22:
            return [updated(middle, storeId=other_store), *moved(other_store, person["role"])]
        case 33:
            return [updated(middle, role="StoreManager"), *moved(person["storeId"], "StoreManager")]
        case 44:
            data = {"employeeId": employee_id, "terminationDate": month.replace(day=21).isoformat()}
            return [clock.event("employee.terminated", data | {"reason": "left", "modifiedBy": "hr"})]
        case _:
            return []


def _happen(people: dict[str, dict[str, Any]], event: Event) -> None:
    """Let an event of the history happen to the HR system itself, unless it lies in the future."""
    data = event["data"]
    person = people[data["employeeId"]]
    places = {one["assignmentId"]: one for one in person["assignments"]}
    match event["eventType"]:
        case "employee.updated":
            effective = data["effectiveDate"]
            if effective is None or date.fromisoformat(effective) <= datetime.now(UTC).date():
                person |= {change["field"]: change["newValue"] for change in data["changes"]}
        case "employee.terminated":
            person |= {"status": "Terminated", "terminationDate": data["terminationDate"]}
        case "assignment.ended":
            places[data["assignmentId"]]["endDate"] = data["endDate"]
        case "assignment.created" if data["assignmentId"] not in places:
            person["assignments"].append({name: value for name, value in data.items() if name != "employeeId"})
