"""Which build of the hub answers: after a deployment the old one and the new one answer side by side for a while."""

from functools import cache
from pathlib import Path

_FILE = Path(__file__).resolve().parents[2] / "build-id.txt"
_FROM_SOURCE = "source"
"""The ID of a hub that runs from its sources, not from a package."""


@cache
def build_id() -> str:
    """Return the ID of the package that runs (scripts/package.py writes it), or `source`."""
    try:
        return _FILE.read_text().strip()
    except FileNotFoundError:
        return _FROM_SOURCE
