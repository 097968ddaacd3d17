"""What each timer does; `given` is what an operator gave who runs it by hand, "" otherwise."""

from collections.abc import Callable
from contextlib import ExitStack

from shared.hub import Hub, current_hub
from shared.kernel.timer import Heartbeat, Timer

Work = Callable[[Hub, str], object]


def run(timer: Timer, work: Work, given: str) -> None:
    """Do a timer's work once for its due time; what an operator asks for by an input is always done."""
    hub = current_hub()
    try:
        with hub.work.task(timer.name, hub.new_id()):
            if given.strip() not in ("", "{}"):
                work(hub, given)
            else:
                hub.timer_runs.run(timer, lambda: work(hub, given))
    finally:
        # An instance that ran a timer may be gone in a moment.
        hub.telemetry.flush()


def import_erp_sales_data(hub: Hub, given: str) -> None:
    """Import yesterday (INC-01). Idempotent by the business day; a run by hand may name a day and a store."""
    from shared.sales.manual import import_by_timer

    import_by_timer(hub.sales, given)


def watch_imports(hub: Hub, _given: str) -> None:
    """Start the import that was not started, take up what was stored and never queued, or makes no progress.

    Idempotent: what goes on is not disturbed. A look that fails keeps no other from being taken.
    """
    from shared.incentives.calculate_period import watch_calculations
    from shared.incentives.tell_decisions import tell_what_was_decided
    from shared.sales.employees import resume_mappings
    from shared.sales.waiting import look_at_waiting_runs
    from shared.sales.watchdog import watch_imports

    with ExitStack() as each:
        each.callback(lambda: watch_calculations(hub.incentives))
        each.callback(lambda: tell_what_was_decided(hub.incentives))
        each.callback(lambda: resume_mappings(hub.sales))
        each.callback(lambda: hub.dead_letters.finish_resubmissions())
        each.callback(lambda: look_at_waiting_runs(hub.sales))
        each.callback(lambda: watch_imports(hub.sales))


def sync_employees(hub: Hub, _given: str) -> None:
    """Start the daily full sync (INC-24). Idempotent by the day."""
    from shared.workforce.schedule import start_daily_sync

    start_daily_sync(hub.workforce, hub.once)


def resume_hr_events(hub: Hub, _given: str) -> None:
    """Queue what was kept and never applied, wake a full sync that makes no progress. Idempotent."""
    from shared.workforce.schedule import watch_workforce

    watch_workforce(hub.workforce)


def export_payroll(hub: Hub, _given: str) -> None:
    """Start the export of a period whose deadline has passed, wake what stands still (INC-50). Idempotent by period."""
    from shared.payroll.schedule import export_what_is_due

    export_what_is_due(hub.payroll)


def sync_users(hub: Hub, _given: str) -> None:
    """Start a pull of users, wake one that makes no progress (INC-33). Idempotent: while one runs, no other begins."""
    from shared.provisioning.sync import start_sync

    if hub.settings.has_graph:
        start_sync(hub.user_sync, "SyncUsers")


def measure_hub(hub: Hub, _given: str) -> None:
    """Measure what is the hub's and no instance's: heartbeats, circuits, queues (INC-73). Changes nothing."""
    from shared.adapters.telemetry.metrics import METRICS
    from shared.health.measure import Measurement, measure_all, sources_of
    from shared.health.timers import tell_missing
    from shared.messaging.queue_names import QUEUES

    def heartbeats() -> list[Heartbeat]:
        found = hub.timer_runs.heartbeats()
        tell_missing(found, hub.clock())
        return found

    def circuits() -> dict[str, int]:
        return {adapter_id: circuit.value for adapter_id, circuit in hub.partners.circuits().items()}

    def tell(one: Measurement) -> None:
        hub.telemetry.measure(METRICS[one.metric], one.value, one.labels)

    measure_all(sources_of(heartbeats, circuits, hub.queues, QUEUES, hub.clock()), tell)
