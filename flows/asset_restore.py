"""Make a bucket, or a part of it, what it was at a moment. Reads like ``runbooks/asset-restore.md``."""

from __future__ import annotations

from defib.replication import restoring
from defib.replication.restorable import Restoration
from defib.replication.restoring import Planned
from defib.run import Lasts, Run, Step
from flows.engine import Procedure, step


@step("read-the-past", Lasts.NEVER)
def read_the_past(at: Step, asked: Restoration) -> None:
    """What every key held then, by its versions, and what is not so now."""
    restoring.read_the_past(at, asked)


@step("approve-the-restore", Lasts.ONCE_CHANGED)
def approve_the_restore(at: Step, asked: Restoration) -> Planned:
    """Each object that changes, before and after, approved by the plan's digest."""
    return restoring.approve_the_restore(at, asked)


@step("restore-the-objects")
def restore_the_objects(at: Step, asked: Restoration, planned: Planned) -> None:
    """Each as a new version, or deleted by a marker."""
    restoring.restore_the_objects(at, asked, planned)


@step("prove-the-restore", Lasts.NEVER)
def prove_the_restore(at: Step, asked: Restoration, planned: Planned) -> None:
    """The past read again: nothing is other than it was, and nothing is left over."""
    restoring.prove_the_restore(at, asked, planned)


def play(run: Run) -> None:
    """The procedure, step by step."""
    asked = restoring.restoration_of(run)
    read_the_past(run, asked)
    planned = approve_the_restore(run, asked)
    restore_the_objects(run, asked, planned)
    prove_the_restore(run, asked, planned)


PROCEDURE = Procedure(
    name="asset-restore",
    steps=("read-the-past", "approve-the-restore", "restore-the-objects", "prove-the-restore"),
    play=play,
    may_undo=restoring.better_left,
)
