"""A drill: something breaks on purpose, is noticed, is recovered from, is put back, and leaves no trace.

The drill keeps a journal of its own beside those of the two runs that it makes: what was broken and healed when, the
outside state before and after, and what an eyewitness saw who knew nothing of it.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from defib import entries
from defib.approval import Automatic
from defib.changes import standing
from defib.clock import Deadline
from defib.conduct import Outcome, roll_back
from defib.drills.drilled import AGREEMENT, DRILL, Drill, Witnessed, drill
from defib.drills.order import GONE, DrillOrder, conclude, hindrance, open_drill, skip
from defib.errors import DefibError, Interrupted, LabDown, StepFailed
from defib.history import JOURNAL, is_alive, opening_of, status_of, unfinished
from defib.journal import read_journal
from defib.objectives import Mode, Status
from defib.observe.detect import Decision, Detector, State
from defib.observe.watch import Watcher
from defib.ports import Observation
from defib.run import Run
from defib.runbook import load_runbook
from defib.sites.site import Site, load_site
from defib.start import Desk, Order, new_run, take_up
from defib.timeline import Timeline, timeline
from defib.users.ways import ways

EVIDENCE = 60
"""How many of detection's last looks go into the evidence of the run that it starts."""

PATIENCE = timedelta(seconds=30)
"""For the site to be seen healthy before the fault, and to be seen down after it."""


class Bench(Protocol):
    """Where something can be broken on purpose, and somebody else watches."""

    def break_(self, target: str, fault: str) -> None:
        """Break `target`; in force when this returns."""
        ...

    def heal(self) -> None:
        """Heal everything. Idempotent."""
        ...

    def fingerprint(self) -> tuple[str, ...]:
        """The outside state that a recovery could change, one line a fact."""
        ...

    def witnessed(self, since: datetime, until: datetime) -> Witnessed:
        """What the eyewitness saw between the two moments; waits until its looks of that time have ended."""
        ...


@dataclass(frozen=True)
class Stage:
    """A drill's surroundings: the desk, the bench, how a run is carried out to its report, and who wanted the drill."""

    desk: Desk
    bench: Bench
    carry_out: Callable[[Run], Outcome]
    order: DrillOrder = field(default_factory=DrillOrder)


def run_drill(stage: Stage, procedure: str, site_name: str, fault: str) -> tuple[str, Drill]:
    """Break, notice, recover, heal, fail back, compare; gives the drill's id and what it proved."""
    path = stage.desk.site_path(site_name)
    rehearsal = _Rehearsal(stage, procedure, fault, load_site(path), str(path))
    return rehearsal.id, rehearsal.play()


