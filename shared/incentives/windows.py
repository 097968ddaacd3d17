"""Sellers and the calculations that stand there, side by side, some employees at a time (INC-40)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from operator import itemgetter

from shared.incentives.calculation import Calculation
from shared.incentives.calculation_id import range_of
from shared.incentives.context import Seller
from shared.incentives.sorted_sellers import Keyed

EMPLOYEES = 1000
"""Employees in a window: as many as storage answers with at once."""


@dataclass
class Window:
    """Some employees who sold something, or of whom there are calculations: all there is of each."""

    sellers: list[Seller] = field(default_factory=list)
    standing: list[Calculation] = field(default_factory=list)
    last: str = ""
    """The last of their ranges of calculation IDs."""
    ranges: int = 0


def windows(sellers: Iterable[Keyed], standing: Iterable[Calculation]) -> Iterator[Window]:
    """Yield windows over two sources in the order of calculation IDs, of which neither has to have all employees.

    What is written into a window that was yielded is not met again: the sources are read beyond it by then.
    """
    here = ((range_of(one.calculation_id), one) for one in standing)
    both: Iterable[tuple[str, Seller | Calculation]] = merge(sellers, here, key=itemgetter(0))
    window = Window()
    for key, group in groupby(both, itemgetter(0)):
        if window.ranges == EMPLOYEES:
            yield window
            window = Window()
        for _, one in group:
            if isinstance(one, Seller):
                window.sellers.append(one)
            else:
                window.standing.append(one)
        window.last, window.ranges = key, window.ranges + 1
    if window.ranges:
        yield window
