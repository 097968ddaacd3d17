"""The calculation: a plan, a period, what somebody sold and where he was assigned, to an amount and why (INC-40).

Amounts are whole minor units. Each tier's part is rounded half up to the minor unit, and so is the payout where it is
prorated; nothing else is rounded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from shared.incentives.plan import Plan, Prorate, Tier, TierMode
from shared.kernel.money import amount_text
from shared.kernel.pay_period import PayPeriod


@dataclass(frozen=True, slots=True)
class SalesDay:
    """What an employee sold on a day in a store; the amount in minor units."""

    day: date
    store_id: str
    amount_minor: int
    units: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where an employee works as what, both days inclusive; no last day: until further notice."""

    store_id: str
    role: str
    first_day: date
    last_day: date | None


@dataclass(frozen=True)
class Calculated:
    """What a plan pays: before cap and proration, after them, and how it came to that."""

    gross_minor: int
    net_minor: int
    breakdown: dict[str, Any]


def calculate(
    plan: Plan, period: PayPeriod, sales: Sequence[SalesDay], assignments: Sequence[Assignment]
) -> Calculated | None:
    """Return what a plan pays for a period; None for one who is not eligible on any day of it."""
    window = plan.window(period)
    if window is None:
        return None
    eligible = _eligible_days(plan, window, assignments)
    if not eligible:
        return None
    counted, excluded = _sorted_out(plan, window, sales, eligible)
    days = _days_to_share(plan, period, window)
    factor = Fraction(len(eligible), days) if plan.prorate is not Prorate.NONE else Fraction(1)
    tiers, cap = plan.tiers, plan.cap_minor
    if plan.prorate is Prorate.THRESHOLDS:
        tiers = tuple(Tier(half_up(tier.above_minor * factor), tier.rate) for tier in tiers)
        cap = None if cap is None else half_up(cap * factor)
    total = sum(one.amount_minor for one in counted)
    units = sum(one.units for one in counted)
    parts = list(_parts(tiers, plan.tier_mode, total))
    unit_bonus = units * plan.per_unit_bonus_minor
    gross = sum(amount for *_, amount in parts) + unit_bonus
    capped = gross if cap is None else min(gross, cap)
    net = half_up(capped * factor) if plan.prorate is Prorate.PAYOUT else capped
    breakdown = {
        "planId": plan.plan_id,
        "planVersion": plan.version,
        "planName": plan.name,
        "firstDay": window[0].isoformat(),
        "lastDay": window[1].isoformat(),
        "tierMode": plan.tier_mode.value,
        "tiers": [_shown_part(part) for part in parts],
        "salesTotal": amount_text(total),
        "units": units,
        "perUnitBonus": amount_text(plan.per_unit_bonus_minor),
        "unitBonus": amount_text(unit_bonus),
        "gross": amount_text(gross),
        "cap": None if cap is None else amount_text(cap),
        "capApplied": capped < gross,
        "prorate": plan.prorate.value,
        "eligibleDays": len(eligible),
        "days": days,
        "net": amount_text(max(net, 0)),
        "salesDays": [_shown_day(one) for one in counted],
        "excludedDays": [_shown_day(one) | {"reason": reason} for one, reason in excluded],
    }
    return Calculated(gross, max(net, 0), breakdown)


def half_up(value: Fraction) -> int:
    """Round half away from zero to a whole number."""
    doubled = abs(value.numerator) * 2 + value.denominator
    rounded = doubled // (2 * value.denominator)
    return rounded if value >= 0 else -rounded


def _days_to_share(plan: Plan, period: PayPeriod, window: tuple[date, date]) -> int:
    """Return the days of which the eligible ones are a share.

    Bounds and cap are meant for a whole period: two versions that share a period share them too. A payout comes from
    the sales of the plan's own days.
    """
    first, last = (period.first_day, period.last_day) if plan.prorate is Prorate.THRESHOLDS else window
    return (last - first).days + 1


def _eligible_days(plan: Plan, window: tuple[date, date], assignments: Sequence[Assignment]) -> dict[date, set[str]]:
    """Return the days on which the plan pays, with the stores of that day."""
    days: dict[date, set[str]] = {}
    for one in assignments:
        if (plan.roles and one.role not in plan.roles) or (plan.stores and one.store_id not in plan.stores):
            continue
        day, last = max(window[0], one.first_day), min(window[1], one.last_day or window[1])
        while day <= last:
            days.setdefault(day, set()).add(one.store_id)
            day += timedelta(days=1)
    return days


def _sorted_out(
    plan: Plan, window: tuple[date, date], sales: Sequence[SalesDay], eligible: dict[date, set[str]]
) -> tuple[list[SalesDay], list[tuple[SalesDay, str]]]:
    counted, excluded = [], []
    for one in sorted(sales, key=lambda sale: (sale.day, sale.store_id)):
        if not window[0] <= one.day <= window[1]:
            continue
        if one.day not in eligible:
            excluded.append((one, "NotEligible"))
        elif not plan.any_store and one.store_id not in eligible[one.day]:
            excluded.append((one, "AnotherStore"))
        else:
            counted.append(one)
    return counted, excluded


_Part = tuple[int, int | None, Decimal, int, int]
"""above, up to, rate, sales that it applies to, amount"""


def _parts(tiers: Sequence[Tier], mode: TierMode, total: int) -> Iterator[_Part]:
    """Yield the tiers that were reached, with what each of them pays."""
    reached = [
        (tier, following.above_minor if following else None)
        for tier, following in zip(tiers, [*tiers[1:], None], strict=True)
        if total > tier.above_minor
    ]
    for tier, up_to in reached if mode is TierMode.MARGINAL else reached[-1:]:
        inside = total if mode is TierMode.WHOLE else (total if up_to is None else min(total, up_to)) - tier.above_minor
        yield tier.above_minor, up_to, tier.rate, inside, _share(inside, tier.rate)


def _share(amount: int, rate: Decimal) -> int:
    return int((amount * rate).quantize(Decimal(1), ROUND_HALF_UP))


def _shown_part(part: _Part) -> dict[str, Any]:
    above, up_to, rate, sales, amount = part
    return {
        "above": amount_text(above),
        "upTo": None if up_to is None else amount_text(up_to),
        "rate": f"{rate:f}",
        "sales": amount_text(sales),
        "amount": amount_text(amount),
    }


def _shown_day(one: SalesDay) -> dict[str, Any]:
    return {
        "date": one.day.isoformat(),
        "storeId": one.store_id,
        "sales": amount_text(one.amount_minor),
        "units": one.units,
    }
