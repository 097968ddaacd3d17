"""The account of the demo: what each system holds, and that it is the same to the cent."""

import csv
import io
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from local.demo.story import Seen
from shared.adapters.tables import AzureTables
from shared.kernel.keys import join_key
from shared.kernel.money import amount_text


def account_of(seen: Seen, tables: AzureTables, sandbox: "Sandbox") -> dict[str, Any]:
    """Return the report: control totals of each system, checks, and whether everything reconciles."""
    sandbox.read(seen)
    metrics = metrics_of(tables, seen.period)
    by_id = {one["id"]: one for one in seen.calculations}
    amendments = [one for one in seen.calculations if one["kind"] == "Amendment"]
    calculated = _sum(one["net"] for one in seen.calculations if one["kind"] != "Amendment")
    amended = _sum(one["net"] for one in amendments)
    rejected = Decimal(by_id[seen.rejected_id]["net"])
    exported = [one for one in seen.calculations if one["status"] == "Exported"]
    approved = _sum(one["net"] for one in exported)
    sent = _sum(one["totalAmount"] for one in sandbox.payroll["batches"])
    refused = sent - _sum(one["acceptedAmount"] for one in sandbox.payroll["batches"])
    on_sftp = {name.rpartition("/")[2]: text for name, text in sandbox.files.items()}
    csv_sftp, csv_blob = _csv_total(on_sftp.values()), _csv_total(seen.files.values())
    accepted = Decimal(sandbox.payroll["paid"])
    erp = Decimal(sandbox.sales["validAmount"])
    lines = [
        _line("ERP, valid sales", sandbox.sales["valid"], erp, None, None),
        _line("SalesMetrics", metrics["records"], Decimal(metrics["amount"]), "ERP, valid sales", erp),
        _line("calculated", len(seen.calculations) - len(amendments), calculated, None, None),
        _line(
            "approved (calculated + amended - rejected)",
            len(exported),
            approved,
            "calculated",
            calculated + amended - rejected,
        ),
        _line("sent to payroll", _count(sandbox.payroll, "records"), sent, "approved + sent twice", approved + refused),
        _line("accepted by payroll", _count(sandbox.payroll, "accepted"), accepted, "approved", approved),
        _line("CSV on SFTP", sum(map(_csv_count, on_sftp.values())), csv_sftp, "sent to payroll", sent),
        _line("CSV in blob", sum(map(_csv_count, seen.files.values())), csv_blob, "sent to payroll", sent),
    ]
    checks = _checks(seen, sandbox, on_sftp) | {
        f"{line['name']} = {line['against']}": line["difference"] == "0.00" for line in lines if line["against"]
    }
    return {
        "reconciled": all(checks.values()),
        "checks": checks,
        "period": seen.period,
        "controlTotals": lines,
        "imports": _imports(seen),
        "people": {"deliveries": seen.deliveries, "sync": seen.sync},
        "calculation": seen.calculation,
        "exports": seen.exports,
        "refusals": seen.refusals,
        "mails": dict(sorted(Counter(_kind_of(mail) for mail in sandbox.mails).items())),
        "faultsFired": sandbox.sales["faultsFired"],
        "payrollRepeats": sandbox.payroll["repeats"],
        "seconds": seen.seconds,
    }


class Sandbox:
    """What the partners truly hold, read at the end."""

    def __init__(self, ask: Any) -> None:  # noqa: ANN401 - asks the sandbox for JSON
        """Keep how to ask."""
        self._ask = ask
        self.sales: dict[str, Any] = {}
        self.payroll: dict[str, Any] = {}
        self.files: dict[str, str] = {}
        self.mails: list[dict[str, Any]] = []
        self.people: list[dict[str, Any]] = []

    def read(self, seen: Seen) -> None:
        """Ask every partner."""
        first, last = seen.days[0].isoformat(), seen.days[-1].isoformat()
        self.sales = self._ask("GET", "/ledger/period", params={"from": first, "to": last})
        self.payroll = self._ask("GET", "/payroll/ledger")
        self.files = self._ask("GET", "/sftp/files")
        # An e-mail arrives at least once; a copy has the same message ID, by which mail programs recognise it too.
        mails = {mail["messageId"]: mail for mail in self._ask("GET", "/mailbox")}.values()
        self.mails = [mail for mail in mails if not _is_of_another_import(mail, seen)]
        self.people = self._ask("GET", "/hr/ledger")["employees"]


