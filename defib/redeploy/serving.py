"""Steps that bring a release to the last resort, and let users have it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from defib.errors import BudgetSpent, ProviderError, Refused
from defib.plan import Change, Plan
from defib.ports import Build, RecordChange
from defib.redeploy.place import host_of
from defib.redeploy.pointer import path_of, pointer_key, pointing_at
from defib.releases.crowd import Crowd
from defib.releases.deploy import deploy
from defib.releases.manifest import Manifest
from defib.releases.plan import Before, manifest_of
from defib.releases.retention import previous_of, releases
from defib.releases.tree import files_of
from defib.releases.verify import verify
from defib.run import Step
from defib.sites.vendors import CloudFrontDistribution
from defib.users.looking import Judged, look_at_users, look_through
from defib.users.propagation import moves_the_page
from defib.users.ways import to_host

_ASK_WITHIN = timedelta(seconds=15)


def live_release(step: Step) -> str:
    """The commit of the release that the host serves now, "" where that is none or cannot be told."""
    try:
        live = step.run.outside.hosts[host_of(step.site).name].live(within=step.within.sooner(_ASK_WITHIN))
    except ProviderError as error:
        step.note(f"the host cannot tell what it serves: {error}", warning=True)
        return ""
    return live.commit if live else ""


def pointer_changes(step: Step, commit: str) -> tuple[Change, ...]:
    """The change that makes the host serve the release of `commit`; none where it does."""
    host = host_of(step.site)
    zone = step.run.outside.the_last_resort.pointer
    key = pointer_key(host.distribution)
    (present,) = zone.read([key], within=step.within.sooner(_ASK_WITHIN))
    wanted = pointing_at(host.distribution, path_of(commit))
    if present == wanted:
        return ()
    return (Change(zone.vendor, zone.zone, (RecordChange(present, wanted),), f"serve release {commit[:12]}"),)


def upload(step: Step, commit: str, folder: Path, made: Build | None) -> None:
    """Bring the files into the bucket as the release of `commit`, list them back and compare."""
    host, store = host_of(step.site), step.run.outside.the_last_resort.store
    serving = live_release(step)
    earlier = manifest_of(store, serving, within=step.within.sooner(_ASK_WITHIN)) if serving else None
    now = step.clock.now()
    before = Before(earlier if serving != commit else None, host.retention, now)
    crowd = _crowd(step)
    read = partial(files_of, folder, within=step.within, crowd=crowd)
    done = deploy(store, commit, read, made.built if made else now, before, within=step.within, crowd=crowd)
    objects = len(done.manifest.entries)
    step.note(f"{objects} objects, all listed back: {done.uploaded} uploaded ({done.sent} bytes), {done.carried} carried on")


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
    store, within = step.run.outside.the_last_resort.store, step.within
    live = live_release(step)
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


def _crowd(step: Step) -> Crowd:
    workshop = step.run.outside.workshop
    return workshop.crowd if workshop else Crowd()
