"""`make mail-preview`: every e-mail with sample values, to look at in a browser, in build/mail-preview."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

from shared.notify.templates import TEMPLATES, render

TARGET = Path("build") / "mail-preview"

_PAYMENT = {"firstName": "Zoë", "period": "2025-01", "net": "1234.50", "currency": "EUR"}
SAMPLES: Mapping[str, Mapping[str, object]] = {
    "calculation-summary": _PAYMENT | {"gross": "1543.13", "planName": "Store sales"},
    "approval-request": {
        "period": "2025-01",
        "count": 187,
        "total": "240310.20",
        "currency": "EUR",
        "submittedBy": "Jörg Müller",
    },
    "approval-confirmation": _PAYMENT | {"reason": ""},
    "rejection-notice": _PAYMENT | {"reason": "Sales of 14 January <store S002> are missing.\nPlease calculate again."},
    "export-summary": {
        "period": "2025-01",
        "exportId": "0194a6c2-5c1e-7c3a-9f5e-2d7b8a90c111",
        "payrollBatchId": "PB-2025-0117",
        "recordCount": 187,
        "totalAmount": "240310.20",
        "accepted": 185,
        "rejected": 2,
        "rejectedRecords": [
            {"employeeNumber": "E1007", "reason": "no active contract"},
            {"employeeNumber": "E1042", "reason": "unknown cost centre"},
        ],
        "currency": "EUR",
        "fileName": "incentives-2025-01.csv",
    },
    "system-alert": {
        "title": "The ERP's circuit is open",
        "severity": "Critical",
        "what": "Three calls in a row failed. The import of today waits and goes on by itself once the ERP answers.",
        "details": {"Partner": "erp", "Last error": "answered 503", "Next try": "2025-01-15T01:04:00.000Z"},
        "time": "2025-01-15T01:02:00.000Z",
    },
    "import-summary": {
        "date": "2025-01-15",
        "status": "Completed",
        "recordsRead": 10000,
        "staged": 9950,
        "rejected": 50,
        "held": 3,
        "amount": "512345.67",
        "currency": "EUR",
        "runId": "0194a6c2-5c1e-7c3a-9f5e-2d7b8a90c222",
        "fileName": "S014_2025-01-15.jsonl",
        "notice": "3 of 10000 records came on another page already, also when those pages were asked for again",
    },
}


def write_previews(folder: Path) -> Path:
    """Write an HTML and a text file of each template and an index of them; return the index."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = []
    for template in TEMPLATES:
        rendered = render(template, SAMPLES[template])
        (folder / f"{template}.html").write_text(rendered.html, encoding="utf-8")
        (folder / f"{template}.txt").write_text(f"Subject: {rendered.subject}\n\n{rendered.text}", encoding="utf-8")
        entries.append(
            f'<li><a href="{template}.html">{template}</a> (<a href="{template}.txt">text</a>): '
            f"{escape(rendered.subject)}</li>"
        )
    index = folder / "index.html"
    page = f'<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>E-mails</title><ul>{"".join(entries)}</ul>'
    index.write_text(page, encoding="utf-8")
    return index


if __name__ == "__main__":
    print(f"{len(TEMPLATES)} e-mails: open {write_previews(TARGET)} in a browser")
