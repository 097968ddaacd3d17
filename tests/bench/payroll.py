"""One payroll export in this process, measured; and the floor: the same reads, writes, POST and upload, nothing else.

Run as a child process by the bench, `prepare` and then `time` with the number of records, so that memory is that of
an export alone; or `memory`, on tables that are played. Prints one JSON line.
"""

import json
import socket
import sys
import time
from contextlib import closing
from typing import Any

import paramiko
import requests

from shared.hub import Hub
from shared.kernel.keys import join_key
from shared.kernel.pay_period import parse_period
from shared.kernel.table import MAX_OPERATIONS, Replace
from shared.payroll.run import handle_export_message
from shared.payroll.start import ExportRequest, start_export
from tests.bench.imports import PeakMemory, drain
from tests.bench.played_tables import PlayedTables, employees_with_ids, played_calculations, played_employees
from tests.component.export_hub import Due, approve_all, employ

WARM_UP, PERIOD, OF_THE_FLOOR = "2024-12", "2025-01", "2025-02"


def prepare(hub: Hub, records: int, *periods: str) -> None:
    """Store so many employees, each with an approved calculation in each period."""
    names = [f"H-{number:06d}" for number in range(records)]
    for start in range(0, records, 1000):
        employ(hub, *names[start : start + 1000])
    for period in periods:
        due = sorted((Due(name, 10_000 + number) for number, name in enumerate(names)), key=lambda one: one.employee_id)
        approve_all(hub, due, period)


def run_export(hub: Hub, period: str) -> dict[str, Any]:
    """Export a period, from the trigger to the summary for finance; return what it cost."""
    count = hub.storage_account.transactions
    before, began = count.total, time.perf_counter()
    begun = start_export(hub.payroll, ExportRequest(parse_period(period), "Api", "bench"))
    drain(hub, "payroll-exports", lambda message: handle_export_message(hub.payroll, message))
    seconds = time.perf_counter() - began
    export = hub.payroll.exports.get(begun.export_id)
    assert (export.status.value, export.records_accepted) == ("Completed", export.totals.record_count), export.failure
    return {
        "seconds": seconds,
        "records": export.totals.record_count,
        "accepted": export.records_accepted,
        "status": export.status.value,
        # Taking messages off the queue is the host's work, not the export's.
        "transactions": count.total - before - hub.__dict__.pop("polls"),
    }


def floor(hub: Hub, given: dict[str, str], period: str) -> dict[str, Any]:
    """Read what is due and who is paid, store it, POST it, upload it, read the rows again and mark them: no checks."""
    began = time.perf_counter()
    partition = join_key(hub.tenant, period)
    calculations, employees = hub.tables.table("Calculations"), hub.tables.table("Employees")
    people = {row.key: json.loads(str(row.values["facts"])) for row in employees.query(hub.tenant)}
    lines, body_records, total = [], [], 0
    for row in calculations.query(partition):
        employee, cents = str(row.values["employeeId"]), int(str(row.values["netMinor"]))
        person, total = people[employee], total + cents
        names = [person[name][0][3] for name in ("employeeNumber", "firstName", "lastName")]
        body_records.append(
            {
                "incentiveAmount": cents / 100,
                "employeeId": employee,
                "employeeNumber": names[0],
                "firstName": names[1],
                "lastName": names[2],
                "earningsCode": "INCENT",
                "calculationIds": [row.key],
                "effectiveDate": "2025-02-28",
            }
        )
        lines.append(f"{names[0]},{names[1]},{names[2]!r},{cents / 100:.2f},INCENT,{period},{row.key},2025-03-05\r\n")
    batch = {
        "batchId": f"floor-{period}",
        "payPeriod": period,
        "exportDate": "2025-03-05",
        "currency": "EUR",
        "controlTotals": {"recordCount": len(lines), "totalAmount": total / 100},
        "records": body_records,
    }
    body, content = json.dumps(batch).encode(), "".join(lines).encode()
    archive = hub.blobs.container("exports")
    archive.write(f"floor/{period}.jsonl", body)
    archive.write(f"floor/{period}.csv", content)
    _post(given, archive.read(f"floor/{period}.jsonl"), batch["batchId"])
    _upload(given, f"floor-{period}.csv", archive.read(f"floor/{period}.csv"))
    rows = list(calculations.query(partition))
    for start in range(0, len(rows), MAX_OPERATIONS):
        some = rows[start : start + MAX_OPERATIONS]
        marked = [Replace(row.key, {**row.values, "state": "Exported", "exportId": "x" * 36}, row.etag) for row in some]
        calculations.transact(partition, marked)
    return {"seconds": time.perf_counter() - began, "records": len(rows)}


def _post(given: dict[str, str], body: bytes, key: Any) -> None:
    form = {"grant_type": "client_credentials"}
    form |= {"client_id": given["PAYROLL_CLIENT_ID"], "client_secret": given["PAYROLL_CLIENT_SECRET"]}
    token = requests.post(given["PAYROLL_TOKEN_URL"], data=form, timeout=30).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "X-Idempotency-Key": str(key), "Content-Type": "application/json"}
    url = f"{given['PAYROLL_BASE_URL']}/api/v1/incentives/batch"
    requests.post(url, data=body, headers=headers, timeout=60).raise_for_status()


def _upload(given: dict[str, str], name: str, content: bytes) -> None:
    connection = socket.create_connection((given["SFTP_HOST"], int(given["SFTP_PORT"])))
    with closing(paramiko.Transport(connection)) as transport:
        transport.connect(username=given["SFTP_USERNAME"], password=given["SFTP_PASSWORD"])
        sftp = paramiko.SFTPClient.from_transport(transport)
        assert sftp
        with sftp.open(f"/incoming/dsif/{name}.part", "wb") as file:
            file.set_pipelined(True)
            file.write(content)
        sftp.posix_rename(f"/incoming/dsif/{name}.part", f"/incoming/dsif/{name}")


def memory_of(hub: Hub, given: dict[str, str], records: int) -> dict[str, Any]:
    """Return what an export of so many records holds in memory, with the tables that it reads played."""
    prepare(hub, 1, PERIOD)
    partition = join_key(hub.tenant, PERIOD)
    employee = next(hub.tables.table("Employees").query(hub.tenant))
    calculation = next(hub.tables.table("Calculations").query(partition))
    ids = employees_with_ids(PERIOD, "plan:standard", records)
    tables = {
        "Employees": played_employees(employee, ids.values()),
        "Calculations": played_calculations(calculation, PERIOD, ids),
    }
    played = PlayedTables(hub.tables, tables)
    with PeakMemory() as memory:
        cost = run_export(Hub(given, tables=played), PERIOD)
    return {"export": cost, "peakAboveIdleMegabytes": memory.above_idle, "marked": played.written}


def main() -> None:
    """Store what is due, or measure an export and its floor; settings come as JSON on standard input."""
    given: dict[str, str] = json.load(sys.stdin)
    what, records = sys.argv[1], int(sys.argv[2])
    hub = Hub(given)
    if what == "prepare":
        prepare(hub, records, PERIOD, OF_THE_FLOOR)
        print("{}")
        return
    prepare(hub, 100, WARM_UP)
    run_export(hub, WARM_UP)  # SDKs loaded, connections open
    if what == "memory":
        print(json.dumps(memory_of(hub, given, records)))
        return
    with PeakMemory() as memory:
        cost = run_export(hub, PERIOD)
    results = {"export": cost, "peakAboveIdleMegabytes": memory.above_idle}
    print(json.dumps(results | {"floor": floor(hub, given, OF_THE_FLOOR)}))


if __name__ == "__main__":
    main()
