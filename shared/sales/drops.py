"""What a run takes away: stores, and the day as a whole, that sold more before than they do by this run (INC-05).

An answer that lacks a store looks like a day without sales. So what drops by more than a share is counted and told;
where it was more than a few records, or a store had pushed it by itself, it counts once somebody has confirmed it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from shared.kernel.money import amount_text
from shared.sales.models import ALL_STORES, Tally, total_of

MOST_DROPS = 2000
"""Kept of a run."""

_MOST_TOLD = 50


@dataclass(frozen=True)
class Drop:
    """A store, or the whole day (ALL_STORES), before and by a run. Amounts in minor units."""

    store: str
    records_before: int
    amount_before: int
    records_after: int
    amount_after: int
    pushed: bool = False
    """What stood before came from the store's own file."""

    @property
    def lost_minor(self) -> int:
        """By how much the amount falls."""
        return self.amount_before - self.amount_after


@dataclass(frozen=True)
class DropRules:
    """What is a drop, and which drop has to be confirmed."""

    share: Decimal = Decimal("0.5")
    """Of the records or of the amount: losing more, or everything, is a drop."""
    records: int = 10
    """A store or day of fewer records may drop unconfirmed, and so may several that lose fewer together."""

    def is_drop(self, one: Drop) -> bool:
        """Whether a store or day loses more than the share, or everything."""
        kept = 1 - self.share
        fewer = one.records_after < one.records_before * kept
        return (
            one.records_after == 0 or fewer or (one.amount_before > 0 and one.amount_after < one.amount_before * kept)
        )

    def need_confirmation(self, drops: Iterable[Drop]) -> bool:
        """Whether drops count only once they are confirmed: of many records, of all of a pushed store, or of stores
        that are small and together lose many.
        """
        drops = list(drops)
        lost = sum(one.records_before - one.records_after for one in drops if one.store != ALL_STORES)
        return lost >= self.records or any(
            one.records_before >= self.records or (one.pushed and one.records_after == 0) for one in drops
        )


def find_drops(
    rules: DropRules, before: Mapping[str, tuple[Tally, bool]], after: Mapping[str, Tally], day: Drop
) -> tuple[Drop, ...]:
    """Return what drops, the greatest loss first.

    `before` has for each store that a run takes over what counts there, and whether the store pushed it.
    """
    stores = (
        _drop(store, tally, after.get(store, Tally()), pushed=pushed) for store, (tally, pushed) in before.items()
    )
    found = [one for one in (day, *stores) if one.records_before and rules.is_drop(one)]
    return tuple(sorted(found, key=lambda one: (-one.lost_minor, one.store)))


def day_as_a_whole(before: Iterable[Tally], after: Iterable[Tally]) -> Drop:
    """Return the day as a whole."""
    return _drop(ALL_STORES, total_of(before), total_of(after), pushed=False)


def describe_drops(drops: Iterable[Drop]) -> list[dict[str, Any]]:
    """Return the greatest drops for people; `storeId` is null for the day as a whole, money is decimal text."""
    return [
        {
            "storeId": None if one.store == ALL_STORES else one.store,
            "recordsBefore": one.records_before,
            "amountBefore": amount_text(one.amount_before),
            "recordsAfter": one.records_after,
            "amountAfter": amount_text(one.amount_after),
        }
        for one in list(drops)[:_MOST_TOLD]
    ]


def _drop(store: str, before: Tally, after: Tally, *, pushed: bool) -> Drop:
    return Drop(store, before.transactions, before.amount_minor, after.transactions, after.amount_minor, pushed=pushed)
