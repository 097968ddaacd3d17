"""The steps of an export. Each takes the export, does its work, and returns the export with what it learnt (INC-56).

A step may be done again after the process died in it, or after it was done and not recorded: it ends in the same.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from shared.kernel.clock import to_iso
from shared.kernel.errors import DataRefused
from shared.kernel.keys import join_key
from shared.kernel.money import amount_text
from shared.kernel.partner_status import Verdict, verdict_of
from shared.kernel.pay_period import parse_period
from shared.payroll.approved import seen_in
from shared.payroll.batch import batch_body
from shared.payroll.context import PayrollContext, Settlement
from shared.payroll.csv_file import csv_content
from shared.payroll.export import ControlTotals, Export, ExportStatus, Step
from shared.payroll.notices import summary, tell_completed, tell_taken, tell_withheld
from shared.payroll.payroll_api import BatchAnswer, post_batch
from shared.payroll.records import PayRecord, Rules, Withheld, from_line, lines_in, records_of, to_line

_SETTLED_AT_ONCE = 1000


def freeze(context: PayrollContext, export: Export) -> Export:
    """Collect what is approved, and was seen by whoever triggered the export, and write the records down.

    The blob is named after its content: of two workers that freeze at the same time, the one whose export is saved
    decides, and what it names is what it wrote.
    """
    rules = Rules(export.currency, context.rules.earnings_code, parse_period(export.period).last_day)
    withheld, content = Withheld(), bytearray()
    count = total = calculations = settled_only = 0
    seen = seen_in(context, export)
    payables = (one for one in context.payables.approved(export.period) if one.calculation_id in seen)
    for record in records_of(payables, context.payees(export.period), rules, withheld):
        content += to_line(record)
        calculations += len(record.calculation_ids)
        if record.nothing_to_pay:
            settled_only += 1
        else:
            count, total = count + 1, total + record.amount_minor
    learnt = replace(export, withheld=withheld.reasons, withheld_count=withheld.count, calculations=calculations)
    if withheld.count:
        tell_withheld(context, learnt)
    if not count and not settled_only:
        return replace(learnt, status=ExportStatus.EMPTY)
    name = f"{export.period}/{export.export_id}-{sha256(content).hexdigest()[:16]}.jsonl"
    context.archive.write(name, bytes(content), content_type="application/jsonl")
    return replace(learnt, frozen_blob=name, totals=ControlTotals(count, total))


def archive(context: PayrollContext, export: Export) -> Export:
    """Write the CSV to the archive, and read back that it lies there whole."""
    content = csv_content(_records(context, export), export.period, export.export_date.isoformat())
    context.archive.write(export.csv_blob, content, content_type="text/csv")
    stored = context.archive.info(export.csv_blob)
    if stored is None or stored.size != len(content):
        raise DataRefused(f"export {export.export_id}: the archived file has not the size that was written")
    return replace(export, csv_size=len(content), csv_sha256=sha256(content).hexdigest())


def post(context: PayrollContext, export: Export) -> Export:
    """Send the batch, under the same key and with the same bytes in every attempt; keep the answer.

    The blob is named after the answer: a worker that was overtaken cannot change the one that the export names.
    """
    if export.totals.record_count == 0:
        return replace(export, answered=ControlTotals())
    body = batch_body(export, _lines(context, export))
    answer = post_batch(context.payroll(), export.export_id, body)
    del body
    content = _answer_json(answer)
    name = f"{export.period}/{export.export_id}-{sha256(content).hexdigest()[:16]}.answer.json"
    context.archive.write(name, content, content_type="application/json")
    return replace(
        export,
        answer_blob=name,
        payroll_batch_id=answer.payroll_batch_id,
        payroll_status=answer.status,
        answered=answer.totals,
        records_accepted=answer.records_accepted,
        records_rejected=answer.records_rejected,
    )


def verify(context: PayrollContext, export: Export) -> Export:
    """Read payroll's own word, then compare what came back with what was sent. DataRefused stops the run (INC-53)."""
    if export.totals.record_count == 0:
        return export
    _check_status(context, export)
    rejected = _rejected(context, export)
    answered, sent = export.answered, export.totals
    if answered != sent:
        shown = f"{answered.record_count} records, {amount_text(answered.total_minor)}" if answered else "nothing"
        raise DataRefused(
            f"export {export.export_id}: payroll's control totals are {shown}; sent were {sent.record_count} records, "
            f"{amount_text(sent.total_minor)}"
        )
    if export.records_accepted + export.records_rejected != sent.record_count:
        raise DataRefused(
            f"export {export.export_id}: payroll accepted {export.records_accepted} and rejected "
            f"{export.records_rejected} of {sent.record_count} records"
        )
    refused_count = refused_total = 0
    for record in _records(context, export):
        if record.employee_id in rejected and not record.nothing_to_pay:
            refused_count, refused_total = refused_count + 1, refused_total + record.amount_minor
    if not refused_count == len(rejected) == export.records_rejected:
        raise DataRefused(
            f"export {export.export_id}: payroll rejected {export.records_rejected} records and names {len(rejected)}, "
            f"of which {refused_count} are in the batch"
        )
    return replace(export, accepted_minor=sent.total_minor - refused_total)


