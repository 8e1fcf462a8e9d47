"""A run or a drill in a few lines for a terminal: how it ended, what that means for users, what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from defib.about import About
from defib.drills.drilled import Drill
from defib.objectives import Measure, Status, Verdict
from defib.plan import SPLIT
from defib.report import words
from defib.report.changed import targets
from defib.report.copies import copies_of
from defib.timeline import Timeline


def summary(told: Timeline) -> str:
    """Status first, then RTO, phases and RPO as far as the run came to them, then what went wrong, part by part."""
    lines = [words.status(told.status).upper()]
    copies = copies_of(told.opened.procedure)
    if copies is not None and told.tells_of_copies:
        lines = [copies.done] if told.status is Status.RECOVERED else lines
        lines += [_line(label, text) for label, text in copies.lines(told)]
        lines.append(_rpo(told.rpo))
    if told.reason and told.status is not Status.RECOVERED:
        lines += _trouble(told)
    if told.status is not Status.RECOVERED:
        lines.append(_line("changed", _changed(told)))
    if told.status is Status.ROLLED_BACK and told.instants.served:
        at = words.time_of_day(told.instants.served)
        lines.append(_line("users", f"served from {at} UTC until then; what they get now was not looked at"))
    elif copies is None and (told.instants.served or told.status is Status.RECOVERED):
        lines += [_rto(told), *_phases(told), _rpo(told.rpo)]
    return "\n".join(lines)


def drill_summary(told: Drill, lab: str) -> str:
    """The recovery's figures beside what the eyewitness saw, and what was left; `lab` says how the lab was left."""
    proved = told.status is Status.RECOVERED
    if told.about is not About.USERS:
        return _drill_of_copies(told, lab)
    lines = ["RECOVERED, and put back as it was" if proved else f"DRILL {words.status(told.status).upper()}"]
    if not proved and told.reason:
        lines.append(_line("why", told.reason))
    if told.forward is not None:
        lines += [_rto(told.forward, f"eyewitness {words.duration(told.witnessed)}")]
        lines += [*_phases(told.forward), _rpo(told.forward.rpo)]
    residue = told.residue
    left = "could not be compared" if residue is None else "LEFT A TRACE" if residue else "no trace left"
    lines += [_line("after", f"{left}; {lab}"), *(_line("", line) for line in residue or ())]
    return "\n".join(lines)


def _drill_of_copies(told: Drill, lab: str) -> str:
    proved = told.status is Status.RECOVERED
    lines = ["NOTHING WAS LOST" if proved else f"DRILL {words.status(told.status).upper()}"]
    lines += [] if proved else [_line("why", told.reason)]
    lines += [_line("seen" if not number else "", note.text) for number, note in enumerate(told.notes)]
    left = "could not be compared" if told.residue is None else "LEFT A TRACE" if told.residue else "no trace left"
    return "\n".join([*lines, _line("after", f"{left}; {lab}"), *(_line("", line) for line in told.residue or ())])


def next_commands(told: Timeline) -> tuple[str, ...]:
    """What to run next, if anything."""
    run_id = told.opened.run_id
    copies = copies_of(told.opened.procedure)
    if told.status is Status.RECOVERED and copies is not None:
        return copies.after(told)
    if told.status is Status.RECOVERED:
        made = told.opened.procedure != "failback" and any(change.state == "made" for change in told.changes)
        return (f"When the primary is well again: defib failback {run_id}",) if made else ()
    if _standing(told):
        return (f"Next: defib resume {run_id}\nor:   defib rollback {run_id}",)
    return (f"Next: defib resume {run_id}",) if told.status in {None, Status.INTERRUPTED} else ()


def _line(label: str, text: str) -> str:
    return f"  {label + ':' if label else '':<10}{text}"


def _trouble(told: Timeline) -> list[str]:
    """The error of the step that ended the run, part by part; the reason as a whole where no step did."""
    last = told.steps[-1] if told.steps else None
    if last is None or not last.error or dict(last.error).get("error", "") not in told.reason:
        return [_line("why", told.reason)]
    parts = dict(last.error)
    if last.outcome == "interrupted":
        parts.pop("next", "")  # the run as a whole can be resumed, which is better than to do the step by hand
    # Up to the error: names have dots of their own.
    halves = [_line("SPLIT", told.reason.partition(f". {parts['error']}")[0])] if told.reason.startswith(SPLIT) else []
    lines = [*halves, _line("step", last.name), _line("why", parts.pop("error"))]
    by_hand = parts.pop("next", "")
    lines += [_line(label, text) for label, text in parts.items()]
    _, _, more = told.reason.partition("not put back: ")
    if more:
        lines.append(_line("but", f"not put back: {more}"))
    return [*lines, _line("next", by_hand)] if by_hand else lines


def _rto(told: Timeline, beside: str = "") -> str:
    measure, instants = told.rto, told.instants
    also = f", {beside}" if beside else ""
    if measure.actual is None:
        return _line("RTO", f"{measure.verdict}  {measure.why}{also}")
    if not measure.actual:
        return _line("RTO", f"{measure.verdict}  users never lost service{also}")
    out = f"{measure.verdict}  users were out {words.duration(measure.actual)} of {words.duration(measure.target)}"
    if instants.first_bad is None or instants.served is None:
        return _line("RTO", f"{out}{also}")
    stretch = f"{words.time_of_day(instants.first_bad)} to {words.time_of_day(instants.served)} UTC"
    return "\n".join([_line("RTO", out), _line("", f"{stretch}{also}")])


def _phases(told: Timeline) -> Sequence[str]:
    if told.rto.verdict is Verdict.UNKNOWN or told.opened.moves_served_users:
        return ()
    return [_line("", ", ".join(f"{span.phase} {words.duration(span.took)}" for span in told.spans))]


def _rpo(measure: Measure) -> str:
    lag = "" if measure.actual is None else f"{words.duration(measure.actual)} of {words.duration(measure.target)}"
    return _line("RPO", f"{measure.verdict}  " + ": ".join(part for part in (lag, measure.why) if part))


def _changed(told: Timeline) -> str:
    if standing := _standing(told):
        return ", ".join(standing)
    undone = targets(line.change for line in told.changes if line.state == "undone")
    return f"nothing that stands; put back: {', '.join(undone)}" if undone else "nothing"


def _standing(told: Timeline) -> list[str]:
    """The changes that are in effect, or may be; what was there already is nobody's to put back."""
    stands = {"made": "{} stands", "intended": "{} may stand", "not undone": "{} stands, not put back"}
    if not any(line.change.piecemeal for line in told.changes):
        return [stands[line.state].format(line.change.target) for line in told.changes if line.state in stands]
    by_state = {state: targets(line.change for line in told.changes if line.state == state) for state in stands}
    return [stands[state].format(target) for state, found in by_state.items() for target in found]
