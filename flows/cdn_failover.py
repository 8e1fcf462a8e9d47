"""The primary CDN fails while the origin is fine: send users to the secondary. Reads like ``runbooks/cdn-failover.md``."""

from __future__ import annotations

from functools import partial

from defib import entries
from defib.plan import Plan
from defib.run import Lasts, Run, Step
from defib.users import looking, steering
from defib.users.confirm import Outage, fails_in_the_dns, users_must_be_down
from defib.users.propagation import watch_answers
from defib.users.served import hold_users, worse_off
from defib.users.standby import Standby, first_that_can, prove_standby, recovery_point, warm
from flows.engine import Procedure, step


@step("confirm-the-outage", Lasts.ONCE_CHANGED)
def confirm_the_outage(at: Step) -> Outage:
    """Users are not served, the CDN that they are sent to is why, the origin is fine, and it is not us who are offline."""
    users = users_must_be_down(at)
    if fails_in_the_dns(users):
        _not_the_dns(at)
    origin = looking.look_at_origin(at)
    if not origin.is_served():
        other = "defib plan dns-switch" if at.site.hosts else "look at the hosting platform"
        text = f"the origin does not serve the site either ({origin}); another CDN would show the same"
        looking.insist(at, text, then=f"{other}; --force to go on all the same")
    return Outage(str(users), origin.build)


@step("prove-the-standby", Lasts.ONCE_CHANGED)
def prove_the_standby(at: Step, outage: Outage) -> Standby:
    """The first standby that can take the users; refused if none can."""
    ways = steering.cdns_to_try(at)
    proofs = {way.name: partial(prove_standby, at, way, outage.expected, "the origin serves") for way in ways}
    return first_that_can(at, proofs, "standby")


@step("approve-the-plan", Lasts.ONCE_CHANGED)
def approve_the_plan(at: Step, standby: Standby) -> Plan:
    """One record set, before and after, approved by its digest."""
    known = [steering.through(at.site, cdn.name) for cdn in at.site.cdns]
    return steering.approve(at, steering.steering_plan(at, steering.through(at.site, standby.name), known))


@step("steer-traffic")
def steer_traffic(at: Step, plan: Plan, standby: Standby) -> None:
    """The change, right after one more look at where it leads."""
    steering.steer(at, plan, steering.through(at.site, standby.name), standby.build)


@step("warm-the-standby")
def warm_the_standby(at: Step, standby: Standby) -> None:
    """Fetch what users will fetch, while answers move."""
    warm(at, steering.through(at.site, standby.name))


@step("watch-the-answers", Lasts.NEVER)
def watch_the_answers(at: Step, plan: Plan, standby: Standby) -> entries.AnswersMoved:
    """Every authoritative server, and enough resolvers."""
    return watch_answers(at, steering.through(at.site, standby.name), plan, old_is_dead=True)


@step("verify-the-users", Lasts.NEVER)
def verify_the_users(at: Step, outage: Outage, standby: Standby) -> entries.UsersServed:
    """Every look from every place is good, and stays good; the recovery point is what users then have."""
    served = hold_users(at, standby.build)
    at.record(recovery_point("users", outage.expected, served.build, "the origin serves", "have"))
    return served


def play(run: Run) -> None:
    """The procedure, step by step."""
    outage = confirm_the_outage(run)
    standby = prove_the_standby(run, outage)
    plan = approve_the_plan(run, standby)
    steer_traffic(run, plan, standby)
    warm_the_standby(run, standby)
    watch_the_answers(run, plan, standby)
    verify_the_users(run, outage, standby)


def _not_the_dns(at: Step) -> None:
    """Refuse where users cannot find a CDN that would serve them: another one could not be found either."""
    primary = steering.through(at.site, at.site.primary.name)
    if looking.look_through(at, primary).is_served():
        text = f"{primary.name} serves the site, but users do not find it: what fails is the DNS, not the CDN"
        looking.insist(at, text, then="look at the name servers of the site file; --force to fail over all the same")


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
    may_undo=worse_off,
)
