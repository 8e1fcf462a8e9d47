"""What stands at both hosting platforms from the start, and the public names that both hold."""

from __future__ import annotations

from datetime import datetime, timedelta

from defib.lab.content import SiteBuild, build_before
from defib.lab.furniture import BACKUP, BACKUP_EDGE, ORIGIN, ORIGIN_EDGE, VERCEL_TARGET, ZONE_ARMED, ZONE_LAST, ZONES
from defib.lab.hosting.project import CERTIFIED_FOR, Deployed, HeldName, HostedProject
from defib.lab.plan import AddressPlan

HELD_NAMES = tuple(
    name for zone in (*ZONES, ZONE_ARMED, ZONE_LAST) for name in (f"www.{zone}".rstrip("."), zone.rstrip("."))
)
"""Attached, verified and certified at both platforms."""

VERCEL_PROJECT = "prj_PulseTrading0000000000000001"
VERCEL_NAME, VERCEL_EDGE = ORIGIN, ORIGIN_EDGE
VERCEL_LIVE, VERCEL_OLDER = "dpl_PulseTradingLive000000000001", "dpl_PulseTradingOlder00000000001"
NETLIFY_NAME, NETLIFY_EDGE = BACKUP, BACKUP_EDGE
NETLIFY_SITE = "3970e0fe-8564-4903-9a55-c5f8de49fb8b"
NETLIFY_LIVE, NETLIFY_OLDER = "6744f3a1c0ffee0008f1a001", "6744f3a1c0ffee0008f1a000"
TAKEN = "www.somebody-else.test"
"""A name that another customer's project holds at both platforms."""

VERCEL_API, NETLIFY_API = "1.3", "1.4"
_OLDER_BY = timedelta(days=2)


def addresses(plan: AddressPlan) -> dict[str, str]:
    """The vendors' own names, with their addresses."""
    vercel, netlify = plan.at(VERCEL_EDGE), plan.at(NETLIFY_EDGE)
    return {VERCEL_TARGET: vercel, VERCEL_NAME: vercel, NETLIFY_NAME: netlify}


def vercel_project(build: SiteBuild, now: datetime) -> HostedProject:
    """The project at Vercel, with the present build and an older one."""
    ids = (VERCEL_LIVE, VERCEL_OLDER)
    return _project(VERCEL_PROJECT, VERCEL_NAME, ids, build, now)


def netlify_project(build: SiteBuild, now: datetime) -> HostedProject:
    """The site at Netlify, with the present build and an older one."""
    ids = (NETLIFY_LIVE, NETLIFY_OLDER)
    return _project(NETLIFY_SITE, NETLIFY_NAME, ids, build, now)


def _project(project: str, own_name: str, ids: tuple[str, str], build: SiteBuild, now: datetime) -> HostedProject:
    older = build_before(build, _OLDER_BY)
    since = older.built - _OLDER_BY
    until = (now + CERTIFIED_FOR).replace(microsecond=0)
    return HostedProject(
        id=project,
        name=own_name.partition(".")[0],
        own_name=own_name,
        created=since,
        deployments=tuple(
            Deployed(name, made, made.built + timedelta(minutes=1)) for name, made in zip(ids, (build, older), strict=True)
        ),
        live=ids[0],
        names=tuple(HeldName(name, since, certificate_until=until) for name in HELD_NAMES),
        foreign=frozenset({TAKEN}),
    )
