"""What is told by e-mail, to whom (INC-60). An e-mail to many goes out in portions, each a message of its own.

What happened to pay travels as IDs; names, addresses and amounts are looked up when the e-mail is made.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol

from shared.kernel.clock import Clock
from shared.kernel.errors import HubError, StorageUnavailable
from shared.kernel.message import Message, Queues, new_message
from shared.notify.delivery import MailDelivery
from shared.notify.mail_events import MAIL_RULES, Audience

_log = logging.getLogger(__name__)

QUEUE = "notifications"
PORTION = "mail.portion"
_PORTION_SIZE = 50


@dataclass(frozen=True)
class PayFact:
    """A calculation as an e-mail tells it; amounts as decimal text. Without an address nobody is written to."""

    calculation_id: str
    period: str
    gross: str
    net: str
    currency: str
    plan_name: str
    reason: str
    first_name: str = field(repr=False)
    employee_address: str = field(repr=False)
    amount_version: int = 1
    """Counts the calculation's amounts, one after the other."""


@dataclass(frozen=True)
class Submission:
    """What somebody submitted of the calculations that were decided on together; the sum as decimal text."""

    period: str
    count: int
    net: str
    currency: str
    reason: str
    address: str = field(repr=False)


class PayFacts(Protocol):
    """The port to calculations and people."""

    def computed(self, period: str) -> Iterator[str]:
        """Yield the IDs of a period's calculations that were computed here."""
        ...

    def facts(self, ids: Sequence[str]) -> list[PayFact]:
        """Return what there is to tell of calculations; one that is gone is left out."""
        ...

    def submissions(self, period: str, ids: Sequence[str]) -> list[Submission]:
        """Return what each submitter with an address submitted of a period's calculations."""
        ...


@dataclass(frozen=True)
class AddressLists:
    """Who is written to for the hub's own sake."""

    finance: tuple[str, ...] = ()
    admins: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()


class Mailing:
    """Writes the e-mails of an event."""

    def __init__(
        self,
        delivery: MailDelivery,
        lists: AddressLists,
        pay: Callable[[], PayFacts],
        queues: Queues,
        clock: Clock,
    ) -> None:
        """Keep who delivers, who is written to, and where pay is looked up."""
        self._delivery = delivery
        self._lists = lists
        self._pay = pay
        self._queues = queues
        self._clock = clock

    def handle(self, message: Message) -> None:
        """Write the e-mails that a message asks for. Idempotent by event and recipient.

        Everybody is written to before a passing failure is raised.
        """
        match message.type:
            case "calculation.completed":
                self._in_portions(message, self._pay().computed(message.subject))
            case "approval.approved" | "approval.rejected":
                self._in_portions(message, (str(one) for one in _list(message.data["ids"])))
                self._tell_submitters(message)
            case _ if message.type == PORTION:
                self._portion(message)
            case _:
                self._tell_lists(message)

    def _tell_lists(self, message: Message) -> None:
        data = dict(message.data)
        if message.type.startswith("import."):
            self._each(message.id, "import-summary", self._lists.admins, _import_values(data))
        elif message.type == "approval.required":
            names = ("period", "count", "total", "currency")
            values: Mapping[str, object] = {**{name: data[name] for name in names}, "submittedBy": data["by"]}
            self._each(message.id, MAIL_RULES[message.type].template, self._lists.approvers, values)
        elif message.type == "export.completed":
            self._each(message.id, MAIL_RULES[message.type].template, self._lists.finance, _export_values(data))
        else:
            values = _alert_values(message)
            self._each(message.id, MAIL_RULES["system.alert"].template, self._lists.admins, values)

    def _in_portions(self, message: Message, ids: Iterator[str]) -> None:
        """Queue a message for each portion; its ID says which, so that repeats are recognisable."""
        number = 0
        while portion := list(islice(ids, _PORTION_SIZE)):
            number += 1
            part = new_message(
                message_id=f"{message.id}-{number}",
                message_type=PORTION,
                tenant=message.tenant,
                now=self._clock(),
                subject=message.subject,
                correlation_id=message.correlationid,
                data={"event": message.type, "eventId": message.id, "ids": portion},
            )
            self._queues.send(QUEUE, part)

    def _portion(self, message: Message) -> None:
        event = str(message.data["event"])
        template = MAIL_RULES[event].template
        failure: HubError | None = None
        for fact in self._pay().facts([str(one) for one in _list(message.data["ids"])]):
            if not fact.employee_address:
                _log.warning("nobody to write to about calculation %s", fact.calculation_id)
                continue
            # An amount is told once, whichever run computed it again; one that comes back after another is told anew.
            amounts = f"{fact.gross}-{fact.net}" + (f"-{fact.amount_version}" if fact.amount_version > 1 else "")
            about = amounts if event == "calculation.completed" else str(message.data["eventId"])
            event_id = f"{event}-{fact.calculation_id}-{about}"
            failure = self._one(event_id, template, fact.employee_address, _pay_values(fact)) or failure
        if failure:
            raise failure

    def _tell_submitters(self, message: Message) -> None:
        """Tell each submitter of his own, once for everything that was decided on together."""
        rule = MAIL_RULES[message.type]
        if Audience.SUBMITTER not in rule.audiences:
            return
        ids = [str(one) for one in _list(message.data["ids"])]
        failure: HubError | None = None
        for one in self._pay().submissions(message.subject, ids):
            count = "" if one.count == 1 else f" ({one.count} calculations)"
            values = {
                "firstName": f"colleague{count}",
                "period": one.period,
                "net": one.net,
                "currency": one.currency,
                "reason": one.reason,
            }
            failure = self._one(f"{message.id}-submitter", rule.template, one.address, values) or failure
        if failure:
            raise failure

    def _each(self, event_id: str, template: str, recipients: Iterable[str], values: Mapping[str, object]) -> None:
        failures = [self._one(event_id, template, recipient, values) for recipient in recipients]
        for failure in failures:
            if failure:
                raise failure

    def _one(self, event_id: str, template: str, recipient: str, values: Mapping[str, object]) -> HubError | None:
        """Deliver one e-mail; return what may pass, so that the others are written first. StorageUnavailable."""
        try:
            self._delivery.deliver(event_id, template, recipient, values)
        except StorageUnavailable:
            raise  # the others could not be either, and would wait for that one by one
        except HubError as error:
            return error
        return None


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _pay_values(fact: PayFact) -> dict[str, object]:
    return {
        "firstName": fact.first_name,
        "period": fact.period,
        "gross": fact.gross,
        "net": fact.net,
        "currency": fact.currency,
        "planName": fact.plan_name,
        "reason": fact.reason,
    }


