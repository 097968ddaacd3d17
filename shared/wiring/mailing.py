"""The mailing: pay from the incentives, people from the workforce."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from shared.adapters.mail_providers import mail_provider
from shared.incentives.calculation import Calculation, Kind
from shared.kernel.money import amount_text
from shared.notify.delivery import MAIL_LOG, MailDelivery
from shared.notify.mailing import AddressLists, Mailing, PayFact
from shared.workforce.person import Employee

if TYPE_CHECKING:
    from shared.hub import Hub


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
            if calculation and person:
                facts.append(_fact(calculation, person.at(self._hub.clock())))
        return facts


def _fact(calculation: Calculation, employee: Employee) -> PayFact:
    return PayFact(
        calculation_id=calculation.calculation_id,
        period=calculation.period,
        gross=amount_text(calculation.gross_minor),
        net=amount_text(calculation.net_minor),
        currency=calculation.currency,
        plan_name=str(calculation.breakdown.get("planName") or calculation.source),
        reason=calculation.history[-1].note if calculation.history else "",
        first_name=employee.first_name,
        employee_address=employee.email,
        submitter_address=calculation.submitter_address,
    )
