"""``releases`` and ``release prune``: what the last resort of a site holds, and what of it may go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from defib.cli.desk import desk
from defib.cli.say import say, say_json
from defib.clock import Deadline, SystemClock
from defib.home import Home
from defib.lease import Holder, Lease
from defib.outside import Outside, open_outside
from defib.redact import Redactor
from defib.redeploy.place import host_of
from defib.releases.retention import Release, may_go, previous_of, releases, remove
from defib.report import words
from defib.sites.site import Site, load_site
from defib.sites.vendors import AwsHost

_WITHIN = timedelta(seconds=30)
_TO_REMOVE = timedelta(minutes=10)
_HEAD = ("commit", "state", "built", "deployed", "files", "bytes")
_WIDTHS = (12, 24, 27, 27, 6, 12)


@dataclass(frozen=True)
class _Shelf:
    """What a site's last resort holds; `live` is the commit that it serves, "" where it serves none of them."""

    site: Site
    host: AwsHost
    outside: Outside
    live: str
    found: tuple[Release, ...]

    @property
    def previous(self) -> str:
        """The commit that a rollback would serve."""
        return previous_of(self.found, self.live) if self.live else ""


def show(redact: Redactor, site_name: str, *, as_json: bool) -> int:
    """One line a release, the newest first."""
    shelf = _look(redact, site_name, SystemClock())
    plain = [_plain(each, shelf.previous) for each in shelf.found]
    if as_json:
        say_json({"site": shelf.site.site, "host": shelf.host.name, "releases": plain})
    else:
        say(_table(shelf.found, shelf.previous))
    return 0


def prune(redact: Redactor, site_name: str, *, remove_them: bool, as_json: bool) -> int:
    """Those that nobody needs any more, by the site file's retention; removed, under the site's lease, where wanted."""
    clock = SystemClock()
    shelf = _look(redact, site_name, clock)
    gone = may_go(shelf.found, shelf.host.retention, clock.now())
    if remove_them and gone:
        _remove(shelf, gone, clock, desk(clock, redact).home)
    if as_json:
        plain = [_plain(each, "") for each in gone]
        say_json({"site": shelf.site.site, "host": shelf.host.name, "removed": remove_them, "releases": plain})
    elif gone:
        say(f"{_table(gone, '')}\n\n{'Removed.' if remove_them else 'To remove them, add --yes.'}")
    else:
        say("There is no release that nobody needs.")
    return 0


def _remove(shelf: _Shelf, gone: Sequence[Release], clock: SystemClock, home: Home) -> None:
    lease = Lease.take(home.site(shelf.site.site), clock, Holder.me("release prune"))
    try:
        shelf.outside.fence.arm(lease.check)
        for each in gone:
            lease.check()
            remove(shelf.outside.the_last_resort.store, each.commit, within=Deadline.after(clock, _TO_REMOVE))
    finally:
        lease.release()


def _look(redact: Redactor, site_name: str, clock: SystemClock) -> _Shelf:
    at = desk(clock, redact)
    site = load_site(at.site_path(site_name))
    host = host_of(site)
    outside = open_outside(site, at.home, redact, clock)
    within = Deadline.after(clock, _WITHIN)
    live = outside.hosts[host.name].live(within=within)
    commit = live.commit if live else ""
    return _Shelf(site, host, outside, commit, releases(outside.the_last_resort.store, commit, within=within))


def _table(found: Sequence[Release], previous: str) -> str:
    return "\n".join(_line(*row) for row in (_HEAD, *(_row(each, previous) for each in found)))


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
