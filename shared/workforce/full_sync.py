"""The daily full sync: everybody is read from the HR system, and what drifted is put right (INC-24).

A chain of slices: each reads some pages, writes what differs, saves how far it came, queues the next. What a page says
is a fact as of the moment it was made, so that events that came meanwhile are neither lost nor undone (INC-23).
Whoever is not on any page has left; when that would be too many at once, nobody is terminated and the sync fails.
"""

import json
import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from shared.kernel.blob import BlobMissing
from shared.kernel.clock import business_day, day_bounds, to_iso
from shared.kernel.errors import DataRefused, HubError
from shared.kernel.message import send_message
from shared.kernel.table import RowChanged
from shared.workforce.context import HR_QUEUE, NOTIFICATION_QUEUE, WorkforceContext
from shared.workforce.employment import Status, status_of
from shared.workforce.erp_ids import ErpIdClaim, claims_of
from shared.workforce.facts import ABSENT, SHOWN, Fact, Facts, FieldValue, value_at
from shared.workforce.hr_pages import HrPage, Snapshot, fetch_page
from shared.workforce.person import Person, differing
from shared.workforce.sync_runs import SyncCounts, SyncRun, SyncStatus
from shared.workforce.unknown_statuses import tell_unknown_statuses

_log = logging.getLogger(__name__)

_LOOKED_BACK = timedelta(hours=36)
"""For what is new: since before the last daily sync, and before the page was extracted."""


def start_sync(context: WorkforceContext, started_by: str) -> str:
    """Store a run, queue its first slice, return its ID. Runs at the same time do not disturb each other."""
    now = context.clock()
    run = context.sync_runs.create(SyncRun(context.new_id(), started_by, now, progress_at=now))
    _enqueue(context, run)
    return run.run_id


def resume_sync(context: WorkforceContext, run: SyncRun) -> None:
    """Queue the present slice of a run again. Safe at any time: a slice that is done is not done twice."""
    # Noted first: while its message waits, for the HR system say, it is not queued again with each look.
    if _save(context, replace(run, progress_at=context.clock())):
        _enqueue(context, run)


def sync_slice(context: WorkforceContext, run_id: str, page: int) -> None:
    """Work through some pages from `page` on. Idempotent by run and page."""
    run = context.sync_runs.get(run_id)
    if run.status is not SyncStatus.RUNNING or run.page != page:
        return
    seen = _seen(context, run)
    counts, first_asked, last_page = run.counts, context.clock(), None
    claims: list[ErpIdClaim] = []
    for number in range(page, page + context.rules.pages_per_slice):
        last_page = fetch_page(context.hr(), number, context.rules.page_size, first_asked)
        if number == 1:
            run = replace(run, total_records=last_page.total_records)
        found, people = _take_over(context, last_page, seen)
        counts = _add(counts, found)
        # Everybody's, whether anything is new or not: a process may have died between the rows and this.
        claims += [claim for person in people for claim in claims_of(person, (), context.rules.time_zone)]
        if number >= last_page.total_pages:
            context.became_known(claims)
            _finish(context, replace(run, counts=counts), last_page, seen)
            return
    context.became_known(claims)
    context.seen.write(f"{run_id}.json", json.dumps(sorted(seen)).encode(), content_type="application/json")
    further = replace(run, counts=counts, page=number + 1, progress_at=context.clock())
    if _save(context, further):
        _enqueue(context, further)


def fail_sync(context: WorkforceContext, run_id: str, error: HubError) -> None:
    """End a sync as Failed with the reason, and tell operators."""
    run = context.sync_runs.get(run_id)
    if run.status is SyncStatus.RUNNING:
        _end(context, replace(run, failure=error.message[:1000]), SyncStatus.FAILED)


