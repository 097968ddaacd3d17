"""INC-40, INC-42: whatever is calculated, posted, decided, amended and paid in whatever order, these things hold."""

from collections.abc import Sequence
from contextlib import suppress

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.incentives import decide
from shared.incentives.amend import Correction, amend
from shared.incentives.approvers import Actor
from shared.incentives.calculate_period import start_calculation
from shared.incentives.calculation import Action, Calculation, Kind, State
from shared.incentives.decide import Outcome
from shared.incentives.post import post
from shared.incentives.seen import Seen, etag_of
from shared.incentives.settle import settle
from shared.incentives.untold_decisions import Decision
from shared.incentives.whole_period import Total, choose
from shared.kernel.errors import CallerError, PreconditionFailed
from shared.kernel.identities import Identities, identities_of
from shared.kernel.money import parse_amount, to_minor
from tests.unit.incentives.world import PERIOD, Killed, World, actor, assigned, sold, submit

WHO = ("H1", "H2", "H3")
PEOPLE = {
    "admin": actor("admin"),
    "approver": actor("approver"),
    # An approver, and an employee whose own incentive is calculated.
    "boss": Actor("boss-subject", identities_of(addresses=["H1@retail.example "])),
}
employees = st.sampled_from(WHO)
actors = st.sampled_from(sorted(PEOPLE))
places = st.integers(0, 30)
looks = st.booleans()
"""Whether somebody looks before deciding, or decides on what was seen some time ago."""


def address_of(employee_id: str) -> Identities:
    return identities_of(addresses=[f"{employee_id}@retail.example"])


