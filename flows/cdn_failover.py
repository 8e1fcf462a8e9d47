"""The primary CDN fails while the origin is fine: send users to the secondary. Reads like ``runbooks/cdn-failover.md``."""

from __future__ import annotations

from dataclasses import dataclass

from defib import entries, proofs, steering
from defib.errors import Refused
from defib.objectives import Mode
from defib.plan import Plan
from defib.ports import Build
from defib.run import Run, Step
from flows.engine import Procedure, step


@dataclass(frozen=True)
class Outage:
    """What is wrong, and the build that users should have."""

    users: str
    expected: Build | None


@dataclass(frozen=True)
class Standby:
    """The CDN that was proved able to take the users, and the build it serves."""

    name: str
    build: Build | None


@step("confirm-the-outage")
def confirm_the_outage(at: Step) -> Outage:
    """Users are not served, the origin is, and it is not us who are offline."""
    users = proofs.judge(at.look("users", proofs.users(at.site)))
    if users.bad < at.site.detection.quorum:
        _nothing_to_recover(at, users)
    origin = proofs.judge(at.look("origin", proofs.origin(at.site)))
    if not origin.is_served():
        proofs.insist(
            at,
            f"the origin does not serve the site either ({origin}); another CDN would show the same",
            then="look at the hosting platform; --force to fail over all the same",
        )
    return Outage(str(users), origin.build)


@step("prove-the-standby")
def prove_the_standby(at: Step, outage: Outage) -> Standby:
    """The first standby that can take the users; refused if none can."""
    refusals = []
    for cdn in at.site.standbys:
        try:
            return Standby(cdn.name, proofs.prove_standby(at, cdn, outage.expected))
        except Refused as refusal:
            at.note(str(refusal), warning=True)
            refusals.append(str(refusal))
    raise Refused(
        "no standby can take the users; they stay where they are", seen=" | ".join(refusals), then="repair a standby first"
    )


@step("approve-the-plan")
def approve_the_plan(at: Step, standby: Standby) -> Plan:
    """One record set, before and after, approved by its digest."""
    cdn = proofs.named(at.site, standby.name)
    present = at.run.outside.zone.read([at.site.steering.key], within=at.within)[0]
    plan = steering.steering_plan(at.run, present, cdn.hostname, f"send users to {cdn.name}")
    return steering.approve(at, plan)


@step("steer-traffic")
def steer_traffic(at: Step, plan: Plan, standby: Standby) -> None:
    """The change, right after one more look at where it leads."""
    cdn = proofs.named(at.site, standby.name)
    seen = proofs.judge(at.look(cdn.name, proofs.edge(at.site, cdn)))
    if plan.changes and not seen.is_served():
        raise Refused(f"{cdn.name} has stopped serving the site", where=cdn.hostname, seen=str(seen))
    at.apply(plan)


@step("warm-the-standby")
def warm_the_standby(at: Step, standby: Standby) -> None:
    """Fetch what users will fetch, while answers move."""
    proofs.warm(at, proofs.named(at.site, standby.name))


@step("watch-the-answers")
def watch_the_answers(at: Step, standby: Standby) -> entries.AnswersMoved:
    """Every authoritative server, and enough resolvers."""
    cdn = proofs.named(at.site, standby.name)
    moved = steering.watch_answers(at, cdn.hostname, old_is_dead=True)
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
    outage = confirm_the_outage(run)
    standby = prove_the_standby(run, outage)
    plan = approve_the_plan(run, standby)
    steer_traffic(run, plan, standby)
    warm_the_standby(run, standby)
    watch_the_answers(run, standby)
    verify_the_users(run)


def _nothing_to_recover(at: Step, users: proofs.Judged) -> None:
    """Refuse: users are served, or nobody here can tell."""
    online = at.run.outside.observers.online(within=at.within.sooner(proofs.ONLINE_WITHIN))
    if not any(online):
        text = "no observer reaches even the sites of other people: it is our own network that is down"
    elif users.is_served():
        text = "users are served; there is nothing to recover from"
    else:
        text = f"too few observers see the site down to be sure: {users}"
    if at.run.mode is Mode.PLAN and any(online):
        at.note(text)
        return
    proofs.insist(at, text, then="defib plan cdn-failover; --force to fail over all the same")


PROCEDURE = Procedure(
    name="cdn-failover",
    steps=(
        "confirm-the-outage",
        "prove-the-standby",
        "approve-the-plan",
        "steer-traffic",
        "warm-the-standby",
        "watch-the-answers",
        "verify-the-users",
    ),
    play=play,
    may_undo=proofs.worse_off,
)
