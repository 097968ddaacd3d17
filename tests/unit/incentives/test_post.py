"""INC-41: calculations made elsewhere; a bad one is refused by name, the good ones go on."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.incentives.calculate_period import give_up_calculation, handle_calculation_message
from shared.incentives.calculation import State
from shared.incentives.inbox import take_in_file
from shared.incentives.post import Posted, post
from shared.incentives.queries import whole
from shared.kernel.clock import to_iso
from shared.kernel.errors import DataRefused, StorageUnavailable
from tests.unit.incentives.world import ADMIN, APPROVER, PERIOD, World, reject, sold, submit

GOOD: dict[str, Any] = {"id": "X1", "employeeId": "H1", "period": PERIOD, "gross": "12.50", "net": "10.00"}
HEADER = "id,employeeId,period,gross,net"


def a_world() -> World:
    world = World()
    for number in range(1, 4):
        world.hire(f"H{number}")
    return world


def outcomes(results: list[Posted]) -> list[tuple[str, str]]:
    return [(result.outcome.state, result.outcome.code) for result in results]


def test_a_posted_calculation_becomes_a_draft_with_everything_it_says() -> None:
    world = a_world()
    record = GOOD | {"planVersion": "elsewhere@3", "breakdown": {"why": "because", "rate": 0.05}, "currency": "EUR"}
    (result,) = post(world.context, [record], "admin")
    found = world.one("H1")
    assert (result.external_id, result.outcome.calculation_id, result.outcome.state) == (
        "X1",
        found.calculation_id,
        "Draft",
    )
    assert (found.kind.value, found.source, found.created_by) == ("Posted", "posted:X1", "admin")
    assert (found.gross_minor, found.net_minor, found.plan_version) == (1250, 1000, "elsewhere@3")
    assert found.breakdown == {"why": "because", "rate": 0.05}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": ""}, "id: must not be empty"),
        ({"id": "x" * 129}, "id: must have at most 128 characters"),
        ({"id": 7}, "id: must be text"),
        ({"employeeId": "H9"}, "employeeId: there is no employee 'H9'"),
        ({"employeeId": None}, "employeeId: must be text"),
        ({"period": "2025-13"}, "period: '2025-13' is no pay period: there is no such month"),
        ({"period": "1969-12"}, "period: '1969-12' is no pay period: write 2025-01 or 2025-W03"),
        ({"period": "9999-12"}, "period: '9999-12' is no pay period: write 2025-01 or 2025-W03"),
        ({"period": "2031-07"}, "period: 2031-07 has not begun: its first day is 2031-07-01"),
        ({"period": "2025-W03"}, "period: 2025-W03 is of another pay calendar (PAY_CALENDAR), here it is 2025-01"),
        ({"gross": 12.5}, 'gross: write the amount as text: "12.34"'),
        ({"gross": True}, 'gross: write the amount as text: "12.34"'),
        ({"gross": "12.345"}, "gross: 12.345 has more than two decimals"),
        ({"net": "NaN"}, "net: 'NaN' is not an amount of money"),
        ({"net": "1E+999999"}, "net: '1E+999999' is not a sensible amount"),
        ({"net": "100000000000.01"}, "net: is larger than any incentive"),
        ({"currency": "USD"}, "currency: must be EUR"),
        ({"currency": "euro"}, "currency: must match the pattern ^[A-Z]{3}$"),
        ({"status": "Approved"}, "status: is not a known field"),
        ({"breakdown": []}, "breakdown: must be an object"),
        ({"breakdown": {"x": float("nan")}}, "breakdown: must be JSON: no NaN, no halves of characters"),
        ({"breakdown": {"x": "y" * 28_000}}, "breakdown: has 28008 bytes, at most 28000 are accepted"),
    ],
    ids=lambda value: json.dumps(value, default=str)[:40] if isinstance(value, dict) else None,
)
def test_a_bad_record_is_refused_by_name_and_the_good_one_beside_it_is_stored(
    change: dict[str, Any], reason: str
) -> None:
    world = a_world()
    results = post(world.context, [GOOD | change, GOOD | {"id": "X2", "employeeId": "H2"}], "admin")
    assert outcomes(results) == [("", "InvalidRequest"), ("Draft", "")]
    assert results[0].outcome.reason == reason
    assert [one.employee_id for one in world.all()] == ["H2"]


@pytest.mark.parametrize("record", [None, 7, "text", [1], {}, {"id": "\ud800"}], ids=repr)
def test_what_is_no_record_is_refused_too(record: object) -> None:
    world = a_world()
    results = post(world.context, [record, GOOD], "admin")
    assert outcomes(results) == [("", "InvalidRequest"), ("Draft", "")]
    json.dumps(results[0].external_id, ensure_ascii=False).encode()


def test_the_same_again_changes_nothing_and_another_amount_replaces_a_draft() -> None:
    world = a_world()
    post(world.context, [GOOD], "admin")
    before = world.all()
    assert outcomes(post(world.context, [GOOD], "somebody else")) == [("Draft", "")]
    assert world.all() == before
    post(world.context, [GOOD | {"net": "11.00"}], "another admin")
    found = world.one("H1")
    assert (found.net_minor, found.created_by) == (1100, "another admin")
    assert [(one.action, one.by) for one in found.history] == [("Create", "admin"), ("Recalculate", "another admin")]


def test_what_is_further_than_a_draft_is_not_replaced() -> None:
    world = a_world()
    one = post(world.context, [GOOD], "admin")[0].outcome.calculation_id
    more = GOOD | {"net": "11.00"}
    submit(world.context, [one], ADMIN)
    (refused,) = post(world.context, [more], "admin")
    assert (refused.outcome.code, refused.outcome.state) == ("Conflict", "PendingApproval")
    assert refused.outcome.reason == f"calculation {one} is PendingApproval: let it be rejected first"
    reject(world.context, [one], APPROVER, "no")
    assert outcomes(post(world.context, [more], "admin")) == [("Draft", "")]
    submit(world.context, [one], ADMIN)
    world.approve(one)
    (refused,) = post(world.context, [GOOD], "admin")
    assert refused.outcome.reason == f"calculation {one} is Approved: amend it"
    assert outcomes(post(world.context, [more], "admin")) == [("Approved", "")]
    assert world.one("H1").net_minor == 1100


def test_of_two_records_with_one_id_in_a_request_the_last_counts() -> None:
    world = a_world()
    results = post(world.context, [GOOD, GOOD | {"net": "11.00"}, GOOD | {"net": "11.00"}], "admin")
    assert outcomes(results) == [("", "Conflict"), ("Draft", ""), ("Draft", "")]
    assert world.one("H1").net_minor == 1100


def test_many_are_looked_up_at_once() -> None:
    world = a_world()
    records = [GOOD | {"id": f"X{number}", "employeeId": f"H{1 + number % 4}"} for number in range(40)]
    reads = 0

    def note(operation: str, place: str) -> None:
        nonlocal reads
        reads += (operation, place) == ("read", "Employees")

    world.hook = note
    results = post(world.context, records, "admin")
    assert reads == 1
    assert sum(result.outcome.code == "InvalidRequest" for result in results) == 10


def test_large_breakdowns_go_in_smaller_transactions() -> None:
    """A hundred of them do not fit into one of Azure's."""
    world = a_world()
    breakdown = {"text": "\\" * 13_900}
    records = [GOOD | {"id": f"X{number}", "breakdown": breakdown} for number in range(150)]
    assert {result.outcome.state for result in post(world.context, records, "admin")} == {"Draft"}
    assert len(world.all()) == 150


