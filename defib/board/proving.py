"""What the runs and drills of a procedure prove of it; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from defib.about import About, about
from defib.board.glance import Glance, Unreadable
from defib.board.model import ProcedureBoard
from defib.board.sites import Known, Written, objectives
from defib.conduct import BY_OPERATOR
from defib.drills.calendar import Ending
from defib.drills.drilled import MISSED, ending_of
from defib.objectives import Measure, Status, Verdict
from defib.ready.check import State, worst
from defib.ready.proved import LONG_AGO
from defib.report import words

ROUND = timedelta(minutes=15)
ROUNDS = {"git-mirror": "defib mirror", "replication-check": "defib replicas"}
"""Procedures that come round by themselves, and the command that does the same."""

LATE = 2 * ROUND + timedelta(minutes=5)
"""What was last looked at before that is not known now: one round may be missed."""

TREND = 12
"""So many earlier recoveries make a trend."""

FURTHEST = 100
"""So many runs are read to find the last that recovered: a day of rounds."""

_TIMED = frozenset({"asset-restore"})
"""Procedures that users do not notice, and that take their time all the same."""

_ENDED = {Ending.FAILED: "failed", Ending.MISSED: "was missed", Ending.INTERRUPTED: "was interrupted"}
_WENT = {Status.FAILED: "failed", Status.ROLLED_BACK: "was rolled back", Status.REFUSED: "was refused"}

Reason = tuple[State, str]


@dataclass(frozen=True)
class Evidence:
    """What there is of one procedure on one site, the newest first. `more` says that there are older runs, left unread."""

    procedure: str
    runs: tuple[Glance, ...] = ()
    drills: tuple[Glance, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    alive: frozenset[str] = frozenset()
    """The runs and drills of which the process lives."""
    more: bool = False
    changed: tuple[str, ...] = ()
    """What the procedure depends on and has changed since the last run that recovered."""

    @property
    def recovered(self) -> tuple[Glance, ...]:
        """The runs that recovered, the newest first."""
        return tuple(run for run in self.runs if run.status is Status.RECOVERED)


def takes_time(procedure: str) -> bool:
    """Whether there is an RTO: where users have no service, or wait for what is restored."""
    return about(procedure) is About.USERS or procedure in _TIMED


def enough(procedure: str, seen: Sequence[Glance | Unreadable]) -> bool:
    """Whether what was read of a procedure's runs, the newest first, says all that a board shows."""
    proofs = sum(isinstance(each, Glance) and each.status is Status.RECOVERED for each in seen)
    return proofs >= (TREND if takes_time(procedure) else 1)


def prove(evidence: Evidence, site: Known, written: Written | None, now: datetime) -> ProcedureBoard:
    """The state of one procedure, and why it is what it is."""
    found = evidence.recovered
    last, drill = (found[0] if found else None), (evidence.drills[0] if evidence.drills else None)
    reasons = [
        *_unread(evidence, last),
        *_never(evidence, last),
        *(_figures(evidence.procedure, last) if last else ()),
        *_failed_since(evidence, last),
        *_drilled(evidence, drill, last),
        *(_aged(evidence.procedure, last, now) if last else ()),
        *(_undrilled(evidence, now) if last and site.file and site.file.lab else ()),
        *((State.WARN, f"changed since: {what}") for what in evidence.changed),
    ]
    order = list(State)
    reasons.sort(key=lambda reason: order.index(reason[0]), reverse=True)
    runbook = written.runbook if written else None
    return ProcedureBoard(
        name=evidence.procedure,
        state=worst([State.OK, *(state for state, _ in reasons)]),
        says=tuple(text for _, text in reasons),
        targets=objectives(site.file, runbook),
        takes_users=takes_time(evidence.procedure),
        last=last,
        drill=drill,
        past=found[:TREND][::-1],
        then=_command(evidence.procedure, site, written),
    )


def _unread(evidence: Evidence, last: Glance | None) -> Iterable[Reason]:
    """A run that cannot be read may have been the last, and may have failed; ids are in the order of time."""
    later = [each for each in evidence.unreadable if last is None or each.run > last.run]
    for each in later[:1]:
        more = f", and {len(later) - 1} more" if len(later) > 1 else ""
        yield State.UNKNOWN, f"run {each.run} cannot be read{more}: {each.why}"


