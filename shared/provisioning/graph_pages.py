"""Pages of Microsoft Graph's delta query of users: `GET /users/delta`, then whatever link the last page gave.

https://learn.microsoft.com/graph/delta-query-users. A link is opaque: it is kept and sent as it came, without the
address that it begins with, so that nothing can lead anywhere but to GRAPH_BASE_URL.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Protocol

from pydantic import ConfigDict, Field, ValidationError

from shared.kernel.errors import ContractBroken, MalformedResponse
from shared.kernel.partner_body import PartnerBody

PARTNER = "graph"
START = "/users/delta"
MAX_LINK = 16_000
"""Characters of the longest link that is kept: a cell of a table holds 32,000."""
MAX_OBJECT_ID = 128
_LINK = re.compile(r"/users/[^?#\\\s]+\?[^#\s]+", re.ASCII)
_MAX_TEXT = 1024
ENABLED = "accountEnabled"
TEXTS = (
    "userPrincipalName",
    "displayName",
    "givenName",
    "surname",
    "mail",
    "jobTitle",
    "department",
    "employeeId",
    "preferredLanguage",
)
SELECT = ",".join(("id", ENABLED, *TEXTS))
"""What is asked for: what a SCIM user here is made of, and nothing else about a person."""


class GraphClient(Protocol):
    """The port to Microsoft Graph: authenticated, retried, bounded."""

    def get_json(
        self, path: str, params: Mapping[str, str] | str, *, check: Callable[[Any], object] | None = None
    ) -> Any:  # noqa: ANN401 - JSON
        """Return the parsed answer. `params` as text is sent as it is. `check` looks at it inside the retry."""
        ...


class Removal(Enum):
    """Why a user is not among Graph's users any more; the values are those of `@removed`."""

    RESTORABLE = "changed"
    """Deleted; for 30 days he can be restored."""
    FINAL = "deleted"
    """Deleted for good."""


@dataclass(frozen=True)
class Entry:
    """What a page says of a user: `values` holds what it names, None for what was taken away.

    `unfit` are properties of a wrong type: they are left out of the values.
    """

    object_id: str
    values: Mapping[str, str | bool | None] = field(default_factory=dict, repr=False)
    removal: Removal | None = None
    unfit: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeltaPage:
    """A page; `link` leads to the next one, or, where the round is `complete`, to the next round."""

    entries: list[Entry]
    link: str
    complete: bool


class _Removed(PartnerBody):
    model_config = ConfigDict(extra="ignore")

    reason: str | None = None


class _User(PartnerBody):
    model_config = ConfigDict(extra="allow")

    id: Annotated[str, Field(min_length=1, max_length=MAX_OBJECT_ID)]
    removed: _Removed | None = Field(default=None, alias="@removed")


class _Answer(PartnerBody):
    model_config = ConfigDict(extra="ignore")

    value: list[_User]
    next_link: str = Field(default="", alias="@odata.nextLink")
    delta_link: str = Field(default="", alias="@odata.deltaLink")


def fetch_page(client: GraphClient, base_url: str, link: str) -> DeltaPage:
    """Return the page that a link leads to, for "" the first one of everybody.

    MalformedResponse (retried by the client) when it is no page; ContractBroken when its link leads elsewhere.
    """
    path, _, query = link.partition("?")
    params: Mapping[str, str] | str = query if link else {"$select": SELECT}
    answer = _parse(client.get_json(path or START, params, check=_parse))
    following = _below(base_url, answer.next_link or answer.delta_link)
    if answer.next_link and following == link:
        raise ContractBroken(PARTNER, "the link to the next page leads to the same page again")
    return DeltaPage([_entry(user) for user in answer.value], following, complete=bool(answer.delta_link))


def _parse(answer: object) -> _Answer:
    try:
        parsed = _Answer.model_validate(answer)
    except ValidationError as error:
        fields = sorted({".".join(map(str, item["loc"][:3])) or "body" for item in error.errors()})
        problem = f"the page of users breaks the contract in {', '.join(fields[:5])}"
        raise MalformedResponse(PARTNER, problem) from None
    if bool(parsed.next_link) == bool(parsed.delta_link):
        raise MalformedResponse(PARTNER, "a page of users must have either a nextLink or a deltaLink")
    return parsed


def _below(base_url: str, link: str) -> str:
    """Return what of a link comes after the base URL: path and query. ContractBroken."""
    rest = link[len(base_url) :]
    if link[: len(base_url)].lower() != base_url.lower() or not _LINK.fullmatch(rest) or "/.." in rest:
        raise ContractBroken(PARTNER, "the link to the next page leads out of GRAPH_BASE_URL: it is not followed")
    if len(rest) > MAX_LINK:
        raise ContractBroken(PARTNER, f"the link to the next page is longer than {MAX_LINK} characters")
    return rest


def _entry(user: _User) -> Entry:
    if user.removed:
        final = user.removed.reason == Removal.FINAL.value
        # Without a reason that says that it is final, what can be taken back is done.
        return Entry(user.id, removal=Removal.FINAL if final else Removal.RESTORABLE)
    given = user.model_extra or {}
    values = {name: given[name] for name in TEXTS if name in given and _is_text(given[name])}
    if isinstance(given.get(ENABLED), bool):
        values[ENABLED] = given[ENABLED]
    unfit = [name for name in (*TEXTS, ENABLED) if name in given and name not in values and given[name] is not None]
    return Entry(user.id, values, unfit=tuple(unfit))


def _is_text(value: object) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= _MAX_TEXT)
