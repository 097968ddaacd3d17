"""What operators say to the dead letters' API."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from shared.messaging.dead_letter import Kind
from shared.messaging.dead_letter_store import Selection
from shared.messaging.dead_letters import MAX_AT_ONCE, DeadLetters

FILTERS = ("queue", "status", "reason", "kind", "messageType", "correlationId")
Text = Annotated[str, Field(min_length=1, max_length=200)]
Reason = Annotated[str, Field(min_length=1, max_length=1000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ResubmitBody(_Body):
    """`{"data": {...}}` replaces the message's payload; without it, the message is sent as it was."""

    data: dict[str, Any] | None = None


class DiscardBody(_Body):
    """`{"reason": "..."}`."""

    reason: Reason


class Filter(_Body):
    """Which open dead letters; what is not given matches all."""

    queue: Text | None = None
    status: Literal["Open"] = "Open"
    reason: Text | None = None
    kind: Kind | None = None
    messageType: Text | None = None  # noqa: N815 - JSON is camelCase
    correlationId: Text | None = None  # noqa: N815
    since: AwareDatetime | None = Field(default=None, alias="from")
    until: AwareDatetime | None = Field(default=None, alias="to")

    def selection(self) -> Selection:
        """Return what the filter selects."""
        given = ((name, getattr(self, name)) for name in FILTERS)
        return Selection({name: str(value) for name, value in given if value}, self.since, self.until)


class ManyBody(_Body):
    """`{"ids": [...]}` or `{"filter": {...}}`, 100 dead letters at most."""

    ids: list[Text] | None = Field(default=None, min_length=1, max_length=MAX_AT_ONCE)
    filter: Filter | None = None

    @model_validator(mode="after")
    def one_of_both(self) -> "ManyBody":
        """Refuse neither and both."""
        if (self.ids is None) == (self.filter is None):
            raise ValueError("give either ids or filter")
        return self

    def chosen(self, letters: DeadLetters) -> tuple[list[str], bool]:
        """Return the IDs, each once, and whether the filter matches more than fit into one operation."""
        if self.filter is not None:
            return letters.open_ones(self.filter.selection())
        return list(dict.fromkeys(self.ids or ())), False


class DiscardManyBody(ManyBody):
    """The same with `reason`."""

    reason: Reason
