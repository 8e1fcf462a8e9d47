"""How a run ends: recovered, or its changes put back, or left because that is better, and the journal says which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from defib import entries
from defib.audit import changes_as_approved
from defib.changes import STOPPED, being_put_back, left_out, split
from defib.errors import DefibError, Interrupted, Refused, StepFailed
from defib.objectives import Status
from defib.run import Run

BY_OPERATOR = "rolled back by the operator"
"""The reason of a run that somebody put back, which may have gone well before."""


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
        changes_as_approved(run.journal.records)
    except Interrupted as error:
        unsettled = run.changes.standing()
        left = f"{len(unsettled)} change(s) may stand" if unsettled else "nothing was changed"
        return _close(run, Status.INTERRUPTED, f"{error.what}; {left}; nothing was undone: resume or roll back")
    except Exception as error:
        known = error if isinstance(error, DefibError) else StepFailed(f"{type(error).__name__}: {error}")
        if not run.changes.standing():
            return _close(run, _unchanged(known), str(known))
        return _put_back(run, known, may_undo)
    return _close(run, Status.RECOVERED, "")


def roll_back(run: Run) -> Outcome:
    """Put back what a run changed, because an operator said so."""
    return _undo(run, BY_OPERATOR, "not everything could be put back")


def _put_back(run: Run, error: DefibError, may_undo: Callable[[Run], str]) -> Outcome:
    run.clock.resume()
    reason, stood = str(error), bool(run.changes.standing())
    try:
        run.changes.strike_unmade()
        worse = may_undo(run)
    except Interrupted:
        worse = STOPPED
    except Exception as trouble:
        worse = f"nobody can tell whether that would harm: {type(trouble).__name__}: {trouble}"
    if stood and not run.changes.standing():
        return _close(run, _unchanged(error), f"{reason}; nothing was changed")
    if worse:
        run.changes.leave(worse)
        return _close(run, Status.FAILED, f"{reason}; not put back: {worse}")
    return _undo(run, reason, f"{reason}; not everything could be put back")


def _undo(run: Run, done: str, not_done: str) -> Outcome:
    try:
        complete = run.changes.undo()
    except Interrupted as error:
        return _close(run, Status.INTERRUPTED, f"{not_done}: {error.what} while it was being put back")
    return _close(run, Status.ROLLED_BACK, done) if complete else _close(run, Status.FAILED, not_done)


def _close(run: Run, status: Status, reason: str) -> Outcome:
    halves = split(run.journal.records)
    if halves:
        by_hand = {left.vendor: f"change it by hand at {left.vendor}, then " for left in left_out(run.journal.records)}
        first = "".join(by_hand.values())
        reason = f"{halves}. {reason}; next: {first}defib resume {run.id} to finish, or defib rollback {run.id}"
    record = run.journal.append(entries.Closed(status, reason))
    return Outcome(run.id, status, run.journal.redact(reason), record.hash)


def _unchanged(error: DefibError) -> Status:
    return Status.REFUSED if isinstance(error, Refused) else Status.FAILED
