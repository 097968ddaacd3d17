"""INC-22, INC-23, INC-24: events and full syncs lead to the same people in any order."""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.kernel.errors import DataRefused
from shared.kernel.strict_json import read_json_items
from shared.workforce.apply import apply_event
from shared.workforce.full_sync import start_sync
from shared.workforce.hr_pages import fetch_page
from shared.workforce.schedule import watch_workforce
from shared.workforce.sync_runs import SyncRun, SyncStatus
from tests.unit.workforce.world import Killed, World, created, updated


def sync(world: World) -> SyncRun:
    run_id = start_sync(world.context, "test")
    world.work()
    return world.context.sync_runs.get(run_id)


def person(number: int, **fields: Any) -> dict[str, Any]:
    named = created(f"H{number}", status="Active", erpEmployeeId=f"E{number}")
    return named | {"assignments": []} | fields


def test_a_later_event_counts_whichever_comes_first() -> None:
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0), (0, 2, 1, 0, 2)):
        world = World()
        earlier = world.now - timedelta(hours=3)
        events = [
            world.event("employee.created", created("H1"), earlier),
            world.event("employee.updated", updated("H1", lastName="Berg"), earlier + timedelta(hours=1)),
            world.event("employee.updated", updated("H1", lastName="Cole"), earlier + timedelta(hours=2)),
        ]
        for number in order:
            apply_event(world.context, events[number])
        assert (world.employee("H1")["last_name"], world.employee("H1")["status"]) == ("Cole", "Active")


def test_a_change_takes_effect_on_its_date_in_the_business_time_zone() -> None:
    world = World()
    apply_event(world.context, world.event("employee.created", created("H1")))
    apply_event(world.context, world.event("employee.updated", updated("H1", "2025-02-01", role="StoreManager")))
    world.now = datetime(2025, 1, 31, 22, 59, tzinfo=UTC)
    assert world.employee("H1")["role"] == "SalesAssociate"
    world.now = datetime(2025, 1, 31, 23, 0, tzinfo=UTC)  # midnight in Berlin
    assert world.employee("H1")["role"] == "StoreManager"


def test_an_employee_of_whom_only_a_change_is_known_is_unconfirmed() -> None:
    world = World()
    apply_event(world.context, world.event("employee.updated", updated("H1", lastName="Berg")))
    assert world.employee("H1")["status"] == "Unconfirmed"


def test_an_assignment_moves() -> None:
    world = World()
    place = {"storeId": "S1", "role": "SalesAssociate", "startDate": "2025-01-01"}
    first = {"employeeId": "H1", "assignmentId": "A1", **place}
    apply_event(world.context, world.event("assignment.created", first))
    apply_event(world.context, world.event("assignment.ended", {**first, "endDate": "2025-01-15"}))
    second = first | {"assignmentId": "A2", "storeId": "S2", "startDate": "2025-01-16"}
    apply_event(world.context, world.event("assignment.created", second))
    found = world.employee("H1")["assignments"]
    assert [(one.store_id, one.first_day, one.last_day) for one in found] == [
        ("S1", date(2025, 1, 1), date(2025, 1, 15)),
        ("S2", date(2025, 1, 16), None),
    ]


def test_an_event_that_was_parked_and_edited_wrongly_is_refused() -> None:
    world = World()
    with pytest.raises(DataRefused, match="employeeId"):
        apply_event(world.context, world.event("employee.created", {}))


def test_a_full_sync_reports_what_it_did_and_a_second_one_nothing() -> None:
    world = World()
    world.people = [person(number) for number in range(1, 9)]
    apply_event(world.context, world.event("employee.created", created("H2", lastName="Wrong", erpEmployeeId="E2")))
    apply_event(world.context, world.event("employee.created", created("H9")))
    world.now += timedelta(hours=1)
    run = sync(world)
    assert run.status is SyncStatus.SUCCEEDED
    assert vars(run.counts) == {"created": 7, "updated": 1, "terminated": 1, "unchanged": 0, "refused": 0}
    assert world.employee("H2")["last_name"] == "Abel"
    assert world.employee("H9")["status"] == "Terminated"
    everybody = {f"E{number}": f"H{number}" for number in range(1, 9)}
    assert world.mapped(*everybody) == everybody
    world.now += timedelta(days=1)
    assert vars(sync(world).counts) == {"created": 0, "updated": 0, "terminated": 0, "unchanged": 8, "refused": 0}