def _never(evidence: Evidence, last: Glance | None) -> Iterable[Reason]:
    if last is None and evidence.more:
        yield State.UNKNOWN, f"not proved by its last {len(evidence.runs) + len(evidence.unreadable)} runs"
    elif last is None:
        yield State.UNKNOWN, "never proved"


def _figures(procedure: str, last: Glance) -> Iterable[Reason]:
    measures = [("RTO", last.rto)] if takes_time(procedure) else []
    for name, measure in [*measures, ("RPO", last.rpo)]:
        if measure.verdict is Verdict.MISSED:
            yield State.FAIL, f"{name} missed: {_beyond(measure)}"
        elif measure.verdict is Verdict.UNKNOWN:
            yield State.UNKNOWN, f"{name} unknown: {measure.why or 'it was not measured'}"


def _beyond(measure: Measure) -> str:
    return f"{words.duration(measure.actual)} of {words.duration(measure.target)}"


def _failed_since(evidence: Evidence, last: Glance | None) -> Iterable[Reason]:
    """The newest run, where it was not that which proves; a refusal says only that something else was the matter."""
    newest = evidence.runs[0] if evidence.runs else None
    if newest is None or newest is last:
        return
    if newest.status is Status.ROLLED_BACK and newest.reason == BY_OPERATOR:
        yield State.UNKNOWN, "the last run was taken back by a person, and no longer proves anything"
        return
    bad = newest.status in {Status.FAILED, Status.ROLLED_BACK}
    if bad or (newest.status is Status.REFUSED and evidence.procedure in ROUNDS):
        how = _WENT.get(newest.status or Status.FAILED, "failed")
        yield State.FAIL, f"the last run {how}{f': {newest.reason}' if newest.reason else ''}"
    elif newest.status is Status.INTERRUPTED or _was_killed(newest, evidence):
        yield State.UNKNOWN, f"the last run did not come to its end: {newest.reason or 'it was killed'}"


def _was_killed(run: Glance, evidence: Evidence) -> bool:
    return run.status is None and run.run not in evidence.alive


def _drilled(evidence: Evidence, drill: Glance | None, last: Glance | None) -> Iterable[Reason]:
    """The last drill, unless something later proved what it could not."""
    if drill is None or drill.status is Status.RECOVERED or (last is not None and last.started > drill.at):
        return
    ending = ending_of(drill.status, drill.reason)
    if ending is Ending.OPEN and drill.run in evidence.alive:
        return
    if ending is Ending.SKIPPED:
        yield State.WARN, f"the last drill did not take place: {drill.reason}"
    elif ending is Ending.OPEN:
        yield State.FAIL, "the last drill did not come to its end: it was killed"
    else:
        yield State.FAIL, f"the last drill {_ENDED[ending]}: {drill.reason.removeprefix(MISSED) or 'nobody says why'}"


def _undrilled(evidence: Evidence, now: datetime) -> Iterable[Reason]:
    """What comes round by itself shows every time that it works, and never that it would hold when something fails.

    Only in the lab can that be drilled.
    """
    if evidence.procedure not in ROUNDS:
        return
    done = next((drill for drill in evidence.drills if drill.status is Status.RECOVERED), None)
    if done is None:
        yield State.WARN, "it runs, and was never seen to hold in a drill" if not evidence.drills else "no drill went well"
    elif now - done.at > LONG_AGO:
        yield State.WARN, f"drilled long ago: {words.duration(now - done.at)}"


def _aged(procedure: str, last: Glance, now: datetime) -> Iterable[Reason]:
    age = now - last.at
    if age < -ROUND:
        yield State.UNKNOWN, "the last proof is from the future: a clock is wrong"
    elif procedure in ROUNDS and age > LATE:
        yield State.UNKNOWN, f"not looked at for {words.duration(age)}"
    elif procedure not in ROUNDS and age > LONG_AGO:
        yield State.WARN, f"proved long ago: {words.duration(age)}"


def _command(procedure: str, site: Known, written: Written | None) -> str:
    """What proves it; "" where that is a person's work, which the runbook tells."""
    answers = written is not None and written.runbook is not None and bool(written.runbook.against)
    if site.file is None:
        return ""
    if site.file.lab and (answers or procedure in ROUNDS):
        return f"defib drill {procedure} --site {site.name}"
    if answers:
        return f"defib drill {procedure} --site {site.name} --live"
    return f"{ROUNDS[procedure]} --site {site.name}" if procedure in ROUNDS else ""
