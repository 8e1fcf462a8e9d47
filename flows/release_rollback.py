"""A release is bad: serve the one before it. Reads like ``runbooks/release-rollback.md``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from defib import entries
from defib.plan import Plan
from defib.ports import Build
from defib.redeploy import serving
from defib.redeploy.place import host_of
from defib.redeploy.pointer import pointer_key
from defib.run import Lasts, Run, Step
from defib.users import steering
from defib.users.served import hold_users
from flows.engine import Procedure, step


@dataclass(frozen=True)
class Earlier:
    """The release that users will get, and when it was built."""

    commit: str
    built: datetime


@step("choose-the-release", Lasts.ONCE_CHANGED)
def choose_the_release(at: Step) -> Earlier:
    """The complete release before the live one, every object of it looked at."""
    manifest = serving.release_before(at)
    return Earlier(manifest.commit, manifest.built)


@step("approve-the-plan", Lasts.ONCE_CHANGED)
def approve_the_plan(at: Step, earlier: Earlier) -> Plan:
    """One release, before and after."""
    plan = Plan(at.run.runbook.procedure, at.site.site, serving.pointer_changes(at, earlier.commit))
    return steering.approve(at, plan, also=[pointer_key(host_of(at.site).distribution)])


@step("serve-the-release")
def serve_the_release(at: Step, plan: Plan, earlier: Earlier) -> None:
    """The pointer flips, and the distribution is asked until it serves that build."""
    at.apply(plan)
    serving.forget_what_is_cached(at)
    serving.wait_until_served(at, earlier.commit, plan)


@step("verify-the-users", Lasts.NEVER)
def verify_the_users(at: Step, earlier: Earlier) -> entries.UsersServed:
    """Every look from every place gives that build, and stays good."""
    serving.wait_until_users_have(at, earlier.commit)
    served = hold_users(at, Build(earlier.commit, earlier.built))
    at.record(entries.RecoveryPointRead("users", None, "an earlier release was asked for", None, served.build))
    return served


def play(run: Run) -> None:
    """The procedure, step by step."""
    earlier = choose_the_release(run)
    plan = approve_the_plan(run, earlier)
    serve_the_release(run, plan, earlier)
    verify_the_users(run, earlier)


PROCEDURE = Procedure(
    name="release-rollback",
    steps=("choose-the-release", "approve-the-plan", "serve-the-release", "verify-the-users"),
    play=play,
)
