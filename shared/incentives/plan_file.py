"""Plans as files: `plans/*.yaml`, each a version of a plan, checked when they are loaded (INC-40)."""

import logging
import re
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from shared.incentives.plan import Plan, Prorate, Tier, TierMode
from shared.incentives.plan_versions import rules_cells, version_name
from shared.kernel.errors import ConfigurationError, FieldProblem
from shared.kernel.field_problems import field_problems
from shared.kernel.money import parse_amount, to_minor
from shared.kernel.pay_period import PayPeriod

_log = logging.getLogger(__name__)


def _money(value: object) -> int:
    minor = to_minor(parse_amount(str(value)))
    if minor < 0:
        raise ValueError("must not be negative")
    return minor


def _rate(value: object) -> Decimal:
    rate = parse_amount(str(value))
    if not 0 <= rate <= 1:
        raise ValueError("must be a share from 0 to 1: 0.05 is five per cent")
    if rate != round(rate, _RATE_DECIMALS):
        raise ValueError(f"must have at most {_RATE_DECIMALS} decimals")
    return rate


def _day(value: object) -> date:
    text = str(value)
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text} is not a day of the calendar") from None
    raise ValueError("must be a day: 2025-01-31")


_RATE_DECIMALS = 6

Money = Annotated[int, BeforeValidator(_money)]
Rate = Annotated[Decimal, BeforeValidator(_rate)]
Day = Annotated[date, BeforeValidator(_day)]
Names = frozenset[Annotated[str, Field(min_length=1, max_length=128)]]


class _Tier(BaseModel):
    model_config = ConfigDict(extra="forbid")

    above: Money
    rate: Rate


class _Eligibility(BaseModel):
    model_config = ConfigDict(extra="forbid")

    roles: Names = frozenset()
    stores: Names = frozenset()


