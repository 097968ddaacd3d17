"""The same records as CSV (INC-54).

`EmployeeNumber,FirstName,LastName,IncentiveAmount,EarningsCode,PayPeriod,CalculationIds,ExportDate`, RFC 4180, UTF-8;
calculation IDs joined with a comma inside quotes. A text that a spreadsheet would run as a formula gets an apostrophe
in front; amounts are numbers and stay as they are.
"""

import csv
import io
from collections.abc import Iterable

from shared.kernel.money import amount_text
from shared.payroll.records import PayRecord

HEADER = (
    "EmployeeNumber",
    "FirstName",
    "LastName",
    "IncentiveAmount",
    "EarningsCode",
    "PayPeriod",
    "CalculationIds",
    "ExportDate",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a formula can begin, in full width too (OWASP, CSV injection)."""


def neutral(text: str) -> str:
    """Return a text that no spreadsheet runs."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def csv_content(records: Iterable[PayRecord], period: str, export_date: str) -> bytes:
    """Return the file; records that come to nothing are left out, as they are from the batch."""
    with io.BytesIO() as content:
        writer = csv.writer(io.TextIOWrapper(content, "utf-8", newline="", write_through=True), lineterminator="\r\n")
        writer.writerow(HEADER)
        for record in records:
            if not record.nothing_to_pay:
                writer.writerow(_row(record, period, export_date))
        return content.getvalue()


def _row(record: PayRecord, period: str, export_date: str) -> list[str]:
    return [
        neutral(record.employee_number),
        neutral(record.first_name),
        neutral(record.last_name),
        amount_text(record.amount_minor),
        neutral(record.earnings_code),
        period,
        ",".join(record.calculation_ids),
        export_date,
    ]
