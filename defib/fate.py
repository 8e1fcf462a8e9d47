"""Shared fate: which vendors a vendor leans on, and where a way back leans on what failed.

Names are those of site files (``route53``, ``cloudflare``, ``vercel`` …, and the names of alert channels), and those of what
stands behind them: ``VENDOR-changes`` is a vendor's control plane where that has a fate of its own, ``aws-REGION`` is one
region of AWS, and ``aws`` some region of it that is not known. A name stands for all its parts, ``aws`` for every region.

What is shipped here is what vendors say of themselves; `depends` of a site file adds to it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from defib.plan import Plan
from defib.sites.alerts import S3StatusPage
from defib.sites.site import Site
from defib.sites.vendors import AwsHost, CdnOfSite, DnsZoneConfig, FailoverSwitch, HostOfSite, Rfc2136Zone
from defib.users.ways import Way, way_of

_AWS_GUIDANCE = "https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/"
SOURCES: Mapping[str, str] = {
    "route53-changes": f"{_AWS_GUIDANCE}appendix-b---edge-network-global-service-guidance.html",
    "cloudfront-changes": f"{_AWS_GUIDANCE}appendix-b---edge-network-global-service-guidance.html",
    "iam-changes": f"{_AWS_GUIDANCE}appendix-a---partitional-service-guidance.html",
    "vercel": "https://vercel.com/blog/update-regarding-vercel-service-disruption-on-october-20-2025",
    "gitlab.com": "https://handbook.gitlab.com/handbook/engineering/infrastructure/production/architecture",
    "slack": "https://slack.engineering/slacks-migration-to-a-cellular-architecture/",
    "statuspage": "https://www.atlassian.com/trust/security/data-management",
}
"""Where each of the defaults is written down."""

DEFAULTS: Mapping[str, tuple[str, ...]] = {
    # Control planes in one region, over data planes that are everywhere and go on answering without it.
    "route53-changes": ("route53", "aws-us-east-1"),
    "cloudfront-changes": ("cloudfront", "aws-us-east-1"),
    "iam-changes": ("aws-us-east-1",),
    # Serves from 19 regions of AWS; the loss of one took a part of its traffic and all of its control plane with it.
    "vercel": ("aws-us-east-1",),
    # Everything comes in through Cloudflare, which also answers for its names, to one region of Google's cloud.
    "gitlab.com": ("cloudflare", "gcp-us-east1"),
    # "Most of our core computational infrastructure" is in one region.
    "slack": ("aws-us-east-1",),
    "statuspage": ("aws",),
    # Netlify leans on no single cloud: its origins can swap between three, its CDN runs on six
    # (https://www.netlify.com/blog/2018/05/14/how-netlify-migrated-to-a-fully-multi-cloud-infrastructure/).
}
"""What each vendor leans on, by its own account."""


@dataclass(frozen=True)
class Piece:
    """One part of a way back, in a person's words, and the vendor that it needs. `tells` is for people, not for users."""

    what: str
    vendor: str
    tells: bool = False


@dataclass(frozen=True)
class Lean:
    """A part of the way back that shares a fate with what failed.

    `chain` goes from the part's vendor to what is shared. `surely` where that is what failed; otherwise what failed leans
    on it, too, and may have failed because of it.
    """

    piece: Piece
    failed: str
    chain: tuple[str, ...]
    surely: bool

    def __str__(self) -> str:
        subject = self.piece.what if self.piece.tells else f"the way back through {self.piece.what}"
        via = f" (by {', '.join(self.chain[1:-1])})" if self.chain[1:-1] else ""
        if self.surely:
            return f"{subject} leans on {self.failed}, which is what failed{via}"
        return f"{subject} leans on {self.chain[-1]}{via}, as {self.failed} does: if that is why it failed, this fails, too"


def leaning(site: Site, down: Collection[str], path: Iterable[Piece]) -> tuple[Lean, ...]:
    """Every part of `path` that leans on one of the vendors that are `down`, or on what one of these leans on.

    One for each part and vendor, the sure one where there are both; in the order of `path`, then of `down`.
    """
    known = dependencies(site)
    return tuple(lean for piece in path for failed in sorted(down) if (lean := _lean(known, piece, failed)))


def dependencies(site: Site) -> Mapping[str, tuple[str, ...]]:
    """What every vendor leans on: the defaults, and what the site file adds."""
    added = site.depends
    names = (*DEFAULTS, *(name for name in added if name not in DEFAULTS))
    return {name: tuple(dict.fromkeys((*DEFAULTS.get(name, ()), *added.get(name, ())))) for name in names}


def readiness(site: Site, against: str) -> tuple[Lean, ...]:
    """What would be found if the site's primary ``cdn`` or ``host`` were down now, over every standby that there is."""
    down = failed_by(site, against)
    ways: Sequence[CdnOfSite | HostOfSite] = site.standbys if against == "cdn" else site.backups
    return leaning(site, down, (*_steering(site, against), *map(_target, ways), *_telling(site))) if down else ()


