"""Files dropped into `calculations-inbox`: a CSV with a header, or JSON lines (INC-41)."""

import csv
import json
import logging
from collections.abc import Mapping
from typing import Any

from shared.incentives.context import CALCULATION_QUEUE, NOTIFICATION_QUEUE, IncentiveContext
from shared.incentives.post import Age, Known, Posted, post, shown
from shared.kernel.blob import MAX_FILE_BYTES, BlobInfo, BlobMissing
from shared.kernel.csv_rows import CsvHeader, CsvRow, LacksColumns, MalformedCsv, read_header, rows_of
from shared.kernel.dropped_file import is_folder, now_or_by_message
from shared.kernel.errors import DataRefused, HubError
from shared.kernel.fitting import MAX_BLOB_NAME, shortened
from shared.kernel.message import send_message
from shared.kernel.strict_json import NotJson, read_json_item
from shared.kernel.text_file import Malformed, NotUtf8, decoded, text_lines

_log = logging.getLogger(__name__)

_MAX_RECORDS = 100_000
FILE_MESSAGE = "calculation.file"
_PORTION = 1000
_FEW = 20
_LONGEST = MAX_BLOB_NAME - 20
"""Characters of a file's name in quarantine: the ending of the report comes to it."""


def take_in_file(context: IncentiveContext, name: str) -> int:
    """Take in a file that the host tells of, as `take_in_file_now`; 0 also where a message does it later."""
    taken = now_or_by_message(context, CALCULATION_QUEUE, FILE_MESSAGE, name, lambda: take_in_file_now(context, name))
    return taken or 0


def take_in_file_now(context: IncentiveContext, name: str, *, put_off: bool = False) -> int:
    """Store the calculations of a file, return how many were taken in; 0 when it is gone, or a folder.

    Idempotent by its records. A record is as old as its file: it does not replace what was written later, whenever the
    host tells of it. `put_off`: other files may have been taken in since the host told of this one.
    Refused records go to `calculations-quarantine` as `<name>.report.json`; a file that is none goes there whole.
    A file that is replaced while it is read is left alone (BlobChanged): the new one has an event of its own.
    """
    info = context.inbox.info(name)
    if info is None or is_folder(info):
        return 0
    try:
        records = read_records(name, _content(context, info))
    except BlobMissing:
        return 0
    except DataRefused as error:
        _quarantine(context, info, error.message)
        return 0
    results = _in_portions(context, records, f"calculations-inbox/{name}", Age(info.last_modified, put_off))
    refused = [result for result in results if result.outcome.code]
    if refused:
        report = {"file": name, "records": len(records), "refused": [shown(result) for result in refused]}
        _report(context, info, report)
    _log.info("file %s: %d calculations taken in, %d refused", name, len(results) - len(refused), len(refused))
    return len(results) - len(refused)


def give_up_file(context: IncentiveContext, name: str, error: HubError) -> None:
    """Put a file that could not be taken in into quarantine, with the reason. Idempotent by the file."""
    info = context.inbox.info(name)
    if info is not None and not is_folder(info):
        _quarantine(context, info, error.message)


def read_records(name: str, content: bytes) -> list[object]:
    """Read the records of a file by its ending: `.csv`, else JSON lines. DataRefused names the line.

    A line of JSON that has no one meaning (a name twice, NaN) is an Unreadable.
    """
    try:
        lines = list(text_lines([content]))
        records = _csv(lines) if name.lower().endswith(".csv") else _json_lines(lines)
    except LacksColumns as error:
        raise DataRefused(f"line 1: the header lacks {', '.join(error.missing)}{error.hint}") from None
    except MalformedCsv as error:
        raise DataRefused(f"line {error.line}: {error.reason}") from None
    except NotUtf8 as error:
        raise DataRefused(f"the file is not UTF-8: byte {error.byte}") from None
    except Malformed as error:
        raise DataRefused(f"the file {error}") from None
    except (csv.Error, ValueError, ArithmeticError, LookupError, TypeError, RecursionError) as error:
        raise DataRefused(f"the file cannot be read: {type(error).__name__}: {error}") from None
    if len(records) > _MAX_RECORDS:
        raise DataRefused(f"the file has {len(records)} records, at most {_MAX_RECORDS} are accepted")
    return records


def _csv(lines: list[bytes]) -> list[object]:
    rows = rows_of(lines)
    header = read_header(rows, _COLUMNS)
    return [_fields(header, row) for row in rows]


def _fields(header: CsvHeader, row: CsvRow) -> dict[str, Any]:
    """Return the cells by name. An empty one is an absent field; what is beyond the header is refused with its row."""
    cells = header.cells_of(row)
    named = {name: cell for name, cell in zip(header.names, cells, strict=False) if cell != ""}
    beyond = [cell for name, cell in zip(header.names, cells, strict=False) if not name and cell]
    beyond += cells[len(header.names) :]
    named.pop("", None)
    return named | ({"beyond the header": beyond} if beyond else {})


def _json_lines(lines: list[bytes]) -> list[object]:
    records: list[object] = []
    offset = 0
    for number, line in enumerate(lines, 1):
        text = decoded(line, offset).strip()
        offset += len(line)
        if text:
            try:
                records.append(_with_exact_amounts(read_json_item(text), text))
            except NotJson:
                raise DataRefused(f"line {number} is no JSON: the file must be JSON lines, or end in .csv") from None
    return records


def _with_exact_amounts(record: object, text: str) -> object:
    """Return a record whose amounts are as they were written: a float may have lost their cents."""
    if not isinstance(record, dict):
        return record
    plain: dict[str, Any] = json.loads(text)
    return plain | {name: record[name] for name in _AMOUNTS if name in record}


_AMOUNTS = ("gross", "net")
_COLUMNS = ("employeeId", "gross", "id", "net", "period")


def _in_portions(context: IncentiveContext, records: list[object], by: str, age: Age) -> list[Posted]:
    known = Known(context, many=len(records) > _FEW)
    return [
        Posted(start + result.number, result.external_id, result.outcome)
        for start in range(0, len(records), _PORTION)
        for result in post(context, records[start : start + _PORTION], by, known, age)
    ]


def _content(context: IncentiveContext, info: BlobInfo) -> bytes:
    if info.size > MAX_FILE_BYTES:
        raise DataRefused(f"the file has {info.size} bytes, at most {MAX_FILE_BYTES} are accepted")
    return context.inbox.read(info.name, etag=info.etag)


def _quarantine(context: IncentiveContext, info: BlobInfo, reason: str) -> None:
    """Move a file to quarantine: copied, reported, only then removed."""
    context.quarantine.copy(shortened(info.name, _LONGEST), context.inbox, info.name, etag=info.etag)
    _report(context, info, {"file": info.name, "reason": reason})
    context.inbox.delete(info.name, etag=info.etag)


def _report(context: IncentiveContext, info: BlobInfo, report: Mapping[str, Any]) -> None:
    name = info.name
    content = json.dumps(report, ensure_ascii=False, indent=1).encode()
    context.quarantine.write(f"{shortened(name, _LONGEST)}.report.json", content, content_type="application/json")
    send_message(
        context,
        NOTIFICATION_QUEUE,
        message_id=f"calculations-inbox-{name}-{info.etag}",
        message_type="calculations-file.refused",
        subject=name,
        data={"file": name, "reason": report.get("reason") or f"{len(report['refused'])} records were refused"},
    )
