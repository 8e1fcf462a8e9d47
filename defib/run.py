"""One recovery: steps that are timed, journalled, bounded, and undone when they fail.

A procedure is a function of a :class:`Run`; each of its steps is a function of a :class:`Step`, called through
:meth:`Run.do`. The journal says what was done, so a run that was killed goes on where it was: a step whose end is in the
journal gives its recorded result and is not done again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from pydantic import TypeAdapter

from defib import entries
from defib.approval import Approver
from defib.clock import Clock, Deadline
from defib.door import Door
from defib.errors import (
    BudgetSpent,
    DefibError,
    ForeignChange,
    Interrupted,
    ProviderError,
    Refused,
    StepFailed,
)
from defib.journal import Journal, Record, redact_tree
from defib.lease import Lease
from defib.objectives import Mode, Objectives, Status
from defib.plan import Change, Plan
from defib.ports import Aim, Answers, Cdn, DnsZone, Observation, Observers, RecordSet
from defib.runbook import Runbook, RunbookStep
from defib.site import Site

T = TypeVar("T")

UNDO_BUDGET = timedelta(minutes=2)
"""For each change that is put back."""

STRIKE_BUDGET = timedelta(seconds=10)
"""For the question whether a change without a receipt is in effect."""

STOPPED = "a signal stopped the undoing"


@dataclass(frozen=True)
class Outside:
    """Everything a run can reach outside of itself."""

    zone: DnsZone
    cdns: Mapping[str, Cdn]
    observers: Observers
    answers: Answers


def standing(records: Sequence[Record]) -> tuple[tuple[int, Change], ...]:
    """The changes that a journal says may have been made and are not put back, oldest first, with their numbers."""
    standing: dict[int, Change] = {}
    for record in records:
        entry = record.entry
        if isinstance(entry, entries.ChangeIntended) and not entry.undo:
            standing[entry.number] = entry.change
        elif isinstance(entry, entries.ChangeMade) and entry.undo:
            standing.pop(entry.number, None)
    return tuple(sorted(standing.items(), key=lambda pair: pair[0]))


def being_put_back(records: Sequence[Record]) -> bool:
    """Whether the last thing done to a change that was made was to put it back, or to begin to."""
    found = [r.entry for r in records if isinstance(r.entry, entries.ChangeIntended | entries.ChangeMade)]
    made = {entry.number for entry in found if isinstance(entry, entries.ChangeMade) and not entry.undo}
    return bool(found) and found[-1].undo and found[-1].number in made


class PlanReady(Exception):  # not an error: in plan mode a flow ends here
    """A run in plan mode has its plan."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.digest())
        self.plan = plan


