"""Short digests of transaction IDs, by which many can be compared at once.

A digest only raises a suspicion; whether two sales are the same is decided on their transaction IDs.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import pairwise

_AT_ONCE = 100_000
"""Digests looked at in one go."""


def digest(text: str) -> int:
    """Return 64 bits of BLAKE2b over a text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def sorted_digests(digests: Iterable[int]) -> "array[int]":
    """Return digests as a sorted, compact array (8 bytes each)."""
    return array("Q", sorted(digests))


def repeated(arrays: Sequence["array[int]"]) -> set[int]:
    """Return the digests that stand in more than one of the sorted arrays, or twice in one.

    Works through the digests by ranges, so that memory does not grow with their number.
    """
    ranges = 1 + sum(map(len, arrays)) // _AT_ONCE
    borders = [number * 2**64 // ranges for number in range(ranges)] + [2**64]
    twice: set[int] = set()
    for low, high in pairwise(borders):
        seen: set[int] = set()
        for one in arrays:
            for value in one[bisect_left(one, low) : bisect_left(one, high)]:
                (twice if value in seen else seen).add(value)
    return twice
