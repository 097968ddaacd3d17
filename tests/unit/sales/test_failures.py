"""What ends a run, what repairs it, and what is kept for the operator."""

import json
import logging
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count

import pytest

from shared.kernel.errors import InvalidRequest, StorageUnavailable
from shared.sales.employees import map_employees
from shared.sales.files import import_file
from shared.sales.queries import list_rejects
from shared.sales.rejects import page_of_rejects
from shared.sales.runs import ImportRun, RunStatus, Trigger
from shared.sales.start import StartRequest, start_daily_import, start_import
from shared.sales.watchdog import watch_imports
from tests.unit.sales.world import DAY, Once, World


def fill(world: World, number: int) -> None:
    map_employees(world.context, {"E1": "H1"})
    for index in range(number):
        world.erp.sell(DAY, f"T{index:03d}", "E1", "1.00")


def run(world: World) -> ImportRun:
    run_id = start_import(world.context, StartRequest(DAY, Trigger.API, "somebody"))
    world.work()
    return world.context.runs.get(run_id)


def test_too_many_rejects_fail_the_run_before_anything_is_published() -> None:
    """INC-04."""
    world = World(page_size=10)
    fill(world, 30)
    for index in range(2):
        world.erp.days[DAY][f"T{index:03d}"]["salesAmount"] = Decimal("0.001")
    failed = run(world)
    assert (failed.status, failed.rejected, world.metrics()) == (RunStatus.FAILED, 2, {})
    assert "2 of 30 records were rejected, more than the 5.00% allowed (ERP_MAX_REJECT_SHARE)" in failed.failure
    world.erp.days[DAY]["T000"]["salesAmount"] = Decimal("1.00")
    assert run(world).status is RunStatus.PARTIAL_SUCCESS
    assert world.metrics() == {"H1": (2900, 29, 29)}


def test_a_failed_run_is_a_line_that_an_alert_watches_for(caplog: pytest.LogCaptureFixture) -> None:
    """INC-73."""
    world = World(page_size=10)
    fill(world, 3)
    world.erp.days[DAY]["T000"]["salesAmount"] = Decimal("0.001")
    with caplog.at_level(logging.ERROR):
        failed = run(world)
    found = [vars(record) for record in caplog.records if "event" in vars(record)]
    told = [(one["alert"], one["event"], one["runId"], one["reason"]) for one in found]
    assert told == [("high", "import.failed", failed.run_id, "DataRefused")]


def test_duplicates_count_once_and_a_conflicting_one_is_a_reject() -> None:
    """INC-03: inside a page, across pages, across slices; the first one counts."""
    world = World(page_size=4, pages_per_slice=2, max_reject_share=Decimal("0.5"))
    fill(world, 16)
    sales = world.erp.days[DAY]
    for copy, original in (("T001", "T000"), ("T006", "T002"), ("T012", "T003")):
        sales[copy] = dict(sales[original])
    sales["T015"] = {**sales["T004"], "salesAmount": Decimal("9.99")}
    finished = run(world)
    assert (finished.duplicates, dict(finished.rejected_by_reason)) == (3, {"ConflictingDuplicate": 1})
    assert (finished.staged, world.metrics()) == (12, {"H1": (1200, 12, 12)})
    rejects = list_rejects(world.context, finished.run_id, size=10, position=None).items
    assert sorted(one["transactionId"] for one in rejects) == ["T000", "T002", "T003", "T004"]
    assert "came before, on page 2, with other content" in next(
        one["message"] for one in rejects if one["reason"] == "ConflictingDuplicate"
    )


def test_a_source_that_changes_once_while_it_is_read_is_read_again() -> None:
    """INC-07."""
    world = World(page_size=2, pages_per_slice=2)
    fill(world, 12)
    changed = False

    def change(day: date, page: int) -> None:
        nonlocal changed
        if page == 5 and not changed:
            changed = True
            world.erp.sell(day, "T900", "E1", "5.00")

    world.erp.before_page = change
    finished = run(world)
    assert (finished.status, finished.generation) == (RunStatus.SUCCEEDED, 2)
    assert world.metrics() == {"H1": (1700, 13, 13)}


