"""Telling what was decided on calculations: at once, or later where somebody died before he could (INC-60)."""

import json
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any

from shared.incentives.calculation import Action, Calculation
from shared.incentives.context import NOTIFICATION_QUEUE, IncentiveContext
from shared.incentives.untold_decisions import Decision
from shared.kernel.message import send_message
from shared.kernel.money import amount_text

TOLD_AFTER = timedelta(minutes=15)

_EVENTS = {
    Action.SUBMIT: "approval.required",
    Action.APPROVE: "approval.approved",
    Action.REJECT: "approval.rejected",
}


def tell_decision(
    context: IncentiveContext, period: str, decision: Decision, decided: Mapping[str, Calculation]
) -> None:
    """Send one message for all of a period: who tells it on looks the calculations up, and knows repeats by its ID."""
    data: dict[str, Any] = {
        "period": period,
        "ids": sorted(decided),
        "count": len(decided),
        "total": amount_text(sum(one.net_minor for one in decided.values())),
        "currency": next(iter(decided.values())).currency,
        "by": decision.by,
    }
    about = [[key, len(decided[key].history)] for key in sorted(decided)]
    digest = sha256(json.dumps([decision.action.value, about]).encode()).hexdigest()[:32]
    send_message(
        context,
        NOTIFICATION_QUEUE,
        message_id=f"{digest}-{_EVENTS[decision.action]}",
        message_type=_EVENTS[decision.action],
        subject=period,
        correlation_id=digest,
        data=data,
    )


def tell_what_was_decided(context: IncentiveContext) -> int:
    """Tell of decisions that were stored long ago and not told; return how many. Idempotent by what was decided."""
    told = 0
    for untold in context.untold.before(context.clock() - TOLD_AFTER):
        decided = {}
        for calculation in context.calculations.of_period(untold.period):
            if calculation.calculation_id in untold.ids and (then := untold.as_it_was_made(calculation)):
                decided[calculation.calculation_id] = then
        if decided:
            tell_decision(context, untold.period, untold.decision, decided)
            told += 1
        context.untold.settle(untold.key)
    return told
