"""Words of the HR system for a status that the hub does not know: told to operators, once for each word."""

from collections.abc import Iterable
from hashlib import sha256

from shared.kernel.message import send_message
from shared.workforce.context import NOTIFICATION_QUEUE, WorkforceContext
from shared.workforce.employment import Status, status_of
from shared.workforce.person import Person

_LONGEST_SHOWN = 60


def tell_unknown_statuses(context: WorkforceContext, people: Iterable[Person]) -> None:
    """Tell of each unknown word among everything that is known of people. Idempotent by the word."""
    words: dict[str, str] = {}
    for person in people:
        for fact in person.facts.get("status", ()):
            if status_of(fact.value) is Status.UNKNOWN:
                words.setdefault(str(fact.value), person.employee_id)
    for word, employee_id in sorted(words.items()):
        send_message(
            context,
            NOTIFICATION_QUEUE,
            message_id=f"{sha256(word.encode()).hexdigest()[:32]}-employee-status.unknown",
            message_type="employee-status.unknown",
            subject=employee_id,
            data={
                "employeeId": employee_id,
                "reason": (
                    f"the HR system gives the status {word[:_LONGEST_SHOWN]!r}, of employee {employee_id!r} for one, "
                    "which the hub does not know: whoever has it counts as employed and is paid. If it means that "
                    "somebody has left, let HR send Terminated instead"
                ),
            },
        )
