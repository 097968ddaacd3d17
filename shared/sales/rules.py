"""The rules that a record must pass before it is staged (INC-03), and the words for the operator when it does not."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from shared.kernel.clock import day_bounds, to_iso
from shared.kernel.field_problems import field_problems
from shared.kernel.money import CENT, to_minor
from shared.sales.models import ALL_STORES, ErpRecord, RawRecord, Rejection, RejectReason, Sale


@dataclass(frozen=True)
class SalesRules:
    """The rules for the records of one business day."""

    day: date
    time_zone: ZoneInfo
    begins: datetime
    ends: datetime
    known_stores: frozenset[str] = frozenset()
    only_store: str | None = None

    def check(self, raw: RawRecord) -> Sale | Rejection:
        """Return the sale, or why the record is refused."""
        record = _read(raw)
        if isinstance(record, Rejection):
            return record
        for rule in _RULES:
            if rejection := rule(self, record):
                return rejection
        return Sale(
            transaction_id=record.transactionId,
            instant=record.transactionDate,
            employee_id=record.employeeId,
            store_id=record.storeId,
            amount_minor=to_minor(record.salesAmount),
            units_sold=-record.unitsSold if record.transactionType == "Return" else record.unitsSold,
            product_category=record.productCategory,
            product_sku=record.productSku,
        )


def rules_for(
    day: date, time_zone: ZoneInfo, *, known_stores: frozenset[str] = frozenset(), only_store: str | None = None
) -> SalesRules:
    """Return the rules for a business day; `only_store` when a single store was asked for."""
    begins, ends = day_bounds(day, time_zone)
    return SalesRules(day, time_zone, begins, ends, known_stores, only_store)


def _read(raw: RawRecord) -> ErpRecord | Rejection:
    if raw.fields is None:
        return Rejection(RejectReason.SCHEMA_INVALID, raw.field, raw.problem or "the record is not an object")
    try:
        return ErpRecord.model_validate(raw.fields)
    except ValidationError as error:
        (first,) = field_problems(error, most=1)
        return Rejection(RejectReason.SCHEMA_INVALID, first.field, f"{first.field}: {first.message}")


def _two_decimals(_: SalesRules, record: ErpRecord) -> Rejection | None:
    if record.salesAmount == record.salesAmount.quantize(CENT):
        return None
    text = f"salesAmount: {record.salesAmount} has more than two decimals"
    return Rejection(RejectReason.AMOUNT_PRECISION, "salesAmount", text)


def _amount_in_range(_: SalesRules, record: ErpRecord) -> Rejection | None:
    if abs(record.salesAmount) < 10**13:
        return None
    text = f"salesAmount: {record.salesAmount} is beyond 10 trillion, which no sale is"
    return Rejection(RejectReason.SCHEMA_INVALID, "salesAmount", text)


def _units_not_negative(_: SalesRules, record: ErpRecord) -> Rejection | None:
    if record.unitsSold >= 0:
        return None
    return Rejection(RejectReason.NEGATIVE_UNITS, "unitsSold", f"unitsSold: {record.unitsSold} is negative")


def _negative_only_as_return(_: SalesRules, record: ErpRecord) -> Rejection | None:
    """A return is what the ERP calls one; where it does not say, money back with no unit sold is one."""
    is_return = record.transactionType == "Return" or (record.transactionType is None and record.unitsSold == 0)
    if record.salesAmount >= 0 or is_return:
        return None
    text = f"salesAmount: {record.salesAmount} is negative, and the record is not a return"
    return Rejection(RejectReason.NEGATIVE_AMOUNT, "salesAmount", text)


def _no_return_brings_money(_: SalesRules, record: ErpRecord) -> Rejection | None:
    """An ERP that sends returns without the sign would otherwise raise what it should lower."""
    if record.transactionType != "Return" or record.salesAmount <= 0:
        return None
    text = f"salesAmount: {record.salesAmount} is positive, and the record is a return: its amount must be negative"
    return Rejection(RejectReason.POSITIVE_RETURN, "salesAmount", text)


def _inside_the_day(rules: SalesRules, record: ErpRecord) -> Rejection | None:
    if rules.begins <= record.transactionDate < rules.ends:
        return None
    local = record.transactionDate.astimezone(rules.time_zone)
    text = (
        f"transactionDate: {to_iso(record.transactionDate)} is {local:%Y-%m-%d} in {rules.time_zone.key}, "
        f"not {rules.day.isoformat()}"
    )
    return Rejection(RejectReason.OUTSIDE_BUSINESS_DAY, "transactionDate", text)


def _one_store(_: SalesRules, record: ErpRecord) -> Rejection | None:
    if record.storeId != ALL_STORES:
        return None
    text = f"storeId: {ALL_STORES!r} stands for all stores, and names none"
    return Rejection(RejectReason.SCHEMA_INVALID, "storeId", text)


def _known_store(rules: SalesRules, record: ErpRecord) -> Rejection | None:
    if rules.only_store is not None and record.storeId != rules.only_store:
        text = f"storeId: {record.storeId!r} was sent although only {rules.only_store!r} was asked for"
        return Rejection(RejectReason.UNKNOWN_STORE, "storeId", text)
    if not rules.known_stores or record.storeId in rules.known_stores:
        return None
    text = f"storeId: {record.storeId!r} is not in the list of stores (ERP_KNOWN_STORES)"
    return Rejection(RejectReason.UNKNOWN_STORE, "storeId", text)


_RULES: tuple[Callable[[SalesRules, ErpRecord], Rejection | None], ...] = (
    _amount_in_range,
    _two_decimals,
    _units_not_negative,
    _negative_only_as_return,
    _no_return_brings_money,
    _one_store,
    _inside_the_day,
    _known_store,
)
