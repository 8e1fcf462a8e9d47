"""A site made anew: the commit that is chosen, what is built of it, and the release that a host on AWS then serves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from defib import groundwork, pointer
from defib.building.built import Built
from defib.errors import BudgetSpent, InputError, ProviderError, Refused, StepFailed
from defib.groundwork import DISTRIBUTION, provisioning
from defib.looking import Judged, look_at_users, look_through
from defib.objectives import Verdict
from defib.plan import Change, Plan
from defib.ports import Build, RecordChange
from defib.propagation import moves_the_page
from defib.releases.crowd import Crowd
from defib.releases.deploy import deploy
from defib.releases.manifest import Manifest
from defib.releases.plan import Before, manifest_of
from defib.releases.retention import previous_of, releases
from defib.releases.store import ReleaseStore
from defib.releases.tree import files_of
from defib.releases.verify import verify
from defib.run import Step
from defib.site import Site
from defib.sitevendors import AwsHost, CloudFrontDistribution
from defib.source import Choice, choose
from defib.ways import to_host
from defib.workshop import Workshop

_ASK_WITHIN = timedelta(seconds=15)
_LAST_LINES = 200
"""Of a build's output, how much goes into the journal at most, in lines."""


def host_of(site: Site) -> AwsHost:
    """The last resort of a site; :class:`InputError` where its file names none."""
    for host in site.hosts:
        if isinstance(host, AwsHost):
            return host
    expected = "a host with provider: s3-cloudfront"
    raise InputError(f"the site {site.site} has no last resort", where=f"{site.site}.yaml", expected=expected)


def choose_source(step: Step, users_had: Build | None) -> Choice:
    """The commit to build; everybody who is refused, and every doubt, is noted."""
    deployed = [users_had.id] if users_had else []
    serving = _serving(step)
    deployed += [serving] if serving and serving not in deployed else []
    told = _workshop(step).ask(deployed, within=step.within, users_had=users_had.built if users_had else None)
    choice = choose(told.offers, told.bundle, told.deployed)
    for refused in choice.refused:
        step.note(f"not from {refused}", warning=True)
    for warning in choice.warnings:
        step.note(warning, warning=True)
    age, lost = choice.age(step.clock.now()), choice.measure(step.run.objectives.rpo)
    behind = "an unknown time" if choice.behind is None else str(choice.behind)
    text = f"commit {choice.commit[:12]} from {choice.source}, made {age or 'an unknown time'} ago, behind by {behind}"
    step.note(f"{text} (RPO {lost.target}: {lost.verdict})", warning=lost.verdict is not Verdict.MET)
    return choice


def build(step: Step, commit: str, committed: datetime) -> Built:
    """Build the commit; the last lines of its output go into the journal."""
    left = _LAST_LINES

    def line(text: str) -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            step.note(f"build: {step.run.journal.redact(text)}")

    built = _workshop(step).make(commit, committed, within=step.within, line=line)
    if built.cached:
        step.note(f"the artefact of an earlier build is used: {built.why_cached}", warning=True)
    for skipped in built.skipped:
        step.note(f"not served: {skipped.path} ({skipped.reason})")
    for note in built.notes:
        step.note(note, warning=True)
    return built


def pointer_changes(step: Step, commit: str) -> tuple[Change, ...]:
    """The change that makes the host serve the release of `commit`; none where it does."""
    host = host_of(step.site)
    zone = step.run.outside.pointers[host.name]
    key = pointer.pointer_key(host.distribution)
    (present,) = zone.read([key], within=step.within.sooner(_ASK_WITHIN))
    wanted = pointer.pointing_at(host.distribution, pointer.path_of(commit))
    if present == wanted:
        return ()
    return (Change(zone.vendor, zone.zone, (RecordChange(present, wanted),), f"serve release {commit[:12]}"),)


def ground_changes(step: Step, *, with_distribution: bool = False) -> tuple[Change, ...]:
    """What the host lacks, or has otherwise than the site file says; none where all is well.

    A distribution that is not there is refused unless it is to be made: it gets an id that no site file names yet.
    """
    host = host_of(step.site)
    ground = step.run.outside.grounds.get(host.name)
    if ground is None:
        return ()
    try:
        changes = provisioning(ground[1], host.bucket, step.within.sooner(_ASK_WITHIN))
    except ProviderError as error:
        step.note(f"what {host.name} is made of could not be looked at: {error}", warning=True)
        return ()
    if not with_distribution and any(_is_new_distribution(change) for change in changes):
        raise Refused(
            f"the distribution {host.distribution} is not there",
            where=f"{step.site.site}.yaml",
            then=f"defib run standby-prepare --site {step.site.site}, and put its id into the site file",
        )
    return changes


