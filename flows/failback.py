"""Everything is well again: put back what a recovery changed. Reads like ``runbooks/failback.md``."""

from __future__ import annotations

from defib import entries, proofs, steering
from defib.errors import Refused
from defib.plan import Plan
from defib.run import Run, Step
from flows.engine import Procedure, step


@step("prove-stability")
def prove_stability(at: Step) -> str:
    """Where users will go back to serves the site without a break for the stable time; gives its host name."""
    hostname = steering.way_back(at.run)
    cdn = next(cdn for cdn in at.site.cdns if cdn.hostname == hostname)
    now = proofs.judge(at.look("users", proofs.users(at.site)))
    proofs.prove_stable(at, cdn, expected=now.build)
    return hostname


@step("approve-the-plan")
def approve_the_plan(at: Step) -> Plan:
    """The earlier run's changes, the other way round."""
    return steering.approve(at, steering.way_back_plan(at.run, at.within))


@step("steer-back")
def steer_back(at: Step, plan: Plan, hostname: str) -> None:
    """The change, right after one more look at where it leads."""
    cdn = next(cdn for cdn in at.site.cdns if cdn.hostname == hostname)
    seen = proofs.judge(at.look(cdn.name, proofs.edge(at.site, cdn)))
    if plan.changes and not seen.is_served():
        raise Refused(f"{cdn.name} has stopped serving the site", where=cdn.hostname, seen=str(seen))
    at.apply(plan)


@step("watch-the-answers")
def watch_the_answers(at: Step, hostname: str) -> entries.AnswersMoved:
    """Every authoritative server, and enough resolvers."""
    moved = steering.watch_answers(at, hostname, old_is_dead=False)
    at.record(moved)
    return moved


@step("verify-the-users")
def verify_the_users(at: Step) -> entries.UsersServed:
    """Every look from every place is good, and stays good."""
    served = proofs.hold_users(at)
    at.record(served)
    return served


def play(run: Run) -> None:
    """The procedure, step by step."""
    hostname = prove_stability(run)
    plan = approve_the_plan(run)
    steer_back(run, plan, hostname)
    watch_the_answers(run, hostname)
    verify_the_users(run)


PROCEDURE = Procedure(
    name="failback",
    steps=("prove-stability", "approve-the-plan", "steer-back", "watch-the-answers", "verify-the-users"),
    play=play,
    may_undo=proofs.worse_off,
)
