"""Bring the replica what it lacks or holds wrongly. Reads like ``runbooks/replication-repair.md``."""

from __future__ import annotations

from collections.abc import Sequence

from defib.plan import Plan
from defib.replication import batching, checking, repairing
from defib.replication.checking import Look
from defib.run import Lasts, Run, Step
from flows.engine import Procedure, step


@step("compare-the-versions", Lasts.NEVER)
def compare_the_versions(at: Step, looks: Sequence[Look]) -> None:
    """Every version of every key: what is wrong now, and not what was wrong at the last check."""
    checking.audit(at, looks)
    checking.compare(at, looks)


@step("approve-the-repair", Lasts.ONCE_CHANGED)
def approve_the_repair(at: Step, looks: Sequence[Look]) -> Plan:
    """Each object that is copied, before and after, approved by the plan's digest."""
    return repairing.plan_of_repair(at, looks)


@step("replicate-in-batch", Lasts.NEVER)
def replicate_in_batch(at: Step, looks: Sequence[Look], plan: Plan) -> None:
    """What S3 never covered or failed to replicate, by a job of S3 Batch Replication, with ids and older versions."""
    batching.ask_for_jobs(at, looks, plan)


@step("copy-the-objects", Lasts.NEVER)
def copy_the_objects(at: Step, plan: Plan) -> None:
    """From the source to the replica, each as a new version."""
    repairing.copy_objects(at, plan)


@step("compare-again", Lasts.NEVER)
def compare_again(at: Step, looks: Sequence[Look], plan: Plan) -> None:
    """Nothing that was mended is wrong any more."""
    checking.compare(at, looks)
    repairing.must_be_mended(at, looks, plan)
    checking.tell(at, looks)


def play(run: Run) -> None:
    """The procedure, step by step."""
    looks = checking.looks_of(run)
    compare_the_versions(run, looks)
    plan = approve_the_repair(run, looks)
    replicate_in_batch(run, looks, plan)
    copy_the_objects(run, plan)
    compare_again(run, looks, plan)


PROCEDURE = Procedure(
    name="replication-repair",
    steps=("compare-the-versions", "approve-the-repair", "replicate-in-batch", "copy-the-objects", "compare-again"),
    play=play,
    may_undo=batching.better_left,
)
