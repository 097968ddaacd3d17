"""The batch that payroll gets: `{batchId, payPeriod, exportDate, currency, controlTotals, records[]}` (INC-52)."""

import json
from collections.abc import Iterable

from shared.kernel.money import amount_text
from shared.payroll.export import Export


def batch_body(export: Export, lines: Iterable[bytes]) -> bytes:
    """Return the batch as JSON, the same bytes in every attempt. `lines` are the frozen records, to be paid or not."""
    head = {
        "batchId": export.export_id,
        "payPeriod": export.period,
        "exportDate": export.export_date.isoformat(),
        "currency": export.currency,
    }
    body = bytearray(json.dumps(head, separators=(",", ":")).encode()[:-1])
    body += f',"controlTotals":{{"recordCount":{export.totals.record_count},'.encode()
    body += f'"totalAmount":{amount_text(export.totals.total_minor)}}},"records":['.encode()
    separator = b""
    for line in lines:
        if not line.startswith(_NOTHING):
            body += separator + line
            separator = b","
    body += b"]}"
    return bytes(body)


_NOTHING = b'{"incentiveAmount":0.00,'