# Files.


def drop(world: World, name: str, content: str | bytes) -> int:
    world.context.inbox.write(name, content.encode() if isinstance(content, str) else content)
    return take_in_file(world.context, name)


def report(world: World, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(world.context.quarantine.read(f"{name}.report.json"))
    return found


def test_a_csv_file_is_taken_in() -> None:
    world = a_world()
    content = f"\ufeff{HEADER},planVersion\r\nX1,H1,{PERIOD},12.50,10.00,p@1\r\nX2,H2,{PERIOD},1,-1.00,\r\n"
    assert drop(world, "a.csv", content) == 2
    found = {one.employee_id: (one.net_minor, one.created_by) for one in world.all()}
    assert found == {"H1": (1000, "calculations-inbox/a.csv"), "H2": (-100, "calculations-inbox/a.csv")}
    assert world.context.quarantine.info("a.csv.report.json") is None
    assert world.told() == []
    before = world.all()
    assert take_in_file(world.context, "a.csv") == 2
    assert world.all() == before


def test_a_file_of_json_lines_is_taken_in_with_exact_amounts() -> None:
    world = a_world()
    lines = [
        f'{{"id":"X1","employeeId":"H1","period":"{PERIOD}","gross":99999999999.99,"net":0.1,"breakdown":{{"rate":0.07}}}}',
        "",
        json.dumps(GOOD | {"id": "X\u2028\u0085", "employeeId": "H2"}, ensure_ascii=False),
    ]
    assert drop(world, "a.jsonl", "\n".join(lines)) == 2
    found = world.one("H1")
    assert (found.gross_minor, found.net_minor, found.breakdown) == (9_999_999_999_999, 10, {"rate": 0.07})


def test_what_was_posted_and_comes_again_in_a_file_is_the_same() -> None:
    world = a_world()
    record = GOOD | {"breakdown": {"rate": 0.07}}
    post(world.context, [json.loads(json.dumps(record))], "admin")
    before = world.all()
    assert drop(world, "a.jsonl", json.dumps(record)) == 1
    assert world.all() == before


def test_bad_records_of_a_file_are_reported_and_the_good_ones_are_taken_in() -> None:
    world = a_world()
    rows = [f"X{number},H{number},{PERIOD},1.00,1.00" for number in (1, 9, 2)]
    assert drop(world, "mixed.csv", "\n".join([HEADER, *rows, f"X3,H3,{PERIOD},1.00,1.00,more"])) == 2
    found = report(world, "mixed.csv")
    assert [(one["record"], one["externalId"], one["status"], one["reason"]) for one in found["refused"]] == [
        (2, "X9", "Refused", "employeeId: there is no employee 'H9'"),
        (4, "X3", "Refused", "beyond the header: is not a known field"),
    ]
    assert (found["file"], found["records"]) == ("mixed.csv", 4)
    ((kind, data),) = world.told()
    assert (kind, data) == ("calculations-file.refused", {"file": "mixed.csv", "reason": "2 records were refused"})
    assert world.context.inbox.info("mixed.csv") is not None


def test_a_row_that_is_too_short_is_refused_by_the_field_it_lacks() -> None:
    world = a_world()
    assert drop(world, "short.csv", f"{HEADER}\nX1,H1,{PERIOD},1.00\n") == 0
    assert report(world, "short.csv")["refused"][0]["reason"] == "net: is missing"


SEMICOLONS = ": its cells are separated by semicolons, and must be by commas"


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.csv", b"id,employeeId\n1,2\n", "line 1: the header lacks gross, net, period"),
        ("a.csv", b"", "line 1: the header lacks employeeId, gross, id, net, period"),
        ("a.csv", f'{HEADER}\nX1,"H1"x,{PERIOD},1,1\n'.encode(), "line 2: ',' expected after '\"'"),
        ("a.csv", b'id,"employee"Id\n', "line 1: ',' expected after '\"'"),
        ("a.csv", b"\xff\xfe", "the file is not UTF-8: byte 0"),
        ("a.csv", HEADER.encode("utf-16"), "the file is UTF-16, not UTF-8 text; save it as UTF-8"),
        ("a.jsonl", json.dumps(GOOD).encode("utf-16"), "the file is UTF-16, not UTF-8 text; save it as UTF-8"),
        ("a.jsonl", b'{"id": "\xe4"}', "the file is not UTF-8: byte 8"),
        (
            "a.csv",
            f"{HEADER},net\n".encode(),
            "the file names 'net' twice in its header line: which of the two counts cannot be told",
        ),
        (
            "a.csv",
            HEADER.replace(",", ";").encode(),
            f"line 1: the header lacks {', '.join(sorted(HEADER.split(',')))}{SEMICOLONS}",
        ),
        (
            "a.jsonl",
            json.dumps(GOOD).encode() + b'\n{"id": "X2", "emp',
            "line 2 is no JSON: the file must be JSON lines, or end in .csv",
        ),
        ("a.xlsx", b"PK\x03\x04", "line 1 is no JSON: the file must be JSON lines, or end in .csv"),
        ("a.jsonl", b"[" * 100_000, "line 1 is no JSON: the file must be JSON lines, or end in .csv"),
    ],
    ids=[
        "header",
        "empty",
        "quotes",
        "quotes-in-header",
        "encoding",
        "utf-16",
        "utf-16-json",
        "latin-1-json",
        "twice",
        "semicolons",
        "torn",
        "another-kind",
        "deep",
    ],
)
def test_a_malformed_file_goes_to_quarantine_with_a_report(name: str, content: bytes, reason: str) -> None:
    world = a_world()
    assert drop(world, name, content) == 0
    assert world.all() == []
    assert report(world, name) == {"file": name, "reason": reason}
    assert world.context.quarantine.read(name) == content
    assert world.context.inbox.info(name) is None
    assert world.told() == [("calculations-file.refused", {"file": name, "reason": reason})]


