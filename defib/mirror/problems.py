"""What is wrong with copies, told at the end of a run, and of a plan; whatever is not as it must be, ends it red."""

from __future__ import annotations

from collections.abc import Sequence

from defib import entries
from defib.errors import Refused, StepFailed
from defib.mirror.copies import Copy, rejections
from defib.mirror.sources import command
from defib.objectives import Mode
from defib.run import Step

_SHOWN = 3


def tell(step: Step, copies: Sequence[Copy]) -> list[str]:
    """Note every problem of every copy that has not been told as it is; gives all of them in words."""
    for copy in copies:
        rejections(copy)
    told = [
        f"{copy.of.name}{f' at {place}' if place else ''}: {text}"
        for copy in copies
        for place, texts in copy.problems.items()
        for text in texts
    ]
    before = {note.text for note in step.run.journal.of(entries.Noted)}
    for text in told:
        if text not in before:
            step.note(text, warning=True)
    return told


def must_be_well(step: Step, copies: Sequence[Copy]) -> None:
    """Raise where anything is wrong: :class:`Refused` where that is a source that gives nothing, or waits for a person."""
    told = tell(step, copies)
    if not told:
        return
    texts = [(copy, text) for copy in copies for texts in copy.problems.values() for text in texts]
    kind = Refused if all(copy.stopped or text in copy.waits for copy, text in texts) else StepFailed
    raise kind("not every mirror holds everything", seen="; ".join(told[:_SHOWN]), then=_next(step, copies))


def _next(step: Step, copies: Sequence[Copy]) -> str:
    """What a person does first: about a source that may be lost, about a loss that waits, or about whatever else it is."""
    site = step.site.site
    lost = next((copy for copy in copies if copy.stopped and copy.listings), None)
    if lost is not None and lost.listings[lost.of.source].denied:
        return f"renew the token or key of {lost.of.source}: what it has is not mirrored meanwhile"
    if lost is not None and lost.of.mirrors:
        to = command(site, f"{lost.of.name}@{lost.of.mirrors[0]}")
        return f"leave the mirrors alone, they keep what they have; where {lost.of.source} is lost: defib {to}"
    if lost is not None:
        return (
            f"leave the bundle alone; where {lost.of.source} is lost: defib plan aws-redeploy --site {site} builds from it"
        )
    if any(copy.waits for copy in copies):
        return f"find out who did that; where it was meant: defib plan git-mirror --site {site}"
    return "see to it, and plan again" if step.run.mode is Mode.PLAN else f"defib report {step.run.id}"
