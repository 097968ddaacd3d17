"""The timers of the hub, and which of them is missing (INC-72, INC-73)."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from shared.kernel.timer import Heartbeat, Timer

_log = logging.getLogger(__name__)
_DAY, _HOUR, _MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)

TIMERS = (
    Timer("ImportErpSalesData", "0 0 1 * * *", _DAY, _HOUR, grace=_HOUR),
    Timer("WatchImports", "30 */5 * * * *", 5 * _MINUTE, timedelta(seconds=30), grace=10 * _MINUTE),
    Timer("SyncEmployees", "0 0 3 * * *", _DAY, 3 * _HOUR, grace=_HOUR),
    Timer("ResumeHrEvents", "15 */5 * * * *", 5 * _MINUTE, timedelta(seconds=15), grace=10 * _MINUTE),
    Timer("ExportPayroll", "0 20 * * * *", _HOUR, 20 * _MINUTE, grace=30 * _MINUTE),
    Timer("SyncUsers", "0 40 * * * *", _HOUR, 40 * _MINUTE, grace=30 * _MINUTE),
    Timer("MeasureHub", "0 * * * * *", _MINUTE, timedelta(0), grace=5 * _MINUTE),
)
"""Every timer function; `functions/timers.py` registers them, and says what each one does."""


def missing_timers(heartbeats: Iterable[Heartbeat], now: datetime) -> list[str]:
    """Return the names of the timers that should have succeeded by now and have not."""
    found = {beat.name: beat for beat in heartbeats}
    return [timer.name for timer in TIMERS if timer.name in found and found[timer.name].is_missing(timer, now)]


def probe_timers(heartbeats: Iterable[Heartbeat], now: datetime) -> str | None:
    """Return which timers are missing, None when none is."""
    missing = missing_timers(heartbeats, now)
    return f"no success in time: {', '.join(missing)}" if missing else None


def tell_missing(heartbeats: Iterable[Heartbeat], now: datetime) -> None:
    """Write a line for each missing timer, for whoever reads the log.

    The alert rule goes by the metric `integration.heartbeat_age`: it finds out too when no timer runs at all.
    """
    for name in missing_timers(heartbeats, now):
        _log.error("timer %s has not succeeded in time", name, extra={"alert": "high", "timer": name})