def test_a_source_that_moves_a_sale_between_two_pages_is_read_again() -> None:
    """INC-07: the total stays the same, so `dataAsOf` alone tells that a sale was missed."""
    world = World(page_size=3)
    fill(world, 6)
    world.erp.data_as_of = "2025-01-16T00:00:00Z"

    def change(_day: date, page: int) -> None:
        if page == 2 and "T000" in world.erp.days[DAY]:
            world.erp.remove("T000")
            world.erp.sell(DAY, "T900", "E1", "5.00")
            world.erp.data_as_of = "2025-01-16T00:00:01Z"

    world.erp.before_page = change
    finished = run(world)
    assert (finished.status, finished.generation) == (RunStatus.SUCCEEDED, 2)
    assert world.metrics() == world.clean_metrics(lambda _erp_id, _day: "H1")


def test_a_source_whose_instant_differs_with_every_page_is_taken_by_its_totals_in_the_end() -> None:
    """An ERP that calls the time of its answer `dataAsOf` can be imported all the same."""
    world = World(page_size=2)
    fill(world, 6)
    instants = count()

    def pass_on(_day: date, _page: int) -> None:
        world.erp.data_as_of = f"2025-01-16T00:00:{next(instants):02d}Z"

    world.erp.before_page = pass_on
    finished = run(world)
    assert (finished.status, finished.generation) == (RunStatus.SUCCEEDED, 2)
    assert world.metrics() == {"H1": (600, 6, 6)}


def test_a_source_that_never_rests_fails_the_run_with_the_reason() -> None:
    """INC-07."""
    world = World(page_size=2, pages_per_slice=2)
    fill(world, 8)
    extra = iter(range(900, 999))
    world.erp.before_page = lambda day, page: (
        world.erp.sell(day, f"T{next(extra)}", "E1", "5.00") if page == 3 else None
    )
    failed = run(world)
    assert (failed.status, failed.failure_code, world.metrics()) == (RunStatus.FAILED, "SourceChanged", {})
    assert "records in total" in failed.failure


def test_a_start_in_the_future_is_refused() -> None:
    """INC-01."""
    world = World()
    with pytest.raises(InvalidRequest, match="is in the future"):
        start_import(world.context, StartRequest(date(2025, 1, 21), Trigger.API, "somebody"))


@pytest.mark.parametrize("trigger", [Trigger.API, Trigger.MANUAL])
def test_all_stores_are_no_store(trigger: Trigger) -> None:
    """`*` stands for all stores where snapshots are kept: as a store's ID it would replace the day of each."""
    world = World()
    fill(world, 2)
    run(world)
    with pytest.raises(InvalidRequest) as refused:
        start_import(world.context, StartRequest(DAY, trigger, "somebody", store_id="*"))
    assert [one.field for one in refused.value.details] == ["storeId"]
    assert world.metrics() == {"H1": (200, 2, 2)}


def test_the_watchdog_catches_up_what_an_outage_left_out() -> None:
    """INC-01: the timer fires once after an outage of days, for the last of them."""
    world = World()
    start_daily_import(world.context, Trigger.TIMER, "timer", world.now)
    world.work()
    world.now += timedelta(days=4, hours=11)
    one_store = start_import(world.context, StartRequest(date(2025, 1, 21), Trigger.API, "somebody", store_id="S1"))
    watch_imports(world.context)
    forgetful = replace(world.context, once=Once())  # keys are remembered for a day, an outage may be longer
    watch_imports(forgetful)
    started = world.context.runs.since("00000000-0000-7000-8000-000000000000")
    assert sorted(one.day.day for one in started if one.run_id != one_store) == [19, 20, 21, 22, 23]


def test_the_watchdog_takes_no_day_for_missed_twice() -> None:
    """It reads the runs of a month alone, and after an outage a day was started after the next one."""
    world = World()
    world.now = datetime(2025, 1, 19, 1, tzinfo=UTC)
    start_daily_import(world.context, Trigger.TIMER, "timer", world.now)
    world.now = datetime(2025, 1, 21, 8, 1, tzinfo=UTC)
    start_daily_import(world.context, Trigger.TIMER, "timer", world.now)
    world.now = datetime(2025, 1, 21, 8, 4, tzinfo=UTC)
    watch_imports(world.context)
    for day in range(1, 70):
        for looked in (time(2), time(8, 3)):
            world.now = datetime.combine(date(2025, 1, 21) + timedelta(days=day), looked, UTC)
            watch_imports(replace(world.context, once=Once()))  # keys are remembered for a day
    started = [one.day for one in world.context.runs.since("00000000-0000-7000-8000-000000000000")]
    assert len(started) == len(set(started)) == 72


