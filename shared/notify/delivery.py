"""Send an e-mail once per event and recipient, and keep what became of it (INC-61).

State before effect: the intent is written, then the e-mail is sent, then the outcome is written. A process that is
killed between the last two sends again, so an e-mail arrives at least once, and a second copy has the same message
ID, by which mail programs recognise it. Two deliveries at the same time send one e-mail: the later one waits.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

from shared.kernel.clock import Clock
from shared.kernel.errors import Busy, PartnerRefused
from shared.kernel.fitting import MAX_MESSAGE_ID, fitting
from shared.kernel.keys import join_key
from shared.kernel.mail import Mail, MailProvider, is_address
from shared.kernel.table import Row, RowChanged, RowExists, Table, Value
from shared.notify.templates import render

MAIL_LOG = "MailLog"
"""The table. Partition: tenant and two digits of the event ID's digest (a partition of a month would send again when
a retry falls into the next one); row key: event ID and the digest of the address, which is stored nowhere in clear."""
LEASE = timedelta(minutes=10)
"""So long a function may run (host.json): a delivery that began earlier is dead, and another may take it up."""

Outcome = Literal["Sent", "Failed", "AlreadySent"]

_MAX_REASON = 500
_log = logging.getLogger(__name__)


class MailDelivery:
    """Delivers e-mails of one tenant."""

    def __init__(self, table: Table, provider: MailProvider, tenant: str, clock: Clock, sender: str) -> None:
        """Keep the table `MailLog`, who sends, and the sender's address."""
        self._table = table
        self._provider = provider
        self._tenant = tenant
        self._clock = clock
        self._sender = sender

    def deliver(self, event_id: str, template: str, recipient: str, values: Mapping[str, object]) -> Outcome:
        """Send the e-mail of an event to a recipient, unless that was done, and return what became of it.

        What will never arrive (no address, refused for good) is recorded as Failed and not tried again. Raises what
        may succeed later: PartnerUnavailable, CircuitOpen, Busy; and ConfigurationError, after which the same call
        sends. ValueError when the template's values are not complete.
        """
        address = recipient.strip()
        digest = _digest(address.lower())[:32]
        partition, key = join_key(self._tenant, _digest(event_id)[:2]), _row_key(event_id, digest)
        found = self._table.get(partition, key)
        if found and found.values["state"] == "Sent":
            return "AlreadySent"
        if found and found.values["state"] == "Failed":
            return "Failed"
        rendered = render(template, values)
        message_id = self._message_id(event_id, digest)
        parts = (rendered.subject, rendered.text, rendered.html, message_id)
        mail = Mail(self._sender, address, *parts) if is_address(address) else None
        claim = self._claim(partition, key, found, {"eventId": event_id, "template": template, "messageId": message_id})
        return self._send(claim, mail) if mail else self._failed(claim, "the recipient is no e-mail address")

    def _message_id(self, event_id: str, digest: str) -> str:
        """Return the ID that each attempt has: it follows from tenant, event and recipient."""
        name = join_key(self._tenant) + "|" + _row_key(event_id, digest)
        return f"<{uuid5(NAMESPACE_URL, name)}@{self._sender.rpartition('@')[2]}>"

    def _claim(self, partition: str, key: str, found: Row | None, about: Mapping[str, str]) -> Row:
        """Write the intent. Busy while another delivery may still be sending."""
        now = self._clock()
        busy = f"e-mail {about['template']} of event {about['eventId']}: another delivery is sending it"
        attempts = 0
        if found:
            attempts = int(str(found.values["attempts"]))
            since = found.values["changedAt"]
            if found.values["state"] == "Sending" and isinstance(since, datetime) and now < since + LEASE:
                raise Busy(busy, retry_after=(since + LEASE - now).total_seconds())
        values: dict[str, Value] = {**about, "state": "Sending", "attempts": attempts + 1, "changedAt": now}
        try:
            etag = self._table.replace(found, values) if found else self._table.insert(partition, key, values)
        except (RowExists, RowChanged):
            raise Busy(busy, retry_after=LEASE.total_seconds()) from None
        return Row(partition, key, values, etag)

    def _send(self, claim: Row, mail: Mail) -> Outcome:
        try:
            self._provider.send(mail)
        except PartnerRefused as error:
            return self._failed(claim, error.message)
        except Exception as error:
            # Given free at once: the retry need not wait until the lease has run out.
            self._record(claim, "Waiting", type(error).__name__)
            raise
        # Whatever stands there: an e-mail that is sent is sent.
        self._table.put(claim.partition, claim.key, {**claim.values, "state": "Sent", "changedAt": self._clock()})
        return "Sent"

    def _failed(self, claim: Row, reason: str) -> Outcome:
        self._record(claim, "Failed", reason)
        _log.warning("e-mail %s of event %s failed: %s", claim.values["template"], claim.values["eventId"], reason)
        return "Failed"

    def _record(self, claim: Row, state: str, reason: str) -> None:
        values = {**claim.values, "state": state, "reason": reason[:_MAX_REASON], "changedAt": self._clock()}
        # Changed: another delivery took it up after the lease had run out, and what it finds counts.
        with suppress(RowChanged):
            self._table.replace(claim, values)


def _digest(text: str) -> str:
    return sha256(text.encode(errors="replace")).hexdigest()


def _row_key(event_id: str, digest: str) -> str:
    return join_key(fitting(event_id, MAX_MESSAGE_ID), digest)
