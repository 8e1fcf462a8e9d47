"""``releases``: what the last resort of a site holds."""

from __future__ import annotations

from datetime import timedelta

from defib import redeploy
from defib.cli.desk import desk
from defib.cli.say import say, say_json
from defib.clock import Deadline, SystemClock
from defib.outside import open_outside
from defib.redact import Redactor
from defib.releases.retention import Release, previous_of, releases
from defib.report import words
from defib.site import load_site

_WITHIN = timedelta(seconds=30)
_HEAD = ("commit", "state", "built", "deployed", "files", "bytes")
_WIDTHS = (12, 24, 27, 27, 6, 12)


def show(redact: Redactor, site_name: str, *, as_json: bool) -> int:
    """One line a release, the newest first."""
    clock = SystemClock()
    at = desk(clock, redact)
    site = load_site(at.site_path(site_name))
    host = redeploy.host_of(site)
    outside = open_outside(site, at.home, redact, clock)
    within = Deadline.after(clock, _WITHIN)
    live = outside.hosts[host.name].live(within=within)
    found = releases(outside.stores[host.name], live.commit if live else "", within=within)
    previous = previous_of(found, live.commit) if live else ""
    if as_json:
        say_json({"site": site.site, "host": host.name, "releases": [_plain(each, previous) for each in found]})
        return 0
    say("\n".join(_line(*row) for row in (_HEAD, *(_row(each, previous) for each in found))))
    return 0


def _row(release: Release, previous: str) -> tuple[str, ...]:
    state = f"{release.state}, the one before" if release.commit == previous else release.state.value
    times = (words.stamp(at) if at else "unknown" for at in (release.built, release.deployed))
    return (release.commit[:12], state, *times, str(release.count), f"{release.total:,}")


def _line(*cells: str) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()


def _plain(release: Release, previous: str) -> dict[str, object]:
    return {
        "commit": release.commit,
        "state": release.state,
        "previous": release.commit == previous,
        "built": release.built.isoformat() if release.built else None,
        "deployed": release.deployed.isoformat() if release.deployed else None,
        "files": release.count,
        "bytes": release.total,
    }