def _import_values(data: Mapping[str, Any]) -> dict[str, object]:
    names = ("date", "status", "recordsRead", "staged", "rejected", "held", "runId", "currency")
    more = {
        "amount": data.get("stagedAmount", "0.00"),
        "fileName": data.get("fileName") or "",
        "notice": data.get("notice") or "",
    }
    return {name: data.get(name, "") for name in names} | more


def _export_values(data: Mapping[str, Any]) -> dict[str, object]:
    totals = data["controlTotals"]
    return {
        "period": data["period"],
        "exportId": data["exportId"],
        "payrollBatchId": data["payrollBatchId"] or "none",
        "recordCount": totals["recordCount"],
        "totalAmount": totals["totalAmount"],
        "accepted": data["recordsAccepted"],
        "rejected": data["recordsRejected"],
        "rejectedRecords": data["rejectedRecords"],
        "currency": data["currency"],
        "fileName": data["fileName"],
    }


_TITLES = {
    "dead-letter.created": "A message was given up",
    "export.stopped": "A payroll export has stopped",
    "export.blocked": "A payroll export is not done",
    "export.file-taken": "A payroll file is gone from the SFTP server",
    "export.withheld": "Employees are missing in a payroll export",
    "calculation.outdated": "A period has to be calculated again",
    "calculation.differing": "Calculations differ from the present sales",
    "employee-sync.failed": "The employee sync did not go well",
    "employee-status.unknown": "The HR system gives a status that is not known",
    "provisioning-sync.failed": "The pull of users did not go well",
    "calculations-file.refused": "A file of calculations was refused",
}


def _alert_values(message: Message) -> dict[str, object]:
    data = message.data
    what = data.get("failure") or data.get("reason") or "Look at the details below."
    return {
        "title": _TITLES.get(message.type, message.type),
        "severity": str(data.get("severity") or "high").capitalize(),
        "what": str(what),
        "details": {name: str(value) for name, value in data.items() if isinstance(value, str | int)},
        "time": message.time,
    }
