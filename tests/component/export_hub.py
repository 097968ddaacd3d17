"""What tests of the payroll export need in a real hub: employees, approved calculations."""

from dataclasses import dataclass
from datetime import UTC, datetime

from shared.hub import Hub
from shared.incentives.calculation import Calculation, Kind, State
from shared.incentives.calculation_id import calculation_id
from shared.workforce.facts import Fact
from shared.workforce.person import Person

PERIOD = "2025-01"
_HIRED = datetime(2024, 1, 1, tzinfo=UTC)


def employ(hub: Hub, *employee_ids: str) -> None:
    """Let the hub know employees, as the HR system tells of them."""

    def hire(person: Person) -> Person:
        one = person.employee_id
        about = {"employeeNumber": f"N-{one}", "firstName": "Ann", "lastName": f'Lee, "{one}"', "status": "Active"}
        facts = {name: Fact(_HIRED, _HIRED, "test", value) for name, value in about.items()}
        return person.learn(facts, {}, _HIRED)

    hub.workforce.employees.change_many(employee_ids, hire)


@dataclass(frozen=True)
class Due:
    """What an employee is to be paid, in minor units."""

    employee_id: str
    cents: int
    source: str = "plan:standard"
    state: State = State.APPROVED


def approve(hub: Hub, employee_id: str, cents: int, *, source: str = "plan:standard") -> str:
    """Store an approved calculation, return its ID."""
    return approve_all(hub, [Due(employee_id, cents, source)])[0]


def approve_all(hub: Hub, due: list[Due], period: str = PERIOD) -> list[str]:
    """Store calculations in the states that are given, return their IDs."""
    made = {}
    for one in due:
        key = calculation_id(period, one.employee_id, one.source)
        made[key] = Calculation(
            calculation_id=key,
            employee_id=one.employee_id,
            period=period,
            kind=Kind.PLAN,
            source=one.source,
            gross_minor=one.cents,
            net_minor=one.cents,
            currency="EUR",
            state=one.state,
        ).begun(at=_HIRED, by="test")
    hub.incentives.calculations.change(period, sorted(made), lambda key, _standing: made[key])
    return list(made)