def test_a_bad_record_does_not_stop_the_others_and_terminates_nobody() -> None:
    world = World()
    world.people = [person(1), person(2), person(3)]
    sync(world)
    world.now += timedelta(hours=1)
    world.people[1]["lastName"] = ["broken"]
    run = sync(world)
    assert (run.counts.refused, run.counts.unchanged) == (1, 2)
    assert world.employee("H2")["status"] == "Active"


@pytest.mark.parametrize(
    "bad",
    [
        '{"employeeId": "H2", "lastName": "A", "lastName": "B"}',
        '{"employeeId": "H2", "x": %s}' % ("9" * 5000),
        '{"employeeId": "H2", "x": NaN}',
        '{"employeeId": "H2", "assignments": [{"assignmentId": "A1", "storeId": "S1", "storeId": "S2"}]}',
        '{"employeeId": "H\ufffd"}',
        '{"employeeId": "H2", "erpEmployeeId": "E\ufffd"}',
    ],
)
def test_a_record_that_has_no_one_meaning_costs_no_other(bad: str) -> None:
    """INC-24: read as the HTTP client reads a page."""
    page = read_json_items(f'{{"data": [{bad}, {{"employeeId": "H1"}}], "pagination": null, "metadata": null}}')

    class Client:
        def get_json(
            self, path: str, params: Mapping[str, str], *, check: Callable[[Any], object] | None = None
        ) -> Any:
            if check:
                check(page)
            return page

    found = fetch_page(Client(), 1, 100, datetime(2025, 1, 15, tzinfo=UTC))
    assert ([one.employee_id for one in found.snapshots], found.refused) == (["H1"], 1)


def test_null_is_absent_in_a_page() -> None:
    page = {
        "data": [{"employeeId": "H1", "assignments": None}],
        "pagination": {"page": None, "totalRecords": None, "totalPages": None},
        "metadata": {"extractedAt": None},
    }

    class Client:
        def get_json(
            self, path: str, params: Mapping[str, str], *, check: Callable[[Any], object] | None = None
        ) -> Any:
            return page

    asked = datetime(2025, 1, 15, tzinfo=UTC)
    found = fetch_page(Client(), 1, 100, asked)
    assert (len(found.snapshots), found.total_records, found.total_pages, found.as_of) == (1, None, 0, asked)


def test_null_is_absent_in_an_assignment() -> None:
    world = World()
    world.deliver(world.event("employee.created", created("H1") | {"effectiveDate": None}), "1")
    data = {"employeeId": "H1", "assignmentId": "A1", "storeId": "S1", "role": None, "startDate": "2025-01-01"}
    world.deliver(world.event("assignment.created", data | {"endDate": None, "effectiveDate": None}), "2")
    world.work()
    (assignment,) = world.employee("H1")["assignments"]
    assert (assignment.store_id, assignment.role, assignment.last_day) == ("S1", "", None)


def test_when_too_many_are_missing_nobody_is_terminated() -> None:
    world = World()
    world.people = [person(number) for number in range(1, 9)]
    sync(world)
    world.now += timedelta(hours=1)
    world.people = world.people[:2]
    run = sync(world)
    assert run.status is SyncStatus.FAILED
    assert "HR_MAX_TERMINATION_SHARE" in run.failure
    assert world.employee("H8")["status"] == "Active"
    assert world.queues.depth("notifications") == 1


def test_people_who_come_while_pages_are_read_are_not_terminated() -> None:
    world = World(page_size=2)
    world.people = [person(number) for number in (1, 2, 4, 5)]

    def joins(page: int) -> None:
        if page == 2:
            world.now += timedelta(seconds=1)
            apply_event(world.context, world.event("employee.created", created("H3")))

    world.between_pages = joins
    assert sync(world).status is SyncStatus.SUCCEEDED
    assert world.employee("H3")["status"] == "Active"


def test_whoever_slides_to_a_page_that_was_read_already_is_not_terminated() -> None:
    """INC-24: somebody leaves while pages are read, and the others move up."""
    world = World(page_size=3)
    world.people = [person(number) for number in range(1, 7)]
    sync(world)
    world.now += timedelta(days=1)

    def leaves(page: int) -> None:
        if page == 2:
            world.people = [one for one in world.people if one["employeeId"] != "H1"]

    world.between_pages = leaves
    run = sync(world)
    assert (run.status, run.counts.terminated) == (SyncStatus.PARTIAL_SUCCESS, 0)
    assert "it has 6 employees, and 5 in the end" in run.failure
    assert world.employee("H4")["status"] == "Active"
    world.between_pages = lambda _page: None
    world.now += timedelta(days=1)
    assert (sync(world).counts.terminated, world.employee("H1")["status"]) == (1, "Terminated")


