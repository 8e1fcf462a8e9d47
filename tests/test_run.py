"""The engine itself: steps, their budgets, late calls, and what a journal says of a run that is taken up again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from defib import entries
from defib.changes import Changes, being_put_back, standing
from defib.clock import Deadline, SystemClock
from defib.conduct import conduct
from defib.errors import BudgetSpent, DefibError, Interrupted, LeaseLost, Refused, StepFailed
from defib.lease import Holder, Lease
from defib.objectives import Mode, Status
from defib.plan import Change, Plan
from defib.ports import Receipt, RecordChange, RecordKey, RecordSet
from defib.providers.dns.memory import MemoryZone
from defib.run import Run, Step
from tests.stage import Stage, kinds, seconds

MS = timedelta(milliseconds=1)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A world, with runbooks whose steps may take 300 ms."""
    books = tmp_path / "books"
    books.mkdir()
    text = (Stage(tmp_path).runbooks / "cdn-failover.md").read_text(encoding="utf-8")
    for budget in ("1m", "15m", "2m", "10m"):
        text = text.replace(f" · {budget}\n", " · 300ms\n")
    (books / "cdn-failover.md").write_text(text, encoding="utf-8")
    return Stage(tmp_path, runbooks=books)


@pytest.fixture
def run(stage: Stage) -> Run:
    """A run."""
    return stage.begin()


@pytest.fixture
def real(run: Run) -> Run:
    """The same under the machine's own clock."""
    return Run(**{**vars(run), "clock": SystemClock()})


def ended(run: Run) -> list[tuple[str, str, str]]:
    """Steps that ended: name, outcome, result."""
    return [(e.step, e.outcome, e.result) for e in run.journal.of(entries.StepEnded)]


def approved(run: Run, stage: Stage) -> Plan:
    """The failover's plan, approved."""
    plan = Plan("cdn-failover", "lab", (Change(stage.memory.vendor, stage.memory.zone, (stage.change,), "send users away"),))
    run.journal.append(entries.Approved(plan.digest(), "a test", "automatic"))
    return plan


class TestSteps:
    """Doing one step."""

    def test_result_comes_back_from_the_journal(self, run: Run) -> None:
        """A step that was done is not done again; its recorded result is the same value."""
        calls: list[int] = []

        def work(step: Step) -> tuple[int, ...]:
            calls.append(1)
            return (1, 2, 3)

        assert run.do("warm-the-standby", work, tuple[int, ...]) == (1, 2, 3)
        assert run.do("warm-the-standby", work, tuple[int, ...]) == (1, 2, 3)
        assert (calls, ended(run)) == ([1], [("warm-the-standby", "done", "[1, 2, 3]")])

    def test_error_that_nobody_foresaw(self, run: Run) -> None:
        """Whatever a step raises ends it as failed, with step, kind and the way to do it by hand."""

        def work(step: Step) -> None:
            raise ZeroDivisionError("oh")

        with pytest.raises(StepFailed, match="warm-the-standby: ZeroDivisionError: oh") as caught:
            run.do("warm-the-standby", work, type(None))
        assert caught.value.then == "by hand: cdn-failover.md, heading '## warm-the-standby'"
        assert ended(run)[0][1] == "failed"

    @pytest.mark.parametrize(
        ("error", "outcome"), [(Refused("no"), "refused"), (Interrupted("stop"), "interrupted"), (StepFailed("x"), "failed")]
    )
    def test_outcomes(self, run: Run, error: DefibError, outcome: str) -> None:
        """Refused, interrupted and failed are different words."""

        def work(step: Step) -> None:
            raise error

        with pytest.raises(type(error)):
            run.do("warm-the-standby", work, type(None))
        assert ended(run) == [("warm-the-standby", outcome, "")]

    def test_secret_in_an_error(self, run: Run) -> None:
        """E13: what goes on from the step to logs and dashboards is redacted, as the journal is."""

        def work(step: Step) -> None:
            raise ValueError("https://ann:hunter2@host/ said no")

        with pytest.raises(StepFailed) as caught:
            run.do("warm-the-standby", work, type(None))
        assert "hunter2" not in f"{caught.value} {caught.value.args}"
        assert "hunter2" not in str(run.journal.records)

    def test_step_that_the_runbook_lacks(self, run: Run) -> None:
        """A flow cannot do what no runbook promises."""
        with pytest.raises(DefibError, match="that the runbook lacks"):
            run.do("improvise", lambda _: None, type(None))

    def test_wait_ends_with_the_budget(self, run: Run) -> None:
        """A step waits as long as its budget, not as long as it likes."""

        def work(step: Step) -> None:
            while True:
                step.wait(timedelta(hours=1))

        with pytest.raises(BudgetSpent, match="not done within its budget"):
            run.do("warm-the-standby", work, type(None))
        assert run.clock.monotonic() == 300 * MS


