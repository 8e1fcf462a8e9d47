"""Every host fails: build the site from Git and serve it from AWS. Reads like ``runbooks/aws-redeploy.md``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from defib import entries
from defib.plan import Decides, Plan
from defib.ports import Build
from defib.redeploy import making, serving
from defib.redeploy.ground import ground_for_a_release
from defib.redeploy.place import host_of
from defib.redeploy.pointer import pointer_key
from defib.run import Lasts, Run, Step
from defib.users import looking, steering
from defib.users.backup import prove_the_place, tell_apis, verify_other_names
from defib.users.confirm import Outage, insist_on_an_outage, look_at_the_host, users_must_be_down, what_users_had
from defib.users.propagation import watch_answers
from defib.users.served import hold_users, worse_off
from defib.users.signing import must_agree_on_signing
from defib.users.standby import prove_standby, recovery_point
from defib.users.ways import to_host, way_named, ways
from flows.engine import Procedure, step


@dataclass(frozen=True)
class Source:
    """The commit that is built, who holds it, and when it was made."""

    held_by: str
    commit: str
    committed: datetime


@dataclass(frozen=True)
class Made:
    """What was built: the folder of its files, and what it says of itself."""

    folder: Path
    build: Build | None
    cached: bool


@step("confirm-the-outage", Lasts.ONCE_CHANGED)
def confirm_the_outage(at: Step) -> Outage:
    """Users are not served, their host is why, and no backup host could take them at once."""
    users = users_must_be_down(at)
    host = at.site.primary_host
    seen = look_at_the_host(at)
    if seen.is_served():
        insist_on_an_outage(
            at, f"{host.name} serves the site", then="defib plan cdn-failover; --force to go on all the same"
        )
    last_resort = host_of(at.site)
    for backup in at.site.backups:
        if backup is not last_resort and looking.look_through(at, to_host(at.site, backup)).is_served():
            text = f"{backup.name} serves the site: users can be sent there at once"
            looking.insist(at, text, then="defib plan dns-switch; --force to go on all the same")
    return Outage(str(users), what_users_had(at))


@step("choose-the-source", Lasts.ONCE_CHANGED)
def choose_the_source(at: Step, outage: Outage) -> Source:
    """The newest commit that descends from what users had, from whoever still answers."""
    choice = making.choose_source(at, outage.expected)
    return Source(choice.source, choice.commit, choice.committed or at.clock.now())


@step("build-the-site", Lasts.ONCE_CHANGED)
def build_the_site(at: Step, source: Source) -> Made:
    """That commit by the site's own command, checked; or what an earlier build of it left."""
    built = making.build(at, source.commit, source.committed)
    return Made(built.folder, built.build, built.cached)


@step("approve-the-plan", Lasts.ONCE_CHANGED)
def approve_the_plan(at: Step, source: Source) -> Plan:
    """The release, and every record set, before and after, approved by their digest; the place is proved first."""
    host = host_of(at.site)
    way = to_host(at.site, host)
    ground = ground_for_a_release(at)
    if not ground:
        prove_the_place(at, way, host)
    must_agree_on_signing(at)
    steered = steering.steering_plan(at, way, ways(at.site))
    steering.refuse_forgotten(at, way)
    release = serving.pointer_changes(at, source.commit)
    also = [pointer_key(host.distribution), *(key for change in ground for key in change.keys)]
    return steering.approve(at, Plan(steered.procedure, steered.site, (*ground, *release, *steered.changes)), also=also)


@step("prepare-the-place")
def prepare_the_place(at: Step, plan: Plan) -> None:
    """What the host lacks is made, and what was changed is put right, before anything is brought there."""
    ground = [change for change in plan.changes if change.decides is Decides.GROUND]
    if ground:
        host = host_of(at.site)
        at.apply(plan, only=lambda change: change.decides is Decides.GROUND)
        prove_the_place(at, to_host(at.site, host), host)


@step("upload-the-release")
def upload_the_release(at: Step, source: Source, made: Made) -> None:
    """Every file under the release's own prefix, listed back and compared; nobody is served from there yet."""
    serving.upload(at, source.commit, made.folder, made.build)


@step("serve-the-release")
def serve_the_release(at: Step, plan: Plan, source: Source) -> None:
    """The pointer flips, and the distribution is asked until it serves that build."""
    at.apply(plan, only=lambda change: change.decides is Decides.RELEASE)
    serving.forget_what_is_cached(at)
    serving.wait_until_served(at, source.commit, plan)


@step("switch-the-records")
def switch_the_records(at: Step, plan: Plan, made: Made) -> None:
    """All record sets of a zone at once, after the same proofs of what is served as for any backup host."""
    prove_standby(at, to_host(at.site, host_of(at.site)), made.build, "was built")
    tell_apis(at)
    at.apply(plan, only=lambda change: change.decides is Decides.WAY)


@step("watch-the-answers", Lasts.NEVER)
def watch_the_answers(at: Step, plan: Plan) -> entries.AnswersMoved:
    """Every authoritative server of every provider, and enough resolvers."""
    return watch_answers(at, to_host(at.site, host_of(at.site)), plan, old_is_dead=True)


@step("verify-the-users", Lasts.NEVER)
def verify_the_users(at: Step, outage: Outage, source: Source, made: Made) -> entries.UsersServed:
    """Every look from every place is good, of the build that was made and of no other, and stays good."""
    serving.wait_until_users_have(at, source.commit)
    served = hold_users(at, made.build)
    verify_other_names(at, way_named(at.site, host_of(at.site).name))
    at.record(recovery_point("users", outage.expected, served.build, "users had", "have"))
    return served


def play(run: Run) -> None:
    """The procedure, step by step."""
    outage = confirm_the_outage(run)
    source = choose_the_source(run, outage)
    made = build_the_site(run, source)
    plan = approve_the_plan(run, source)
    prepare_the_place(run, plan)
    upload_the_release(run, source, made)
    serve_the_release(run, plan, source)
    switch_the_records(run, plan, made)
    watch_the_answers(run, plan)
    verify_the_users(run, outage, source, made)


PROCEDURE = Procedure(
    name="aws-redeploy",
    steps=(
        "confirm-the-outage",
        "choose-the-source",
        "build-the-site",
        "approve-the-plan",
        "prepare-the-place",
        "upload-the-release",
        "serve-the-release",
        "switch-the-records",
        "watch-the-answers",
        "verify-the-users",
    ),
    play=play,
    may_undo=worse_off,
)
