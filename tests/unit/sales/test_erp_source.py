"""INC-02: pages of the ERP as its serialiser writes them."""

import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pytest

from shared.kernel.errors import MalformedResponse
from shared.kernel.strict_json import NotJson, read_json_items
from shared.sales.erp_source import ErpSource
from shared.sales.models import Rejection, SourcePage
from shared.sales.rules import rules_for
from tests.unit.sales.test_rules import GOOD
from tests.unit.sales.world import DAY, World

RECORD = json.dumps(GOOD, default=str)
PAGINATION = '{"page": 1, "totalRecords": 2, "totalPages": 1}'


class Erp:
    """Answers with a page as the HTTP client reads it."""

    def __init__(self, content: str) -> None:
        self._content = content

    def get_json(self, _: str, __: Mapping[str, str], *, check: Callable[[Any], object] | None = None) -> Any:
        found = read_json_items(self._content)
        if check:
            check(found)
        return found


def page(content: str) -> SourcePage:
    return next(iter(ErpSource(Erp(content), date(2025, 1, 15), "", 1000).pages("1", 1, 1)))


@pytest.mark.parametrize(
    "rest",
    [
        f'"pagination": {PAGINATION}, "metadata": null',
        f'"pagination": {PAGINATION}, "metadata": {{"dataAsOf": null, "extractedAt": null}}',
        f'"pagination": {PAGINATION}',
        '"pagination": {"page": null, "totalRecords": 2, "totalPages": 1}',
    ],
)
def test_null_is_absent(rest: str) -> None:
    found = page(f'{{"data": [{RECORD}, {RECORD}], {rest}}}')
    assert (found.total_records, found.data_as_of, len(found.records)) == (2, "", 2)


def test_an_instant_of_any_kind_tells_states_apart() -> None:
    assert page(
        f'{{"data": [{RECORD}], "pagination": {PAGINATION}, "metadata": {{"dataAsOf": 1736899200}}}}'
    ).data_as_of


@pytest.mark.parametrize("rest", ['"pagination": null, "metadata": null', '"pagination": {"totalRecords": null}'])
def test_null_is_absent_on_an_empty_day(rest: str) -> None:
    assert page(f'{{"data": [], {rest}}}').records == []


BAD = {
    "an amount twice": (RECORD[:-1] + ', "salesAmount": 1.00}', "salesAmount", "gives 'salesAmount' more than once"),
    "inside": (RECORD[:-1] + ', "x": {"a": 1, "a": 2}}', "a", "gives 'a' more than once"),
    "5,000 digits": (RECORD[:-1] + ', "x": %s}' % ("9" * 5000), "", "has a number of 5000 digits"),
    "NaN": (RECORD[:-1] + ', "x": NaN}', "", "has NaN, which is no number of JSON"),
    "no object": ("7", "", "is not an object"),
}


@pytest.mark.parametrize(("bad", "field", "reason"), BAD.values(), ids=BAD.keys())
def test_a_record_that_has_no_one_meaning_costs_itself_alone_and_is_kept(bad: str, field: str, reason: str) -> None:
    """INC-04."""
    found = page(f'{{"data": [{bad}, {RECORD}], "pagination": {PAGINATION}}}')
    rules = rules_for(DAY, World().context.rules.time_zone)
    refused = rules.check(found.records[0])
    assert isinstance(refused, Rejection)
    assert refused.field == field
    assert reason in refused.message
    assert found.records[0].text == bad
    assert found.records[1].fields


@pytest.mark.parametrize("total", ["1e99999999", "9" * 5000, "1000000000", "NaN", "-1"])
def test_a_total_that_is_none_is_told_at_once(total: str) -> None:
    content = f'{{"data": [], "pagination": {{"page": 1, "totalRecords": 2, "totalPages": {total}}}}}'
    with pytest.raises((MalformedResponse, NotJson)):
        page(content)
