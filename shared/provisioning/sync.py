"""Users are pulled from Microsoft Graph: everybody once, after that what changed (INC-33).

One run at a time, a chain of slices: each reads some pages, applies every entry, saves how far it came after each page,
queues the next. The link to the next round is kept when all entries of this one are applied, with the run's end.
Where Graph does not know a link any more, everybody is read again; whoever is not among them is deactivated, unless
that would be too many at once: then nobody is, and the run fails.
"""

import logging
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from shared.kernel.clock import to_iso
from shared.kernel.contention import Contention
from shared.kernel.errors import DataRefused, HubError, PartnerRefused
from shared.kernel.message import Message, send_message
from shared.kernel.table import RowChanged
from shared.provisioning.context import NOTIFICATION_QUEUE, SYNC_QUEUE, SyncContext
from shared.provisioning.graph_pages import DeltaPage, Entry, Removal, fetch_page
from shared.provisioning.graph_users import Outcome
from shared.provisioning.sync_runs import SyncRun, SyncStatus

_log = logging.getLogger(__name__)

STALLED_AFTER = timedelta(minutes=15)
FORGOTTEN = frozenset({400, 410})
"""What Graph answers to a link that it does not know any more: 410, and 400 (syncStateNotFound) after seven days."""
MAX_RESTARTS = 3
"""A run begins so often from scratch; then something is wrong that reading again does not mend."""


def start_sync(context: SyncContext, started_by: str, *, full: bool = False) -> str:
    """Store a run, queue its first slice, return its ID; while a run is going on, that one's.

    `full`: read everybody, whatever was applied before. A run that makes no progress is queued again. Busy.
    """
    contention = Contention("the turn of the pull of users")
    while True:
        now, state = context.clock(), context.runs.state()
        if state.run_id:
            last = context.runs.get(state.run_id)
            if last.status is SyncStatus.RUNNING:
                if now - (last.progress_at or last.started_at) > STALLED_AFTER:
                    _enqueue(context, last)
                return last.run_id
        link = "" if full else state.link
        number = state.sequence + 1
        run = SyncRun(context.new_id(), started_by, now, number, full=not link, link=link, progress_at=now)
        if context.runs.begin(run, state):
            _enqueue(context, run)
            return run.run_id
        contention.pause()


def handle_sync_message(context: SyncContext, message: Message) -> None:
    """Carry a run on by a slice. Idempotent by run."""
    if message.type != "provisioning.sync":
        raise DataRefused(f"message {message.id!r} asks for {message.type!r}, which provisioning does not know")
    run = _run_of(context, message)
    if run.status is SyncStatus.RUNNING:
        try:
            _work(context, _take_up(context, run))
        except RowChanged:
            _log.info("provisioning sync %s was taken up by somebody else", run.run_id)


def give_up_sync(context: SyncContext, message: Message, error: HubError) -> None:
    """Let a run that cannot go on end as Failed, with the reason; the next one begins where it began."""
    run = _run_of(context, message)
    if run.status is SyncStatus.RUNNING:
        with suppress(RowChanged):  # somebody carries it on
            _fail(context, run, error.message)


def _run_of(context: SyncContext, message: Message) -> SyncRun:
    run_id = message.data.get("runId")
    if not isinstance(run_id, str):
        raise DataRefused(f"message {message.id!r} names no run")
    return context.runs.get(run_id)


def _take_up(context: SyncContext, run: SyncRun) -> SyncRun:
    """Make a run this worker's: whoever had it before saves nothing from here on. RowChanged."""
    turn = run.turn + 1
    # Who asks for everybody anew is not told of those who were deleted since it was asked for before.
    since = run.since if run.link else turn
    return context.runs.save(replace(run, turn=turn, since=since, progress_at=context.clock()))


def _work(context: SyncContext, run: SyncRun) -> None:
    for _ in range(context.rules.pages_per_slice):
        try:
            page = fetch_page(context.graph, context.rules.base_url, run.link)
        except PartnerRefused as error:
            if error.status not in FORGOTTEN or not run.link or run.restarts == MAX_RESTARTS:
                raise
            run = _from_scratch(context, run)
            continue
        run = replace(run, pages=run.pages + 1, counts=run.counts.plus(_apply(context, run, page)))
        if page.complete:
            _finish(context, run, page.link)
            return
        run = context.runs.save(replace(run, link=page.link, progress_at=context.clock()))
    _enqueue(context, run)