class TestLateCalls:
    """A step whose work comes back after its budget."""

    def test_cannot_write_nor_note_nor_record(self, stage: Stage, real: Run) -> None:
        """A call that comes back late has no effect: no write, no look, no entry in the journal."""
        plan = approved(real, stage)
        hung, back = threading.Event(), threading.Event()
        errors: list[Exception] = []

        def work(step: Step) -> None:
            hung.wait()
            acts: tuple[Callable[[], None], ...] = (
                lambda: step.apply(plan),
                lambda: step.note("late"),
                lambda: step.record(entries.Noted("", "late")),
            )
            for act in acts:
                try:
                    act()
                except BudgetSpent as error:
                    errors.append(error)
            back.set()

        with pytest.raises(BudgetSpent, match="steer-traffic was not done"):
            real.do("steer-traffic", work, type(None))
        before = real.journal.records
        hung.set()
        assert back.wait(120)
        assert (len(errors), real.journal.records, stage.writes) == (3, before, [])

    def test_write_under_way_is_waited_for(self, stage: Stage, real: Run) -> None:
        """Before a step counts as over, the end of a write that had begun is known and in the journal."""
        plan = approved(real, stage)
        stage.zone = slow = Slow(stage.memory)
        stage.reach(real)
        threading.Timer(0.8, slow.go.set).start()
        with pytest.raises(BudgetSpent):
            real.do("steer-traffic", lambda step: step.apply(plan), type(None))
        assert kinds(real.journal.records)[-3:] == ["ChangeIntended", "ChangeMade", "StepEnded"]
        assert stage.writes == [(stage.standby.hostname,)]

    def test_no_time_left_no_intention(self, stage: Stage, run: Run) -> None:
        """With its time over a change is not even announced."""
        within = Deadline.after(run.clock, timedelta(0))
        change = approved(run, stage).changes[0]
        with pytest.raises(DefibError):
            run.changes.make(1, change, within)
        assert "ChangeIntended" not in kinds(run.journal.records)

    def test_signal_between_two_changes(self, stage: Stage, run: Run) -> None:
        """E3: a signal between two changes stops before the second; the first is known."""
        other = RecordSet(RecordKey("api.pulse-trading.test.", "A"), seconds(60), ("192.0.2.1",))
        stage.memory = stage.zone = MemoryZone(stage.site.zones[0], [stage.before, other])
        stage.zone = Told(stage.memory, stage.clock.interrupt)
        stage.reach(run)
        moved = RecordChange(other, RecordSet(other.key, other.ttl, ("192.0.2.2",)))
        vendor, zone = stage.memory.vendor, stage.memory.zone
        plan = Plan("p", "s", (Change(vendor, zone, (stage.change,), ""), Change(vendor, zone, (moved,), "")))
        run.journal.append(entries.Approved(plan.digest(), "a test", "automatic"))
        with pytest.raises(Interrupted):
            run.do("steer-traffic", lambda step: step.apply(plan), type(None))
        assert [number for number, _ in run.changes.standing()] == [1]
        assert len(stage.writes) == 1


