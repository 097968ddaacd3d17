"""Which event is told to whom by e-mail, and with which template (INC-60), as one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Audience(Enum):
    """Who gets an e-mail: people of the event itself, or an address list of the settings."""

    EMPLOYEE = "employee"
    SUBMITTER = "submitter"
    APPROVERS = "approvers"
    FINANCE = "finance"
    ADMINS = "admins"


@dataclass(frozen=True)
class MailRule:
    """The template of an event's e-mail and who gets it; who is both gets it once."""

    template: str
    audiences: tuple[Audience, ...]


MAIL_RULES: Mapping[str, MailRule] = MappingProxyType(
    {
        "calculation.completed": MailRule("calculation-summary", (Audience.EMPLOYEE,)),
        "approval.required": MailRule("approval-request", (Audience.APPROVERS,)),
        "approval.approved": MailRule("approval-confirmation", (Audience.EMPLOYEE, Audience.SUBMITTER)),
        "approval.rejected": MailRule("rejection-notice", (Audience.EMPLOYEE, Audience.SUBMITTER)),
        "export.completed": MailRule("export-summary", (Audience.FINANCE,)),
        "system.alert": MailRule("system-alert", (Audience.ADMINS,)),
    }
)
"""By event type. Import notifications to admins use the template `import-summary`; their event is the import's own."""