@dataclass
class Run:
    """One run of one procedure on one site. `lease` is None in plan mode, where nothing can be written."""

    id: str
    site: Site
    runbook: Runbook
    mode: Mode
    objectives: Objectives
    clock: Clock
    journal: Journal
    outside: Outside
    approver: Approver
    lease: Lease | None = None
    forced: bool = False
    follows: tuple[Change, ...] = ()
    """For a failback: the changes of the run that it takes back, oldest first."""

    def do(self, name: str, work: Callable[[Step], T], returns: type[T]) -> T:
        """Do one step, or give its recorded result if it was done before the run was taken up again."""
        promised = self.runbook.step(name)
        adapter: TypeAdapter[T] = TypeAdapter(returns)
        for ended in self.journal.of(entries.StepEnded):
            if ended.step == name and ended.outcome == "done":
                return adapter.validate_json(ended.result)
        self.journal.append(entries.StepStarted(name, promised.phase, promised.plane, promised.budget))
        started = self.clock.monotonic()
        step = Step(self, promised, Deadline.after(self.clock, promised.budget))
        try:
            try:
                result = self.clock.call(lambda: work(step), promised.budget)
            finally:
                step.close()
        except PlanReady:
            raise
        except Exception as error:
            failure = _redacted(_explained(error, promised, self), self.journal.redact)
            self._end(name, _outcome(failure), started, error=failure)
            if failure is error:
                raise
            raise failure from error
        text = json.dumps(redact_tree(adapter.dump_python(result, mode="json"), self.journal.redact))
        self._end(name, "done", started, result=text)
        return result

    def changes(self) -> tuple[tuple[int, Change], ...]:
        """The changes that may have been made and are not put back, oldest first, with their numbers."""
        return standing(self.journal.records)

    def look(self, whose: str, aim: Aim) -> tuple[Observation, ...]:
        """One look by every observer outside of any step, written down."""
        within = Deadline.after(self.clock, self.site.detection.probe_deadline)
        seen = self.outside.observers.look(aim, within=within)
        for observation in seen:
            self.journal.append(entries.Observed("", whose, observation))
        return seen

    def undo(self) -> bool:
        """Put back every change of this run, newest first; True if nothing is left that was changed.

        One that cannot be put back does not keep the others from it. A signal ends it, and what was not reached is listed.
        """
        left = list(reversed(self.changes()))
        complete = True
        while left:
            number, change = left[0]
            try:
                self._undo_one(number, change)
            except Interrupted:
                for unreached, other in left:
                    self.journal.append(entries.ChangeNotUndone(unreached, other.target, STOPPED))
                return False
            except Exception as error:
                why = str(error) if isinstance(error, DefibError) else f"{type(error).__name__}: {error}"
                self.journal.append(entries.ChangeNotUndone(number, change.target, why))
                complete = False
            left.pop(0)
        return complete

    def write(self, number: int, change: Change, within: Deadline, *, undo: bool = False) -> None:
        """Make one change by compare-and-set, written down before it is done; a change already made costs a read."""
        if self.lease is None:
            raise Refused("a run without a lease makes no change", where=change.target)
        record = change.record
        present = self.outside.zone.read([record.key], within=within)[0]
        if present == record.after:
            self.journal.append(entries.ChangeMade(number, already=True, undo=undo))
            return
        if present != record.before:
            raise foreign(change, present)
        self.lease.check()
        if within.expired():
            raise BudgetSpent(f"no time is left to change {record.key}", where=change.target)
        self.journal.append(entries.ChangeIntended(number, change, self.lease.number, undo=undo))
        self.lease.check()
        receipt = self.outside.zone.replace([record], within=within)
        self.journal.append(entries.ChangeMade(number, receipt.id, undo=undo))

    def strike_unmade(self) -> None:
        """Take the changes off the list that were intended, have no receipt, and are not in effect, as a read says."""
        made = {entry.number for entry in self.journal.of(entries.ChangeMade)}
        for number, change in self.changes():
            if number in made:
                continue
            try:
                within = Deadline.after(self.clock, STRIKE_BUDGET)
                present = self.outside.zone.read([change.record.key], within=within)[0]
            except ProviderError:
                continue  # nobody can tell, so it counts as made
            if present == change.record.before:
                self.journal.append(entries.ChangeMade(number, already=True, undo=True))

    def _undo_one(self, number: int, change: Change) -> None:
        within = Deadline.after(self.clock, UNDO_BUDGET)
        door = Door(f"undoing change {number}")

        def work() -> None:
            with door.held_open():
                self.write(number, change.reversed(), within, undo=True)

        try:
            self.clock.call(work, UNDO_BUDGET)
        finally:
            door.shut()

    def _end(
        self,
        name: str,
        outcome: str,
        started: timedelta,
        *,
        result: str = "",
        error: DefibError | None = None,
    ) -> None:
        parts = tuple(error.parts().items()) if error else ()
        took = self.clock.monotonic() - started
        self.journal.append(entries.StepEnded(name, outcome, took, result, parts))


class Step:
    """What the function of one step may do: look, wait, note, and change what the approved plan names.

    Once the step is over, for instance because its budget is spent, every one of these raises: a call that comes back late
    can no longer write.
    """

    def __init__(self, run: Run, promised: RunbookStep, within: Deadline) -> None:
        self.run = run
        self.name = promised.name
        self.within = within
        self._door = Door(promised.name)

    @property
    def site(self) -> Site:
        """The site under recovery."""
        return self.run.site

    @property
    def clock(self) -> Clock:
        """The run's clock."""
        return self.run.clock

    def close(self) -> None:
        """Let nothing more happen in the name of this step; waits for a write that is under way, to know its end."""
        self._door.shut()

    def note(self, text: str, *, warning: bool = False) -> None:
        """Write down something worth knowing, or what is being waited for."""
        self._journal(entries.Noted(self.name, text, warning))

    def record(self, entry: entries.Entry) -> None:
        """Write down a fact of the recovery."""
        self._journal(entry)

    def wait(self, duration: timedelta) -> None:
        """Wait, but not beyond the step's budget; :class:`BudgetSpent` when that is over."""
        if self.within.expired():
            raise BudgetSpent(f"{self.name}: its budget is spent")
        self.clock.sleep(min(duration, self.within.remaining()))

    def look(self, whose: str, aim: Aim) -> tuple[Observation, ...]:
        """One look by every observer, written down."""
        limit = self.site.detection.probe_deadline
        seen = self.run.outside.observers.look(aim, within=self.within.sooner(limit))
        for observation in seen:
            self._journal(entries.Observed(self.name, whose, observation))
        return seen

    def apply(self, plan: Plan) -> None:
        """Make the changes of `plan`, which must be the approved one, in order."""
        approved = {entry.digest for entry in self.run.journal.of(entries.Approved)}
        if plan.digest() not in approved:
            raise Refused("this plan was not approved", seen=plan.short_digest, expected=", ".join(sorted(approved)))
        for number, change in enumerate(plan.changes, start=1):
            self.wait(timedelta(0))  # a signal, or the end of the budget, comes between two changes
            with self._door.held_open():
                self.run.write(number, change, self.within)

    def _journal(self, entry: entries.Entry) -> None:
        with self._door.held_open():
            self.run.journal.append(entry)


