"""INC-60: who is told of a decision on many calculations."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest

from shared.hub import Hub
from shared.incentives.calculation import Action, Calculation, Kind
from shared.incentives.calculation_id import calculation_id
from shared.kernel.errors import PartnerUnavailable
from shared.kernel.mail import Mail
from shared.kernel.message import Message, new_message
from shared.notify.delivery import MAIL_LOG, MailDelivery
from shared.notify.mailing import AddressLists, Mailing, PayFact, Submission
from shared.wiring.mailing import CalculationFacts
from tests.fakes.blobs import MemoryBlobs
from tests.fakes.queues import MemoryQueues
from tests.fakes.tables import MemoryTables

NOW = datetime(2025, 2, 1, 6, tzinfo=UTC)
PERIOD = "2025-01"


class World:
    """A hub in memory, and who writes its e-mails."""

    def __init__(self) -> None:
        tables, queues = MemoryTables(), MemoryQueues(lambda: NOW)
        self.hub = Hub(
            {"HUB_PAGE_TOKEN_SECRET": "a secret for page tokens"},
            clock=lambda: NOW,
            tables=tables,
            blobs=MemoryBlobs(),
            queues=queues,
        )
        self.sent: list[Mail] = []
        self.broken: str = ""
        delivery = MailDelivery(tables.table(MAIL_LOG), self, "default", lambda: NOW, "noreply@hub.example.com")
        self.mailing = Mailing(delivery, AddressLists(), lambda: CalculationFacts(self.hub), queues, lambda: NOW)

    def send(self, mail: Mail) -> None:
        if mail.recipient == self.broken:
            raise PartnerUnavailable("e-mail", "no connection")
        self.sent.append(mail)

    def approved(self, number: int, submitter: str, *, exported: bool = False) -> str:
        """Store a calculation that somebody submitted and somebody else approved; return its ID. It comes to 1.00."""
        key = calculation_id(PERIOD, f"H{number}", "plan:a")
        one = Calculation(key, f"H{number}", PERIOD, Kind.PLAN, "plan:a", 100, 100, "EUR", submitter_address=submitter)
        one = one.begun(at=NOW, by="Calculation").after(Action.SUBMIT, at=NOW, by=submitter or "a service")
        one = one.after(Action.APPROVE, at=NOW, by="boss", note="well done")
        if exported:
            one = one.after(Action.EXPORT, at=NOW, by="Payroll", note="export-1")
        self.hub.incentives.calculations.change(PERIOD, [key], lambda _key, _standing: one)
        return key

    def told(self) -> dict[str, Mail]:
        """Return the e-mails sent, by recipient; each has one."""
        by_recipient = {mail.recipient: mail for mail in self.sent}
        assert len(by_recipient) == len(self.sent)
        return by_recipient


def decided(ids: list[str]) -> Message:
    return new_message(
        message_id="digest-approval.approved",
        message_type="approval.approved",
        tenant="default",
        now=NOW,
        subject=PERIOD,
        data={"period": PERIOD, "ids": ids, "count": len(ids), "total": "0.00", "currency": "EUR", "by": "boss"},
    )


@pytest.mark.parametrize("many", [3, 30])
def test_each_submitter_is_told_of_his_own_once(many: int) -> None:
    world = World()
    ids = [world.approved(number, "ann@retail.example") for number in range(many)]
    ids += [world.approved(100, "bob@retail.example", exported=True), world.approved(101, "")]
    ids += [world.approved(102, "Ann@Retail.example")]
    world.approved(103, "not.asked@retail.example")
    for _ in range(2):
        world.mailing.handle(decided(ids))
    told = world.told()
    assert sorted(told) == ["ann@retail.example", "bob@retail.example"]
    assert f"({many + 1} calculations)" in told["ann@retail.example"].text
    assert f"{many + 1}.00 EUR" in told["ann@retail.example"].text
    assert "calculations)" not in told["bob@retail.example"].text
    assert "1.00 EUR" in told["bob@retail.example"].text
    assert "well done" in told["bob@retail.example"].text


def test_a_submitter_who_cannot_be_told_now_keeps_no_other_from_being_told() -> None:
    world = World()
    ids = [world.approved(number, f"{name}@retail.example") for number, name in enumerate(("ann", "bob"))]
    world.broken = "ann@retail.example"
    with pytest.raises(PartnerUnavailable):
        world.mailing.handle(decided(ids))
    assert sorted(world.told()) == ["bob@retail.example"]
    world.broken = ""
    world.mailing.handle(decided(ids))
    assert sorted(world.told()) == ["ann@retail.example", "bob@retail.example"]


class OnePay:
    """Implements `PayFacts` with one calculation, whatever it comes to by now."""

    def __init__(self) -> None:
        self.net, self.version = "", 0

    def comes_to(self, net: str) -> None:
        self.net, self.version = net, self.version + 1

    def computed(self, _period: str) -> Iterator[str]:
        return iter(["one"])

    def facts(self, ids: Sequence[str]) -> list[PayFact]:
        assert list(ids) == ["one"]
        amounts = (self.net, self.net, "EUR")
        return [PayFact("one", PERIOD, *amounts, "A plan", "", "Ada", "ada@retail.example", self.version)]

    def submissions(self, _period: str, _ids: Sequence[str]) -> list[Submission]:
        return []


def test_an_amount_that_comes_back_is_told_again_and_the_same_one_once() -> None:
    """1.00, then 2.00, then 1.00 again are three e-mails, however many runs come to each."""
    world, pay = World(), OnePay()
    queues = MemoryQueues(lambda: NOW)
    delivery = MailDelivery(world.hub.tables.table(MAIL_LOG), world, "default", lambda: NOW, "noreply@hub.example.com")
    mailing = Mailing(delivery, AddressLists(), lambda: pay, queues, lambda: NOW)
    for number, net in enumerate(("1.00", "1.00", "2.00", "1.00", "1.00")):
        if net != pay.net:
            pay.comes_to(net)
        kind = "calculation.completed"
        mailing.handle(
            new_message(message_id=f"run-{number}", message_type=kind, tenant="default", now=NOW, subject=PERIOD)
        )
        while portion := queues.receive("notifications"):
            for _ in range(2):
                mailing.handle(portion)
    told = zip(world.sent, ("1.00", "2.00", "1.00"), strict=True)
    assert all(f"{net} EUR" in mail.text for mail, net in told)


@pytest.mark.parametrize("file_name", ["S9_2025-01-15.jsonl", None], ids=["a file", "a pull"])
def test_whoever_is_told_of_imports_learns_of_one_that_newer_data_overtook_and_why(file_name: str | None) -> None:
    """INC-09."""
    world = World()
    delivery = MailDelivery(world.hub.tables.table(MAIL_LOG), world, "default", lambda: NOW, "noreply@hub.example.com")
    lists = AddressLists(admins=("admin@retail.example",))
    mailing = Mailing(delivery, lists, lambda: CalculationFacts(world.hub), MemoryQueues(lambda: NOW), lambda: NOW)
    message = new_message(
        message_id="run-import.superseded",
        message_type="import.superseded",
        tenant="default",
        now=NOW,
        subject="run",
        data={"runId": "run", "date": "2025-01-15", "status": "Superseded", "fileName": file_name},
    )
    for _ in range(2):
        mailing.handle(message)
    mail = world.told()["admin@retail.example"]
    assert "2025-01-15: Superseded" in mail.subject
    for part in (mail.text, mail.html):
        assert " ".join(part.split()).count("nothing of this import counts") == 1
        assert ("S9_2025-01-15.jsonl" in part) == bool(file_name)
        assert "None" not in part