class _Rehearsal:
    def __init__(self, stage: Stage, procedure: str, fault: str, site: Site, site_path: str) -> None:
        self._stage = stage
        self._desk = stage.desk
        self._procedure = procedure
        self._fault = fault
        self._site = site
        self._site_path = site_path
        runbook = load_runbook(procedure, self._desk.runbooks)
        self._faults = runbook.failing(site, fault)
        self.id, self._journal = open_drill(self._desk, runbook, site, Path(site_path), self._faults, stage.order)
        self._broken_at = self._desk.clock.now()
        self._told: dict[str, Timeline] = {}
        self._looks: deque[Observation] = deque(maxlen=EVIDENCE)

    def play(self) -> Drill:
        """The whole drill; whatever happens, everything is healed and compared at the end.

        Beside an incident it is skipped, which is recorded: it neither waits for its turn nor touches what was left.
        """
        in_the_way = hindrance(self._journal, self._stage.order)
        if in_the_way:
            return skip(self._journal, self._stage.order, in_the_way)
        status, reason = Status.FAILED, ""
        try:
            self._tidy_up()
            self._fingerprint("before")
            self._there_and_back()
            status = Status.RECOVERED
        except Interrupted as error:
            status, reason = Status.INTERRUPTED, error.what
        except DefibError as error:
            reason = str(error)
        except Exception as error:  # a defect must not leave the lab broken, nor the drill without an end
            reason = f"{type(error).__name__}: {error}"
        finally:
            self._desk.clock.resume()
            gone = self._leave_no_trace()
        if gone and status is Status.FAILED:  # what failed, failed for that
            status, reason = Status.INTERRUPTED, f"{GONE}: {reason}"
        so_far = drill(self._journal.records, self._told.get("forward"), self._told.get("failback"))
        if status is Status.RECOVERED:
            reason = "; ".join(_shortcomings(so_far))
            status = Status.FAILED if reason else status
        conclude(self._journal, self._stage.order, status, reason)
        return drill(self._journal.records, self._told.get("forward"), self._told.get("failback"))

    def _there_and_back(self) -> None:
        forward = self._run(self._order(self._until_down()), "forward")
        self._witness("forward", self._broken_at)
        self._must_be_recovered(forward)
        self._heal()
        healed = self._desk.clock.now()
        order = Order("failback", self._site_path, Mode.REHEARSAL, Automatic(f"drill {self.id}"), follows=forward.run_id)
        failback = self._run(order, "failback")
        self._witness("failback", healed)
        self._must_be_recovered(failback)

    def _until_down(self) -> Decision:
        """Watch until the site was seen healthy, break it, and watch on until it is decided to be down."""
        clock, site = self._desk.clock, self._site
        outside = self._desk.opener(site, self._desk.home, self._desk.redact, clock)
        detector = Detector(outside.observers.names, site.detection)
        patience = Deadline.after(clock, PATIENCE)
        broken = False

        def until(decision: Decision) -> bool:
            nonlocal broken, patience
            if not broken and decision.state is State.HEALTHY:
                # At any moment of the interval, as faults do: right after a look would flatter or slander detection.
                self._break_after(site.detection.interval * random.random())  # noqa: S311 - not a secret
                broken, patience = True, Deadline.after(clock, PATIENCE)
            return patience.expired() or (broken and decision.state is State.DOWN)

        watcher = Watcher(
            site, outside.observers, detector, clock, monitors=outside.monitors, on_observation=self._looks.append
        )
        decision = watcher.run(until)
        if not broken:
            raise StepFailed(
                "the site was not healthy before the drill", seen="; ".join(decision.reasons), then="defib lab status"
            )
        if decision.state is not State.DOWN:
            raise StepFailed(f"the fault {self._fault} was not noticed within {PATIENCE}", seen=decision.state.value)
        self._note(f"down: {'; '.join(decision.reasons)}")
        return decision

    def _order(self, decision: Decision) -> Order:
        return Order(
            self._procedure,
            self._site_path,
            Mode.REHEARSAL,
            Automatic(f"drill {self.id}"),
            since=decision.first_bad,
            down_at=self._desk.clock.now(),
            trigger=f"detection: {'; '.join(decision.reasons)}",
            looks=tuple(sorted(self._looks, key=lambda look: look.at)),
        )

    def _run(self, order: Order, role: str) -> Outcome:
        run = new_run(self._desk, order)
        outcome = self._stage.carry_out(run)
        self._told[role] = timeline(run.journal.records)
        self._journal.append(entries.DrillRun(role, run.id, outcome.status, outcome.head))
        return outcome

    def _witness(self, role: str, since: datetime) -> None:
        saw = self._stage.bench.witnessed(since, self._desk.clock.now())
        outage = saw.outage
        if role == "failback" and saw.looks and saw.started is None:
            outage = timedelta(0)
        self._journal.append(entries.EyewitnessSaw(role, outage, saw.started, saw.ended, saw.looks, saw.log))

    def _break_after(self, delay: timedelta) -> None:
        """Break the target in the background, so that the looks go on meanwhile."""

        def once() -> None:
            stop()
            self._break()

        stop = self._desk.clock.every(max(delay, timedelta(milliseconds=1)), once)

    def _break(self) -> None:
        self._broken_at = self._desk.clock.now()  # what users suffered before is not of this drill's making
        for target, fault in self._faults:
            self._stage.bench.break_(target, fault)
            self._journal.append(entries.FaultSet(target, fault))
        self._note("waiting for it to be noticed")

    def _note(self, text: str, *, warning: bool = False) -> None:
        self._journal.append(entries.Noted("", text, warning))

    def _heal(self) -> None:
        self._stage.bench.heal()  # also where nothing is broken: a lab that is gone says so here, and not after many retries
        faults = list(self._journal.of(entries.FaultSet))
        if faults and not faults[-1].fault:
            return
        for target, _ in self._faults:
            self._journal.append(entries.FaultSet(target, ""))

    def _fingerprint(self, when: str) -> None:
        self._journal.append(entries.Fingerprinted.of(when, self._stage.bench.fingerprint()))

    def _must_be_recovered(self, outcome: Outcome) -> None:
        if outcome.status is not Status.RECOVERED:
            raise StepFailed(f"run {outcome.run_id} ended {outcome.status}: {outcome.reason}", where=outcome.run_id)

    def _tidy_up(self) -> None:
        """Put back what earlier rehearsals left when they were killed; where their lab is gone, that costs a read."""
        left = unfinished(self._desk.home, self._site.site)
        cut_off = [left] if left is not None else self._left_by_the_last_drill()
        for folder in cut_off:
            self._note(f"an earlier rehearsal was cut off and is put back: {folder.name}")
            self._roll_back(folder.name)
        if cut_off:  # until no resolver sends anybody where that rehearsal had: a fault would hit some users and not others
            self._desk.clock.sleep(max(lead.ttl for way in ways(self._site) for lead in way.leads))

    def _left_by_the_last_drill(self) -> list[Path]:
        """The runs, newest first, that a drill made which was killed between them: recovered, and never failed back."""
        left: list[Path] = []
        for folder in reversed(self._desk.home.runs()):
            records, _ = read_journal(folder / JOURNAL)
            opened = opening_of(records, folder) if records else None
            if opened is None or opened.site != self._site.site or folder.name == self.id:
                continue
            if opened.procedure == DRILL:
                return left if status_of(records) is None and not is_alive(folder) else []
            if opened.mode is Mode.REHEARSAL and standing(records):
                left.append(folder)
        return []

    def _roll_back(self, run_id: str) -> None:
        """Put back a run, and after a failback that stopped half-way also the run that it was to take back."""
        run = take_up(self._desk, run_id, Automatic(f"drill {self.id}"), "rollback", forced=True)
        try:
            roll_back(run)
        finally:
            if run.changes.lease is not None:
                run.changes.lease.release()
        opened = next(run.journal.of(entries.Opened))
        if opened.follows:
            self._roll_back(opened.follows)

    def _leave_no_trace(self) -> bool:
        """Heal what is broken and put back what stands; what cannot be done is in the journal, and fails the drill.

        Gives whether nobody is there any more who could be asked.
        """
        try:
            self._heal()
            forward = self._told.get("forward")
            if forward and not self._is_back(forward):
                self._roll_back(forward.opened.run_id)
            self._fingerprint("after")
        except DefibError as error:
            self._journal.append(entries.Noted("", f"cleaning up failed: {error}", warning=True))
            return isinstance(error, LabDown)
        return False

    def _is_back(self, forward: Timeline) -> bool:
        failback = self._told.get("failback")
        undone = all(change.state in {"undone", "planned"} for change in forward.changes)
        return undone or (failback is not None and failback.status is Status.RECOVERED)


def _shortcomings(told: Drill) -> Sequence[str]:
    """What keeps a drill whose runs both recovered from counting as a proof."""
    found = []
    if told.residue is None:
        found.append("the outside state could not be compared")
    elif told.residue:
        found.append(f"the drill left a trace: {len(told.residue)} line(s)")
    if told.disagreement is None:
        found.append("the eyewitness could not say how long users were without service")
    elif told.disagreement > AGREEMENT:
        found.append(f"the report and the eyewitness disagree by {told.disagreement.total_seconds():.3f} s")
    if told.unreported is None:
        found.append("failback: the eyewitness could not say whether users lost service")
    elif told.unreported > AGREEMENT:
        found.append(
            f"failback: users lost {told.unreported.total_seconds():.3f} s of service that the report does not know of"
        )
    return found
