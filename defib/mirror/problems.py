"""What is wrong with copies, told at the end of a run, and of a plan; whatever is not as it must be, ends it red."""

from __future__ import annotations

from collections.abc import Sequence

from defib.errors import Refused, StepFailed
from defib.mirror.copies import Copy, rejections
from defib.objectives import Mode
from defib.run import Step

_SHOWN = 3


def tell(step: Step, copies: Sequence[Copy]) -> list[str]:
    """Note every problem of every copy; gives them in words."""
    for copy in copies:
        rejections(copy)
    told = [
        f"{copy.of.name}{f' at {place}' if place else ''}: {text}"
        for copy in copies
        for place, texts in copy.problems.items()
        for text in texts
    ]
    for text in told:
        step.note(text, warning=True)
    return told


def must_be_well(step: Step, copies: Sequence[Copy]) -> None:
    """Raise where anything is wrong: :class:`Refused` where that is a source that gives nothing, or waits for a person."""
    told = tell(step, copies)
    if not told:
        return
    texts = [(copy, text) for copy in copies for texts in copy.problems.values() for text in texts]
    kind = Refused if all(copy.stopped or text in copy.waits for copy, text in texts) else StepFailed
    then = "see to it, and plan again" if step.run.mode is Mode.PLAN else f"defib report {step.run.id}"
    raise kind("not every mirror holds everything", seen="; ".join(told[:_SHOWN]), then=then)
