"""E-mails from templates: a subject, a text part and an HTML part each, from the files beside this module (INC-60).

A value that a template names and the caller does not give is an error, and every value is escaped in HTML.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = (
    "calculation-summary",
    "approval-request",
    "approval-confirmation",
    "rejection-notice",
    "export-summary",
    "system-alert",
    "import-summary",
)
_FOLDER = Path(__file__).with_suffix("")


@dataclass(frozen=True)
class Rendered:
    """The parts of an e-mail. The subject is one line."""

    subject: str
    text: str
    html: str


def render(template: str, values: Mapping[str, object]) -> Rendered:
    """Return the parts of a template with its values; money is given as decimal text.

    ValueError when there is no such template or a value is missing (names it, shows none).
    """
    if template not in TEMPLATES:
        raise ValueError(f"there is no e-mail template {template!r}")
    return Rendered(
        subject=" ".join(_part(template, "subject", values).split()),
        text=_part(template, "txt", values).strip() + "\n",
        html=_part(template, "html", values),
    )


def _part(template: str, part: str, values: Mapping[str, object]) -> str:
    # Here and not above: loading the app must not load the template engine.
    from jinja2 import UndefinedError

    try:
        text = _environment().get_template(f"{template}.{part}.j2").render(values)
    except UndefinedError as error:
        raise ValueError(f"e-mail template {template}, {part}: {error.message}") from None
    # Half a surrogate pair, which JSON can carry, is no text that could be sent.
    return text.encode(errors="replace").decode()


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
