"""A drill that no user is to notice: something that copies fails on purpose, and what the copies hold is what is proved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from defib import entries
from defib.approval import Automatic
from defib.clock import Deadline
from defib.conduct import Outcome
from defib.drills.drill import Stage
from defib.drills.drilled import Drill, drill
from defib.drills.order import GONE, conclude, hindrance, open_drill, skip
from defib.errors import DefibError, Interrupted, LabDown, StepFailed
from defib.objectives import Mode, Status
from defib.outside import Outside
from defib.runbook import load_runbook
from defib.sites.site import load_site
from defib.start import Order, new_run
from defib.timeline import Timeline, timeline


class QuietDrill:
    """The journal, the faults and the runs of one such drill; what happens in between is for whoever plays it.

    Of its runs ``forward`` is the one while something failed, ``failback`` the one after it was well again.
    """

    def __init__(self, stage: Stage, procedure: str, site_name: str, fault: str) -> None:
        self.stage, self.desk = stage, stage.desk
        self.site_path: Path = self.desk.site_path(site_name)
        self.site = load_site(self.site_path)
        self.runbook = load_runbook(procedure, self.desk.runbooks)
        self._faults = self.runbook.failing(self.site, fault)
        self.id, self._journal = open_drill(self.desk, self.runbook, self.site, self.site_path, self._faults, stage.order)
        self.told: dict[str, Timeline] = {}

    def play(self, there_and_back: Callable[[], None], clean_up: Callable[[], None] = lambda: None) -> Drill:
        """The whole drill; whatever happens, `clean_up` is done and everything is healed. It may be skipped."""
        in_the_way = hindrance(self._journal, self.stage.order)
        if in_the_way:
            return skip(self._journal, self.stage.order, in_the_way)
        status, reason = Status.FAILED, ""
        try:
            there_and_back()
            status = Status.RECOVERED
        except Interrupted as error:
            status, reason = Status.INTERRUPTED, error.what
        except DefibError as error:
            reason = str(error)
        except Exception as error:  # a defect must not leave the drill without an end
            reason = f"{type(error).__name__}: {error}"
        finally:
            self.desk.clock.resume()
            gone = self._leave_nothing(clean_up)
        if gone and status is Status.FAILED:  # what failed, failed for that
            status, reason = Status.INTERRUPTED, f"{GONE}: {reason}"
        told = self._drill()
        if status is Status.RECOVERED and told.residue != ():
            status, reason = Status.FAILED, "the drill left a trace, or what it left could not be compared"
        conclude(self._journal, self.stage.order, status, reason)
        return self._drill()

    def _leave_nothing(self, clean_up: Callable[[], None]) -> bool:
        """Heal, clear away, and compare: what cannot be done is in the journal, and fails the drill.

        Gives whether nobody is there any more who could be asked.
        """
        try:
            self.heal()
            clean_up()
            self.fingerprint("after")
        except DefibError as error:
            self.note(f"cleaning up failed: {error}", warning=True)
            return isinstance(error, LabDown)
        return False

    def _drill(self) -> Drill:
        return drill(self._journal.records, self.told.get("forward"), self.told.get("failback"))

    def run(self, role: str, wanted: Status, procedure: str = "") -> Timeline:
        """A run of the drilled procedure, or of another; :class:`StepFailed` where it does not end as it must."""
        order = Order(
            procedure or self.runbook.procedure, str(self.site_path), Mode.REHEARSAL, Automatic(f"drill {self.id}")
        )
        run = new_run(self.desk, order)
        outcome = self.stage.carry_out(run)
        self.told[role] = timeline(run.journal.records)
        self._journal.append(entries.DrillRun(role, run.id, outcome.status, outcome.head))
        self._must_have_ended(outcome, role, wanted)
        return self.told[role]

    def _must_have_ended(self, outcome: Outcome, role: str, wanted: Status) -> None:
        if outcome.status is not wanted:
            raise StepFailed(
                f"run {outcome.run_id} ended {outcome.status}",
                where=role,
                expected=str(wanted),
                seen=outcome.reason or "no reason",
            )
        self.note(f"{role}: run {outcome.run_id} ended {outcome.status}, as it must")

    def outside(self) -> Outside:
        """The outside of the site, opened anew."""
        return self.desk.opener(self.site, self.desk.home, self.desk.redact, self.desk.clock)

    def within(self, step: str) -> Deadline:
        """The budget that the runbook gives a step, from now."""
        return Deadline.after(self.desk.clock, self.runbook.step(step).budget)

    def fingerprint(self, when: str) -> None:
        """Take the fingerprint of the outside state, ``before`` or ``after``."""
        self._journal.append(entries.Fingerprinted.of(when, self.stage.bench.fingerprint()))

    def break_(self, fault: str = "") -> None:
        """Break what the drill is about, as was asked for or as `fault` says."""
        for target, asked in self._faults:
            self.stage.bench.break_(target, fault or asked)
            self._journal.append(entries.FaultSet(target, fault or asked))

    def heal(self) -> None:
        """Heal what is broken. Idempotent."""
        self.stage.bench.heal()  # also where nothing is broken: a lab that is gone says so here, and not after many retries
        faults = list(self._journal.of(entries.FaultSet))
        if not faults or not faults[-1].fault:
            return
        for target, _ in self._faults:
            self._journal.append(entries.FaultSet(target, ""))

    def note(self, text: str, *, warning: bool = False) -> None:
        """Write down something that was proved, or what is being waited for."""
        self._journal.append(entries.Noted("", text, warning))
