"""Each event tells each recipient once, whatever happens in between (INC-61)."""

import logging
from datetime import timedelta

import pytest

from local.mail_preview import SAMPLES
from shared.kernel.errors import (
    Busy,
    CircuitOpen,
    ConfigurationError,
    FieldProblem,
    PartnerRefused,
    PartnerUnavailable,
)
from shared.kernel.mail import Mail
from shared.kernel.table import Row
from shared.notify.delivery import LEASE, MAIL_LOG, MailDelivery
from tests.fakes.hook import Hook
from tests.fakes.tables import MemoryTables
from tests.unit.adapters.manual_time import ManualTime

EVENT = "0194a6c2-5c1e-7c3a-9f5e-2d7b8a90c111"
TEMPLATE = "calculation-summary"
VALUES = SAMPLES[TEMPLATE]
ZOE = "zoe@example.com"


class Crash(BaseException):
    """The worker died right here; nobody cleans up."""


class Provider:
    """Keeps what it is given; raises first what it is told to."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.sent: list[Mail] = []

    def send(self, mail: Mail) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append(mail)


class CrashBeforeRecord(Hook):
    """Dies before the outcome is written, once."""

    def __init__(self) -> None:
        self.left = 1

    def before(self, operation: str, place: str, item: str) -> None:
        if operation == "put" and self.left:
            self.left -= 1
            raise Crash


class World:
    """A delivery with everything around it."""

    def __init__(self, *errors: BaseException, hook: Hook | None = None) -> None:
        self.time = ManualTime()
        self.provider = Provider(*errors)
        self.table = MemoryTables(hook).table(MAIL_LOG)
        self.delivery = MailDelivery(self.table, self.provider, "acme", self.time.clock, "noreply@hub.example.com")

    def deliver(self, recipient: str = ZOE, event: str = EVENT, template: str = TEMPLATE) -> str:
        return self.delivery.deliver(event, template, recipient, SAMPLES[template])

    def rows(self) -> list[Row]:
        return [row for shard in range(256) for row in self.table.query(f"acme|{shard:02x}")]


def refused() -> PartnerRefused:
    return PartnerRefused("e-mail", "SMTP: the server answered 550 to the recipient", status=550)


def test_an_email_comes_from_noreply_and_says_the_values() -> None:
    world = World()
    assert world.deliver() == "Sent"
    (mail,) = world.provider.sent
    assert (mail.sender, mail.recipient) == ("noreply@hub.example.com", ZOE)
    assert mail.subject == "Your incentive for 2025-01"
    assert "1234.50 EUR" in mail.text
    assert "1234.50 EUR" in mail.html
    assert mail.message_id.endswith("@hub.example.com>")


def test_the_same_event_is_told_once() -> None:
    world = World()
    assert [world.deliver() for _ in range(3)] == ["Sent", "AlreadySent", "AlreadySent"]
    world.time.advance(timedelta(days=40).total_seconds())
    assert world.deliver() == "AlreadySent"
    assert len(world.provider.sent) == 1


def test_who_is_employee_and_submitter_gets_one_however_the_address_is_written() -> None:
    world = World()
    assert [world.deliver(ZOE), world.deliver(" Zoe@Example.COM ")] == ["Sent", "AlreadySent"]


def test_each_recipient_and_each_event_gets_its_own() -> None:
    world = World()
    assert {world.deliver("a@example.com"), world.deliver("b@example.com"), world.deliver(event="other")} == {"Sent"}
    assert len({mail.message_id for mail in world.provider.sent}) == 3


def test_a_lasting_failure_is_recorded_and_not_raised(caplog: pytest.LogCaptureFixture) -> None:
    world = World(refused())
    with caplog.at_level(logging.WARNING):
        assert world.deliver() == "Failed"
    (row,) = world.rows()
    assert row.values["state"] == "Failed"
    assert "550" in str(row.values["reason"])
    assert EVENT in caplog.text
    assert ZOE not in caplog.text
    assert world.deliver() == "Failed"
    assert world.provider.sent == []


@pytest.mark.parametrize("recipient", ["", "nobody", "a@b.com, c@d.com", "zoë@example.com", "a@b.com\nBcc: c@d.com"])
def test_what_is_no_address_is_a_failure_that_nobody_is_asked_about(recipient: str) -> None:
    world = World()
    assert world.deliver(recipient) == "Failed"
    assert world.provider.sent == []
    assert world.rows()[0].values["reason"] == "the recipient is no e-mail address"


@pytest.mark.parametrize(
    "error",
    [
        PartnerUnavailable("e-mail", "503"),
        CircuitOpen("e-mail", 30),
        ConfigurationError((FieldProblem("MAIL_SENDGRID_KEY", "is refused"),)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_passing_failure_is_raised_and_the_next_try_sends(error: Exception) -> None:
    world = World(error)
    with pytest.raises(type(error)):
        world.deliver()
    assert world.rows()[0].values["state"] == "Waiting"
    assert world.deliver() == "Sent"
    assert len(world.provider.sent) == 1
    assert world.rows()[0].values["attempts"] == 2


def test_killed_between_send_and_record_it_is_sent_again_with_the_same_message_id() -> None:
    world = World(hook=CrashBeforeRecord())
    with pytest.raises(Crash):
        world.deliver()
    with pytest.raises(Busy) as busy:
        world.deliver()
    world.time.advance(busy.value.retry_after)
    assert world.deliver() == "Sent"
    first, second = world.provider.sent
    assert first == second
    assert world.deliver() == "AlreadySent"


def test_killed_before_the_provider_answers_it_is_sent_later() -> None:
    world = World(Crash())
    with pytest.raises(Crash):
        world.deliver()
    world.time.advance(LEASE.total_seconds())
    assert world.deliver() == "Sent"


def test_two_at_once_send_one() -> None:
    world = World()
    seen: list[str] = []

    class Second(Hook):
        def before(self, operation: str, place: str, item: str) -> None:
            if operation == "insert" and not seen:
                seen.append("the other one")
                seen.append(world.deliver())

    tables = MemoryTables(Second())
    world.table = tables.table(MAIL_LOG)
    world.delivery = MailDelivery(world.table, world.provider, "acme", world.time.clock, "noreply@hub.example.com")
    with pytest.raises(Busy):
        world.deliver()
    assert seen[1] == "Sent"
    assert world.deliver() == "AlreadySent"
    assert len(world.provider.sent) == 1


def test_while_one_is_sending_another_waits() -> None:
    world = World()
    outcomes: list[str] = []

    class Slow(Provider):
        def send(self, mail: Mail) -> None:
            try:
                outcomes.append(world.deliver())
            except Busy as error:
                outcomes.append(f"busy for {error.retry_after:.0f} s")
            super().send(mail)

    slow = Slow()
    world.delivery = MailDelivery(world.table, slow, "acme", world.time.clock, "noreply@hub.example.com")
    assert world.deliver() == "Sent"
    assert outcomes == [f"busy for {LEASE.total_seconds():.0f} s"]
    assert len(slow.sent) == 1


def test_the_intent_stands_before_anything_is_sent() -> None:
    world = World()

    class Looking(Provider):
        def send(self, mail: Mail) -> None:
            (row,) = world.rows()
            assert (row.values["state"], row.values["messageId"]) == ("Sending", mail.message_id)
            super().send(mail)

    looking = Looking()
    world.delivery = MailDelivery(world.table, looking, "acme", world.time.clock, "noreply@hub.example.com")
    assert world.deliver() == "Sent"


def test_neither_address_nor_content_is_stored() -> None:
    world = World()
    world.deliver()
    stored = repr(world.rows())
    assert len(world.rows()) == 1
    for secret in (ZOE, "zoe", "Zoë", "1234.50"):
        assert secret not in stored


def test_a_value_that_is_missing_leaves_no_trace() -> None:
    world = World()
    with pytest.raises(ValueError, match="'net' is undefined"):
        world.delivery.deliver(EVENT, TEMPLATE, ZOE, {name: VALUES[name] for name in VALUES if name != "net"})
    assert world.rows() == []


def test_tenants_do_not_see_each_other() -> None:
    world = World()
    assert world.deliver() == "Sent"
    other = MailDelivery(world.table, world.provider, "globex", world.time.clock, "noreply@hub.example.com")
    assert other.deliver(EVENT, TEMPLATE, ZOE, VALUES) == "Sent"
    first, second = world.provider.sent
    assert first.message_id != second.message_id
