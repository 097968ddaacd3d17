"""Messages by Service Bus, on its test double."""

from collections.abc import Iterator

from tests.bench.figure import Figure, child
from tests.bench.sections.loading import import_time


def figures() -> Iterator[Figure]:
    """Yield what a message costs, against a bare loop of the SDK, and what choosing Service Bus costs at a cold start."""
    rates = child("tests.bench.messaging", {})
    ours, bare = (1000 / rates[name] for name in ("ours", "bare"))
    yield Figure("message by Service Bus, send to completion, milliseconds", ours, "ratio <= 1.5", bare)
    yield Figure("messages by Service Bus a second", rates["ours"], "")
    yield Figure("import function_app with Service Bus, milliseconds", import_time(HUB_QUEUES="servicebus"), "<= 350")
