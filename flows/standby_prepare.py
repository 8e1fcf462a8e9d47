"""Make what the last resort on AWS lacks, in peace. Reads like ``runbooks/standby-prepare.md``."""

from __future__ import annotations

from defib.plan import Plan
from defib.redeploy.ground import ground_changes, ground_must_stand
from defib.run import Lasts, Run, Step
from defib.users import steering
from flows.engine import Procedure, step


@step("approve-the-plan", Lasts.ONCE_CHANGED)
def approve_the_plan(at: Step) -> Plan:
    """Each resource, before and after, approved by its digest."""
    changes = ground_changes(at)
    also = [key for change in changes for key in change.keys]
    return steering.approve(at, Plan(at.run.runbook.procedure, at.site.site, changes), also=also)


@step("make-what-is-missing")
def make_what_is_missing(at: Step, plan: Plan) -> None:
    """One resource after the other, each read back."""
    at.apply(plan)


@step("look-again", Lasts.NEVER)
def look_again(at: Step) -> None:
    """Nothing may differ any more; a distribution that was made is named, for the site file."""
    ground_must_stand(at)


def play(run: Run) -> None:
    """The procedure, step by step."""
    plan = approve_the_plan(run)
    make_what_is_missing(run, plan)
    look_again(run)


PROCEDURE = Procedure(name="standby-prepare", steps=("approve-the-plan", "make-what-is-missing", "look-again"), play=play)
