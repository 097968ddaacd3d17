"""What a sale is, at the border and inside."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, ConfigDict, Field

from shared.kernel.clock import plausible
from shared.kernel.money import parse_amount
from shared.kernel.outside_identifier import OutsideIdentifier
from shared.kernel.partner_body import PartnerBody

ALL_STORES = "*"
"""Stands for all stores, and is therefore the ID of none."""


def _exact_decimal(value: object) -> object:
    """Read money from a JSON number that was parsed as Decimal, an integer, or decimal text; never from a float."""
    if isinstance(value, str):
        return parse_amount(value)
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return parse_amount(str(value))
    raise ValueError("must be a decimal number")


def _whole_number(value: object) -> object:
    """Read units: an integer, or its text (CSV); a number with decimals or a truth value is refused."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("must be a whole number")  # noqa: TRY004 - pydantic turns a ValueError into a finding
    if isinstance(value, int):
        return value
    if not re.fullmatch(r"\s*-?[0-9]{1,12}\s*", value):
        raise ValueError("must be a whole number")
    return int(value)


def _description(value: object) -> object:
    return str(value) if isinstance(value, int | Decimal) else value if isinstance(value, str) else ""


Description = Annotated[str, BeforeValidator(_description), AfterValidator(lambda text: text[:256])]
"""Kept for people to read; nothing is paid by it: a long one is cut, what is no text is none, no sale is refused."""
Instant = Annotated[AwareDatetime, AfterValidator(plausible)]
ExactDecimal = Annotated[Decimal, BeforeValidator(_exact_decimal)]
WholeNumber = Annotated[int, BeforeValidator(_whole_number), Field(ge=-(2**31), lt=2**31)]


class ErpRecord(PartnerBody):
    """One sale as the ERP sends it (INC-02); unknown extra fields are ignored.

    `transactionType` is optional; an ERP that sends it says explicitly what is a return.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True)

    transactionId: OutsideIdentifier  # noqa: N815 - the partner's own names
    transactionDate: Instant  # noqa: N815
    employeeId: OutsideIdentifier  # noqa: N815
    storeId: OutsideIdentifier  # noqa: N815
    salesAmount: ExactDecimal  # noqa: N815
    unitsSold: WholeNumber  # noqa: N815
    productCategory: Description = ""  # noqa: N815
    productSku: Description = ""  # noqa: N815
    transactionType: Literal["Sale", "Return"] | None = None  # noqa: N815


@dataclass(frozen=True, slots=True)
class Sale:
    """A valid sale. `employee_id` is the ERP's; `amount_minor` is in cents of the configured currency.

    What came back is no unit sold: a return counts its units as negative.
    """

    transaction_id: str
    instant: datetime
    employee_id: str
    store_id: str
    amount_minor: int
    units_sold: int
    product_category: str
    product_sku: str


class RejectReason(StrEnum):
    """Why a record was not imported (INC-03)."""

    SCHEMA_INVALID = "SchemaInvalid"
    AMOUNT_PRECISION = "AmountPrecision"
    NEGATIVE_AMOUNT = "NegativeAmount"
    POSITIVE_RETURN = "PositiveReturn"
    NEGATIVE_UNITS = "NegativeUnits"
    OUTSIDE_BUSINESS_DAY = "OutsideBusinessDay"
    UNKNOWN_STORE = "UnknownStore"
    CONFLICTING_DUPLICATE = "ConflictingDuplicate"
    DUPLICATE = "Duplicate"


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why one record is refused, in words for the operator. `field` is the partner's name of the field."""

    reason: RejectReason
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as it came: its line in the page (from 1) and its fields.

    One that has no fields has its `text`, the `problem` with it, and the `field` that it is about where there is one.
    """

    line: int
    fields: dict[str, Any] | None
    text: str = ""
    problem: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class SourcePage:
    """A page of records. Totals are None where the source cannot know them beforehand (a file)."""

    number: int
    records: list[RawRecord]
    next_cursor: str | None
    total_records: int | None = None
    total_pages: int | None = None
    data_as_of: str = ""


@dataclass(slots=True)
class Tally:
    """A sum of sales: amount in minor units, units, number of transactions."""

    amount_minor: int = 0
    units_sold: int = 0
    transactions: int = 0

    def add(self, amount_minor: int, units_sold: int, transactions: int = 1) -> None:
        """Add sales to the sum (negative numbers take them out)."""
        self.amount_minor += amount_minor
        self.units_sold += units_sold
        self.transactions += transactions

    def take_in(self, other: "Tally") -> None:
        """Add another sum."""
        self.add(other.amount_minor, other.units_sold, other.transactions)


def total_of(tallies: Iterable[Tally]) -> Tally:
    """Return the sum of sums."""
    total = Tally()
    for one in tallies:
        total.take_in(one)
    return total


SalesByEmployee = dict[tuple[str, str], Tally]
"""Sums of one day by (employee ID, store ID)."""
