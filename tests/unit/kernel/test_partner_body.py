"""null says as much as nothing wherever nothing may be said."""

import pytest
from pydantic import ConfigDict, Field, ValidationError

from shared.kernel.partner_body import PartnerBody


class Body(PartnerBody):
    model_config = ConfigDict(extra="allow")

    id: str
    note: str = ""
    number: int = Field(default=3, alias="@number")
    ended: str | None


def test_null_is_absent_where_absent_is_allowed_and_nowhere_else() -> None:
    found = Body.model_validate({"id": "1", "note": None, "@number": None, "ended": None, "more": None})
    assert (found.note, found.number, found.ended, found.model_extra) == ("", 3, None, {"more": None})
    wrong: object
    for wrong in ({"id": None, "ended": None}, {"id": "1"}, None, []):
        with pytest.raises(ValidationError):
            Body.model_validate(wrong)
