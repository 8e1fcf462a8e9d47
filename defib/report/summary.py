"""A run in a few lines for a terminal: how it ended, what that means for users, what to do next."""

from __future__ import annotations

from collections.abc import Sequence

from defib.objectives import Measure, Status, Verdict
from defib.report import words
from defib.timeline import Timeline

_LABEL = 8


def summary(told: Timeline) -> str:
    """Status first, then RTO, phases and RPO as far as the run came to them, then what went wrong, part by part."""
    lines = [words.status(told.status).upper()]
    if told.reason and told.status is not Status.RECOVERED:
        lines += _trouble(told)
    if told.status is not Status.RECOVERED and not _stands(told):
        lines.append(f"  {'changed':<{_LABEL}}nothing, or nothing that stands")
    if told.instants.served or told.status is Status.RECOVERED:
        lines += [_rto(told), *_phases(told), _rpo(told.rpo)]
    return "\n".join(lines)


def _trouble(told: Timeline) -> list[str]:
    """The error of the step that ended the run, part by part; the reason as a whole where no step did."""
    last = told.steps[-1].error if told.steps else ()
    if not last:
        return [f"  {'why':<{_LABEL}}{told.reason}"]
    named = {"error": "why"}
    lines = [f"  {named.get(label, label):<{_LABEL}}{text}" for label, text in last if label != "next"]
    _, _, more = told.reason.partition("not put back: ")
    if more:
        lines.append(f"  {'but':<{_LABEL}}not put back: {more}")
    lines += [f"  {'next':<{_LABEL}}{text}" for label, text in last if label == "next"]
    return lines


def _rto(told: Timeline) -> str:
    measure, instants = told.rto, told.instants
    if measure.actual is None:
        return f"  {'RTO':<{_LABEL}}{measure.verdict}  {measure.why}"
    if not measure.actual:
        return f"  {'RTO':<{_LABEL}}{measure.verdict}  users never lost service"
    when = f" ({words.time_of_day(instants.first_bad)} to {words.time_of_day(instants.served)} UTC)" if instants.first_bad else ""
    return f"  {'RTO':<{_LABEL}}{measure.verdict}  users were out {words.duration(measure.actual)} of {_of(measure)}{when}"


def _phases(told: Timeline) -> Sequence[str]:
    if told.rto.verdict is Verdict.UNKNOWN or told.opened.follows:
        return ()
    return [f"  {'':<{_LABEL}}{', '.join(f'{span.phase} {words.duration(span.took)}' for span in told.spans)}"]


def _rpo(measure: Measure) -> str:
    lag = words.UNKNOWN if measure.actual is None else f"{words.duration(measure.actual)} of {_of(measure)}"
    return f"  {'RPO':<{_LABEL}}{measure.verdict}  {lag}" + (f": {measure.why}" if measure.why else "")


def _of(measure: Measure) -> str:
    return words.duration(measure.target)


def _stands(told: Timeline) -> bool:
    return any(change.state in {"made", "intended", "not undone"} for change in told.changes)


def _changed_something(told: Timeline) -> bool:
    """Whether the run made a change that a failback could take back."""
    return told.opened.procedure != "failback" and any(change.state == "made" for change in told.changes)


def next_commands(told: Timeline) -> tuple[str, ...]:
    """What to run next, if anything."""
    run_id = told.opened.run_id
    if told.status is Status.RECOVERED and _changed_something(told):
        return (f"When the primary is well again: defib failback {run_id}",)
    if told.status in {None, Status.INTERRUPTED}:
        return (f"Next: defib resume {run_id}, or defib rollback {run_id}",) if _stands(told) else (f"Next: defib resume {run_id}",)
    return ()