@dataclass(frozen=True)
class Outcome:
    """How a run ended, and where its evidence is sealed: the hash of the journal's last entry."""

    run_id: str
    status: Status
    reason: str
    head: str


def conduct(run: Run, play: Callable[[Run], None], may_undo: Callable[[Run], str] = lambda _: "") -> Outcome:
    """Run a procedure to its end, whatever that is; the end is in the journal.

    A failure after changes puts them back unless `may_undo` gives a reason that this would make things worse. A refusal
    before any change, and an interruption, put nothing back: the operator chooses. A run that was stopped while it was
    being put back is put back to the end.
    """
    if being_put_back(run.journal.records):
        return _put_back(run, StepFailed("taken up again while its changes were being put back"), may_undo)
    try:
        play(run)
    except Interrupted as error:
        unsettled = run.changes()
        left = f"{len(unsettled)} change(s) may stand" if unsettled else "nothing was changed"
        return _close(run, Status.INTERRUPTED, f"{error.what}; {left}; nothing was undone: resume or roll back")
    except DefibError as error:
        if not run.changes():
            return _close(run, _unchanged(error), str(error))
        return _put_back(run, error, may_undo)
    return _close(run, Status.RECOVERED, "")


def roll_back(run: Run) -> Outcome:
    """Put back what a run changed, because an operator said so."""
    if run.undo():
        return _close(run, Status.ROLLED_BACK, "rolled back by the operator")
    return _close(run, Status.FAILED, "not everything could be put back")


def _put_back(run: Run, error: DefibError, may_undo: Callable[[Run], str]) -> Outcome:
    run.clock.resume()
    reason, stood = str(error), bool(run.changes())
    try:
        run.strike_unmade()
        worse = may_undo(run)
    except Interrupted:
        worse = STOPPED
    except Exception as trouble:
        worse = f"nobody can tell whether that would harm: {type(trouble).__name__}: {trouble}"
    if stood and not run.changes():
        return _close(run, _unchanged(error), f"{reason}; nothing was changed")
    if worse:
        for number, change in run.changes():
            run.journal.append(entries.ChangeNotUndone(number, change.target, worse))
        return _close(run, Status.FAILED, f"{reason}; not put back: {worse}")
    if run.undo():
        return _close(run, Status.ROLLED_BACK, reason)
    return _close(run, Status.FAILED, f"{reason}; not everything could be put back")


def _close(run: Run, status: Status, reason: str) -> Outcome:
    record = run.journal.append(entries.Closed(status, reason))
    return Outcome(run.id, status, run.journal.redact(reason), record.hash)


def _unchanged(error: DefibError) -> Status:
    return Status.REFUSED if isinstance(error, Refused) else Status.FAILED


def _outcome(error: DefibError) -> str:
    if isinstance(error, Interrupted):
        return "interrupted"
    return "refused" if isinstance(error, Refused) else "failed"


def _explained(error: Exception, step: RunbookStep, run: Run) -> DefibError:
    """The error with what an operator needs: a spent budget names the step and the way to do it by hand."""
    by_hand = f"by hand: {run.runbook.path.name}, heading '## {step.name}'"
    if isinstance(error, BudgetSpent):
        return BudgetSpent(f"{step.name} was not done within its budget of {step.budget}", seen=error.what, then=by_hand)
    if isinstance(error, DefibError):
        error.then = error.then or by_hand
        return error
    return StepFailed(f"{step.name}: {type(error).__name__}: {error}", then=by_hand)


def _redacted(error: DefibError, redact: Callable[[str], str]) -> DefibError:
    """The same error without secrets: it goes on to places that no journal guards."""
    for part in ("what", "where", "expected", "seen", "then"):
        setattr(error, part, redact(getattr(error, part)))
    error.args = (error.what,)
    return error


def foreign(change: Change, present: RecordSet | None) -> ForeignChange:
    """The refusal of a change whose target holds neither its before nor its after."""
    return ForeignChange(
        f"somebody else changed {change.record.key}",
        where=change.target,
        expected=f"{change.record.before} (before) or {change.record.after} (after)",
        seen=str(present or "no such record set"),
        then="find out who; then plan again",
    )
