"""Everything is well again: put back what a recovery changed. Reads like ``runbooks/failback.md``."""

from __future__ import annotations

from dataclasses import dataclass

from defib import entries
from defib.plan import Plan
from defib.ports import Build
from defib.run import Lasts, Run, Step
from defib.users import steering
from defib.users.confirm import what_users_had
from defib.users.looking import Judged, look_at_users
from defib.users.propagation import watch_answers
from defib.users.served import hold_users, worse_off
from defib.users.standby import prove_stable
from defib.users.ways import way_named
from flows.engine import Procedure, step

LOOKS = 5
"""How often users are looked at, an interval apart, until it is known what they have."""


@dataclass(frozen=True)
class WayBack:
    """Where users will go back to, and the build that it serves."""

    name: str
    build: Build | None


@step("prove-stability", Lasts.ONCE_CHANGED)
def prove_stability(at: Step) -> WayBack:
    """Where users will go back to serves the site without a break for the stable time."""
    way = steering.way_back(at.run)
    now = _as_users_have_it(at)
    if now.bad >= now.quorum:
        text = f"users are not served where they are: {now}; defib rollback of that run does not wait for stability"
        at.note(text, warning=True)
    return WayBack(way.name, prove_stable(at, way, expected=now.build or what_users_had(at)))


@step("approve-the-plan", Lasts.ONCE_CHANGED)
def approve_the_plan(at: Step) -> Plan:
    """The earlier run's changes, the other way round; refused where that would not bring everybody back."""
    plan = steering.way_back_plan(at.run, at.within)
    steering.refuse_half_way_back(at)
    return steering.approve(at, plan)


@step("steer-back")
def steer_back(at: Step, plan: Plan, back: WayBack) -> None:
    """The change, right after one more look at where it leads."""
    steering.steer(at, plan, way_named(at.site, back.name), back.build)


@step("watch-the-answers", Lasts.NEVER)
def watch_the_answers(at: Step, plan: Plan) -> entries.AnswersMoved:
    """Every authoritative server, and enough resolvers."""
    return watch_answers(at, steering.way_back(at.run), plan, old_is_dead=False)


@step("verify-the-users", Lasts.NEVER)
def verify_the_users(at: Step, back: WayBack) -> entries.UsersServed:
    """Every look from every place is good, and stays good."""
    return hold_users(at, back.build)


def _as_users_have_it(at: Step) -> Judged:
    """What users have now; one bad look is no answer, so it is asked for a while."""
    for _ in range(LOOKS):
        now = look_at_users(at)
        if now.build is not None:
            return now
        at.wait(at.site.detection.interval)
    return now


def play(run: Run) -> None:
    """The procedure, step by step."""
    back = prove_stability(run)
    plan = approve_the_plan(run)
    steer_back(run, plan, back)
    watch_the_answers(run, plan)
    verify_the_users(run, back)


PROCEDURE = Procedure(
    name="failback",
    steps=("prove-stability", "approve-the-plan", "steer-back", "watch-the-answers", "verify-the-users"),
    play=play,
    may_undo=worse_off,
)
