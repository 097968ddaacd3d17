"""How far the calculation of a period is, and what came of it so far (INC-40)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pydantic import TypeAdapter

from shared.incentives.calculation import Calculation
from shared.incentives.comparison import Comparison
from shared.incentives.compute import Computed

_ITS_OWN = ("after", "chain", "found_anew")
"""Fields of the progress that a run has not."""
_NAMED = 50
"""IDs that are kept of what differs; the count is always whole."""


@dataclass(frozen=True)
class Progress:
    """Counts as `CalculationRun` has them, of all ranges of calculation IDs up to `after`."""

    after: str = ""
    chain: str = ""
    """Names one way through the period from its beginning: a run that begins again leaves the chain before behind."""
    created: int = 0
    replaced: int = 0
    unchanged: int = 0
    withdrawn: int = 0
    differing: int = 0
    differing_ids: tuple[str, ...] = ()
    found_anew: int = 0
    """Differences that this run was the first to find."""
    not_eligible: int = 0
    net_minor: int = 0

    def plus(
        self, after: str, computed: Computed, comparison: Comparison, changed: Sequence[Calculation], found_anew: int
    ) -> "Progress":
        """Return the progress after some more employees, of whom the last one has the range `after`."""
        created = sum(len(one.history) == 1 for one in changed)
        differing = sorted(comparison.differing)
        return Progress(
            after=after,
            chain=self.chain,
            created=self.created + created,
            replaced=self.replaced + len(changed) - created,
            unchanged=self.unchanged + comparison.unchanged,
            withdrawn=self.withdrawn + comparison.withdrawn,
            differing=self.differing + len(differing),
            differing_ids=(*self.differing_ids, *differing)[:_NAMED],
            found_anew=self.found_anew + found_anew,
            not_eligible=self.not_eligible + computed.not_eligible,
            net_minor=self.net_minor + computed.net_minor,
        )

    def with_written(self, other: "Progress") -> "Progress":
        """Return this progress with what another one wrote: what was written before it is computed again counts."""
        return replace(self, created=other.created, replaced=other.replaced, withdrawn=other.withdrawn)

    @property
    def counts(self) -> dict[str, Any]:
        """The fields that a run has, too."""
        return {name: value for name, value in asdict(self).items() if name not in _ITS_OWN}

    def as_json(self) -> dict[str, Any]:
        """Return the progress as a message and a run carry it."""
        return asdict(self) | {"differing_ids": list(self.differing_ids)}


def progress_from(content: object) -> Progress:
    """Read what `as_json` gave; None is no progress. ValueError."""
    return _PROGRESS.validate_python(content or {})


_PROGRESS = TypeAdapter(Progress)
