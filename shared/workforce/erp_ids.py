"""What a person's facts say of ERP employee IDs: which are whose, from which business day on (INC-22, INC-23)."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from shared.kernel.clock import business_day
from shared.workforce.facts import Fact, FieldValue
from shared.workforce.person import Person

FIELD = "erpEmployeeId"
_MAX_CHARACTERS = 128
"""Of an employee's ID in a sale: a longer one stands for nobody who sells."""


@dataclass(frozen=True)
class ErpIdClaim:
    """From a business day on an ERP ID stands for an employee, as a source stated at an instant.

    One that does not `hold` says that from this day on it does not.
    """

    erp_id: str
    employee_id: str
    since: date
    stated: datetime
    source: str
    holds: bool


def claims_of(person: Person, stated: Collection[Fact], zone: ZoneInfo) -> list[ErpIdClaim]:
    """Return what a person's facts claim, together with facts that were `stated` and may be forgotten already.

    A fact claims its ID from its day on, until another fact of the person names another ID or none. One that another
    fact of the same instant replaced never counted, and what it claimed is taken back.
    """
    facts = sorted({*person.facts.get(FIELD, ()), *stated}, key=lambda fact: fact.order)
    claims: list[ErpIdClaim] = []
    before = ""
    for since, group in groupby(facts, key=lambda fact: fact.since):
        at_once = [*group]
        claims += _of_one_instant(person.employee_id, business_day(since, zone), at_once, before)
        before = _erp_id(at_once[-1].value)
    return claims


def _of_one_instant(employee_id: str, since: date, facts: list[Fact], before: str) -> Iterator[ErpIdClaim]:
    """Yield what facts of one instant claim and end. `before`: the ID that the person had until then."""
    counting = facts[-1]
    own = _erp_id(counting.value)
    if own:
        yield ErpIdClaim(own, employee_id, since, counting.stated, counting.source, holds=True)
    for ended in sorted({before, *(_erp_id(fact.value) for fact in facts)} - {"", own}):
        yield ErpIdClaim(ended, employee_id, since, counting.stated, counting.source, holds=False)


def _erp_id(value: FieldValue) -> str:
    """Return an ERP ID as sales name it, which some HR systems keep as a number; empty when there is none."""
    if value is None or isinstance(value, bool):
        return ""
    text = str(value).strip()
    return text if len(text) <= _MAX_CHARACTERS else ""