def test_a_house_account_that_sells_in_every_store_has_its_metrics() -> None:
    """Its row is longer than a cell by far."""
    world = World(page_size=5000)
    map_employees(world.context, {"E1": "H1"})
    for day in range(1, 20):
        for store in range(400):
            world.erp.sell(date(2025, 1, day), f"T{day}-{store}", "E1", "1.00", store=f"Store {store:04d}")
        start_import(world.context, StartRequest(date(2025, 1, day), Trigger.API, "somebody"))
    world.work()
    assert world.metrics() == {"H1": (19 * 40_000, 19 * 400, 19 * 400)}


def test_two_timers_and_the_watchdog_start_one_run() -> None:
    """INC-01, INC-07."""
    world = World()
    world.now += timedelta(hours=1)
    first = start_daily_import(world.context, Trigger.TIMER, "timer", world.now)
    assert start_daily_import(world.context, Trigger.TIMER, "timer", world.now) == first
    watch_imports(world.context)
    assert [one.run_id for one in world.context.runs.since("00000000-0000-7000-8000-000000000000")] == [first]


def test_the_watchdog_starts_no_day_before_its_time() -> None:
    """INC-01: at 23:30 UTC it is tomorrow in Berlin, and the day that has just ended is the timer's, at 01:00."""
    world = World()
    world.now += timedelta(hours=22, minutes=30)
    watch_imports(world.context)
    started = [one.day for one in world.context.runs.since("00000000-0000-7000-8000-000000000000")]
    assert started == [date(2025, 1, 19)]


def test_the_watchdog_starts_what_nobody_started_and_wakes_what_nothing_wakes() -> None:
    """INC-07: a process killed between the stored run and its message."""
    world = World()
    fill(world, 4)
    stuck = start_import(world.context, StartRequest(DAY, Trigger.API, "somebody"))
    assert world.queues.take("import-slices")  # the message that never was
    world.now += timedelta(hours=1)
    assert stuck in watch_imports(world.context)
    world.work()
    assert world.context.runs.get(stuck).status is RunStatus.SUCCEEDED
    day_before = [one.day for one in world.context.runs.since("00000000-0000-7000-8000-000000000000")]
    assert date(2025, 1, 19) in day_before


def test_the_end_of_a_run_is_told_and_a_calculation_is_asked_for() -> None:
    """INC-06."""
    world = World(triggers_calculation=True)
    fill(world, 2)
    finished = run(world)
    told = world.queues.messages("notifications")
    assert [(one.type, one.subject) for one in told] == [("import.completed", finished.run_id)]
    assert told[0].data["publishedAmount"] == "2.00"
    assert [one.data["period"] for one in world.queues.messages("calculation-requests")] == ["2025-01"]


def test_a_run_that_is_published_again_asks_for_the_calculation_again_as_another_message() -> None:
    """INC-06: a broker that drops repeats within some minutes must not drop it."""
    world = World(triggers_calculation=True)
    world.erp.sell(DAY, "T1", "E1", "10.00")
    start_import(world.context, StartRequest(DAY, Trigger.TIMER, "timer"))
    world.work()
    map_employees(world.context, {"E1": "H-E1"})
    world.work()
    asked = world.queues.messages("calculation-requests")
    assert len({one.id for one in asked}) == len(asked) == 2
    assert len({one.data["runId"] for one in asked}) == 1


HEADER = "transactionId,transactionDate,employeeId,storeId,salesAmount,unitsSold,productCategory,productSku"


def drop(world: World, name: str, content: bytes) -> ImportRun:
    world.context.inbox.write(name, content)
    run_id = import_file(world.context, name)
    assert run_id is not None
    world.work()
    return world.context.runs.get(run_id)


def row(number: int, amount: str = "1.50", store: str = "S1") -> str:
    return f'F{number:05d},2025-01-15T12:00:00+01:00,E1,{store},{amount},1,"Shoes, red\r\nand blue",SKU'


def plain(number: int) -> str:
    return f"F{number:05d},2025-01-15T12:00:00Z,E1,S1,10.00,1,Shoes,SKU"


def line(number: int) -> str:
    return json.dumps(dict(zip(HEADER.split(","), plain(number).split(","), strict=True)))


@pytest.mark.parametrize("name", ["2025-01-15.csv", "sales.csv", "S1_2025-01-15_late.CSV"])
def test_a_csv_file_of_many_slices_is_imported(name: str) -> None:
    """INC-09: byte order mark, quoted line breaks, and the day by name or by the first record."""
    world = World(pages_per_slice=1)
    map_employees(world.context, {"E1": "H1"})
    text = "\ufeff" + "\r\n".join([HEADER, *(row(number) for number in range(2500))]) + "\r\n"
    finished = drop(world, name, text.encode())
    assert (finished.status, finished.pages, finished.records_read) == (RunStatus.SUCCEEDED, 3, 2500)
    assert world.metrics() == {"H1": (375000, 2500, 2500)}


