"""One recovery: steps that are timed, journalled and bounded.

A procedure is a function of a :class:`Run`; each of its steps is a function of a :class:`Step`, called through
:meth:`Run.do`. The journal says what was done, so a run that was killed goes on where it was: a step whose end is in the
journal gives its recorded result and is not done again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from defib import entries
from defib.approval import Approver
from defib.changes import Changes
from defib.clock import Clock, Deadline
from defib.copyentries import PastWanted
from defib.door import Door
from defib.errors import (
    BudgetSpent,
    DefibError,
    EvidenceBroken,
    Interrupted,
    ProviderError,
    Refused,
    StepFailed,
)
from defib.journal import Journal, redact_tree
from defib.objectives import Mode, Objectives
from defib.outside import Outside
from defib.plan import Change, Plan
from defib.ports import Aim, Observation
from defib.runbook import Runbook, RunbookStep
from defib.sites.site import Site
from defib.timeline import Timeline

T = TypeVar("T")

_PURGE_WITHIN = timedelta(seconds=10)


class Lasts(Enum):
    """How long the result of a step holds when its run is taken up again.

    What was done, is done. What was decided holds once something was changed on the strength of it; before that it is
    decided anew, because the world may have moved. What was only seen is looked at again.
    """

    ALWAYS = "always"
    ONCE_CHANGED = "once changed"
    NEVER = "never"


class PlanReady(Exception):  # not an error: in plan mode a flow ends here
    """A run in plan mode has its plan."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.digest())
        self.plan = plan


@dataclass
class Run:
    """One run of one procedure on one site. In plan mode its changes have no lease, so that nothing can be written."""

    id: str
    site: Site
    runbook: Runbook
    mode: Mode
    objectives: Objectives
    clock: Clock
    journal: Journal
    outside: Outside
    approver: Approver
    changes: Changes
    forced: bool = False
    live: bool = False
    commit: str = ""
    """The commit to build, where a person insists on one; "" leaves the choice to what the remotes hold."""
    promoted: str = ""
    """The mirror that is to be the source of its repository, as ``<repository>@<remote>``."""
    past: PastWanted | None = None
    """What is to be as it was, and when."""
    follows: tuple[Change, ...] = ()
    """For a failback: the changes of the run that it takes back, oldest first."""
    since: datetime | None = None
    """When users first lost service, where somebody knows."""
    earlier: Callable[[Deadline], Sequence[Timeline]] = lambda _: ()
    """Earlier recoveries by the same procedure on the same site, newest first, as many as can be read in time."""

    def do(self, name: str, work: Callable[[Step], T], returns: type[T], lasts: Lasts = Lasts.ALWAYS) -> T:
        """Do one step, or give its recorded result if it was done before the run was taken up again, and still holds."""
        promised = self.runbook.step(name)
        adapter: TypeAdapter[T] = _adapter(returns)  # type: ignore[arg-type]  # types are hashable
        ended = self._ended(name, lasts)
        if ended is not None:
            return _recorded(adapter, ended)
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

    def _ended(self, name: str, lasts: Lasts) -> entries.StepEnded | None:
        """The end of a step that was done, if its result still holds."""
        found: entries.StepEnded | None = None
        changed = any(not entry.undo for entry in self.journal.of(entries.ChangeIntended))
        holds = lasts is Lasts.ALWAYS or (lasts is Lasts.ONCE_CHANGED and changed)
        for record in self.journal.records:
            entry = record.entry
            if isinstance(entry, entries.StepEnded) and entry.step == name and entry.outcome == "done":
                found = entry
            elif isinstance(entry, entries.Reopened) and not holds:
                found = None
        return found

    def look(self, whose: str, aim: Aim) -> tuple[Observation, ...]:
        """One look by every observer outside of any step, written down."""
        within = Deadline.after(self.clock, self.site.detection.probe_deadline)
        seen = self.outside.observers.look(aim, within=within)
        for observation in seen:
            self.journal.append(entries.Observed("", whose, observation))
        return seen

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

    def purge(self, cdn: str, paths: Sequence[str]) -> None:
        """Tell a CDN to forget `paths`, written down before; that it cannot is a warning, because what it serves decides."""
        with self._door.held_open():
            if self.run.changes.lease is None:
                raise Refused("a run without a lease purges nothing", where=cdn)
            self.run.changes.lease.check()
            self.run.journal.append(entries.PurgeIntended(self.name, cdn, tuple(paths)))
            try:
                self.run.outside.cdns[cdn].purge(paths, within=self.within.sooner(_PURGE_WITHIN))
            except ProviderError as error:
                self.note(f"{cdn} could not be purged: {error}", warning=True)

    def apply(self, plan: Plan, only: Callable[[Change], bool] = lambda _: True) -> None:
        """Make the changes of `plan`, which must be the approved one, in order; those that are not for this step wait."""
        approved = {entry.digest for entry in self.run.journal.of(entries.Approved)}
        if plan.digest() not in approved:
            raise Refused("this plan was not approved", seen=plan.short_digest, expected=", ".join(sorted(approved)))
        for number, change in enumerate(plan.changes, start=1):
            if not only(change):
                continue
            self.wait(timedelta(0))  # a signal, or the end of the budget, comes between two changes
            with self._door.held_open():
                self.run.changes.make(number, change, self.within)

    def _journal(self, entry: entries.Entry) -> None:
        with self._door.held_open():
            self.run.journal.append(entry)


@cache
def _adapter(returns: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(returns)


def _recorded(adapter: TypeAdapter[T], ended: entries.StepEnded) -> T:
    try:
        return adapter.validate_json(ended.result)
    except ValidationError as error:
        raise EvidenceBroken(
            f"the recorded result of {ended.step} cannot be read, so the run cannot go on from there",
            seen=f"{error.error_count()} mistakes in {ended.result[:80]}",
            then="defib rollback RUN",
        ) from error


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
