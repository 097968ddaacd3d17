"""What an export of a period would take now: shown before it is triggered, and written down when it is (INC-50)."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from shared.kernel.errors import FieldProblem, PreconditionFailed, PreconditionRequired
from shared.kernel.money import amount_text
from shared.payroll.context import PayrollContext
from shared.payroll.export import Approved, Export
from shared.payroll.records import Payable


@dataclass(frozen=True)
class Expected:
    """What a caller saw before triggering an export: how many calculations, over how much. None: it was not said."""

    count: int | None = None
    total_minor: int | None = None

    def refuse_another(self, period: str, approved: Approved) -> None:
        """Refuse to export something else than what was seen. PreconditionRequired, PreconditionFailed."""
        here = (FieldProblem("count", str(approved.count)), FieldProblem("totalNet", amount_text(approved.total_minor)))
        if self.count is None or self.total_minor is None:
            raise PreconditionRequired(
                f"say what you saw of {period}: how many approved calculations (count), over how much (totalNet)", here
            )
        if not self.is_met_by(approved):
            raise PreconditionFailed(
                f"{approved.count} calculations of {period} over {amount_text(approved.total_minor)} are approved: "
                "that is not what you saw. Look at them again",
                here,
            )

    def is_met_by(self, approved: Approved | None) -> bool:
        """Tell whether this is what was seen."""
        return approved is not None and (self.count, self.total_minor) == (approved.count, approved.total_minor)


def look_at(payables: Iterable[Payable]) -> tuple[Approved, list[str]]:
    """Return how many payables there are and what they come to, and the IDs of their calculations."""
    ids: list[str] = []
    total_minor = 0
    for one in payables:
        ids.append(one.calculation_id)
        total_minor += one.amount_minor
    return Approved(len(ids), total_minor), ids


def write_down(context: PayrollContext, period: str, calculation_ids: Sequence[str]) -> str:
    """Write down which calculations were seen, return the blob's name: it is made of its content."""
    content = "\n".join(calculation_ids).encode()
    name = f"{period}/seen-{sha256(content).hexdigest()[:32]}.txt"
    context.archive.write(name, content, content_type="text/plain")
    return name


class Everything(Container[str]):
    """Whatever is approved: nobody looked before, for the timer started the export."""

    def __contains__(self, _calculation_id: object) -> bool:
        """Tell that a calculation is to be exported."""
        return True


def seen_in(context: PayrollContext, export: Export) -> Container[str]:
    """Return the IDs of the calculations that an export may take: what is approved later goes into the next one."""
    if not export.seen_blob:
        return Everything()
    return frozenset(context.archive.read(export.seen_blob).decode().split())
