"""A run by hand: `POST /admin/functions/<name>` with `{"input": "..."}`."""

import json
from typing import Any

from azure.functions.meta import Datum

from local.host.index import IndexedFunction
from local.host.invoke import Invoker
from local.host.trigger_data import trigger_data

_BY_HAND: dict[str, dict[str, Any]] = {
    "queueTrigger": {"Id": "manual", "DequeueCount": 1, "PopReceipt": ""},
    "serviceBusTrigger": {"MessageId": "manual", "DeliveryCount": 1, "ApplicationProperties": {}, "UserProperties": {}},
}
"""What is said of a message that no queue had."""


def run_by_hand(invoker: Invoker, function: IndexedFunction, text: str) -> None:
    """Start a function with an input, as the real host does: the body of a queue message, the JSON of a timer.

    The real host drops the input of a timer; here it is handed on as `Schedule.Input` (see docs/local-host.md).
    """
    if function.trigger == "timerTrigger":
        schedule: dict[str, object] = {"AdjustForDST": True, **({"Input": text} if text else {})}
        invoker.start(function, timer_datum(past_due=False, schedule=schedule))
    elif values := _BY_HAND.get(function.trigger):
        invoker.start(function, *trigger_data(function, text.encode(), values))


def timer_datum(*, past_due: bool, schedule: dict[str, object] | None = None) -> Datum:
    """Return what a timer function is called with."""
    content = {"IsPastDue": past_due, "Schedule": schedule or {"AdjustForDST": True}, "ScheduleStatus": None}
    return Datum(json.dumps(content), "json")
