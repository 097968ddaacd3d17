"""The receiver of HR webhooks: verify, keep, queue, answer (INC-20, INC-21, INC-25).

Two storage transactions for an event, one for a repeat. What was kept and not queued, because the process died in
between, is queued by `resume`.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shared.kernel.clock import to_iso
from shared.kernel.errors import FieldProblem, InvalidRequest, TooLarge, Unauthenticated
from shared.kernel.message import send_message
from shared.kernel.webhook_signature import is_one_of, is_signed
from shared.workforce.context import HR_QUEUE, WorkforceContext
from shared.workforce.deliveries import Delivery
from shared.workforce.events import EventType, read_envelope, read_statement

_log = logging.getLogger(__name__)

MAX_BODY_BYTES = 1024 * 1024
QUEUED_AGAIN_AFTER = timedelta(minutes=10)
_DELIVERY_ID = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,128}")
"""Printable, without a comma: hosts join repeated headers with one."""


@dataclass(frozen=True)
class Receipt:
    """What the sender is told."""

    status: int
    body: Mapping[str, Any]


def receive(context: WorkforceContext, headers: Mapping[str, str], body: bytes) -> Receipt:
    """Take a delivery in. Idempotent by the delivery ID. `headers` by lower-case name.

    TooLarge, Unauthenticated (nothing of the body was looked at), InvalidRequest names what is wrong.
    """
    if len(body) > MAX_BODY_BYTES:
        raise TooLarge(f"the body has {len(body)} bytes, at most {MAX_BODY_BYTES} are accepted")
    _verify(context, headers, body)
    delivery_id = _delivery_id(headers)
    envelope = read_envelope(body)
    if headers.get("x-event-type", "") != envelope.eventType:
        problem = FieldProblem("X-Event-Type", "must be the eventType of the body")
        raise InvalidRequest("header and body disagree on the event type", (problem,))
    known = envelope.eventType in list(EventType)
    if known:
        read_statement(envelope, context.rules.time_zone)
    now = context.clock()
    delivery = Delivery(delivery_id, envelope.eventId, envelope.eventType, now, body.decode(), review=not known)
    if not context.deliveries.add(delivery):
        return Receipt(200, {"received": True, "duplicate": True})
    answer = {"received": True, "processedAt": to_iso(now), "correlationId": delivery_id}
    if not known:
        _log.warning("HR delivery %s is of an unknown event type: kept for review", delivery_id)
        return Receipt(202, answer | {"review": True})
    _enqueue(context, delivery)
    return Receipt(200, answer)


def resume(context: WorkforceContext) -> int:
    """Queue the deliveries again that were kept long ago and not applied; return how many. Idempotent."""
    now = context.clock()
    number = 0
    for delivery in context.deliveries.overdue(now - QUEUED_AGAIN_AFTER, now):
        _enqueue(context, delivery)
        number += 1
    return number


def _verify(context: WorkforceContext, headers: Mapping[str, str], body: bytes) -> None:
    """Let through what is signed with any secret that holds. One that fits none may be signed with a newer one."""
    secrets = context.webhook_secret.versions()
    if _is_from_hr(secrets, headers, body):
        return
    fresh = context.webhook_secret.fresh_versions()
    if fresh == secrets or not _is_from_hr(fresh, headers, body):
        raise Unauthenticated("the signature or the bearer secret is missing or wrong")


def _is_from_hr(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> bool:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    # Both are always looked at: how long a refusal takes tells nothing of which one was wrong.
    bearer = is_one_of(secrets, token.strip()) and scheme.lower() == "bearer"
    signed = is_signed(secrets, body, headers.get("x-webhook-signature", "").strip())
    return bearer and signed


def _delivery_id(headers: Mapping[str, str]) -> str:
    delivery_id = headers.get("x-delivery-id", "").strip()
    if not _DELIVERY_ID.fullmatch(delivery_id):
        problem = FieldProblem("X-Delivery-Id", "must be given once: 1 to 128 printable characters, no comma")
        raise InvalidRequest("the delivery has no ID", (problem,))
    return delivery_id


def _enqueue(context: WorkforceContext, delivery: Delivery) -> None:
    send_message(
        context,
        HR_QUEUE,
        message_id=f"hr-{delivery.delivery_id}",
        message_type="hr.event",
        subject=delivery.event_id,
        correlation_id=delivery.delivery_id,
        data={"deliveryId": delivery.delivery_id, "event": delivery.body},
    )