class LifeCycle(RuleBasedStateMachine):
    """People sell, plans pay, administrators post and amend, approvers decide, payroll pays; workers die at it."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.context = self.world.context
        self.decided: dict[str, int] = {}
        """What each calculation was last approved at, amendments included."""
        self.approved: dict[str, Calculation] = {}
        """Each as it was when it was approved."""
        self.paid: dict[str, int] = {}
        """What payroll accepted, and for how much."""
        self.trails: dict[str, tuple[object, ...]] = {}
        self.exports = 0
        self.seen: dict[str, Calculation] = {}
        """Every calculation as somebody saw it last."""

    @initialize()
    def somebody_works_here(self) -> None:
        for employee_id in WHO:
            self.world.hire(employee_id, identities=address_of(employee_id))

    def _all(self) -> list[Calculation]:
        return self.world.all()

    def _pick(self, index: int) -> str:
        found = self._all()
        return found[index % len(found)].calculation_id if found else "01940000-0000-7000-8000-000000000000"

    def _look(self, look: bool) -> dict[str, Seen]:
        """Return what is seen now, or was seen when somebody looked last."""
        if look:
            self.seen = {one.calculation_id: one for one in self._all()}
        return {key: Seen(frozenset({etag_of(one)})) for key, one in self.seen.items()}

    def _approved(self, outcomes: Sequence[Outcome], *, each_was_seen: bool = True) -> None:
        """Note what was approved just now, as it stands."""
        for outcome in outcomes:
            found = self.context.calculations.find(outcome.calculation_id)
            if outcome.code or found is None or outcome.calculation_id in self.approved:
                continue
            self.approved[outcome.calculation_id] = found
            if each_was_seen:
                assert found.net_minor == self.seen[outcome.calculation_id].net_minor, "approved what nobody saw"
            if found.kind is Kind.AMENDMENT:
                self.decided[found.amends] = to_minor(parse_amount(found.breakdown["correctedNet"]))
            else:
                self.decided[found.calculation_id] = found.net_minor

    @rule(employee=employees, euros=st.integers(-50, 500))
    def sell(self, employee: str, euros: int) -> None:
        self.world.sell(employee, sold(euros * 100))

    @rule(employee=employees)
    def sell_nothing_after_all(self, employee: str) -> None:
        self.world.sales.pop(employee, None)

    @rule(employee=employees, role=st.sampled_from(["SalesAssociate", "Cashier"]))
    def change_role(self, employee: str, role: str) -> None:
        self.world.hire(employee, assigned(role=role), identities=address_of(employee))

    @rule()
    def calculate(self) -> None:
        self.world.calculate()

    @rule(steps=st.integers(1, 20))
    def a_calculation_dies_and_is_delivered_again(self, steps: int) -> None:
        left = steps

        def die(_operation: str, _place: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed

        start_calculation(self.context, PERIOD, "admin")
        self.world.hook = die
        while self.world.deliver():
            pass
        self.world.hook = lambda _operation, _place: None

    @rule(index=places, steps=st.integers(1, 20))
    def submit_while_it_is_calculated(self, index: int, steps: int) -> None:
        left = steps

        def interrupt(_operation: str, _place: str) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self.world.hook = lambda _operation, _place: None
                submit(self.context, [self._pick(index)], PEOPLE["approver"])

        start_calculation(self.context, PERIOD, "admin")
        self.world.hook = interrupt
        while self.world.deliver():
            pass
        self.world.hook = lambda _operation, _place: None

    @rule(employee=employees, number=st.integers(1, 2), cents=st.integers(-2_000, 20_000), who=actors)
    def post_one(self, employee: str, number: int, cents: int, who: str) -> None:
        net = f"{cents / 100:.2f}"
        record = {"id": f"X{number}", "employeeId": employee, "period": PERIOD, "gross": net, "net": net}
        post(self.context, [record], PEOPLE[who].subject)

    @rule(indexes=st.lists(places, min_size=1, max_size=4), who=actors, look=looks, repeats=st.integers(1, 2))
    def submit_some(self, indexes: list[int], who: str, look: bool, repeats: int) -> None:
        seen, ids = self._look(look), [self._pick(index) for index in indexes]
        self._the_same([decide.submit(self.context, ids, PEOPLE[who], seen=seen) for _ in range(repeats)])

    @rule(indexes=st.lists(places, min_size=1, max_size=4), who=actors, look=looks, repeats=st.integers(1, 2))
    def approve_some(self, indexes: list[int], who: str, look: bool, repeats: int) -> None:
        seen, ids = self._look(look), [self._pick(index) for index in indexes]
        answers = [decide.approve(self.context, ids, PEOPLE[who], seen=seen) for _ in range(repeats)]
        self._the_same(answers)
        self._approved(answers[0])

    @rule(who=actors, look=looks)
    def approve_everything_that_waits(self, who: str, look: bool) -> None:
        self._look(look)
        waits = [one.net_minor for one in self.seen.values() if one.state is State.PENDING]
        decision = Decision(Action.APPROVE, PEOPLE[who].subject)
        with suppress(PreconditionFailed):
            chosen = choose(self.context, PERIOD, decision, Total(len(waits), sum(waits)), 1000)
            outcomes = decide.approve(self.context, chosen.seen, PEOPLE[who], seen=chosen.seen)
            # Of a whole period, count and total are what was seen.
            self._approved([*outcomes, *chosen.done], each_was_seen=False)

    @rule(index=places, who=actors, look=looks)
    def reject_one(self, index: int, who: str, look: bool) -> None:
        decide.reject(self.context, [self._pick(index)], PEOPLE[who], "no", seen=self._look(look))

    def _the_same(self, answers: list[list[Outcome]]) -> None:
        """A decision whose answer was lost can be asked for again."""
        assert all(answer == answers[0] for answer in answers)

    @rule(index=places, cents=st.integers(-500, 5_000), who=actors)
    def amend_one(self, index: int, cents: int, who: str) -> None:
        with suppress(CallerError):  # it may not be approved yet, be amended already, or come to the same
            amend(self.context, self._pick(index), Correction(cents, "corrected"), PEOPLE[who].subject)

    @rule(refused=st.sets(employees, max_size=2), repeats=st.integers(1, 2))
    def export(self, refused: set[str], repeats: int) -> None:
        """Payroll takes what is approved, but for some; what it says is marked once or twice."""
        payable = [one for one in self._all() if one.state is State.APPROVED]
        self.exports += 1
        reasons = {one.calculation_id: "no account" if one.employee_id in refused else "" for one in payable}
        for _ in range(repeats):
            assert settle(self.context, PERIOD, reasons, f"export-{self.exports}") == len(payable)
        for one in payable:
            if one.employee_id not in refused:
                assert one.calculation_id not in self.paid, "paid twice"
                self.paid[one.calculation_id] = one.net_minor

    @invariant()
    def what_was_approved_is_never_replaced(self) -> None:
        found = {one.calculation_id: one for one in self._all()}
        for key, before in self.approved.items():
            now = found[key]
            assert now.counts
            assert now.same_result(before)
            assert (now.created_by, now.submitted_by, now.amends) == (
                before.created_by,
                before.submitted_by,
                before.amends,
            )

    @invariant()
    def nobody_approved_their_own_or_what_they_made_or_submitted(self) -> None:
        for one in self._all():
            approvers = {change.by for change in one.history if change.action == "Approve"}
            if one.employee_id == "H1":
                assert "boss-subject" not in approvers
            if one.kind is not Kind.PLAN:
                assert one.created_by not in approvers
            assert not {one.submitted_by, one.calculated_by} & approvers

    @invariant()
    def what_is_payable_is_what_was_decided(self) -> None:
        payable: dict[str, int] = {}
        for one in self._all():
            if one.counts:
                root = one.amends or one.calculation_id
                payable[root] = payable.get(root, 0) + one.net_minor
        assert payable == self.decided

    @invariant()
    def what_is_exported_is_what_payroll_accepted(self) -> None:
        exported = {one.calculation_id: one.net_minor for one in self._all() if one.state is State.EXPORTED}
        assert exported == self.paid

    @invariant()
    def the_audit_trail_only_grows_and_leads_to_the_state(self) -> None:
        trails = {}
        for one in self._all():
            before = self.trails.get(one.calculation_id, ())
            assert one.history[: len(before)] == before
            assert one.history[0].action == "Create"
            assert one.history[-1].state is one.state
            trails[one.calculation_id] = one.history
        assert self.trails.keys() <= trails.keys()
        self.trails = dict(trails)

    @invariant()
    def one_amendment_at_most_waits_for_each(self) -> None:
        waiting = [
            one.amends
            for one in self._all()
            if one.kind is Kind.AMENDMENT and one.state in (State.DRAFT, State.PENDING)
        ]
        assert len(waiting) == len(set(waiting))

    def teardown(self) -> None:
        """In the end, everything that is open is what one clean calculation of the latest sales comes to."""
        self.world.calculate()
        clean = World()
        clean.people, clean.sales = self.world.people, self.world.sales
        clean.calculate()
        wanted = {one.calculation_id: one.net_minor for one in clean.all()}
        for one in self._all():
            if one.kind is Kind.PLAN and one.is_open:
                assert one.net_minor == wanted.get(one.calculation_id, 0)


LifeCycle.TestCase.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLifeCycle = LifeCycle.TestCase
