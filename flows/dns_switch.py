"""The hosting platform fails: send the site's names to the backup host. Reads like ``runbooks/dns-switch.md``."""

from __future__ import annotations

from functools import partial

from defib import entries
from defib.plan import Plan
from defib.run import Lasts, Run, Step
from defib.users import looking, steering
from defib.users.backup import prove_backup, refuse_behind_the_same_proxy, verify_other_names
from defib.users.confirm import (
    Outage,
    fails_in_the_dns,
    insist_on_an_outage,
    look_at_the_host,
    users_must_be_down,
    what_users_had,
)
from defib.users.propagation import watch_answers
from defib.users.served import hold_users, worse_off
from defib.users.signing import must_agree_on_signing
from defib.users.standby import Standby, first_that_can, recovery_point, warm
from defib.users.ways import to_host, way_named, ways
from flows.engine import Procedure, step


@step("confirm-the-outage", Lasts.ONCE_CHANGED)
def confirm_the_outage(at: Step) -> Outage:
    """Users are not served, the host is why and no CDN in front of it, and it is not us who are offline."""
    users = users_must_be_down(at)
    host = at.site.primary_host
    seen = look_at_the_host(at)
    if seen.is_served():
        other = "the name servers of the site file" if fails_in_the_dns(users) or not at.site.cdns else "the CDNs"
        then = "defib plan cdn-failover" if other == "the CDNs" else f"look at {other}"
        text = f"{host.name} serves the site: what fails is in front of it, {other}"
        insist_on_an_outage(at, text, then=f"{then}, or defib failback RUN where users are at a backup; or --force")
    elif seen.bad < at.site.detection.quorum:
        looking.insist(at, f"nobody can tell whether {host.name} serves the site: {seen}", then="--force to go on")
    return Outage(str(users), what_users_had(at))


@step("prove-the-backup", Lasts.ONCE_CHANGED)
def prove_the_backup(at: Step, outage: Outage) -> Standby:
    """The first backup host that can take the users; refused if none can."""
    backups = at.site.backups
    proofs = {host.name: partial(prove_backup, at, to_host(at.site, host), host, outage.expected) for host in backups}
    return first_that_can(at, proofs, "backup")


@step("approve-the-plan", Lasts.ONCE_CHANGED)
def approve_the_plan(at: Step, backup: Standby) -> Plan:
    """Every record set of every name, before and after, approved by its digest."""
    way = way_named(at.site, backup.name)
    must_agree_on_signing(at)
    plan = steering.steering_plan(at, way, ways(at.site))
    steering.refuse_forgotten(at, way)
    if steering.proxies(plan):
        refuse_behind_the_same_proxy(at, way)
    return steering.approve(at, plan)


@step("switch-the-records")
def switch_the_records(at: Step, plan: Plan, backup: Standby) -> None:
    """All record sets of a zone at once, zone after zone, right after one more look at where they lead."""
    steering.steer(at, plan, way_named(at.site, backup.name), backup.build)


@step("warm-the-backup")
def warm_the_backup(at: Step, backup: Standby) -> None:
    """Fetch what users will fetch, while answers move."""
    warm(at, way_named(at.site, backup.name))


@step("watch-the-answers", Lasts.NEVER)
def watch_the_answers(at: Step, plan: Plan, backup: Standby) -> entries.AnswersMoved:
    """Every authoritative server of every provider, and enough resolvers."""
    return watch_answers(at, way_named(at.site, backup.name), plan, old_is_dead=True)


@step("verify-the-users", Lasts.NEVER)
def verify_the_users(at: Step, outage: Outage, backup: Standby) -> entries.UsersServed:
    """Every look from every place is good, and stays good; the recovery point is what users then have."""
    served = hold_users(at, backup.build)
    verify_other_names(at, way_named(at.site, backup.name))
    at.record(recovery_point("users", outage.expected, served.build, "users had", "have"))
    return served


def play(run: Run) -> None:
    """The procedure, step by step."""
    outage = confirm_the_outage(run)
    backup = prove_the_backup(run, outage)
    plan = approve_the_plan(run, backup)
    switch_the_records(run, plan, backup)
    warm_the_backup(run, backup)
    watch_the_answers(run, plan, backup)
    verify_the_users(run, outage, backup)


PROCEDURE = Procedure(
    name="dns-switch",
    steps=(
        "confirm-the-outage",
        "prove-the-backup",
        "approve-the-plan",
        "switch-the-records",
        "warm-the-backup",
        "watch-the-answers",
        "verify-the-users",
    ),
    play=play,
    may_undo=worse_off,
)