class _PlanFile(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    version: int = Field(ge=1)
    name: str = Field(min_length=1, max_length=200)
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    effective_from: Day
    effective_to: Day | None = None
    tier_mode: TierMode = TierMode.MARGINAL
    tiers: list[_Tier] = Field(min_length=1)
    per_unit_bonus: Money = 0
    cap: Money | None = None
    eligibility: _Eligibility = _Eligibility()
    any_store: bool = True
    prorate: Prorate = Prorate.NONE

    @model_validator(mode="after")
    def _holds_together(self) -> "_PlanFile":
        bounds = [tier.above for tier in self.tiers]
        if bounds[0] != 0:
            raise ValueError("tiers: the first must begin above 0")
        if any(one >= other for one, other in pairwise(bounds)):
            raise ValueError("tiers: each must begin above the one before")
        if self.effective_to and self.effective_to < self.effective_from:
            raise ValueError("effective_to: lies before effective_from")
        return self

    def plan(self) -> Plan:
        """Return what the file says."""
        return Plan(
            plan_id=self.id,
            version=self.version,
            name=self.name,
            currency=self.currency,
            effective_from=self.effective_from,
            effective_to=self.effective_to,
            tiers=tuple(Tier(tier.above, tier.rate) for tier in self.tiers),
            tier_mode=self.tier_mode,
            per_unit_bonus_minor=self.per_unit_bonus,
            cap_minor=self.cap,
            roles=self.eligibility.roles,
            stores=self.eligibility.stores,
            any_store=self.any_store,
            prorate=self.prorate,
        )


@dataclass(frozen=True)
class Plans:
    """All versions of all plans."""

    plans: tuple[Plan, ...]

    def for_period(self, period: PayPeriod) -> list[Plan]:
        """Return the versions that pay any day of a period."""
        return [plan for plan in self.plans if plan.window(period)]


def load_plans(folder: Path, currency: str) -> Plans:
    """Read every file of a folder. ConfigurationError names each mistake of each file: `plans/x.yaml:tiers.0.rate`.

    All plans pay in the currency of the sales: nothing is converted.
    """
    problems: list[FieldProblem] = []
    plans: list[tuple[str, Plan]] = []
    files = sorted(folder.glob("*.yaml"))
    if not files:
        problems.append(FieldProblem("INCENTIVE_PLANS", f"the folder {folder.name} holds no *.yaml"))
    strays = (f"{folder.name}/{file.name}" for file in sorted(folder.glob("*.yml")))
    problems += [FieldProblem(name, "is not read: its name must end in .yaml") for name in strays]
    for file in files:
        name = f"{folder.name}/{file.name}"
        try:
            plan = _PlanFile.model_validate(_read(name, file.read_text(encoding="utf-8"))).plan()
        except ValidationError as error:
            problems += _problems(name, error)
        except ConfigurationError as error:
            problems += error.problems
        except UnicodeDecodeError:
            problems.append(FieldProblem(name, "is not UTF-8"))
        else:
            plans.append((name, plan))
            problems += _too_long(name, plan)
            if plan.currency != currency:
                problems.append(FieldProblem(f"{name}:currency", f"must be {currency}, the currency of the sales"))
    problems += _overlaps(plans)
    if problems:
        raise ConfigurationError(tuple(problems))
    return Plans(tuple(sorted((plan for _, plan in plans), key=lambda plan: (plan.plan_id, plan.version))))


def warn_of_unknown_stores(plans: Plans, known: frozenset[str]) -> None:
    """Warn in the log of plans that pay in stores of which no sale is accepted. No known store: nothing is known.

    It is no error: a store may open later, and may have closed.
    """
    for plan in plans.plans:
        if known and (unknown := sorted(plan.stores - known)):
            named = ", ".join(unknown[:_NAMED_STORES])
            more = f" and {len(unknown) - _NAMED_STORES} more" if len(unknown) > _NAMED_STORES else ""
            _log.warning(
                "plan %s pays in stores that are not known (ERP_KNOWN_STORES): %s%s", version_name(plan), named, more
            )


_NAMED_STORES = 20


def _read(name: str, text: str) -> object:
    """Parse YAML with every scalar as the text that it was written as: a rate must not pass through a float."""
    import yaml

    class Loader(yaml.BaseLoader):
        """Scalars as text; a key that stands twice is a mistake."""

    def mapping(loader: yaml.BaseLoader, node: yaml.MappingNode) -> Mapping[Hashable, Any]:
        keys = [loader.construct_object(key) for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            problem = FieldProblem(f"{name}:{', '.join(twice)}", "stands twice")
            raise ConfigurationError((problem,))
        found: Mapping[Hashable, Any] = loader.construct_mapping(node, deep=True)
        return found

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    try:
        content = yaml.load(text, Loader)  # noqa: S506 - a BaseLoader constructs text, lists and mappings alone
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigurationError((FieldProblem(name, f"line {line}: {error.problem}"),)) from None
    except yaml.YAMLError:
        raise ConfigurationError((FieldProblem(name, "is not YAML"),)) from None
    if not isinstance(content, dict):
        raise ConfigurationError((FieldProblem(name, "is empty, or no mapping"),))
    return {key: value for key, value in content.items() if value != ""}


def _problems(name: str, error: ValidationError) -> Iterator[FieldProblem]:
    for one in field_problems(error):
        place, message = one.field, one.message
        if not place and ": " in message:
            place, _, message = message.partition(": ")
        yield FieldProblem(f"{name}:{place}", message)


def _too_long(name: str, plan: Plan) -> Iterator[FieldProblem]:
    """Tell of a version that says more than can be kept of it: thousands of stores or tiers with long names."""
    try:
        rules_cells(plan)
    except ValueError as error:
        yield FieldProblem(name, f"is too long to be kept ({error}): cut it into several plans")


def _overlaps(plans: list[tuple[str, Plan]]) -> Iterator[FieldProblem]:
    """Tell of versions of one plan that are the same, or pay the same days."""
    for number, (name, plan) in enumerate(plans):
        for other_name, other in plans[:number]:
            if plan.plan_id != other.plan_id:
                continue
            if plan.version == other.version:
                yield FieldProblem(f"{name}:version", f"{plan.plan_id} version {plan.version} is {other_name} already")
            elif _pay_the_same_day(plan, other):
                yield FieldProblem(f"{name}:effective_from", f"pays days that {other_name} pays already")


def _pay_the_same_day(one: Plan, other: Plan) -> bool:
    return max(one.effective_from, other.effective_from) <= min(
        one.effective_to or date.max, other.effective_to or date.max
    )