AS_WRITTEN: dict[str, tuple[str, str]] = {
    "CR alone": ("a.csv", f"{HEADER}\rX1,H1,{PERIOD},1.00,1.00\rX2,H2,{PERIOD},1.00,1.00\r"),
    "rows that were emptied": (
        "a.csv",
        f"{HEADER},,\n,,,,,,\nX1,H1,{PERIOD},1.00,1.00,,\n,,,,\nX2,H2,{PERIOD},1.00,1.00\n , ,,,\n",
    ),
    "JSON lines that end in CR": ("a.jsonl", f"{json.dumps(GOOD)}\r\r \r{json.dumps(GOOD | {'employeeId': 'H2'})}"),
    "null for what may be absent": (
        "a.jsonl",
        json.dumps(GOOD | {"currency": None, "planVersion": None, "breakdown": None})
        + "\n"
        + json.dumps(GOOD | {"employeeId": "H2"}),
    ),
}


@pytest.mark.parametrize(("name", "content"), AS_WRITTEN.values(), ids=AS_WRITTEN.keys())
def test_a_file_is_read_as_spreadsheets_and_old_systems_write_it(name: str, content: str) -> None:
    world = a_world()
    assert drop(world, name, content) == 2
    assert world.told() == []


BAD_LINES: dict[str, tuple[str, str]] = {
    "an amount twice": (json.dumps(GOOD)[:-1] + ', "net": "1.00"}', "net: the record gives 'net' more than once"),
    "a name twice, deep inside": (
        json.dumps(GOOD)[:-1] + ', "breakdown": {"a": 1, "a": 1}}',
        "a: the record gives 'a' more than once",
    ),
    "5,000 digits": (
        json.dumps(GOOD)[:-1] + ', "breakdown": {"a": %s}}' % ("9" * 5000),
        "record: the record has a number of 5000 digits",
    ),
    "not a number": (json.dumps(GOOD)[:-1] + ', "breakdown": {"a": NaN}}', "record: the record has NaN"),
    "a replaced character": (json.dumps(GOOD | {"id": "VK-\ufffd"}), "id: holds U+FFFD"),
    "no object": ("[1]", "record: must be an object"),
    "half a character as a name, twice": ('{"\\ud800": 1, "\\ud800": 2}', "?: the record gives '?' more than once"),
    "half a character as a name": (json.dumps(GOOD)[:-1] + ', "\\ud800": 1}', "record: must be valid Unicode text"),
    "half a character": (json.dumps(GOOD | {"id": "\ud800"}), "id: must be valid Unicode text"),
}


