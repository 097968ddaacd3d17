"""Faults on demand: a script of what goes wrong, where and how often."""

from dataclasses import asdict, dataclass
from threading import Lock
from typing import Any

KINDS = (
    "status",
    "slow",
    "reset",
    "torn",
    "cut-json",
    "not-json",
    "wrong-content-type",
    "repeated-page",
    "repeated-page-renumbered",
    "expired-token",
    "wrong-total",
    "redirect",
    "gzip-bomb",
    "slow-drip",
    "huge-page",
    "answer-lost",
    "wrong-totals",
    "known-key",
    "key-in-use",
    "foreign-link",
)


@dataclass
class Fault:
    """Something that goes wrong `times` times on a route, on one page of it or on any, after `after` good answers."""

    route: str
    kind: str
    page: int | None = None
    times: int = 1
    after: int = 0
    status: int = 503
    retry_after: str = ""
    seconds: float = 3.0
    location: str = ""

    def __post_init__(self) -> None:
        """Refuse a kind that there is not. ValueError."""
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is no fault: one of {', '.join(KINDS)}")


DEMO = (
    Fault("erp.sales", "status", page=1, status=429, retry_after="1"),
    Fault("erp.sales", "status", page=2, status=503),
    Fault("erp.sales", "slow", page=4, seconds=3),
    Fault("erp.sales", "repeated-page", page=5),
    Fault("erp.sales", "cut-json", page=7),
    Fault("erp.sales", "expired-token", page=9),
)
"""What the tests of the import play."""

STORY = (
    Fault("erp.sales", "status", status=429, retry_after="1", after=3),
    Fault("erp.sales", "status", status=503, after=9),
    Fault("erp.sales", "slow", seconds=3, after=12),
    Fault("erp.sales", "repeated-page", page=2, after=5),
    Fault("erp.sales", "cut-json", after=20),
    Fault("erp.sales", "expired-token", after=20),
    Fault("hr.employees", "status", page=1, status=429, retry_after="1"),
    Fault("hr.employees", "repeated-page", page=2),
    Fault("hr.employees", "cut-json", page=3),
    Fault("hr.employees", "slow", page=4, seconds=3),
    Fault("payroll.batch", "status", status=503),
    Fault("payroll.batch", "answer-lost"),
    Fault("payroll.batch", "expired-token"),
    Fault("notifications", "status", status=503),
)

"""What `make demo FAULTS=1` plays: every partner misbehaves, none so often in a row that its circuit opens."""

PRESETS = {"import": DEMO, "demo": STORY}


class Faults:
    """The script that is being played."""

    def __init__(self) -> None:
        """Begin with none."""
        self._left: list[Fault] = []
        self.fired: list[dict[str, Any]] = []
        self._lock = Lock()

    def add(self, faults: list[Fault]) -> None:
        """Add to the script."""
        with self._lock:
            self._left += [Fault(**asdict(fault)) for fault in faults]

    def clear(self) -> None:
        """Play no more faults."""
        with self._lock:
            self._left.clear()

    def left(self) -> list[dict[str, Any]]:
        """Return what has not fired yet."""
        with self._lock:
            return [asdict(fault) for fault in self._left]

    def next(self, route: str, page: int | None) -> Fault | None:
        """Return what goes wrong with this request, if anything."""
        with self._lock:
            for fault in self._left:
                if fault.route != route or fault.page not in (None, page):
                    continue
                if fault.after > 0:
                    fault.after -= 1
                    continue
                fault.times -= 1
                if fault.times <= 0:
                    self._left.remove(fault)
                self.fired.append({"route": route, "kind": fault.kind, "page": page})
                return fault
        return None
