"""An employee as the hub knows him: facts about himself and about each of his assignments."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property

from shared.workforce.employment import Status, status_at
from shared.workforce.facts import KEPT_FOR, Fact, Facts, add_facts, fact_at, timeline, value_at, values_at
from shared.workforce.holders import Holder, holders

FIELDS = (
    "employeeNumber",
    "erpEmployeeId",
    "firstName",
    "lastName",
    "email",
    "role",
    "storeId",
    "status",
    "hireDate",
    "terminationDate",
    "userId",
)
"""What the hub keeps of an employee; other fields of the HR system are not taken over."""

ASSIGNMENT_FIELDS = ("storeId", "role", "startDate", "endDate", "removed")
"""`removed`: the day on which a full sync did not find the assignment any more, False while it is there."""

HOLD_AS_STATED = frozenset({"hireDate", "terminationDate", "startDate", "endDate", "removed"})
"""Fields that are days themselves: what was stated last counts at once, whatever the effective date."""


_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Assignment:
    """Where an employee works as what; both days inclusive, no last day: until further notice."""

    assignment_id: str
    store_id: str
    role: str
    first_day: date
    last_day: date | None


@dataclass(frozen=True)
class Employee:
    """An employee at an instant."""

    employee_id: str
    employee_number: str
    first_name: str = field(repr=False)
    last_name: str = field(repr=False)
    email: str = field(repr=False)
    erp_employee_id: str
    user_id: str
    role: str
    store_id: str
    status: Status
    hire_date: str
    termination_date: str
    assignments: tuple[Assignment, ...]

    @property
    def is_employed(self) -> bool:
        """Tell whether they are employed, on leave or not."""
        return self.status not in (Status.TERMINATED, Status.UNCONFIRMED)


@dataclass(frozen=True)
class Person:
    """All that is known of an employee, whenever it takes effect."""

    employee_id: str
    facts: Facts = field(default_factory=dict)
    assignments: Mapping[str, Facts] = field(default_factory=dict)
    revision: int = 0
    """Grows whenever something new is known."""

    def learn(
        self, facts: Mapping[str, Fact], assignments: Mapping[str, Mapping[str, Fact]], now: datetime
    ) -> "Person":
        """Return the person with more facts about him and his assignments."""
        merged = {**self.assignments}
        for assignment_id, more in assignments.items():
            merged[assignment_id] = add_facts(merged.get(assignment_id, {}), more, now)
        # A row must not grow with all the places where somebody ever worked.
        kept = {name: known for name, known in merged.items() if not _is_long_over(known, now)}
        after = replace(self, facts=add_facts(self.facts, facts, now), assignments=kept)
        return self if after == self else replace(after, revision=self.revision + 1)

    def without(self, forgotten: Callable[[Fact], bool]) -> "Person":
        """Return the person as known without some facts."""

        def rest(known: Facts) -> Facts:
            kept = {name: tuple(one for one in facts if not forgotten(one)) for name, facts in known.items()}
            return {name: facts for name, facts in kept.items() if facts}

        assignments = {name: facts for name, known in self.assignments.items() if (facts := rest(known))}
        return replace(self, facts=rest(self.facts), assignments=assignments)

    @cached_property
    def holders(self) -> list[Holder]:
        """Everybody whose employee ID it was, the first one first."""
        return holders(self.facts, self.assignments)

    def holder_at(self, instant: datetime) -> Holder:
        """Return what is known of the one whose employee ID it is at an instant."""
        return next(one for one in reversed(self.holders) if one.since is None or one.since <= instant)

    def at(self, instant: datetime) -> Employee:
        """Return the employee as they are at an instant."""
        holder = self.holder_at(instant)
        values = values_at(holder.facts, instant)

        def text(name: str) -> str:
            value = values.get(name)
            return "" if value is None else str(value)

        return Employee(
            employee_id=self.employee_id,
            employee_number=text("employeeNumber") or self.employee_id,
            first_name=text("firstName"),
            last_name=text("lastName"),
            email=text("email"),
            erp_employee_id=text("erpEmployeeId"),
            user_id=text("userId"),
            role=text("role"),
            store_id=text("storeId"),
            status=status_at(holder.facts, instant),
            hire_date=text("hireDate"),
            termination_date=text("terminationDate"),
            assignments=tuple(
                found
                for assignment_id, facts in sorted(holder.assignments.items())
                if (found := _assignment(assignment_id, facts, instant))
            ),
        )


def differing(facts: Facts, values: Mapping[str, object], instant: datetime) -> list[str]:
    """Return the fields whose value at an instant is another one than in `values`."""
    return [name for name, value in values.items() if not _says(facts, name, value, instant)]


def _says(facts: Facts, name: str, value: object, instant: datetime) -> bool:
    fact = fact_at(facts.get(name, ()), instant)
    return value is None if fact is None else fact.value == value


def _assignment(assignment_id: str, facts: Facts, instant: datetime) -> Assignment | None:
    """Return an assignment, None while its beginning is not known or when it was gone before it began."""
    values = values_at(facts, instant)
    start = values.get("startDate")
    if not isinstance(start, str):
        return None
    first, last = date.fromisoformat(start), _last_day(facts, instant)
    if last and last < first:
        return None
    role, store = values.get("role") or "", values.get("storeId") or ""
    return Assignment(assignment_id, str(store), str(role), first, last)


def _is_long_over(assignment: Facts, now: datetime) -> bool:
    last = _last_day(assignment, now)
    return last is not None and last < (now - KEPT_FOR).date()


def _last_day(assignment: Facts, instant: datetime) -> date | None:
    """Return the last day of an assignment, as HR gave it or as its absence from a full sync shows.

    HR systems that list present assignments alone do not show one that has ended: where it is absent, the day that HR
    gave stands unless it is still to come. A day more is allowed, since HR may be ahead of the business time zone.
    """
    end = value_at(assignment.get("endDate", ()), instant)
    last = date.fromisoformat(end) if isinstance(end, str) else None
    absent = _absent_since(assignment.get("removed", ()), instant)
    if absent is None or (last and last <= absent + _DAY):
        return last
    return absent - _DAY


def _absent_since(removed: Iterable[Fact], instant: datetime) -> date | None:
    """Return the day since which an assignment is on no page."""
    first: Fact | None = None
    for fact in timeline(removed):
        if fact.since <= instant:
            first = (first or fact) if fact.value else None
    if first is None:
        return None
    # Earlier versions stored True.
    return date.fromisoformat(first.value) if isinstance(first.value, str) else first.since.date()
