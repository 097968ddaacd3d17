"""What each version of a plan says, as it was when it was first calculated with (INC-40).

Table PlanVersions: partition tenant, row key plan|version. A version is never changed afterwards: what was paid by it
must stay explicable. Only its name, and the day on which it ends, may be.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from shared.incentives.plan import Plan
from shared.kernel.clock import to_iso
from shared.kernel.errors import ConfigurationError, FieldProblem
from shared.kernel.keys import join_key
from shared.kernel.long_cells import long_cells, read_long_cells
from shared.kernel.money import amount_text
from shared.kernel.table import Row, RowExists, Table, Value


class PlanVersionStore:
    """The versions of plans that one tenant has calculated with."""

    def __init__(self, table: Table, tenant: str) -> None:
        """Keep the table."""
        self._table = table
        self._tenant = tenant

    def pin(self, plans: Iterable[Plan], now: datetime) -> None:
        """Keep what the versions say. ConfigurationError names each that said something else before."""
        known = {row.key: row for row in self._table.query(self._tenant)}
        problems = []
        for plan in plans:
            found = known.get(_key(version_name(plan))) or self._keep(plan, now)
            if read_long_cells(_CONTENT, found.values) != rules_of(plan):
                used = str(found.values["usedAt"])
                message = (
                    f"says something else than when it was first used, {used}: give the changed plan a new version"
                )
                problems.append(FieldProblem(f"plan {plan.plan_id} version {plan.version}", message))
        if problems:
            raise ConfigurationError(tuple(problems))

    def find(self, version: str) -> dict[str, Any] | None:
        """Return what a version (`plan@1`) says, None when it was never used."""
        row = self._table.get(self._tenant, _key(version))
        if row is None:
            return None
        content: dict[str, Any] = read_long_cells(_CONTENT, row.values)
        return content | {"firstUsedAt": row.values["usedAt"]}

    def _keep(self, plan: Plan, now: datetime) -> Row:
        key, values = _key(version_name(plan)), {**rules_cells(plan), "usedAt": to_iso(now)}
        try:
            return Row(self._tenant, key, values, self._table.insert(self._tenant, key, values))
        except RowExists:
            row = self._table.get(self._tenant, key)
            assert row is not None
            return row


def version_name(plan: Plan) -> str:
    """Return how calculations name a version: `store-associates@1`."""
    return f"{plan.plan_id}@{plan.version}"


def rules_of(plan: Plan) -> dict[str, Any]:
    """Return everything in a version that decides about amounts."""
    return {
        "planVersion": version_name(plan),
        "currency": plan.currency,
        "effectiveFrom": plan.effective_from.isoformat(),
        "tierMode": plan.tier_mode.value,
        "tiers": [
            {"above": amount_text(tier.above_minor), "rate": f"{tier.rate.normalize():f}"} for tier in plan.tiers
        ],
        "perUnitBonus": amount_text(plan.per_unit_bonus_minor),
        "cap": None if plan.cap_minor is None else amount_text(plan.cap_minor),
        "roles": sorted(plan.roles),
        "stores": sorted(plan.stores),
        "anyStore": plan.any_store,
        "prorate": plan.prorate.value,
    }


def rules_cells(plan: Plan) -> dict[str, Value]:
    """Return the cells that hold what a version says. ValueError where it says too much to be kept."""
    return long_cells(_CONTENT, rules_of(plan))


_CONTENT = "content"


def _key(version: str) -> str:
    return join_key(*version.rpartition("@")[::2])
