"""Is the replica really the same, and how old is what it lacks? Reads like ``runbooks/replication-check.md``."""

from __future__ import annotations

from collections.abc import Sequence

from defib.replication import checking
from defib.replication.checking import Look
from defib.run import Lasts, Run, Step
from flows.engine import Procedure, step


@step("audit-the-configuration", Lasts.NEVER)
def audit_the_configuration(at: Step, looks: Sequence[Look]) -> None:
    """Rules, role, keys, versions, lifecycle: what must be so that the replica can be the same."""
    checking.audit(at, looks)


@step("compare-the-versions", Lasts.NEVER)
def compare_the_versions(at: Step, looks: Sequence[Look]) -> None:
    """Every version of every key: the same, different, or not known."""
    checking.compare(at, looks)


@step("ask-the-metrics", Lasts.NEVER)
def ask_the_metrics(at: Step, looks: Sequence[Look]) -> None:
    """How far it is behind by CloudWatch's word, where it has one."""
    checking.ask_metrics(at, looks)


@step("time-a-canary", Lasts.NEVER)
def time_a_canary(at: Step, looks: Sequence[Look]) -> None:
    """How long an object takes that is written now."""
    checking.time_canaries(at, looks)


@step("judge-the-replicas", Lasts.NEVER)
def judge_the_replicas(at: Step, looks: Sequence[Look]) -> None:
    """What would be lost now is the recovery point; what somebody has to mend fails the run."""
    checking.judge(at, looks)


def play(run: Run) -> None:
    """The procedure, step by step."""
    looks = checking.looks_of(run)
    audit_the_configuration(run, looks)
    compare_the_versions(run, looks)
    ask_the_metrics(run, looks)
    time_a_canary(run, looks)
    judge_the_replicas(run, looks)


PROCEDURE = Procedure(
    name="replication-check",
    steps=(
        "audit-the-configuration",
        "compare-the-versions",
        "ask-the-metrics",
        "time-a-canary",
        "judge-the-replicas",
    ),
    play=play,
)