def test_json_lines_are_imported_and_a_broken_line_is_a_reject() -> None:
    """INC-09, INC-04: one bad line never stops the good ones around it."""
    world = World()
    map_employees(world.context, {"E1": "H1"})
    good = [
        json.dumps(
            dict(
                zip(
                    HEADER.split(","),
                    ["J1" + str(n), "2025-01-15T12:00:00Z", "E1", "S1", "2.00", 1, "", ""],
                    strict=True,
                )
            )
        )
        for n in range(40)
    ]
    finished = drop(world, "2025-01-15.jsonl", "\n".join([*good, "{broken", ""]).encode())
    assert (finished.status, finished.rejected) == (RunStatus.PARTIAL_SUCCESS, 1)
    assert world.metrics() == {"H1": (8000, 40, 40)}


def test_a_file_replaces_the_stores_that_it_names_and_no_others() -> None:
    """INC-09."""
    world = World()
    map_employees(world.context, {"E1": "H1"})
    world.erp.sell(DAY, "T1", "E1", "10.00", store="S1")
    world.erp.sell(DAY, "T2", "E1", "20.00", store="S2")
    run(world)
    drop(world, "2025-01-15.csv", f"{HEADER}\r\n{row(1, '3.00', 'S2')}\r\n".encode())
    assert world.metrics() == {"H1": (1300, 2, 2)}


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"transactionId,storeId\r\n1,2\r\n", "the header line lacks transactionDate, employeeId"),
        ("a.csv", HEADER.encode() + b"\r\n\xff\xfe,1\r\n", "is not UTF-8 text"),
        ("2025-01-15.csv", HEADER.encode() + b"\r\n", "holds no sales"),
        ("2025-01-15.jsonl", b"", "holds no sales"),
        ("2025-01-15.xlsx", b"PK", "is neither .csv nor .jsonl"),
        ("2025-13-45.csv", HEADER.encode() + b"\r\n", "2025-13-45 is no date"),
        ("a.jsonl", b'{"transactionId": "1"}\n', "tells the business day"),
        ("2025-01-15.csv", (HEADER + "\r\n" + row(1, "0.001")).encode(), "1 of 1 records were rejected"),
        ("2025-01-15.csv", (HEADER + '\r\n"unclosed').encode(), "is no CSV near byte"),
        ("2025-01-15.csv", f"{HEADER},salesAmount\r\n".encode(), "names 'salesAmount' twice in its header line"),
        ("a.csv", f"{HEADER}, SalesAmount\r\n".encode(), "names 'SalesAmount' and 'salesAmount'"),
        ("a.csv", f"sep=;\r\n{HEADER}".encode(), "its cells must be separated by commas"),
        ("a.csv", HEADER.replace(",", ";").encode(), "its cells are separated by semicolons"),
        ("a.csv", f"{HEADER}\r\n".encode("utf-16"), "is UTF-16, not UTF-8"),
        ("2025-01-15.jsonl", "{}".encode("utf-16"), "is UTF-16, not UTF-8"),
        (
            "2025-01-15.jsonl",
            f"{line(1)}\n".encode() + line(2).replace("F", "Ä").encode("latin-1"),
            "is not UTF-8 text",
        ),
        ("a.csv", HEADER.encode() + b"\r" + b"x" * 200_000, "is no CSV near byte"),
    ],
)
def test_a_malformed_file_goes_to_quarantine_with_a_report(name: str, content: bytes, reason: str) -> None:
    """INC-09."""
    world = World()
    failed = drop(world, name, content)
    assert failed.status is RunStatus.FAILED
    assert reason in failed.failure
    assert world.context.quarantine.read(f"{failed.run_id}/{name}") == content
    report = json.loads(world.context.quarantine.read(f"{failed.run_id}/{name}.report.json"))
    assert reason in report["reason"]
    assert world.context.inbox.info(name) is None


