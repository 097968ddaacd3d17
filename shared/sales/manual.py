"""The timer's import, and the same function run by hand with `{"date": "2025-01-15", "storeId": "S001"}` (INC-01)."""

from datetime import date

from pydantic import ConfigDict, Field, ValidationError

from shared.kernel.errors import InvalidRequest
from shared.kernel.field_problems import field_problems
from shared.kernel.partner_body import PartnerBody
from shared.kernel.strict_json import NotJson, read_model
from shared.sales.context import ImportContext
from shared.sales.runs import Trigger
from shared.sales.start import StartRequest, start_daily_import, start_import


class ManualInput(PartnerBody):
    """What an operator may give the timer function; the store is optional."""

    model_config = ConfigDict(extra="forbid")
    date: date
    storeId: str = Field(default="", max_length=128)  # noqa: N815 - JSON is camelCase


def import_by_timer(context: ImportContext, text: str) -> str:
    """Start the import that the timer, or an operator's input, asks for; return the run's ID. InvalidRequest."""
    if text.strip() in ("", "{}"):
        return start_daily_import(context, Trigger.TIMER, "ImportErpSalesData", context.clock())
    try:
        given = read_model(ManualInput, text)
    except NotJson as error:
        raise InvalidRequest(f'the input must be {{"date": "2025-01-15"}}: it {error}') from None
    except ValidationError as error:
        (first,) = field_problems(error, most=1)
        problem = f"{first.field or 'input'}: {first.message}"
        raise InvalidRequest(f'the input must be {{"date": "2025-01-15"}}: {problem}') from None
    return start_import(context, StartRequest(given.date, Trigger.MANUAL, "admin endpoint", store_id=given.storeId))
