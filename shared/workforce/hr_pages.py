"""Pages of the HR system's API: `GET /api/v1/employees?page=&pageSize=` (INC-24)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import AwareDatetime, ConfigDict, Field, ValidationError

from shared.kernel.errors import InvalidRequest, MalformedResponse
from shared.kernel.json_client import JsonReader
from shared.kernel.outside_identifier import OutsideIdentifier
from shared.kernel.partner_body import PartnerBody
from shared.workforce.events import kept_fields
from shared.workforce.facts import FieldValue
from shared.workforce.person import ASSIGNMENT_FIELDS, FIELDS

PARTNER = "hr"
_MOST = 10**8
"""Employees or pages: a larger total is a mistake."""


class _Pagination(PartnerBody):
    model_config = ConfigDict(extra="ignore")

    page: int | None = Field(default=None, ge=1)
    totalRecords: int | None = Field(default=None, ge=0, le=_MOST)  # noqa: N815 - the partner's own names
    totalPages: int = Field(default=0, ge=0, le=_MOST)  # noqa: N815


class _Metadata(PartnerBody):
    model_config = ConfigDict(extra="ignore")

    extractedAt: AwareDatetime | None = None  # noqa: N815


class _Answer(PartnerBody):
    model_config = ConfigDict(extra="ignore")

    data: list[Any]
    pagination: _Pagination = _Pagination()
    metadata: _Metadata = _Metadata()


class _Assignment(PartnerBody):
    model_config = ConfigDict(extra="allow")

    assignmentId: OutsideIdentifier  # noqa: N815


class _Employee(PartnerBody):
    model_config = ConfigDict(extra="allow")

    employeeId: OutsideIdentifier  # noqa: N815
    assignments: list[_Assignment] | None = None


@dataclass(frozen=True)
class Snapshot:
    """What the HR system says of an employee: fields, and fields by assignment; None: nothing of assignments."""

    employee_id: str
    fields: Mapping[str, FieldValue]
    assignments: Mapping[str, Mapping[str, FieldValue]] | None


@dataclass(frozen=True)
class HrPage:
    """A page of employees as of an instant. `refused` counts records that do not parse."""

    number: int
    snapshots: list[Snapshot]
    refused: int
    as_of: datetime
    total_records: int | None
    total_pages: int


def fetch_page(client: JsonReader, number: int, size: int, asked_at: datetime) -> HrPage:
    """Return a page. Where it does not say as of when, it is as of when it was asked for.

    MalformedResponse when it is no page, or another page than the one asked for; that is retried by the client.
    """

    def check(answer: object) -> None:
        page = _parse(answer).pagination.page
        if page not in (None, number):
            raise MalformedResponse(PARTNER, f"page {number} was asked for, page {page} came")

    params = {"page": str(number), "pageSize": str(size)}
    parsed = _parse(client.get_json("/api/v1/employees", params, check=check))
    snapshots = [snapshot for item in parsed.data if (snapshot := _snapshot(item))]
    as_of = parsed.metadata.extractedAt or asked_at
    return HrPage(
        number,
        snapshots,
        len(parsed.data) - len(snapshots),
        as_of.astimezone(UTC),
        parsed.pagination.totalRecords,
        parsed.pagination.totalPages,
    )


def _parse(answer: object) -> _Answer:
    try:
        return _Answer.model_validate(answer)
    except ValidationError as error:
        fields = sorted({".".join(map(str, item["loc"][:2])) or "body" for item in error.errors()})
        raise MalformedResponse(PARTNER, f"the page of employees breaks the contract in {', '.join(fields)}") from None


def _snapshot(item: object) -> Snapshot | None:
    """Return what a record says, None when it does not parse: one bad record never stops the others."""
    try:
        employee = _Employee.model_validate(item)
        fields = kept_fields(employee.model_extra or {}, FIELDS)
        assignments = None
        if employee.assignments is not None:
            assignments = {
                one.assignmentId: kept_fields(one.model_extra or {}, ASSIGNMENT_FIELDS) | {"removed": False}
                for one in employee.assignments
            }
    except (ValidationError, InvalidRequest):
        return None
    return Snapshot(employee.employeeId, fields, assignments)
