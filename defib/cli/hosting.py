"""``host show``, ``host attach`` and ``host publish``: what the hosting platforms of a site say, and may be asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from defib.cli.desk import desk
from defib.cli.say import say, say_json
from defib.clock import Clock, Deadline, SystemClock
from defib.home import Home
from defib.lease import Holder, Lease
from defib.objectives import EXIT_UNKNOWN
from defib.outside import Outside, open_outside
from defib.platforms import (
    READ_WITHIN,
    WRITE_WITHIN,
    Attached,
    Platform,
    lacking,
    names_of,
    platform_named,
    platforms,
)
from defib.platforms import attach as attach_names
from defib.platforms import publish as publish_deployment
from defib.ports import Attachment, Deployment
from defib.redact import Redactor
from defib.report import words
from defib.sites.site import Site, load_site

_NOT_READY = 1


@dataclass(frozen=True)
class _Here:
    """A site and its outside, at this machine."""

    site: Site
    home: Home
    outside: Outside
    clock: Clock


def show(redact: Redactor, site_name: str, *, as_json: bool) -> int:
    """A paragraph for each platform."""
    here = _open(redact, site_name)
    found = platforms(here.site, here.outside, here.clock)
    states = {each.ready for each in found}
    code = _NOT_READY if False in states else EXIT_UNKNOWN if None in states else 0
    if as_json:
        say_json({"site": here.site.site, "hosts": [_plain(each) for each in found], "exit_code": code})
    else:
        say("\n\n".join(redact("\n".join(_lines(each, here.clock.now()))) for each in found) or "The site has no hosts.")
    return code


def attach(redact: Redactor, site_name: str, name: str, *, do: bool, as_json: bool) -> int:
    """Each name that the platform would not serve; attached, under the site's lease, where wanted."""
    here = _open(redact, site_name)
    host = platform_named(here.site, name)
    api = here.outside.hosts[host.name]
    missing = lacking(api, names_of(host), Deadline.after(here.clock, READ_WITHIN))
    made: Sequence[Attached] = [Attached(each, each) for each in missing]
    if do and missing:
        with _lease(here, "host attach"):
            made = list(attach_names(api, missing, Deadline.after(here.clock, WRITE_WITHIN)))
    if as_json:
        names = [{**_plain_name(each.after), "refused": redact(each.refused) or None} for each in made]
        say_json({"site": here.site.site, "host": host.name, "attached": do, "names": names})
    elif not missing:
        say(f"{host.name} holds every name of the site, verified and certified.")
    else:
        lines = [f"{each.before.name}  {redact(each.refused) or _told(each.after)}" for each in made]
        say("\n".join([*lines, *([] if do else ["", "To attach them, add --yes."])]))
    return 0 if all(each.after.ready for each in made) else _NOT_READY


def publish(redact: Redactor, site_name: str, name: str, deployment: str, *, do: bool, as_json: bool) -> int:
    """What is live, and what is to be; published, under the site's lease, where wanted."""
    here = _open(redact, site_name)
    host = platform_named(here.site, name)
    api, now = here.outside.hosts[host.name], here.clock.now()
    before = api.live(within=Deadline.after(here.clock, READ_WITHIN))
    again = f"defib host publish {host.name} {before.id} --site {site_name} --yes" if before else ""
    plain: dict[str, object] = {"site": here.site.site, "host": host.name, "before": _plain_deployment(before)}
    if not do:
        if as_json:
            say_json({**plain, "asked": deployment, "live": None})
        else:
            say(f"Live at {host.name}: {_of(before, now)}\nTo publish {deployment} in its place, add --yes.")
        return 0
    with _lease(here, "host publish"):
        done = publish_deployment(api, deployment, Deadline.after(here.clock, WRITE_WITHIN))
    if as_json:
        say_json({**plain, "asked": done.asked.id, "live": done.seen})
    elif done.seen:
        say(
            f"Live at {host.name}: {_of(done.asked, now)}\nBefore: {_of(before, now)}\nTo take it back: {again or 'nothing'}"
        )
    else:
        say(f"{host.name} has taken {done.asked.id}, and does not say yet that it is live.")
        say(f"Next: defib host show --site {site_name}")
    return 0 if done.seen else EXIT_UNKNOWN


def _open(redact: Redactor, site_name: str) -> _Here:
    clock = SystemClock()
    at = desk(clock, redact)
    site = load_site(at.site_path(site_name))
    return _Here(site, at.home, open_outside(site, at.home, redact, clock), clock)


@contextmanager
def _lease(here: _Here, what: str) -> Iterator[None]:
    lease = Lease.take(here.home.site(here.site.site), here.clock, Holder.me(what))
    try:
        here.outside.fence.arm(lease.check)
        yield
    finally:
        lease.release()


def _lines(platform: Platform, now: datetime) -> Iterator[str]:
    yield f"{platform.host.name}  {platform.host.provider} {platform.host.project}"
    if platform.trouble:
        yield f"  cannot be asked: {platform.trouble}"
        return
    yield f"  live     {_of(platform.live, now)}"
    quota = platform.quota
    if quota is not None:
        yield f"  account  {quota.details or ('suspended' if quota.suspended else 'may serve')}"
    for each in platform.names:
        yield f"  {each.name}  {_told(each)}"


def _of(deployment: Deployment | None, now: datetime) -> str:
    if deployment is None:
        return "nothing"
    commit = f"commit {deployment.commit[:12]}" if deployment.commit else "of an unknown commit"
    return f"{deployment.id}, {commit}, made {words.duration(now - deployment.created)} ago"


def _told(name: Attachment) -> str:
    if name.ready:
        until = f" until {name.certificate_until:%Y-%m-%d}" if name.certificate_until else ""
        return f"attached, verified{', certified' + until if until else ''}"
    what = "attached, not certified" if name.verified else "attached, not verified" if name.attached else "not attached"
    return what if name.problem in {"", what} else f"{what}: {name.problem}"


def _plain(platform: Platform) -> dict[str, object]:
    quota = platform.quota
    return {
        "host": platform.host.name,
        "provider": platform.host.provider,
        "project": platform.host.project,
        "ready": platform.ready,
        "live": _plain_deployment(platform.live),
        "names": [_plain_name(each) for each in platform.names],
        "suspended": quota.suspended if quota else None,
        "details": quota.details if quota else "",
        "trouble": platform.trouble or None,
    }


def _plain_deployment(deployment: Deployment | None) -> dict[str, object] | None:
    if deployment is None:
        return None
    return {"id": deployment.id, "commit": deployment.commit or None, "created": deployment.created.isoformat()}


def _plain_name(name: Attachment) -> dict[str, object]:
    until = name.certificate_until
    return {
        "name": name.name,
        "attached": name.attached,
        "verified": name.verified,
        "certificate_until": until.isoformat() if until else None,
        "problem": name.problem or None,
        "ready": name.ready,
    }
