"""The mailing: pay from the incentives, people from the workforce."""

import logging
from collections.abc import Iterator, Sequence, Set
from typing import TYPE_CHECKING

from shared.adapters.mail_providers import mail_provider
from shared.incentives.calculation import Action, Calculation, Kind
from shared.kernel.money import amount_text
from shared.kernel.pay_period import parse_period
from shared.notify.delivery import MAIL_LOG, MailDelivery
from shared.notify.mailing import AddressLists, Mailing, PayFact, Submission
from shared.wiring.staff import payee_of
from shared.workforce.person import Employee, Person

if TYPE_CHECKING:
    from shared.hub import Hub

_log = logging.getLogger(__name__)

_FEW = 20


def build(hub: "Hub") -> Mailing | None:
    """Return what writes e-mails, None where none are sent."""
    settings = hub.settings.mail
    provider = mail_provider(settings, hub.partners, hub.clock)
    if provider is None:
        return None
    delivery = MailDelivery(hub.tables.table(MAIL_LOG), provider, hub.tenant, hub.clock, settings.sender)
    lists = AddressLists(tuple(settings.finance), tuple(settings.admins), tuple(settings.approvers))
    return Mailing(delivery, lists, lambda: CalculationFacts(hub), hub.queues, hub.clock)


class CalculationFacts:
    """Implements `PayFacts`."""

    def __init__(self, hub: "Hub") -> None:
        """Keep where calculations and people are."""
        self._hub = hub

    def computed(self, period: str) -> Iterator[str]:
        """Yield the IDs of a period's calculations that were computed here.

        Whatever their state is by now: the e-mail is made later than the event, and is sent once for each amount.
        """
        found = self._hub.incentives.calculations.of_period(period)
        return (one.calculation_id for one in found if one.kind is Kind.PLAN)

    def facts(self, ids: Sequence[str]) -> list[PayFact]:
        """Return what there is to tell of calculations."""
        facts = []
        for calculation_id in ids:
            calculation = self._hub.incentives.calculations.find(calculation_id)
            person = self._hub.workforce.employees.find(calculation.employee_id) if calculation else None
            employee = self._paid(person, calculation.period) if calculation and person else None
            if calculation and employee:
                facts.append(_fact(calculation, employee))
        return facts

    def _paid(self, person: Person, period: str) -> Employee | None:
        """Return who is written to: whose employee ID it was in the period."""
        settings = self._hub.settings.imports
        employee = payee_of(person, parse_period(period), self._hub.clock(), settings.time_zone)
        if employee is None:
            _log.warning(
                "employee ID %s was that of two people in %s: nobody is written to", person.employee_id, period
            )
        return employee

    def submissions(self, period: str, ids: Sequence[str]) -> list[Submission]:
        """Return what each submitter with an address submitted of a period's calculations."""
        by_address: dict[str, list[Calculation]] = {}
        for one in self._some_of(period, set(ids)):
            if address := one.submitter_address.strip().lower():
                by_address.setdefault(address, []).append(one)
        return [_submission(address, period, group) for address, group in by_address.items()]

    def _some_of(self, period: str, ids: Set[str]) -> Iterator[Calculation]:
        """Yield calculations of a period: a few are looked up one by one, for more the period is read."""
        calculations = self._hub.incentives.calculations
        if len(ids) <= _FEW:
            yield from filter(None, map(calculations.find, sorted(ids)))
        else:
            yield from (one for one in calculations.of_period(period) if one.calculation_id in ids)


def _fact(calculation: Calculation, employee: Employee) -> PayFact:
    return PayFact(
        calculation_id=calculation.calculation_id,
        period=calculation.period,
        gross=amount_text(calculation.gross_minor),
        net=amount_text(calculation.net_minor),
        currency=calculation.currency,
        plan_name=str(calculation.breakdown.get("planName") or calculation.source),
        reason=_reason(calculation),
        first_name=employee.first_name,
        employee_address=employee.email,
        amount_version=calculation.amount_version,
    )


def _submission(address: str, period: str, group: Sequence[Calculation]) -> Submission:
    net = amount_text(sum(one.net_minor for one in group))
    return Submission(period, len(group), net, group[0].currency, _reason(group[0]), address)


def _reason(calculation: Calculation) -> str:
    """Return what was said with the last decision: an export may have come after it."""
    decisions = (Action.APPROVE.value, Action.REJECT.value)
    return next((one.note for one in reversed(calculation.history) if one.action in decisions), "")