AS_WRITTEN: dict[str, tuple[str, bytes]] = {
    "CR alone": ("2025-01-15.csv", "\r".join([HEADER, *(plain(number) for number in range(5)), ""]).encode()),
    "CR alone, no day in the name": ("a.csv", "\r".join([HEADER, *(plain(number) for number in range(5))]).encode()),
    "mixed line ends": (
        "2025-01-15.csv",
        f"{HEADER}\r\n{plain(0)}\r{plain(1)}\n{plain(2)}\r\n{plain(3)}\n\r{plain(4)}".encode(),
    ),
    "rows that were emptied in a spreadsheet": (
        "2025-01-15.csv",
        "\r\n".join([HEADER, *(plain(number) for number in range(5)), *[",,,,,,,"] * 20]).encode(),
    ),
    "columns without a name at the end": (
        "2025-01-15.csv",
        "\r\n".join([f"{HEADER},,", *(f"{plain(number)},," for number in range(5)), ",,,,,,,,,"]).encode(),
    ),
    "blanks around names": (
        "2025-01-15.csv",
        "\r\n".join([HEADER.replace(",", " , "), *(plain(number) for number in range(5))]).encode(),
    ),
    "JSON lines that end in CR": (
        "2025-01-15.jsonl",
        b"\xef\xbb\xbf" + "\r".join([*(line(number) for number in range(5)), "", "  "]).encode(),
    ),
    "blank lines of JSON": ("2025-01-15.jsonl", "\r\n\r\n \n".join(line(number) for number in range(5)).encode()),
}


@pytest.mark.parametrize(("name", "content"), AS_WRITTEN.values(), ids=AS_WRITTEN.keys())
def test_a_file_is_read_as_spreadsheets_and_old_systems_write_it(name: str, content: bytes) -> None:
    """INC-09: line ends, empty rows and columns hold no record and refuse none."""
    world = World(page_size=2)
    map_employees(world.context, {"E1": "H1"})
    finished = drop(world, name, content)
    assert (finished.status, finished.records_read, finished.rejected) == (RunStatus.SUCCEEDED, 5, 0)
    assert world.metrics() == {"H1": (5000, 5, 5)}


BAD_LINES: dict[str, tuple[str, str, str]] = {
    "an amount twice": (line(9)[:-1] + ', "salesAmount": "1.00"}', "salesAmount", "gives 'salesAmount' more than once"),
    "a name twice, deep inside": (line(9)[:-1] + ', "x": [{"y": 1, "y": 1}]}', "y", "gives 'y' more than once"),
    "5,000 digits": (line(9)[:-1] + ', "x": %s}' % ("9" * 5000), "", "has a number of 5000 digits"),
    "not a number": (line(9).replace('"10.00"', "NaN"), "", "has NaN"),
    "beyond any number": (line(9).replace('"10.00"', "1e999999999999999999999"), "", "cannot be computed with"),
    "an exponent": (line(9).replace('"10.00"', "1e999999"), "", "cannot be computed with"),
    "very deep": ("[" * 100_000, "", "is nested too deeply"),
    "deep": (line(9)[:-1] + ', "x": %s}' % ("[" * 200 + "]" * 200), "", "is nested too deeply"),
    "no object": ("[1]", "", "is not a JSON object"),
    "torn": (line(9)[:30], "", "is not valid JSON"),
    "a replaced character": (line(9).replace("F00009", "VK-\ufffd-1"), "transactionId", "holds U+FFFD"),
    "a replaced character in the employee's ID": (line(9).replace("E1", "E\\ufffd"), "employeeId", "holds U+FFFD"),
    "half a character as a name, twice": ('{"\\ud800": 1, "\\ud800": 2}', "?", "gives '?' more than once"),
    "half a character": (line(9).replace("F00009", "\\ud800"), "transactionId", "Unicode"),
}


