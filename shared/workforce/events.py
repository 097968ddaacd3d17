"""HR events: what they look like (INC-20, INC-22) and which facts they state (INC-23)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from shared.kernel.clock import LAST_YEAR, business_day, day_bounds, plausible
from shared.kernel.errors import FieldProblem, InvalidRequest
from shared.kernel.field_problems import refused_body, unreadable_body
from shared.kernel.outside_identifier import MAX_LENGTH, OutsideIdentifier, undamaged
from shared.kernel.partner_body import PartnerBody
from shared.kernel.strict_json import NotJson, read_model
from shared.workforce.employment import Status, status_of
from shared.workforce.facts import Fact, FieldValue
from shared.workforce.person import ASSIGNMENT_FIELDS, FIELDS, HOLD_AS_STATED

_MAX_TEXT = 500


def _open_ended(day: date | None) -> date | None:
    """Return None for a day so far away that it means "until further notice", as 9999-12-31 does in HR systems."""
    return None if day and day.year > LAST_YEAR else day


Day = Annotated[date, AfterValidator(plausible)]
LastDay = Annotated[date | None, AfterValidator(_open_ended)]


class EventType(StrEnum):
    """The events that the hub applies."""

    EMPLOYEE_CREATED = "employee.created"
    EMPLOYEE_UPDATED = "employee.updated"
    EMPLOYEE_TERMINATED = "employee.terminated"
    ASSIGNMENT_CREATED = "assignment.created"
    ASSIGNMENT_UPDATED = "assignment.updated"
    ASSIGNMENT_ENDED = "assignment.ended"


class Envelope(PartnerBody):
    """`{eventId, eventType, timestamp, data}`."""

    model_config = ConfigDict(extra="ignore")

    eventId: OutsideIdentifier  # noqa: N815 - the partner's own names
    eventType: OutsideIdentifier  # noqa: N815
    timestamp: Annotated[AwareDatetime, AfterValidator(plausible)]
    data: dict[str, JsonValue]


class _Change(PartnerBody):
    model_config = ConfigDict(extra="ignore")

    field: OutsideIdentifier
    oldValue: JsonValue = None  # noqa: N815 - the partner's own names
    newValue: JsonValue = None  # noqa: N815


class _Data(PartnerBody):
    model_config = ConfigDict(extra="allow")

    employeeId: OutsideIdentifier  # noqa: N815
    effectiveDate: Day | None = None  # noqa: N815


class _Updated(_Data):
    changes: list[_Change] = Field(max_length=200)


class _Terminated(_Data):
    terminationDate: Day | None = None  # noqa: N815


class _Assignment(_Data):
    assignmentId: OutsideIdentifier  # noqa: N815


class _AssignmentCreated(_Assignment):
    storeId: OutsideIdentifier  # noqa: N815
    role: str = Field(default="", max_length=_MAX_TEXT)
    startDate: Day  # noqa: N815
    endDate: LastDay = None  # noqa: N815

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "_AssignmentCreated":
        if self.endDate and self.endDate < self.startDate:
            raise ValueError("endDate lies before startDate")
        return self


class _AssignmentUpdated(_Assignment):
    changes: list[_Change] = Field(max_length=200)


class _AssignmentEnded(_Assignment):
    endDate: LastDay  # noqa: N815


_MODELS: Mapping[EventType, type[_Data]] = {
    EventType.EMPLOYEE_CREATED: _Data,
    EventType.EMPLOYEE_UPDATED: _Updated,
    EventType.EMPLOYEE_TERMINATED: _Terminated,
    EventType.ASSIGNMENT_CREATED: _AssignmentCreated,
    EventType.ASSIGNMENT_UPDATED: _AssignmentUpdated,
    EventType.ASSIGNMENT_ENDED: _AssignmentEnded,
}


@dataclass(frozen=True)
class Statement:
    """What an event states: facts about an employee, or about one of his assignments."""

    employee_id: str
    facts: Mapping[str, Fact]
    assignments: Mapping[str, Mapping[str, Fact]]

    def has(self, fact: Fact) -> bool:
        """Tell whether a fact is of this event."""
        mine = [*self.facts.values(), *(one for facts in self.assignments.values() for one in facts.values())]
        return any((one.stated, one.source) == (fact.stated, fact.source) for one in mine)


def read_envelope(body: bytes) -> Envelope:
    """Read the body of a delivery. InvalidRequest names each wrong field."""
    try:
        return read_model(Envelope, body)
    except NotJson as error:
        raise unreadable_body("the event", error) from None
    except ValidationError as error:
        raise refused_body("the event", error) from None


def read_statement(envelope: Envelope, zone: ZoneInfo) -> Statement:
    """Read what an event of a known type states. InvalidRequest names each wrong field.

    A change takes effect at the beginning of its effective date in the business time zone, whenever it is stated;
    without a date, of the day on which it is stated. Fields that are days themselves hold as they were stated last.
    """
    kind = EventType(envelope.eventType)
    try:
        data = _MODELS[kind].model_validate(envelope.data)
    except ValidationError as error:
        raise refused_body("the event", error, inside="data") from None
    stated = envelope.timestamp.astimezone(UTC)
    values = _values(kind, data)
    effective = data.terminationDate if isinstance(data, _Terminated) else None
    today = business_day(stated, zone)
    dated = effective or data.effectiveDate or today
    replaced = _replaced(data)
    facts = {
        name: Fact(
            day_bounds(today if name in HOLD_AS_STATED else dated, zone)[0],
            stated,
            envelope.eventId,
            value,
            from_another=name in replaced,
        )
        for name, value in values.items()
    }
    if isinstance(data, _Assignment):
        return Statement(data.employeeId, {}, {data.assignmentId: facts})
    return Statement(data.employeeId, facts, {})


def kept_fields(values: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, FieldValue]:
    """Return the fields that the hub keeps. InvalidRequest for one that is not plain, too long, or no date."""
    return {name: _plain(name, values[name]) for name in names if name in values}


def _values(kind: EventType, data: _Data) -> dict[str, FieldValue]:
    match data:
        case _Updated():
            return kept_fields({change.field: change.newValue for change in data.changes}, FIELDS)
        case _AssignmentUpdated():
            names = tuple(name for name in ASSIGNMENT_FIELDS if name != "removed")
            return kept_fields({change.field: change.newValue for change in data.changes}, names) | {"removed": False}
        case _Terminated():
            day = data.terminationDate or data.effectiveDate
            told: dict[str, FieldValue] = {"terminationDate": day.isoformat()} if day else {}
            return told | {"status": Status.TERMINATED.value}
        case _AssignmentCreated():
            end = data.endDate.isoformat() if data.endDate else None
            start = data.startDate.isoformat()
            given: dict[str, FieldValue] = {"storeId": data.storeId, "role": data.role, "startDate": start}
            return given | {"endDate": end, "removed": False}
        case _AssignmentEnded():
            return {"endDate": data.endDate.isoformat() if data.endDate else None, "removed": False}
        case _:
            assert kind is EventType.EMPLOYEE_CREATED
            return kept_fields(data.model_extra or {}, FIELDS) | {"status": _status(data)}


def _replaced(data: _Data) -> frozenset[str]:
    """Return the fields of which a change names the value that it replaces, and that is another one."""
    changes = data.changes if isinstance(data, _Updated | _AssignmentUpdated) else []
    return frozenset(one.field for one in changes if one.oldValue is not None and one.oldValue != one.newValue)


def _status(data: _Data) -> str:
    given = (data.model_extra or {}).get("status")
    return given if isinstance(given, str) and status_of(given) is not Status.UNCONFIRMED else Status.ACTIVE.value


_IDENTIFIERS = ("employeeNumber", "erpEmployeeId", "storeId", "userId")


def _plain(name: str, value: object) -> FieldValue:
    longest = MAX_LENGTH if name == "erpEmployeeId" else _MAX_TEXT
    if not isinstance(value, str | int | bool | None) or (isinstance(value, str) and len(value) > longest):
        problem = FieldProblem(name, f"must be text up to {longest} characters")
        raise InvalidRequest(f"{name} is not plain", (problem,))
    if name in ("startDate", "endDate", "hireDate", "terminationDate") and value is not None:
        return _date(name, value)
    try:
        if isinstance(value, str):
            (undamaged if name in _IDENTIFIERS else str.encode)(value)
    except UnicodeEncodeError:
        problem = FieldProblem(name, "must be valid Unicode text")
        raise InvalidRequest(f"{name} is no text", (problem,)) from None
    except ValueError as error:
        raise InvalidRequest(f"{name} is no identifier", (FieldProblem(name, str(error)),)) from None
    return value


def _date(name: str, value: object) -> FieldValue:
    try:
        day: date | None = date.fromisoformat(str(value))
    except ValueError:
        raise InvalidRequest(f"{name} is no date", (FieldProblem(name, "must be a date: 2025-01-15"),)) from None
    if name in ("endDate", "terminationDate"):
        day = _open_ended(day)
    return day.isoformat() if day else None
