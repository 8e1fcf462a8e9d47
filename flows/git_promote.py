"""The source of a repository is lost: take it from one of its mirrors. Reads like ``runbooks/git-promote.md``."""

from __future__ import annotations

from collections.abc import Sequence

from defib.mirror import mirroring, promoting
from defib.mirror.copies import Copy
from defib.mirror.promoting import Promotion
from defib.plan import Plan
from defib.run import Lasts, Run, Step
from flows.engine import Procedure, step


@step("confirm-the-loss", Lasts.NEVER)
def confirm_the_loss(at: Step, copies: Sequence[Copy]) -> Promotion:
    """The source is gone, or has nothing that the mirror lacks."""
    return promoting.confirm_the_loss(at, copies)


@step("prove-the-mirror", Lasts.NEVER)
def prove_the_mirror(at: Step, copies: Sequence[Copy], wanted: Promotion) -> None:
    """The mirror answers, and lacks nothing that was ever mirrored."""
    promoting.prove_the_mirror(at, copies, wanted)


@step("approve-the-plan", Lasts.ONCE_CHANGED)
def approve_the_plan(at: Step, wanted: Promotion) -> Plan:
    """The source, before and after, approved by its digest."""
    return promoting.approve_the_source(at, wanted)


@step("take-from-the-mirror")
def take_from_the_mirror(at: Step, plan: Plan, wanted: Promotion) -> None:
    """From now on the repository is taken from there."""
    promoting.take_from_there(at, plan, wanted)


def play(run: Run) -> None:
    """The procedure, step by step."""
    copies = mirroring.copies_of(run)
    wanted = confirm_the_loss(run, copies)
    prove_the_mirror(run, copies, wanted)
    plan = approve_the_plan(run, wanted)
    take_from_the_mirror(run, plan, wanted)


PROCEDURE = Procedure(
    name="git-promote",
    steps=("confirm-the-loss", "prove-the-mirror", "approve-the-plan", "take-from-the-mirror"),
    play=play,
)