def _take_over(context: WorkforceContext, page: HrPage, seen: set[str]) -> tuple[SyncCounts, Collection[Person]]:
    """Write what differs on a page; count everybody who had not been seen before, return everybody."""
    now = context.clock()
    snapshots = {snapshot.employee_id: snapshot for snapshot in page.snapshots}
    fresh = [employee_id for employee_id in snapshots if employee_id not in seen]
    people: dict[str, Person] = {}

    def learn(person: Person) -> Person:
        after = learn_snapshot(person, snapshots[person.employee_id], page.as_of, now, context.rules.time_zone)
        people[person.employee_id] = after
        return after

    changed = context.employees.change_many(list(snapshots), learn)
    tell_unknown_statuses(context, [after for _, after in changed.values()])
    seen.update(snapshots)
    return _count(fresh, changed, now, page.refused), people.values()


def learn_snapshot(person: Person, snapshot: Snapshot, as_of: datetime, now: datetime, zone: ZoneInfo) -> Person:
    """Return a person after the HR system showed them as of an instant; the same when it shows nothing new."""
    for _ in range(2):  # once more of somebody who turns out to be another person: then all that is shown is new
        person = _learn_shown(person, snapshot, as_of, now, zone)
    return person


def _learn_shown(person: Person, snapshot: Snapshot, as_of: datetime, now: datetime, zone: ZoneInfo) -> Person:
    today, holder = business_day(as_of, zone), person.holder_at(as_of)

    def new(known: Facts, values: Mapping[str, FieldValue]) -> dict[str, Fact]:
        names = differing(known, values, as_of)
        return {name: Fact(day_bounds(today, zone)[0], as_of, SHOWN, values[name]) for name in names}

    shown: dict[str, Mapping[str, FieldValue]] = {}
    if snapshot.assignments is not None:
        # Said once: for how long an assignment has been missing is what matters.
        missing = (name for name in holder.assignments if name not in snapshot.assignments)
        gone: dict[str, Mapping[str, FieldValue]] = {name: {"removed": today.isoformat()} for name in missing}
        shown = {
            name: values
            for name, values in gone.items()
            if not value_at(holder.assignments[name].get("removed", ()), as_of)
        } | dict(snapshot.assignments)
    found = ((name, new(holder.assignments.get(name, {}), values)) for name, values in shown.items())
    assignments = {name: facts for name, facts in found if facts}
    facts = new(holder.facts, snapshot.fields)
    if _shows_that_they_left(facts, snapshot):
        # Said together with it, although announced before: then it was carried out, however long ago.
        facts["terminationDate"] = Fact(day_bounds(today, zone)[0], as_of, SHOWN, snapshot.fields["terminationDate"])
    return person.learn(facts, assignments, now) if facts or assignments else person


def _newly_shown(context: WorkforceContext, run: SyncRun) -> Iterator[tuple[Person, Person]]:
    """Yield people before and after what full syncs showed since the day before: an earlier one may have died."""
    since = run.started_at - _LOOKED_BACK

    def is_new(fact: Fact) -> bool:
        return fact.source in (SHOWN, ABSENT) and fact.stated >= since

    for person in context.employees.all():
        before = person.without(is_new)
        if before != person:
            yield before, person


def _shows_that_they_left(facts: Mapping[str, Fact], snapshot: Snapshot) -> bool:
    left = "status" in facts and status_of(facts["status"].value) is Status.TERMINATED
    return left and bool(snapshot.fields.get("terminationDate"))