@pytest.mark.parametrize(("bad", "reason"), BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_line_that_has_no_one_meaning_costs_itself(bad: str, reason: str) -> None:
    world = a_world()
    assert drop(world, "a.jsonl", f"{bad}\n{json.dumps(GOOD | {'employeeId': 'H2'})}") == 1
    (refused,) = report(world, "a.jsonl")["refused"]
    assert refused["record"] == 1
    assert refused["reason"].startswith(reason)


NAMES = (
    "Pr\u00e4mien M\u00e4rz 2.csv",
    "b" * 250 + ".csv",
    "100%2F.csv",
    "a,b;c.csv",
    "\U0001f600.csv",
    "d/" * 200 + "e.csv",
)


@pytest.mark.parametrize("name", NAMES)
def test_operators_are_told_of_a_file_whatever_its_name(name: str) -> None:
    """INC-41, INC-71: the message's ID goes into headers, table keys and names of blobs."""
    world = a_world()
    assert drop(world, name, f"{HEADER}\nX1,H1,{PERIOD},1.00,zzz\n") == 0
    assert report(world, name)["file"] == name
    (message,) = world.queues.messages("notifications")
    assert (message.type, message.data["file"]) == ("calculations-file.refused", name)
    assert re.fullmatch(r"[\x21-\x7e][\x20-\x7e]{0,148}[\x21-\x7e]", message.id)
    take_in_file(world.context, name)
    assert {one.id for one in world.queues.messages("notifications")} == {message.id}


@pytest.mark.parametrize(("name", "metadata"), [("2025", {"hdi_isfolder": "true"}), ("in/", {})])
def test_a_folder_is_no_file(monkeypatch: pytest.MonkeyPatch, name: str, metadata: dict[str, str]) -> None:
    world = a_world()
    world.context.inbox.write(name, b"")
    info = world.context.inbox.info(name)
    assert info
    monkeypatch.setattr(world.context.inbox, "info", lambda _: replace(info, metadata=metadata))
    assert take_in_file(world.context, name) == 0
    assert world.told() == []
    assert world.context.inbox.read(name) == b""


def test_whatever_a_reader_raises_the_file_is_malformed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RecursionError("too much")

    monkeypatch.setattr("shared.incentives.inbox.rows_of", fail)
    world = a_world()
    assert drop(world, "a.csv", HEADER) == 0
    assert report(world, "a.csv")["reason"] == "the file cannot be read: RecursionError: too much"
    assert world.context.inbox.info("a.csv") is None


def test_a_file_that_is_too_large_goes_to_quarantine_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(name: str, *, etag: str | None = None) -> bytes:
        raise AssertionError(f"{name} {etag} is read whole")

    world = a_world()
    monkeypatch.setattr("shared.incentives.inbox.MAX_FILE_BYTES", 10)
    monkeypatch.setattr(world.context.inbox, "read", read)
    assert drop(world, "large.csv", b"eleven bytes"[:11]) == 0
    assert report(world, "large.csv")["reason"] == "the file has 11 bytes, at most 10 are accepted"
    assert world.context.quarantine.read("large.csv") == b"eleven byte"
    assert world.context.inbox.info("large.csv") is None


def test_a_file_that_comes_while_storage_is_away_is_taken_in_when_it_is_back() -> None:
    world = a_world()
    world.context.inbox.write("a.csv", f"{HEADER}\nX1,H1,{PERIOD},1.00,1.00\n".encode())

    def away(_operation: str, place: str) -> None:
        if place == "Calculations":
            raise StorageUnavailable("tables", "does not answer")

    world.hook = away
    assert take_in_file(world.context, "a.csv") == 0
    world.hook = lambda _operation, _place: None
    ((due, message),) = world.queues.schedule("calculation-requests")
    assert (message.type, (due - world.now).total_seconds()) == ("calculation.file", 30)
    handle_calculation_message(world.context, message)
    assert len(world.all()) == 1
    give_up_calculation(world.context, message, DataRefused("no run belongs to it"))


def test_a_file_that_is_gone_is_no_error() -> None:
    assert take_in_file(a_world().context, "gone.csv") == 0


def test_a_file_that_is_replaced_on_its_way_to_quarantine_is_not_lost() -> None:
    world = a_world()
    good = f"{HEADER}\nX1,H1,{PERIOD},1.00,1.00\n".encode()

    def replace(operation: str, place: str) -> None:
        if (operation, place) == ("write", "calculations-quarantine"):
            world.hook = lambda _operation, _place: None
            world.context.inbox.write("a.csv", good)

    world.context.inbox.write("a.csv", b"broken")
    world.hook = replace
    assert take_in_file(world.context, "a.csv") == 0
    assert world.context.inbox.read("a.csv") == good
    assert take_in_file(world.context, "a.csv") == 1
    world.deliver()  # the message by which the first one is tried again finds the second
    assert world.context.inbox.read("a.csv") == good


def test_a_file_of_many_records_is_taken_in_portions() -> None:
    world = a_world()
    rows = [f"X{number},H{1 + number % 4},{PERIOD},1.00,1.00" for number in range(2_500)]
    assert drop(world, "many.csv", "\n".join([HEADER, *rows])) == 1_875
    refused = report(world, "many.csv")["refused"]
    assert len(refused) == 625
    assert refused[-1]["record"] == 2_500
    assert sum(one.net_minor for one in world.all()) == 187_500


def test_a_long_audit_trail_and_breakdown_are_kept_whole() -> None:
    world = a_world()
    for number in range(300):
        net = f"{number}.00"
        assert outcomes(post(world.context, [GOOD | {"gross": net, "net": net}], "a" * 90)) == [("Draft", "")]
    found = world.one("H1")
    assert len(found.history) == 300
    assert found.state is State.DRAFT
    assert Decimal(found.net_minor) == 29_900


def away(world: World) -> None:
    """Let storage be away for files: what is dropped now is put off."""

    def fail(_operation: str, place: str) -> None:
        if "calculations-inbox" in place:
            raise StorageUnavailable("blobs", "answered 503 ServerBusy")

    world.hook = fail


def write_file(world: World, name: str, *rows: tuple[str, str]) -> None:
    """Write a file whose records have these IDs and amounts, all of H1."""
    lines = "".join(f"{one},H1,{PERIOD},{net},{net}\n" for one, net in rows)
    world.context.inbox.write(name, f"{HEADER}\n{lines}".encode())


def reported(world: World, name: str) -> list[str]:
    """Return why records of a file were refused."""
    report = json.loads(world.context.quarantine.read(f"{name}.report.json"))
    return [one["reason"] for one in report["refused"]]


@pytest.mark.parametrize("apart", [0, 10], ids=["same second", "later"])
def test_a_file_that_was_put_off_does_not_replace_its_correction(apart: int) -> None:
    """INC-41: the host tells of the first file while storage is away; its correction is taken in before it."""
    world = a_world()
    write_file(world, "january.csv", ("X1", "9000.00"), ("X2", "5.00"))
    away(world)
    take_in_file(world.context, "january.csv")
    world.hook = lambda _operation, _place: None
    world.now += timedelta(seconds=apart)
    write_file(world, "corrected.csv", ("X1", "900.00"))
    take_in_file(world.context, "corrected.csv")
    world.now += timedelta(minutes=1)
    assert world.deliver()
    assert {one.source: one.net_minor for one in world.of("H1")} == {"posted:X1": 900_00, "posted:X2": 5_00}
    (reason,) = reported(world, "january.csv")
    assert "what was written last stays" in reason
    assert "calculations-file.refused" in [kind for kind, _ in world.told()]


def test_a_file_that_the_host_tells_of_late_does_not_replace_what_was_posted_since() -> None:
    world = a_world()
    write_file(world, "january.csv", ("X1", "9000.00"))
    world.now += timedelta(minutes=1)
    post(world.context, [GOOD | {"gross": "900.00", "net": "900.00"}], "admin")
    world.now += timedelta(minutes=1)
    assert take_in_file(world.context, "january.csv") == 0
    assert world.one("H1").net_minor == 900_00
    assert "what was written last stays" in reported(world, "january.csv")[0]
    world.now += timedelta(minutes=1)
    write_file(world, "january.csv", ("X1", "9000.00"))
    assert take_in_file(world.context, "january.csv") == 1
    assert world.one("H1").net_minor == 9000_00


def test_the_age_of_what_stands_there_is_shown_and_what_was_computed_has_none() -> None:
    world = a_world()
    write_file(world, "a.csv", ("X1", "100.00"))
    take_in_file(world.context, "a.csv")
    assert [whole(one)["asOf"] for one in world.all()] == [to_iso(world.now)]
    computed = World()
    computed.hire("H1")
    computed.sell("H1", sold(10_000))
    computed.calculate()
    assert [whole(one)["asOf"] for one in computed.all()] == [None]


def test_what_says_the_same_again_makes_what_stands_there_as_new_as_itself() -> None:
    """Three files: 9.00, then 7.00, then 9.00 again. The second one is told of last."""
    world = a_world()
    for name, net in (("first.csv", "9.00"), ("second.csv", "7.00"), ("third.csv", "9.00")):
        write_file(world, name, ("X1", net))
        world.now += timedelta(minutes=1)
    for name in ("first.csv", "third.csv", "second.csv"):
        take_in_file(world.context, name)
    assert world.one("H1").net_minor == 9_00
    assert [one.action for one in world.one("H1").history] == ["Create"]


@pytest.mark.parametrize(
    "order", [("a.csv", "b.csv", "c.csv"), ("c.csv", "b.csv", "a.csv"), ("b.csv", "c.csv", "a.csv")]
)
def test_files_come_to_the_same_in_whatever_order_they_are_told_of_and_twice(order: Sequence[str]) -> None:
    world = a_world()
    for number, name in enumerate(("a.csv", "b.csv", "c.csv"), 1):
        write_file(world, name, ("X1", f"{number}.00"), (f"only in {name}", "1.00"))
        world.now += timedelta(minutes=1)
    for name in (*order, *order):
        take_in_file(world.context, name)
    found = {one.source: one.net_minor for one in world.of("H1")}
    assert found == {"posted:X1": 3_00, **{f"posted:only in {name}": 1_00 for name in order}}