def _from_scratch(context: SyncContext, run: SyncRun) -> SyncRun:
    _log.warning("provisioning sync %s: Graph does not know the link any more, everybody is read", run.run_id)
    turn = run.turn + 1
    fresh = replace(run, full=True, link="", turn=turn, since=turn, restarts=run.restarts + 1)
    return context.runs.save(replace(fresh, progress_at=context.clock()))


def _apply(context: SyncContext, run: SyncRun, page: DeltaPage) -> Counter[str]:
    """Apply every entry of a page; return how many came to what."""
    outcomes: Counter[str] = Counter()
    for entry in page.entries:
        outcome = context.users.apply(entry, run.position(run.turn))
        if entry.unfit or outcome is Outcome.REFUSED:
            what = ", ".join(entry.unfit) or "it has no userPrincipalName, or is too large"
            _log.warning("user %s of Graph is unfit: %s", entry.object_id, what, extra={"runId": run.run_id})
            outcome = Outcome.REFUSED
        outcomes[outcome.value] += 1
    return outcomes


def _finish(context: SyncContext, run: SyncRun, link: str) -> None:
    if run.full:
        unseen, there = context.users.unseen(run.position(run.since))
        if len(unseen) > context.rules.max_deactivation_share * there and len(unseen) > 1:
            _fail(
                context,
                run,
                f"{len(unseen)} of {there} users are not in Microsoft Graph any more, which is more than "
                "GRAPH_MAX_DEACTIVATION_SHARE allows at once: nobody was deactivated; look at the tenant first",
            )
            return
        leaving = (Entry(object_id, removal=Removal.RESTORABLE) for object_id in unseen)
        gone = Counter(context.users.apply(entry, run.position(run.turn)).value for entry in leaving)
        run = replace(run, counts=run.counts.plus(gone))
    if run.counts.refused:
        failure = (
            f"{run.counts.refused} users could not be taken over completely: the log has their object IDs; correct "
            "them in Entra ID, then start a full sync"
        )
        _end(context, replace(run, status=SyncStatus.PARTIAL_SUCCESS, failure=failure), link)
    else:
        _end(context, replace(run, status=SyncStatus.SUCCEEDED), link)


def _fail(context: SyncContext, run: SyncRun, failure: str) -> None:
    """End a run as Failed; what was applied before it stays the beginning of the next one."""
    _end(context, replace(run, status=SyncStatus.FAILED, failure=failure[:1000]), context.runs.state().link)


def _end(context: SyncContext, run: SyncRun, link: str) -> None:
    """Tell operators when it did not go well, then let the run end."""
    if run.status is not SyncStatus.SUCCEEDED:
        _log.error("provisioning sync %s ends as %s", run.run_id, run.status)
        send_message(
            context,
            NOTIFICATION_QUEUE,
            message_id=f"{run.run_id}-provisioning-sync",
            message_type="provisioning-sync.failed",
            subject=run.run_id,
            data={"runId": run.run_id, "status": run.status.value, "failure": run.failure},
        )
    context.runs.end(replace(run, link="", finished_at=context.clock()), link)


def _enqueue(context: SyncContext, run: SyncRun) -> None:
    send_message(
        context,
        SYNC_QUEUE,
        message_id=f"{run.run_id}-{run.pages}-{run.restarts}",
        message_type="provisioning.sync",
        subject=run.run_id,
        correlation_id=run.run_id,
        data={"runId": run.run_id},
    )


def summary(run: SyncRun) -> dict[str, object]:
    """Return what a person wants to know of a run."""
    return {
        "runId": run.run_id,
        "status": run.status.value,
        "fullSync": run.full,
        "startedBy": run.started_by,
        "startedAt": to_iso(run.started_at),
        "finishedAt": to_iso(run.finished_at) if run.finished_at else None,
        "pages": run.pages,
        **vars(run.counts),
        "failure": run.failure or None,
    }