def days_of(world: World, employee_id: str) -> list[tuple[str, str, str]]:
    found = world.employee(employee_id)["assignments"]
    return [(one.store_id, str(one.first_day), str(one.last_day)) for one in found]


def test_an_hr_system_that_lists_present_assignments_alone_undoes_no_ended_one() -> None:
    """INC-24: its days are paid by it."""
    world = World()
    first = {"employeeId": "H1", "assignmentId": "A1", "storeId": "S1", "startDate": "2025-01-01", "role": "R"}
    second = first | {"assignmentId": "A2", "storeId": "S2", "startDate": "2025-01-08"}
    apply_event(world.context, world.event("employee.created", created("H1")))
    apply_event(world.context, world.event("assignment.created", first | {"endDate": "2025-01-07"}))
    apply_event(world.context, world.event("assignment.created", second))
    both = [("S1", "2025-01-01", "2025-01-07"), ("S2", "2025-01-08", "None")]
    world.now += timedelta(hours=1)
    world.people = [person(1, assignments=[second])]
    sync(world)
    assert days_of(world, "H1") == both
    world.people[0].pop("assignments")
    world.now += timedelta(hours=1)
    sync(world)
    assert days_of(world, "H1") == both
    world.people[0]["assignments"] = []
    world.now += timedelta(hours=1)
    sync(world)
    assert days_of(world, "H1") == [both[0], ("S2", "2025-01-08", "2025-01-09")]


def test_an_assignment_until_the_end_of_time_has_no_last_day() -> None:
    world = World()
    far = {
        "employeeId": "H1",
        "assignmentId": "A1",
        "storeId": "S1",
        "startDate": "2025-01-01",
        "endDate": "9999-12-31",
    }
    apply_event(world.context, world.event("employee.created", created("H1")))
    apply_event(world.context, world.event("assignment.created", far))
    assert days_of(world, "H1") == [("S1", "2025-01-01", "None")]


def test_somebody_with_a_long_history_stops_nobody() -> None:
    """His row is longer than a cell."""
    world = World()
    many = [
        {"assignmentId": f"A{n}", "storeId": f"Store {n}", "role": "R", "startDate": "2025-01-01"} for n in range(400)
    ]
    world.people = [person(1), person(2, assignments=many), person(3)]
    assert sync(world).status is SyncStatus.SUCCEEDED
    assert len(world.employee("H2")["assignments"]) == 400
    assert world.employee("H3")["status"] == "Active"


def test_half_a_character_is_refused_and_stops_nobody() -> None:
    world = World()
    world.people = [person(1), person(2, firstName="\ud800"), person(3)]
    run = sync(world)
    assert (run.counts.refused, run.counts.created) == (1, 2)


def test_syncs_that_lost_their_messages_go_on() -> None:
    world = World(page_size=1, pages_per_slice=1)
    world.people = [person(1), person(2)]
    run_ids = [start_sync(world.context, "test") for _ in range(2)]
    while world.queues.take("hr-events"):
        pass
    watch_workforce(world.context)
    assert world.queues.depth("hr-events") == 0
    world.now += timedelta(minutes=16)
    for _ in range(2):  # while its message waits, it is not sent again with each look
        watch_workforce(world.context)
    assert world.queues.depth("hr-events") == 2
    world.work()
    for run_id in run_ids:
        assert world.context.sync_runs.get(run_id).status is SyncStatus.SUCCEEDED