def _finish(context: WorkforceContext, run: SyncRun, last_page: HrPage, seen: set[str]) -> None:
    context.changed(_newly_shown(context, run))
    total = last_page.total_records
    if total != run.total_records:
        # Whoever leaves while pages are read makes the others slide, and one of them is on no page.
        failure = (
            f"the HR system said it has {run.total_records} employees, and {total} in the end: people came or left "
            "meanwhile, and nobody was terminated for absence"
        )
        _end(context, replace(run, failure=failure), SyncStatus.PARTIAL_SUCCESS)
        return
    if run.counts.refused or (total is not None and total != len(seen)):
        failure = (
            f"{len(seen)} employees and {run.counts.refused} records that do not parse came, the HR system says it has "
            f"{total}: nobody was terminated for absence"
        )
        _end(context, replace(run, failure=failure), SyncStatus.PARTIAL_SUCCESS)
        return
    now = context.clock()
    active = [person.employee_id for person in context.employees.all() if person.at(now).is_employed]
    # One who was created by an event after the first page was made cannot be on it: he is looked at next time.
    absent = [employee_id for employee_id in active if employee_id not in seen]
    if len(absent) > context.rules.max_termination_share * len(active) and len(absent) > 1:
        failure = (
            f"{len(absent)} of {len(active)} active employees are not in the HR system any more, which is more than "
            "HR_MAX_TERMINATION_SHARE allows at once: nobody was terminated; look at the HR system first"
        )
        _end(context, replace(run, failure=failure), SyncStatus.FAILED)
        return
    zone = context.rules.time_zone
    since = day_bounds(business_day(run.started_at, zone), zone)[0]
    gone = Fact(since, run.started_at, ABSENT, Status.TERMINATED.value)
    changed = context.employees.change_many(absent, lambda person: person.learn({"status": gone}, {}, now))
    context.changed(changed.values())
    terminated = sum(after.at(now).status is Status.TERMINATED for _, after in changed.values())
    counts = replace(run.counts, terminated=run.counts.terminated + terminated)
    _end(context, replace(run, counts=counts), SyncStatus.SUCCEEDED)


def _end(context: WorkforceContext, run: SyncRun, status: SyncStatus) -> None:
    """Tell operators when it did not go well, then let the run end."""
    if status is not SyncStatus.SUCCEEDED:
        _log.error("employee sync %s ends as %s", run.run_id, status)
        send_message(
            context,
            NOTIFICATION_QUEUE,
            message_id=f"{run.run_id}-employee-sync",
            message_type="employee-sync.failed",
            subject=run.run_id,
            data={"runId": run.run_id, "status": status.value, "failure": run.failure},
        )
    if _save(context, replace(run, status=status, finished_at=context.clock())):
        context.seen.delete(f"{run.run_id}.json")


def _save(context: WorkforceContext, run: SyncRun) -> bool:
    """Save how far a run is; False when another worker carried it on meanwhile."""
    try:
        context.sync_runs.save(run)
    except RowChanged:
        return False
    return True


def _seen(context: WorkforceContext, run: SyncRun) -> set[str]:
    if run.page == 1:
        return set()
    try:
        return set(json.loads(context.seen.read(f"{run.run_id}.json")))
    except BlobMissing:
        raise DataRefused(f"employee sync {run.run_id} has lost whom it met so far: start another one") from None


def _enqueue(context: WorkforceContext, run: SyncRun) -> None:
    send_message(
        context,
        HR_QUEUE,
        message_id=f"{run.run_id}-{run.page}",
        message_type="hr.sync",
        subject=run.run_id,
        correlation_id=run.run_id,
        data={"runId": run.run_id, "page": run.page},
    )


def _count(fresh: list[str], changed: Mapping[str, tuple[Person, Person]], now: datetime, refused: int) -> SyncCounts:
    created = updated = terminated = 0
    for employee_id in fresh:
        if employee_id in changed:
            before, after = (person.at(now).status for person in changed[employee_id])
            if before is not Status.TERMINATED and after is Status.TERMINATED:
                terminated += 1
            elif not changed[employee_id][0].facts:
                created += 1
            else:
                updated += 1
    return SyncCounts(created, updated, terminated, len(fresh) - created - updated - terminated, refused)


def _add(one: SyncCounts, other: SyncCounts) -> SyncCounts:
    return SyncCounts(
        one.created + other.created,
        one.updated + other.updated,
        one.terminated + other.terminated,
        one.unchanged + other.unchanged,
        one.refused + other.refused,
    )


def summary(run: SyncRun) -> dict[str, object]:
    """Return what a person wants to know of a sync."""
    return {
        "runId": run.run_id,
        "status": run.status.value,
        "startedBy": run.started_by,
        "startedAt": to_iso(run.started_at),
        "finishedAt": to_iso(run.finished_at) if run.finished_at else None,
        "created": run.counts.created,
        "updated": run.counts.updated,
        "terminated": run.counts.terminated,
        "unchanged": run.counts.unchanged,
        "refused": run.counts.refused,
        "failure": run.failure or None,
    }
