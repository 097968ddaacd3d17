"""What HR tells late of days gone by: periods that are calculated already are calculated again (INC-23, INC-40)."""

import logging
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.incentives.calculate_period import start_calculation
from shared.kernel.clock import business_day
from shared.kernel.message import send_message
from shared.kernel.pay_period import PayPeriod, period_of
from shared.wiring.staff import staff_from
from shared.workforce.context import NOTIFICATION_QUEUE
from shared.workforce.person import Person

if TYPE_CHECKING:
    from shared.hub import Hub

_log = logging.getLogger(__name__)

BY = "Workforce"
_LOOKED_BACK = 26
"""Periods, as the export's timer does. What lies further back is not paid by the hub any more."""
_PAYS = frozenset({"role", "storeId", "status", "hireDate", "terminationDate"})
_GAP = 6
"""Periods one after another without calculations, before which there are none: each look costs."""


def calculate_past_periods_again(hub: "Hub", people: Iterable[tuple[Person, Person]]) -> list[str]:
    """Let the past periods be calculated again that pay somebody by other days than before; return them. Idempotent.

    `people`: before and after. Only periods that have calculations; where imports do not trigger calculations
    (IMPORT_TRIGGERS_CALCULATION), operators are told that the period has to be calculated again.
    """
    now, zone = hub.clock(), hub.settings.imports.time_zone
    left, concerned, without = list(_past_periods(hub)), [], 0
    for before, after in people:
        if _what_pays(before) == _what_pays(after):
            continue
        for period in list(left):
            if staff_from(before, period, now, zone).assignments == staff_from(after, period, now, zone).assignments:
                continue
            left.remove(period)
            if _is_calculated(hub, period):
                concerned.append(period.name)
                without = 0
            elif (without := without + 1) == _GAP:
                left.clear()
                break
        if not left:
            break
    for name in sorted(concerned):
        _again(hub, name)
    return concerned


def _what_pays(person: Person) -> object:
    return person.assignments, {name: facts for name, facts in person.facts.items() if name in _PAYS}


def _is_calculated(hub: "Hub", period: PayPeriod) -> bool:
    return next(hub.incentives.calculations.of_period(period.name), None) is not None


def _past_periods(hub: "Hub") -> Iterator[PayPeriod]:
    """Yield the periods that are over, the latest first."""
    given = hub.settings.imports
    day = business_day(hub.clock(), given.time_zone)
    for _ in range(_LOOKED_BACK):
        day = period_of(day, given.pay_calendar).first_day - timedelta(days=1)
        yield period_of(day, given.pay_calendar)


def _again(hub: "Hub", period: str) -> None:
    if hub.settings.imports.triggers_calculation:
        run_id = start_calculation(hub.incentives, period, BY)
        _log.info("calculation %s of %s: HR told late who worked where as what", run_id, period)
        return
    day = business_day(hub.clock(), hub.settings.imports.time_zone).isoformat()
    send_message(
        hub.workforce,
        NOTIFICATION_QUEUE,
        message_id=f"{period}-{day}-calculation.outdated",
        message_type="calculation.outdated",
        subject=period,
        data={
            "period": period,
            "reason": (
                f"the HR system told late who worked where as what in {period}, which is calculated already: "
                "calculate it again, then see what differs"
            ),
        },
    )