def metrics_of(tables: AzureTables, period: str) -> dict[str, Any]:
    """Count what lies in SalesMetrics, not what the import says of itself."""
    records, cents = 0, 0
    for row in tables.table("SalesMetrics").query(join_key("default", period)):
        if row.key.startswith("employee|"):
            records += int(str(row.values["transactions"]))
            cents += int(str(row.values["amountMinor"]))
    return {"records": records, "amount": amount_text(cents)}


def _checks(seen: Seen, sandbox: Sandbox, on_sftp: dict[str, str]) -> dict[str, bool]:
    first, second = seen.exports
    rejections = Counter(reason for run in seen.imports for reason in run["rejectedByReason"])
    return {
        "every event was taken in": set(seen.deliveries["byStatus"]) == {"200"} and seen.deliveries["duplicates"] > 0,
        "the full sync ended well": seen.sync["status"] == "Succeeded",
        "every import ended well": all(run["status"] in ("Succeeded", "PartialSuccess") for run in seen.imports),
        "bad records were refused, good ones went on": bool(rejections),
        "no sale is held any more": all(run["held"] == 0 for run in seen.imports),
        "payroll rejected two, the delta export paid them": first["recordsRejected"] == 2
        and second["controlTotals"]["recordCount"] == 2
        and second["recordsRejected"] == 0,
        "nobody was paid twice": sandbox.payroll["paidTwice"] == [],
        "the files on SFTP are the archived ones": on_sftp
        == {f"{export_id}.csv": text for export_id, text in seen.files.items()},
        "what must be refused was refused": set(seen.refusals.values()) <= {403, 409, 412, 428},
        "every sale of the traced is accounted for": all(
            day["unexplained"] == "0.00" for trace in seen.traces for day in trace["salesDays"]
        ),
        "everybody was told once": Counter(
            mail["to"] for mail in sandbox.mails if str(mail["subject"]).startswith("Your incentive")
        )
        == Counter(_addresses(seen, sandbox)),
    }


def _addresses(seen: Seen, sandbox: Sandbox) -> Iterable[str]:
    """Yield the address of everybody for whom something was calculated, once for each calculation."""
    address = {one["employeeId"]: one["email"] for one in sandbox.people}
    return (address[one["employeeId"]] for one in seen.calculations if one["kind"] == "Plan")


def _imports(seen: Seen) -> dict[str, Any]:
    rejected: Counter[str] = Counter()
    for run in seen.imports:
        rejected.update(run["rejectedByReason"])
    return {
        "runs": len(seen.imports),
        "recordsRead": sum(run["recordsRead"] for run in seen.imports),
        "accepted": sum(run["staged"] for run in seen.imports),
        "rejectedByReason": dict(sorted(rejected.items())),
        "duplicates": sum(run["duplicates"] for run in seen.imports),
    }


def _line(name: str, records: int, amount: Decimal, against: str | None, other: Decimal | None) -> dict[str, Any]:
    difference = None if other is None else f"{amount - other:.2f}"
    return {
        "name": name,
        "records": records,
        "amount": f"{amount:.2f}",
        "against": against,
        "difference": "0.00" if difference == "-0.00" else difference,
    }


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _csv_total(files: Iterable[str]) -> Decimal:
    return _sum(row["IncentiveAmount"] for text in files for row in _rows(text))


def _csv_count(text: str) -> int:
    return len(_rows(text))


def _count(payroll: dict[str, Any], name: str) -> int:
    return sum(int(batch[name]) for batch in payroll["batches"])


def _sum(amounts: Iterable[str]) -> Decimal:
    return sum((Decimal(amount) for amount in amounts), Decimal(0))


def _is_of_another_import(mail: dict[str, Any], seen: Seen) -> bool:
    """Tell whether an e-mail is about a day that the hub's own watchdog imported: every five minutes it looks."""
    subject = str(mail["subject"])
    return subject.startswith("Sales import ") and not any(day.isoformat() in subject for day in seen.days)


def _kind_of(mail: dict[str, Any]) -> str:
    """Return the subject without what differs from mail to mail."""
    return " ".join(word for word in str(mail["subject"]).split() if not any(char.isdigit() for char in word))
