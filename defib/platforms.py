"""The hosting platforms of a site by their own word: what is live there, which names they hold, whether they may serve.

And the two things that a platform may lack in an incident: a public name that is not attached, and an earlier deployment
that should be live again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from defib.clock import Clock, Deadline
from defib.errors import InputError, ProviderError, Unavailable
from defib.outside import Outside
from defib.ports import Attachment, Deployment, Host, Quota
from defib.sites.site import Site
from defib.sites.vendors import AwsHost, HostOfSite

READ_WITHIN = timedelta(seconds=15)
"""For everything that one platform is asked; one that hangs keeps no other from being told of."""

WRITE_WITHIN = timedelta(seconds=60)

_AGAIN_AFTER = timedelta(milliseconds=500)


@dataclass(frozen=True)
class Platform:
    """What one platform says; `trouble` is why it says nothing."""

    host: HostOfSite
    live: Deployment | None = None
    names: tuple[Attachment, ...] = ()
    quota: Quota | None = None
    trouble: str = ""

    @property
    def ready(self) -> bool | None:
        """Whether users could be sent there by its own word; None where it gives none.

        Nothing is live at the last resort until it is needed.
        """
        if self.trouble:
            return None
        suspended = self.quota is not None and self.quota.suspended is True
        serves = self.live is not None or isinstance(self.host, AwsHost)
        return serves and not suspended and all(each.ready for each in self.names)


@dataclass(frozen=True)
class Attached:
    """One name at a platform, before and after it was to be attached; `refused` is why it is not."""

    before: Attachment
    after: Attachment
    refused: str = ""


@dataclass(frozen=True)
class Published:
    """What was live before, what was asked for, and whether that was seen to be live in the end."""

    before: Deployment | None
    asked: Deployment
    seen: bool


def platforms(site: Site, outside: Outside, clock: Clock) -> tuple[Platform, ...]:
    """Every platform of the site, asked at the same time. Changes nothing."""

    def told(host: HostOfSite) -> Platform:
        within, api = Deadline.after(clock, READ_WITHIN), outside.hosts[host.name]
        try:
            names = tuple(api.attachment(name, within=within) for name in names_of(host))
            return Platform(host, api.live(within=within), names, api.quota(within=within))
        except ProviderError as error:
            return Platform(host, trouble=str(error))

    with ThreadPoolExecutor(max(len(site.hosts), 1), "defib-platforms") as pool:
        return tuple(pool.map(told, site.hosts))


def names_of(host: HostOfSite) -> tuple[str, ...]:
    """The public names that are sent there."""
    return tuple(dict.fromkeys(record.name for record in host.records))


def how_to_attach(site: str, host: HostOfSite) -> str:
    """The command, for people who are told that a name is missing there."""
    command = "run standby-prepare" if isinstance(host, AwsHost) else f"host attach {host.name}"
    return f"defib {command} --site {site}"


def platform_named(site: Site, name: str) -> HostOfSite:
    """The host of that name; :class:`InputError` where there is none, or another command is for it."""
    host = next((host for host in site.hosts if host.name == name), None)
    if host is None:
        known = ", ".join(host.name for host in site.hosts if not isinstance(host, AwsHost))
        raise InputError(f"the site {site.site} has no host {name!r}", expected=known or "hosts: in its file", seen=name)
    if isinstance(host, AwsHost):
        raise InputError(
            f"{name} is the last resort on AWS, which has commands of its own",
            then="defib run standby-prepare to attach names; defib releases and defib release rollback",
        )
    return host


def lacking(api: Host, names: Sequence[str], within: Deadline) -> tuple[Attachment, ...]:
    """Those of `names` that the platform would not serve, as they are."""
    told = (api.attachment(name, within=within) for name in names)
    return tuple(each for each in told if not each.ready)


def attach(api: Host, missing: Sequence[Attachment], within: Deadline) -> Iterator[Attached]:
    """Attach each, and have it verified and certified as far as the platform does so; one that is refused stops no other."""
    for before in missing:
        try:
            yield Attached(before, api.attach(before.name, within=within))
        except ProviderError as error:
            yield Attached(before, before, str(error))


def publish(api: Host, deployment: str, within: Deadline) -> Published:
    """Make an earlier deployment the live one, and wait until the platform says that it is."""
    before = api.live(within=within)
    asked = api.publish(deployment, within=within)
    while (live := _live(api, within)) is None or live.id != asked.id:
        if within.remaining() <= _AGAIN_AFTER:
            return Published(before, asked, seen=False)
        within.clock.sleep(_AGAIN_AFTER)
    return Published(before, asked, seen=True)


def _live(api: Host, within: Deadline) -> Deployment | None:
    """None also while it cannot tell: it has taken the deployment, and is about to."""
    try:
        return api.live(within=within)
    except Unavailable:
        return None
