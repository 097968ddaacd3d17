"""Words of the HR system for a status that the hub does not know: told to operators whenever HR states one anew."""

import json
from collections.abc import Iterable
from hashlib import sha256

from shared.kernel.message import send_message
from shared.workforce.context import NOTIFICATION_QUEUE, WorkforceContext
from shared.workforce.employment import Status, status_of
from shared.workforce.person import Person

_LONGEST_SHOWN = 60


def tell_unknown_statuses(context: WorkforceContext, people: Iterable[Person]) -> None:
    """Tell of each unknown word among everything that is known of people.

    Idempotent by the word and its statement: an event, or the full syncs of a day. A word that comes back after a while
    is told again.
    """
    words: dict[tuple[str, str, str], str] = {}
    for person in people:
        for fact in person.facts.get("status", ()):
            if status_of(fact.value) is Status.UNKNOWN:
                statement = (str(fact.value), fact.source, fact.stated.date().isoformat())
                words.setdefault(statement, person.employee_id)
    for statement, employee_id in sorted(words.items()):
        word = statement[0]
        send_message(
            context,
            NOTIFICATION_QUEUE,
            message_id=f"{sha256(json.dumps(statement).encode()).hexdigest()[:32]}-employee-status.unknown",
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
