"""An incentive plan: what sells how much is paid how much (INC-40)."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from shared.kernel.pay_period import PayPeriod


class TierMode(StrEnum):
    """What a tier's rate applies to."""

    MARGINAL = "marginal"
    """Each rate to the sales inside its own tier."""
    WHOLE = "whole"
    """The rate of the highest tier that was reached to all sales."""


class Prorate(StrEnum):
    """What the share of eligible days applies to."""

    NONE = "none"
    PAYOUT = "payout"
    """The payout, after the cap; of the days of the period that the version pays."""
    THRESHOLDS = "thresholds"
    """The bounds of the tiers, and the cap; of all days of the period."""


@dataclass(frozen=True)
class Tier:
    """Sales above an amount (minor units) are paid at a rate (0.05 is five per cent)."""

    above_minor: int
    rate: Decimal


@dataclass(frozen=True)
class Plan:
    """One version of a plan. Amounts in minor units of the currency."""

    plan_id: str
    version: int
    name: str
    currency: str
    effective_from: date
    effective_to: date | None
    tiers: tuple[Tier, ...]
    """The first begins at 0, each further one above the one before."""
    tier_mode: TierMode = TierMode.MARGINAL
    per_unit_bonus_minor: int = 0
    cap_minor: int | None = None
    roles: frozenset[str] = frozenset()
    """Whose work is paid; empty: every role."""
    stores: frozenset[str] = frozenset()
    """Where the work must be assigned to; empty: every store."""
    any_store: bool = True
    """Sales count wherever they were made on an eligible day, else only in the store assigned that day."""
    prorate: Prorate = Prorate.NONE

    def window(self, period: PayPeriod) -> tuple[date, date] | None:
        """Return the first and the last day of a period that this version pays, None when there is none."""
        first = max(period.first_day, self.effective_from)
        last = min(period.last_day, self.effective_to or period.last_day)
        return (first, last) if first <= last else None