@pytest.mark.parametrize("victim", range(1, 17))
def test_a_sync_killed_anywhere_loses_no_erp_employee(victim: int) -> None:
    """INC-05: his sales are counted, also when the worker died between writing who he is and telling of it."""
    world, left = World(), victim
    world.people = [person(1), person(2)]
    start_sync(world.context, "test")

    def die_once(_operation: str, _place: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed

    world.hook = die_once
    world.work()
    assert left <= 0, "nothing was left to be killed at: shorten the range"
    assert world.mapped("E1", "E2") == {"E1": "H1", "E2": "H2"}
    assert [world.employee(one)["erp_employee_id"] for one in ("H1", "H2")] == ["E1", "E2"]


NAMES = st.sampled_from(("Abel", "Berg", "Cole", "Dorn"))
WHO = st.sampled_from(("H1", "H2", "H3"))
ERP_IDS = ("E1", "E2")
ERP_ID = st.sampled_from(ERP_IDS)


Row = tuple[date, datetime, Any, bool]


class PeopleInAnyOrder(RuleBasedStateMachine):
    """INC-23: an HR system with a history; its events come twice, late, in any order, between full syncs.

    Whatever happened before: once every event has come, the hub knows what the HR system knows, today and on each
    day to come. And it knows whose each ERP ID was on which day, however often the IDs changed hands.
    """

    @initialize()
    def begin(self) -> None:
        self.world = World(page_size=2, pages_per_slice=1)
        self.events: list[bytes] = []
        self.waiting: list[bytes] = []
        # What the HR system holds: employee -> field -> rows, each (since its day, stated, value, was a day named?).
        self.truth: dict[str, dict[str, list[Row]]] = {}
        # Employee -> day -> the last word on that day about an ERP ID.
        self.said: dict[str, dict[date, tuple[datetime, str | None]]] = {}

    def happen(self, kind: str, data: dict[str, Any], values: Mapping[str, Any], effective: date | None = None) -> None:
        world = self.world
        world.now += timedelta(minutes=1)
        event = world.event(kind, data)
        self.events.append(event)
        self.waiting.append(event)
        fields = self.truth.setdefault(str(data["employeeId"]), {})
        for name, value in values.items():
            self.enter(fields.setdefault(name, []), effective, value)
        if "erpEmployeeId" in values:
            said = self.said.setdefault(str(data["employeeId"]), {})
            said[effective or self.today()] = (world.now, values["erpEmployeeId"])

    def enter(self, rows: list[Row], effective: date | None, value: Any) -> None:
        """Enter a change as somebody in HR does: from its day until the next one that is entered."""
        day = effective or self.today()
        holding = [row for row in rows if row[0] <= day]
        before = rows[0] if rows and not holding and not rows[0][3] else None
        held = holding[-1] if holding else before
        if (held[2] if held else None) != value:
            if before:  # what was entered first held all along
                rows[0] = (day - timedelta(days=1), *before[1:])
            if rows and rows[0][0] == day and not rows[0][3]:
                rows[0] = (day - timedelta(days=1), *rows[0][1:])
            others = [row for row in rows if row[0] != day]
            rows[:] = sorted([*others, (day, self.world.now, value, day != self.today())], key=lambda row: row[0])
        elif day >= self.today():  # nothing else can be meant than that the later ones are taken back
            rows[:] = holding

    def today(self) -> date:
        return self.world.now.astimezone(self.world.context.rules.time_zone).date()

    @rule(who=WHO, name=NAMES)
    def join(self, who: str, name: str) -> None:
        if who not in self.truth:
            data = created(who, lastName=name)
            self.happen("employee.created", data, {"lastName": name, "role": "SalesAssociate", "status": "Active"})

    @rule(who=WHO, name=NAMES, field=st.sampled_from(("lastName", "role")), days=st.none() | st.integers(-3, 20))
    def change(self, who: str, name: str, field: str, days: int | None) -> None:
        if who in self.truth:
            effective = None if days is None else self.today() + timedelta(days=days)
            text = effective.isoformat() if effective else None
            self.happen("employee.updated", updated(who, text, **{field: name}), {field: name}, effective)

    @rule(who=WHO, erp_id=st.none() | ERP_ID, days=st.sampled_from((None, -3, 0, 1, 2, 20)))
    def get_an_erp_id(self, who: str, erp_id: str | None, days: int | None) -> None:
        """Nobody tells the former owner."""
        if who in self.truth:
            effective = None if days is None else self.today() + timedelta(days=days)
            if (effective or self.today()) in self.said.get(who, {}):
                return  # a day's last word is tried by the tests of the mappings
            text = effective.isoformat() if effective else None
            data = updated(who, text, erpEmployeeId=erp_id)
            self.happen("employee.updated", data, {"erpEmployeeId": erp_id}, effective)

    @rule(who=WHO, days=st.integers(-5, 10))
    def leave(self, who: str, days: int) -> None:
        if who in self.truth:
            day = self.today() + timedelta(days=days)
            data = {"employeeId": who, "terminationDate": day.isoformat()}
            self.happen("employee.terminated", data, {"status": "Terminated"}, day)

    @rule(data=st.data())
    def deliver(self, data: st.DataObject) -> None:
        if self.waiting:
            event = data.draw(st.sampled_from(self.waiting))
            self.waiting.remove(event)
            apply_event(self.world.context, event)

    @rule(data=st.data())
    def deliver_again(self, data: st.DataObject) -> None:
        if self.events:
            apply_event(self.world.context, data.draw(st.sampled_from(self.events)))

    @rule(days=st.integers(0, 6), minutes=st.integers(1, 600))
    def time_passes(self, days: int, minutes: int) -> None:
        self.world.now += timedelta(days=days, minutes=minutes)

    @rule(late=st.booleans())
    def full_sync(self, late: bool) -> None:
        world = self.world
        world.now += timedelta(minutes=1)
        at = world.now
        world.people = [
            {"employeeId": who, "assignments": []} | {name: self.truly(who, name, at) for name in fields}
            for who, fields in self.truth.items()
        ]
        if late and self.waiting:
            # An event overtakes the sync between two of its pages.
            world.between_pages = lambda page: self.overtake() if page == 2 else None
        run = sync(world)
        world.between_pages = lambda _page: None
        assert run.status is SyncStatus.SUCCEEDED

    def overtake(self) -> None:
        apply_event(self.world.context, self.waiting.pop())

    def row(self, who: str, name: str, day: date) -> Row | None:
        return next((row for row in reversed(self.truth[who].get(name, [])) if row[0] <= day), None)

    def truly(self, who: str, name: str, at: datetime) -> Any:
        row = self.row(who, name, at.astimezone(self.world.context.rules.time_zone).date())
        return row[2] if row else None

    def claims(self, erp_id: str) -> list[tuple[date, datetime, str]]:
        """Return since which day, stated when, whose an ERP ID was to be: what was replaced or taken back never was."""
        found = []
        for who, said in self.said.items():
            for day, (stated, value) in said.items():
                row = self.row(who, "erpEmployeeId", day)
                if row and row[2] == erp_id and (row[0] == day or value == erp_id):
                    found.append((day, row[1] if row[0] == day else stated, who))
        return sorted(found)

    def owner_on(self, erp_id: str, day: date) -> str | None:
        """Return the last who claimed it and claims it still; where nobody does, whoever had it last or first."""
        claims = self.claims(erp_id)
        ends = {row[0] for fields in self.truth.values() for row in fields.get("erpEmployeeId", [])}
        owner = None
        for turn in sorted({*(one[0] for one in claims), *ends}):
            if turn > day and owner:
                break
            holding = [one for one in claims if one[0] <= turn and self.holds(one[2], erp_id, turn)]
            owner = max(holding)[2] if holding else owner
        return owner

    def holds(self, who: str, erp_id: str, day: date) -> bool:
        row = self.row(who, "erpEmployeeId", day)
        return row is not None and row[2] == erp_id

    @invariant()
    def when_everything_has_come_sales_go_to_whom_the_hr_system_says(self) -> None:
        if not hasattr(self, "world") or self.waiting:
            return
        for days in (-300, -20, -5, -1, 0, 1, 5, 12, 30):
            day = (self.world.now + timedelta(days=days)).date()
            found = {erp_id: who for erp_id in ERP_IDS if (who := self.owner_on(erp_id, day))}
            assert self.world.mapped(*ERP_IDS, on=day) == found

    @invariant()
    def when_everything_has_come_the_hub_knows_what_the_hr_system_knows(self) -> None:
        if not hasattr(self, "world") or self.waiting:
            return
        for who, fields in self.truth.items():
            person = self.world.context.employees.get(who)
            for days in (-4, -1, 0, 1, 5, 12, 30):
                at = self.world.now + timedelta(days=days)
                employee = person.at(at)
                known = {"lastName": employee.last_name, "role": employee.role, "status": employee.status}
                told = [name for name in fields if name in known and self.row(who, name, at.date())]
                assert {name: known[name] for name in told} == {name: self.truly(who, name, at) for name in told}

    def teardown(self) -> None:
        if hasattr(self, "world"):
            while self.waiting:
                apply_event(self.world.context, self.waiting.pop())
            self.when_everything_has_come_the_hub_knows_what_the_hr_system_knows()
            self.when_everything_has_come_sales_go_to_whom_the_hr_system_says()


PeopleInAnyOrder.TestCase.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
TestPeopleInAnyOrder = PeopleInAnyOrder.TestCase
