"""Those who sold something in a period, in the order in which their calculations lie (INC-40).

Sales and people lie in the order of employee IDs, calculations in that of a digest of them. To compare the two a range
at a time, one side must be sorted: in memory while it is short, else by an external merge sort over temporary files.
"""

import gzip
import pickle
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from heapq import merge
from itertools import islice
from operator import itemgetter
from tempfile import TemporaryFile
from typing import IO

from shared.incentives.calculation_id import range_of_employee
from shared.incentives.context import Seller

_MOST_IN_MEMORY = 150_000
"""Sales days, some 200 bytes each, that are sorted at once: 30 MB. 22 days of 6,800 employees."""

_PORTION = 64
"""Sellers that are written and read at once."""

Keyed = tuple[str, Seller]
"""A range of calculation IDs and whose it is."""


class SortedSellers:
    """Sellers sorted by their ranges of calculation IDs. A context manager, for it may hold temporary files."""

    def __init__(self, period: str, *, most_in_memory: int = _MOST_IN_MEMORY) -> None:
        """Start empty."""
        self._period, self._most = period, most_in_memory
        self._open: list[Keyed] = []
        self._days = 0
        self._files: list[IO[bytes]] = []
        self._stack = ExitStack()

    def __enter__(self) -> "SortedSellers":
        """Nothing is opened before it is needed."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the temporary files."""
        self._stack.close()

    def add_all(self, sellers: Iterable[Seller], after: str = "") -> None:
        """Add those whose range lies after another one."""
        for seller in sellers:
            key = range_of_employee(self._period, seller.employee_id)
            if key <= after:
                continue
            self._open.append((key, seller))
            self._days += 1 + len(seller.sales)
            if self._days > self._most:
                self._put_aside()

    def __iter__(self) -> Iterator[Keyed]:
        """Yield them in the order of their ranges."""
        self._open.sort(key=itemgetter(0))
        return merge(iter(self._open), *map(_read, self._files), key=itemgetter(0))

    def _put_aside(self) -> None:
        file = self._stack.enter_context(TemporaryFile())  # noqa: SIM115 - closed by the stack
        self._open.sort(key=itemgetter(0))
        rest = iter(self._open)
        with gzip.open(file, "wb", compresslevel=1) as packed:
            while portion := list(islice(rest, _PORTION)):
                pickle.dump(portion, packed)
        self._files.append(file)
        self._open, self._days = [], 0


def _read(file: IO[bytes]) -> Iterator[Keyed]:
    file.seek(0)
    with gzip.open(file, "rb") as packed:
        while packed.peek(1):
            yield from pickle.load(packed)  # noqa: S301 - this process wrote it a moment ago, nobody else can