def in_plan(site: Site, against: str, plan: Plan) -> tuple[Lean, ...]:
    """What is found for a plan that takes users away from what failed; nothing where the plan answers no failure.

    Who may not be told is left to :func:`readiness`, unless what failed is what would tell them.
    """
    if not against or not plan.changes:
        return ()
    down = _left_behind(site, against, plan)
    changed = {(change.vendor, record.key.name) for change in plan.changes for record in change.records}
    zones = [zone for zone in site.dns if any(zone.provider == at and _in_zone(zone, name) for at, name in changed)]
    after = _way(site, plan, after=True)
    target = (after.host or after.cdn) if after else None
    leans = leaning(site, down, (*_changing(zones), *([_target(target)] if target else ()), *_telling(site)))
    return tuple(lean for lean in leans if lean.surely or not lean.piece.tells)


def failed_by(site: Site, against: str) -> frozenset[str]:
    """The vendors that are down where a procedure `against` a primary ``cdn`` or ``host``, or all ``hosts``, answers."""
    if against == "cdn" and site.cdns:
        return frozenset({site.primary.provider})
    if against == "host" and site.hosts:
        return frozenset({site.primary_host.provider})
    if against == "hosts":
        return frozenset(host.provider for host in site.hosts if not isinstance(host, AwsHost))
    return frozenset()


def _lean(known: Mapping[str, Sequence[str]], piece: Piece, failed: str) -> Lean | None:
    own = _chains(known, piece.vendor)
    for name, chain in own.items():
        if _is_of(name, failed):
            return Lean(piece, failed, chain, surely=True)
    behind = _chains(known, failed)
    for name, chain in own.items():
        if any(_is_of(name, other) or _is_of(other, name) for other in behind):
            return Lean(piece, failed, chain, surely=False)
    return None


def _chains(known: Mapping[str, Sequence[str]], start: str) -> Mapping[str, tuple[str, ...]]:
    """Everything that `start` leans on, itself first, nearest first, each with the shortest way there. Circles end."""
    found: dict[str, tuple[str, ...]] = {start: (start,)}
    queue = deque([start])
    while queue:
        name = queue.popleft()
        for other in known.get(name, ()):
            if other not in found:
                found[other] = (*found[name], other)
                queue.append(other)
    return found


def _is_of(one: str, other: str) -> bool:
    """Whether `one` is `other`, or a part of it."""
    return one == other or one.startswith(f"{other}-")


def _left_behind(site: Site, against: str, plan: Plan) -> frozenset[str]:
    """The vendor that the plan takes users away from, else the primary: users may have been at a standby that failed."""
    before = _way(site, plan, after=False)
    place = (before.cdn if against == "cdn" else before.host) if before else None
    return frozenset({place.provider}) if place else failed_by(site, against)


def _way(site: Site, plan: Plan, *, after: bool) -> Way | None:
    sides = [(change, record) for change in plan.changes for record in change.records]
    return way_of(site, [(change.vendor, rec.key, rec.after if after else rec.before) for change, rec in sides])


def _steering(site: Site, against: str) -> Iterator[Piece]:
    """The zones in which something would be changed; a record set that a switch turns is not."""
    records = [record for host in site.hosts for record in host.records]
    changed = {site.steered.name} if against == "cdn" else {record.name for record in records if not record.set_identifier}
    for zone in site.dns:
        if (isinstance(zone, FailoverSwitch) and against == "host") or any(_in_zone(zone, name) for name in changed):
            yield from _changing([zone])


def _changing(zones: Iterable[DnsZoneConfig]) -> Iterator[Piece]:
    for zone in zones:
        match zone:
            case FailoverSwitch():
                yield Piece(f"the switch in S3, {zone.aws.region}", f"aws-{zone.aws.region}")
                yield Piece("the health check and the answers of Route 53", "route53")
            case Rfc2136Zone():
                yield Piece(f"changes at the name server {zone.primary.address}", zone.provider)
            case _:
                own = f"{zone.provider}-changes"
                yield Piece(f"changes at {zone.provider}", own if own in DEFAULTS else zone.provider)


def _in_zone(zone: DnsZoneConfig, name: str) -> bool:
    return name in zone.names if isinstance(zone, FailoverSwitch) else f".{name}".endswith(f".{zone.zone}")


def _target(place: CdnOfSite | HostOfSite) -> Piece:
    return Piece(place.name, place.provider)


def _telling(site: Site) -> Iterator[Piece]:
    """Who would not be told: a channel by its own name, of which only the site file knows what it leans on."""
    for channel in site.alerts:
        yield Piece(f"the alert channel {channel.name}", channel.name, tells=True)
    for page in site.status:
        vendor = f"aws-{page.aws.region}" if isinstance(page, S3StatusPage) else page.provider
        yield Piece(f"the status page {page.name}", vendor, tells=True)