@pytest.mark.parametrize(("bad", "field", "reason"), BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_line_that_has_no_one_meaning_costs_itself_and_is_kept(bad: str, field: str, reason: str) -> None:
    """INC-04: refused with the reason, the field and the raw record; the good ones around it count."""
    world = World()
    map_employees(world.context, {"E1": "H1"})
    good = [line(number) for number in range(30)]
    finished = drop(world, "2025-01-15.jsonl", "\n".join([*good[:15], bad, *good[15:]]).encode())
    assert (finished.status, finished.rejected) == (RunStatus.PARTIAL_SUCCESS, 1)
    assert world.metrics() == {"H1": (30000, 30, 30)}
    (row,) = page_of_rejects(world.context.rejects, finished, 10, None).rows
    reject = {name: str(value) for name, value in row.values.items()}
    assert reject["field"] == field
    assert reason in reject["message"]
    assert reject["raw"]


@pytest.mark.parametrize("name", ["2025-01-15.csv", "no-day.csv", "no-day.jsonl"])
def test_whatever_a_reader_raises_the_file_is_malformed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """INC-09: nothing that a library does crashes the function."""

    def fail(*_: object, **__: object) -> None:
        raise RecursionError("too much")

    monkeypatch.setattr("shared.sales.file_source.rows_of", fail)
    monkeypatch.setattr("shared.sales.file_source.read_json_item", fail)
    world = World()
    failed = drop(world, name, line(1).encode())
    assert "cannot be read: RecursionError: too much" in failed.failure
    assert world.context.quarantine.info(f"{failed.run_id}/{name}.report.json")


@pytest.mark.parametrize(
    ("name", "metadata"), [("2025", {"hdi_isfolder": "true"}), ("in", {"Hdi_IsFolder": "True"}), ("in/", {})]
)
def test_a_folder_is_no_file(monkeypatch: pytest.MonkeyPatch, name: str, metadata: dict[str, str]) -> None:
    """INC-09: it stays, nothing is imported, nobody is alerted."""
    world = World()
    world.context.inbox.write(name, b"")
    info = world.context.inbox.info(name)
    assert info
    monkeypatch.setattr(world.context.inbox, "info", lambda _: replace(info, metadata=metadata))
    assert import_file(world.context, name) is None
    assert world.queues.schedule("notifications") == []
    assert world.context.inbox.read(name) == b""


def test_a_name_of_the_greatest_length_is_quarantined_too() -> None:
    """INC-09: a blob's name has at most 1,024 characters, that of its report too."""
    world, name = World(), "\u00e4" * 1020 + ".csv"
    failed = drop(world, name, b"nothing")
    (copy, report) = sorted(one.name for one in world.context.quarantine.list(failed.run_id))
    assert world.context.quarantine.read(copy) == b"nothing"
    assert report == f"{copy}.report.json"
    assert len(report) <= 1024
    assert json.loads(world.context.quarantine.read(report))["fileName"] == name


def test_a_file_that_is_too_large_goes_to_quarantine_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """INC-09: it is told by its properties, and moved piece by piece."""

    def read(name: str, *, etag: str | None = None) -> bytes:
        raise AssertionError(f"{name} {etag} is read whole")

    world, content = World(), f"{HEADER}\r\n{row(1)}\r\n".encode()
    monkeypatch.setattr("shared.sales.files.MAX_FILE_BYTES", len(content))
    assert drop(world, "2025-01-15.csv", content).status is not RunStatus.FAILED
    monkeypatch.setattr(world.context.inbox, "read", read)
    failed = drop(world, "large.csv", content + b"x")
    assert (failed.status, failed.pages) == (RunStatus.FAILED, 0)
    assert f"at most {len(content)} are accepted" in failed.failure
    assert world.context.quarantine.read(f"{failed.run_id}/large.csv") == content + b"x"
    report = json.loads(world.context.quarantine.read(f"{failed.run_id}/large.csv.report.json"))
    assert report["reason"] == failed.failure
    assert world.context.inbox.info("large.csv") is None


def test_a_file_that_comes_while_storage_is_away_is_imported_when_it_is_back() -> None:
    """INC-09: the host would call again at once, and make the file a dead letter."""
    world = World()
    map_employees(world.context, {"E1": "H1"})
    world.context.inbox.write("2025-01-15.csv", f"{HEADER}\r\n{row(1)}\r\n".encode())

    def away(_operation: str, place: str) -> None:
        if place == "ImportRuns":
            raise StorageUnavailable("tables", "does not answer")

    world.hook = away
    assert import_file(world.context, "2025-01-15.csv") is None
    ((due, message),) = world.queues.schedule("import-slices")
    assert (message.type, message.subject, (due - world.now).total_seconds()) == ("import.file", "2025-01-15.csv", 30)
    world.hook = lambda _operation, _place: None
    world.now = due
    world.work()
    assert world.metrics() == {"H1": (150, 1, 1)}


def test_the_same_file_twice_is_one_run_and_a_new_version_another() -> None:
    """INC-09: events come at least once."""
    world = World()
    first = drop(world, "2025-01-15.csv", f"{HEADER}\r\n{row(1)}\r\n".encode())
    assert import_file(world.context, "2025-01-15.csv") == first.run_id
    assert drop(world, "2025-01-15.csv", f"{HEADER}\r\n{row(2)}\r\n".encode()).run_id != first.run_id
    assert import_file(world.context, "gone.csv") is None