def ground_must_stand(step: Step) -> None:
    """Fail where the host still lacks something; tell where the site file names another distribution than was made."""
    host = host_of(step.site)
    _, audit = step.run.outside.grounds[host.name]
    within = step.within.sooner(_ASK_WITHIN)
    left = provisioning(audit, host.bucket, within)
    if left:
        raise StepFailed("not all is as it must be", seen=", ".join(change.names for change in left), then="defib ready")
    elsewhere = audit.misplaced(within=within)
    if elsewhere:
        step.note(f"the distribution that was made is {elsewhere}: put it into the site file", warning=True)


def _is_new_distribution(change: Change) -> bool:
    return any(record.before is None and record.key.type == DISTRIBUTION for record in change.records)


def is_ground(change: Change) -> bool:
    """Whether a change is of what the host is made of."""
    return change.vendor == groundwork.VENDOR


def is_pointer(change: Change) -> bool:
    """Whether a change is of what a host serves, and not of where users go."""
    return change.vendor == pointer.VENDOR


def upload(step: Step, commit: str, folder: Path, made: Build | None) -> None:
    """Bring the files into the bucket as the release of `commit`, list them back and compare."""
    host, store = host_of(step.site), _store(step)
    serving = _serving(step)
    earlier = manifest_of(store, serving, within=step.within.sooner(_ASK_WITHIN)) if serving else None
    now = step.clock.now()
    before = Before(earlier if serving != commit else None, host.retention, now)
    crowd = _crowd(step)
    files = files_of(folder, within=step.within, crowd=crowd)
    done = deploy(store, commit, files, made.built if made else now, before, within=step.within, crowd=crowd)
    step.note(
        f"{len(files)} files: {done.uploaded} uploaded ({done.sent} bytes), {done.carried} carried on, all listed back"
    )


def forget_what_is_cached(step: Step) -> None:
    """Where the release is served by one of the CDNs, tell it to forget the page: a courtesy, what is served decides.

    A release needs none: what keeps its name between releases is asked for anew each time.
    """
    host, page = host_of(step.site), step.site.page
    for cdn in step.site.cdns:
        if isinstance(cdn, CloudFrontDistribution) and cdn.distribution == host.distribution:
            step.purge(cdn.name, (urlsplit(page.url).path or "/", "/index.html", *page.warm))


def release_before(step: Step) -> Manifest:
    """The manifest of the release that was live before the one that is, every object of it as it should be."""
    store, within = _store(step), step.within
    live = _serving(step)
    if not live:
        raise Refused("it is not known which release is live, so nobody can tell which was before it", then="defib releases")
    crowd = _crowd(step)
    earlier = previous_of(releases(store, live, within=within, crowd=crowd), live)
    if not earlier:
        raise Refused("there is no complete release but the live one", where=store.where, seen=live, then="defib releases")
    return verify(store, earlier, within=within, crowd=crowd)


def wait_until_served(step: Step, commit: str, plan: Plan) -> None:
    """Look at the host until it serves the build of `commit`: what it serves decides, not what its API says.

    Users who are there already, because no record set of the page changes, are looked at as well: they have it from now on.
    """
    way = to_host(step.site, host_of(step.site))

    def look() -> Judged:
        if not moves_the_page(step.site, plan):
            look_at_users(step)
        return look_through(step, way)

    _wait_for(step, commit, way.name, look)


def wait_until_users_have(step: Step, commit: str) -> None:
    """Look at the site as users do until all of them get the build of `commit`."""
    _wait_for(step, commit, "the site", lambda: look_at_users(step))


def _wait_for(step: Step, commit: str, whose: str, look: Callable[[], Judged]) -> None:
    complaint = ""
    while True:
        seen = look()
        if seen.is_served() and seen.build is not None and seen.build.id == commit:
            return
        told = f"build {seen.build.id[:12]}" if seen.is_served() and seen.build else str(seen)
        if told != complaint:
            complaint = told
            step.note(f"{whose} does not serve the release yet: {told}")
        again = step.site.verification.interval
        if step.within.remaining() <= again:
            raise BudgetSpent(f"{whose} does not serve the release: {complaint}")
        step.wait(again)


def _serving(step: Step) -> str:
    """The commit of the release that the host serves now, "" where that is none or cannot be told."""
    try:
        live = step.run.outside.hosts[host_of(step.site).name].live(within=step.within.sooner(_ASK_WITHIN))
    except ProviderError as error:
        step.note(f"the host cannot tell what it serves: {error}", warning=True)
        return ""
    return live.commit if live else ""


def _workshop(step: Step) -> Workshop:
    workshop = step.run.outside.workshop
    if workshop is None:
        raise InputError(f"the site {step.site.site} has no sources", expected="git: and build: in its file")
    return workshop


def _crowd(step: Step) -> Crowd:
    workshop = step.run.outside.workshop
    return workshop.crowd if workshop else Crowd()


def _store(step: Step) -> ReleaseStore:
    return step.run.outside.stores[host_of(step.site).name]
