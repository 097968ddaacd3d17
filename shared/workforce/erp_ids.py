"""What a person's facts say of ERP employee IDs: which are whose, from which business day on (INC-22, INC-23)."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from shared.kernel.clock import business_day
from shared.workforce.facts import SHOWN, Fact, FieldValue, timeline
from shared.workforce.person import Person

FIELD = "erpEmployeeId"
_MAX_CHARACTERS = 128
"""Of an employee's ID in a sale: a longer one stands for nobody who sells."""


@dataclass(frozen=True)
class ErpIdClaim:
    """From a business day on an ERP ID stands for an employee, as a source stated at an instant.

    One that does not `hold` says that from this day on it does not; with None, that nothing counts that the employee
    had been said to claim or to give up on this day.
    """

    erp_id: str
    employee_id: str
    since: date
    stated: datetime
    source: str
    holds: bool | None
    revision: int
    """Of the person, by which later claims replace earlier ones."""
    vacates: bool = False
    """The employee ID is another person's from this day on, who has nothing to do with the ERP ID."""


def claims_of(person: Person, stated: Collection[Fact], zone: ZoneInfo) -> list[ErpIdClaim]:
    """Return what a person's facts claim, together with facts that were `stated` and may be forgotten already.

    A fact that counts claims its ID from its day on, until another one names another ID or none. One that was replaced
    or taken back never was, and what it had claimed is taken back. One that repeats the person's ID claims it again:
    somebody else may have got it meanwhile.
    """
    facts = {*person.facts.get(FIELD, ()), *stated}
    said = {(fact.stated, fact.source) for fact in facts}
    handed_on = {business_day(fact.since, zone): fact for fact in _beginnings(person)}
    facts |= {replace(one, value=None) for one in handed_on.values() if (one.stated, one.source) not in said}
    by_day: dict[date, set[Fact]] = {}
    for fact in facts:
        by_day.setdefault(business_day(fact.since, zone), set()).add(fact)
    rows = [(business_day(row.since, zone), row) for row in timeline(facts)]
    every = {_erp_id(fact.value) for fact in facts}
    claims: list[ErpIdClaim] = []
    for day, told in sorted(by_day.items()):
        earlier = [row for since, row in rows if since < day]
        counting = next((row for since, row in reversed(rows) if since <= day), None)
        last = max(told, key=lambda fact: fact.order)
        own, before = (_erp_id(one.value) if one else "" for one in (counting, earlier[-1] if earlier else None))

        def claim(erp_id: str, by: Fact, *, holds: bool | None, day: date = day) -> ErpIdClaim:
            vacates = holds is False and day in handed_on
            return ErpIdClaim(erp_id, person.employee_id, day, by.stated, by.source, holds, person.revision, vacates)

        if day in handed_on:
            claims += [claim(erp_id, last, holds=erp_id == own) for erp_id in sorted(every)]
        elif counting in told or (own and last.source != SHOWN and _erp_id(last.value) == own):
            by = counting if counting and counting in told else last
            ended = {before, *(_erp_id(fact.value) for fact in told)} - {own}
            claims += [claim(own, by, holds=True), *(claim(erp_id, by, holds=False) for erp_id in sorted(ended))]
        else:
            by = max((fact for fact in (counting, last) if fact), key=lambda fact: fact.order)
            claims += [claim(erp_id, by, holds=None) for erp_id in sorted(every)]
    return [claim for claim in claims if claim.erp_id]


def _beginnings(person: Person) -> list[Fact]:
    """Return the statements by which the employee ID became another person's: they have no ERP ID to begin with."""
    return [min(one.facts["status"], key=lambda fact: fact.order) for one in person.holders if one.since]


def _erp_id(value: FieldValue) -> str:
    """Return an ERP ID as sales name it, which some HR systems keep as a number; empty when there is none."""
    if value is None or isinstance(value, bool):
        return ""
    text = str(value).strip()
    return text if len(text) <= _MAX_CHARACTERS else ""
