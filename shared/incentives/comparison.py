"""What becomes of what was computed, given what stands there already (INC-40).

A draft, or what was rejected, is replaced; whatever is further is left, and counted where it would come to something
else now. A draft that nothing leads to any more comes to zero: it is not removed, so that its audit trail stays.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.incentives.calculation import Calculation, Kind, State
from shared.incentives.compute import Computed
from shared.kernel.money import amount_text

_KEPT = ("planId", "planVersion", "planName", "firstDay", "lastDay")


@dataclass
class Comparison:
    """What is to be written, and how many are left as they are."""

    to_write: list[Calculation] = field(default_factory=list)
    unchanged: int = 0
    withdrawn: int = 0
    """Of those to be written: nothing leads to them any more."""
    differing: dict[str, int] = field(default_factory=dict)
    """ID of what is left as it is -> what it would come to now (minor units)."""
    cut_anew: set[str] = field(default_factory=set)
    """Of those: others have taken their place, for other days."""
    present: dict[str, str] = field(default_factory=dict)
    """ID -> what is to stand there as its present net, "" where that is what it comes to; only what changes."""

    def differs(self, standing: Calculation, net_minor: int) -> None:
        """Note what a calculation that is left as it is would come to now; several may have taken its place."""
        self.differing[standing.calculation_id] = self.differing.get(standing.calculation_id, 0) + net_minor

    def found_in(self, occurrence: str, standing: Iterable[Calculation]) -> int:
        """Return how many differences a run has found that were not there before, in these calculations.

        One that died after it wrote them down finds them by its own name.
        """
        left = (one for one in standing if one.calculation_id not in self.present)
        written = sum(bool(one.present_net) and one.present_run == occurrence for one in left)
        return written + sum(map(bool, self.present.values()))


def compare(computed: Computed, standing: Iterable[Calculation]) -> Comparison:
    """Compare what was computed for a period with all calculations that stand there."""
    here: dict[str, dict[str, Calculation]] = defaultdict(dict)
    corrections: dict[str, int] = defaultdict(int)
    for one in standing:
        if one.kind is Kind.PLAN:
            here[one.employee_id][one.calculation_id] = one
        elif one.kind is Kind.AMENDMENT and one.counts:
            corrections[one.amends] += one.net_minor
    comparison = Comparison()
    for employee_id in {**computed.calculations, **here}:
        fresh = computed.calculations.get(employee_id, [])
        _compare(comparison, fresh, here.get(employee_id, {}), corrections)
    return comparison


def _compare(
    comparison: Comparison,
    fresh: Sequence[Calculation],
    here: Mapping[str, Calculation],
    corrections: Mapping[str, int],
) -> None:
    """Compare what was computed for one employee."""
    for one in fresh:
        _compare_one(comparison, one, here, corrections)
    wanted = {one.calculation_id for one in fresh}
    for found in (one for key, one in here.items() if key not in wanted):
        nothing = _withdrawn(found)
        if found.is_open and not found.same_result(nothing):
            comparison.to_write.append(nothing)
            comparison.withdrawn += 1
        elif not found.is_open and found.net_minor + corrections.get(found.calculation_id, 0) != 0:
            comparison.differs(found, 0)
    for key, found in here.items():
        present = _present_net(comparison, found, corrections)
        if present != found.present_net:
            comparison.present[key] = present


def _present_net(comparison: Comparison, found: Calculation, corrections: Mapping[str, int]) -> str:
    """Return what a calculation that is left as it is would come to now, "" where it is that."""
    key = found.calculation_id
    if found.is_open or key not in comparison.differing:
        return ""
    net_minor = comparison.differing[key]
    net = amount_text(net_minor)
    if found.state is State.PENDING and key in comparison.cut_anew:
        return f"{net}, in calculations of other days"
    return "" if net_minor == found.net_minor + corrections.get(key, 0) else net


def _compare_one(
    comparison: Comparison, one: Calculation, here: Mapping[str, Calculation], corrections: Mapping[str, int]
) -> None:
    found = here.get(one.calculation_id)
    paying = [other for other in here.values() if not other.is_open and _pays_the_same_days(one, other)]
    if paying:
        if found and not found.is_open:
            paying.append(found)
        for number, other in enumerate(sorted(paying, key=lambda each: each.calculation_id)):
            # Where several pay these days, the first one stands for the whole amount: together they come to it once.
            comparison.differs(other, 0 if number else one.net_minor)
            comparison.cut_anew.add(other.calculation_id)
    elif found is None or (found.is_open and not found.same_result(one)):
        comparison.to_write.append(one)
    elif found.is_open or found.net_minor + corrections.get(found.calculation_id, 0) == one.net_minor:
        comparison.unchanged += 1
    else:
        comparison.differs(found, one.net_minor)


def _pays_the_same_days(one: Calculation, other: Calculation) -> bool:
    """Tell whether another calculation by the same plan, cut up in another way, pays days of this one."""
    if one.calculation_id == other.calculation_id or one.source.rpartition(":")[0] != other.source.rpartition(":")[0]:
        return False
    first, last = (max(one.breakdown["firstDay"], other.breakdown["firstDay"]), min(_last(one), _last(other)))
    return bool(first <= last)


def _last(calculation: Calculation) -> str:
    return str(calculation.breakdown["lastDay"])


def _withdrawn(calculation: Calculation) -> Calculation:
    kept = {name: value for name, value in calculation.breakdown.items() if name in _KEPT}
    breakdown = kept | {"gross": "0.00", "net": "0.00", "withdrawn": "there are no sales, or no eligible day, any more"}
    return replace(calculation, gross_minor=0, net_minor=0, state=State.DRAFT, breakdown=breakdown)