def _check_status(context: PayrollContext, export: Export) -> None:
    """Let an export go on whose status is known to be good; whatever the counts beside it say. DataRefused."""
    verdict = verdict_of(export.payroll_status)
    if verdict is Verdict.TAKEN:
        return
    said = f"export {export.export_id}: payroll says {export.payroll_status[:100]!r}"
    if words := _answer(context, export).get("words"):
        said += f" ({words})"
    if verdict is None:
        raise DataRefused(f"{said}, a status that the hub does not know: ask payroll's people what became of the batch")
    if export.records_accepted:
        raise DataRefused(f"{said} and that it accepted {export.records_accepted} records: one of them is wrong")
    raise DataRefused(f"{said}: nobody of this batch is marked as exported")


def transfer(context: PayrollContext, export: Export) -> Export:
    """Deliver the archived CSV by SFTP, once: a file that payroll took from there is not put there again."""
    if export.totals.record_count == 0:
        return export
    content = context.archive.read(export.csv_blob)
    if sha256(content).hexdigest() != export.csv_sha256:
        raise DataRefused(f"export {export.export_id}: the archived file is not the one that was written")
    recorded = export

    def record(part: str) -> None:
        """Store that the file lies there whole and is about to get its name: from then on payroll may take it."""
        nonlocal recorded
        recorded = context.exports.save(replace(recorded, csv_part=part, progress_at=context.clock()))

    transfer = context.transfer()
    delivered = transfer.deliver(export.file_name, content, part=export.csv_part, before_rename=record)
    if (delivered.size, delivered.sha256) != (export.csv_size, export.csv_sha256):
        raise DataRefused(f"export {export.export_id}: the file on SFTP is not the archived one")
    done = replace(recorded, csv_path=delivered.path, csv_taken=delivered.taken)
    if done.csv_taken:
        tell_taken(context, done)
    return done


def settle(context: PayrollContext, export: Export) -> Export:
    """Mark every calculation of the batch, then write the audit record (INC-55)."""
    rejected = _rejected(context, export)
    settlements: list[Settlement] = []
    marked = 0
    for record in _records(context, export):
        reason = rejected.get(record.employee_id, "")
        settlements += [Settlement(one, reason) for one in record.calculation_ids]
        if len(settlements) >= _SETTLED_AT_ONCE:
            marked += context.payables.settle(export.period, settlements, export.export_id)
            settlements = []
    marked += context.payables.settle(export.period, settlements, export.export_id)
    if marked != export.calculations:
        raise DataRefused(
            f"export {export.export_id}: {marked} of {export.calculations} calculations could be marked; the others "
            "were changed by something that is not an export"
        )
    _audit(context, export)
    return export


def notify(context: PayrollContext, export: Export) -> Export:
    """Tell finance. Who receives it knows repeats by the message's ID."""
    rejected = _rejected(context, export)
    numbers = {one.employee_id: one.employee_number for one in _records(context, export) if one.employee_id in rejected}
    tell_completed(context, export, [(numbers[key], reason) for key, reason in rejected.items()])
    return export


DO: Mapping[Step, Callable[[PayrollContext, Export], Export]] = {
    Step.FREEZE: freeze,
    Step.ARCHIVE: archive,
    Step.POST: post,
    Step.VERIFY: verify,
    Step.TRANSFER: transfer,
    Step.SETTLE: settle,
    Step.NOTIFY: notify,
}


def rejected_records(context: PayrollContext, export: Export) -> list[dict[str, str]]:
    """Return what payroll refused, with its reasons."""
    rejected = _rejected(context, export)
    return [{"employeeId": key, "reason": reason} for key, reason in sorted(rejected.items())]


def _lines(context: PayrollContext, export: Export) -> Iterator[bytes]:
    return lines_in(context.archive.stream(export.frozen_blob))


def _records(context: PayrollContext, export: Export) -> Iterator[PayRecord]:
    return (from_line(line) for line in _lines(context, export))


def _rejected(context: PayrollContext, export: Export) -> Mapping[str, str]:
    rejected: Mapping[str, str] = _answer(context, export).get("rejected", {})
    return rejected


def _answer(context: PayrollContext, export: Export) -> Mapping[str, Any]:
    """Return payroll's answer as it was kept, nothing where payroll was not asked."""
    if not export.answer_blob:
        return {}
    answer: Mapping[str, Any] = json.loads(context.archive.read(export.answer_blob))
    return answer


def _answer_json(answer: BatchAnswer) -> bytes:
    content = {
        "batchId": answer.batch_id,
        "status": answer.status,
        "payrollBatchId": answer.payroll_batch_id,
        "recordsAccepted": answer.records_accepted,
        "recordsRejected": answer.records_rejected,
        "controlTotals": {
            "recordCount": answer.totals.record_count,
            "totalAmount": amount_text(answer.totals.total_minor),
        },
        "rejected": dict(answer.rejected),
        "words": answer.words,
    }
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


def _audit(context: PayrollContext, export: Export) -> None:
    """Write the audit record; a second time it is the same row."""
    content = json.dumps(summary(export) | {"csvSha256": export.csv_sha256}, ensure_ascii=False)
    partition = join_key(context.tenant, f"{export.started_at:%Y-%m}")
    values = {"type": "payroll.export", "at": to_iso(export.started_at), "by": export.started_by, "content": content}
    context.audit.put(partition, join_key("payroll-export", export.export_id), values)