class TestWriting:
    """Making a change."""

    def test_only_what_was_approved(self, stage: Stage, run: Run) -> None:
        """A plan with another digest than the approved one is refused."""
        plan = approved(run, stage)
        other = Plan(plan.procedure, "another-site", plan.changes)
        with pytest.raises(Refused, match="not approved"):
            run.do("steer-traffic", lambda step: step.apply(other), type(None))
        assert stage.writes == []

    def test_written_before_done(self, stage: Stage, run: Run) -> None:
        """The intention is in the journal when the write goes out."""
        seen: list[str] = []
        stage.zone = Told(stage.memory, lambda: seen.append(kinds(run.journal.records)[-1]))
        stage.reach(run)
        plan = approved(run, stage)
        run.do("steer-traffic", lambda step: step.apply(plan), type(None))
        assert seen == ["ChangeIntended"]

    def test_without_a_lease(self, stage: Stage, run: Run) -> None:
        """A run that only reads makes no change, whatever it is told."""
        unleased = Changes(run.journal, run.clock, run.outside.zones, None)
        reading = Run(**{**vars(run), "changes": unleased, "mode": Mode.PLAN})
        plan = approved(reading, stage)
        with pytest.raises(Refused, match="without a lease"):
            reading.do("steer-traffic", lambda step: step.apply(plan), type(None))

    def test_lease_lost_with_a_change_standing(self, stage: Stage, run: Run) -> None:
        """E8: a run that lost the site after its change neither goes on nor puts back; it says what stands."""
        plan = approved(run, stage)

        def play(running: Run) -> None:
            running.do("steer-traffic", lambda step: step.apply(plan), type(None))
            later = type(stage.clock)(stage.clock.now() + timedelta(minutes=1))
            Lease.take(stage.desk.home.site("lab"), later, Holder.me("the-other"))
            assert running.changes.lease is not None
            running.changes.lease.check()

        outcome = conduct(run, play)
        assert (outcome.status, stage.writes) == (Status.FAILED, [(stage.standby.hostname,)])
        (left,) = run.journal.of(entries.ChangeNotUndone)
        assert "lost the site" in left.why
        with pytest.raises(LeaseLost):
            run.changes.lease.check()  # type: ignore[union-attr]


class TestStanding:
    """What a journal says of changes."""

    def change(self, stage: Stage) -> Change:
        """Some change."""
        return Change(stage.memory.vendor, stage.memory.zone, (stage.change,), "")

    @pytest.mark.parametrize(
        ("story", "stands", "back"),
        [
            ("", False, False),
            ("i", True, False),
            ("im", True, False),
            ("imI", True, True),
            ("imIM", False, True),
            ("iM", False, False),
            ("imIMi", True, False),
            ("imIMim", True, False),
        ],
    )
    def test_stories(self, stage: Stage, run: Run, story: str, stands: bool, back: bool) -> None:
        """Intended and made stand until they are put back, and again when they are made again."""
        for letter in story:
            undo = letter.isupper()
            if letter.lower() == "i":
                run.journal.append(entries.ChangeIntended(1, self.change(stage), 1, undo=undo))
            else:
                run.journal.append(entries.ChangeMade(1, undo=undo))
        assert [number for number, _ in standing(run.journal.records)] == ([1] if stands else [])
        assert being_put_back(run.journal.records) is back


@dataclass
class Told:
    """A zone that tells somebody before it writes."""

    inner: MemoryZone
    tell: object = None

    @property
    def vendor(self) -> str:
        """The vendor of the zone inside."""
        return self.inner.vendor

    @property
    def zone(self) -> str:
        """The zone inside."""
        return self.inner.zone

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """As it stands."""
        return self.inner.read(keys, within=within)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Tell, and write."""
        if callable(self.tell):
            self.tell()
        return self.inner.replace(changes, within=within)

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """As the zone inside says."""
        return self.inner.settled(receipt, within=within)


@dataclass
class Slow(Told):
    """A vendor that takes a write in time and answers late."""

    go: threading.Event = field(default_factory=threading.Event)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Write at once, answer when told."""
        receipt = self.inner.replace(changes, within=within)
        self.go.wait(30)
        return receipt
