"""What is wrong, as the observers saw it: one line for each place that was looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from defib import entries
from defib.cli.say import Json
from defib.journal import Record
from defib.ports import Health, Observation
from defib.sites.site import Site
from defib.users.looking import ORIGIN, USERS, Judged, judge
from defib.users.ways import ways

UNKNOWN_SINCE = "since unknown: give --since"


@dataclass(frozen=True)
class Seen:
    """The last look of every observer at one place, and what they together say: ``down``, ``well`` or ``unknown``."""

    aim: str
    looks: tuple[Observation, ...]
    judged: Judged

    @property
    def state(self) -> str:
        """Down where a quorum saw it bad, well where a quorum saw it good and nobody saw it bad, unknown otherwise."""
        if self.judged.bad >= self.judged.quorum:
            return "down"
        return "well" if self.judged.is_served() else "unknown"

    def by_reason(self) -> Mapping[str, list[str]]:
        """What was wrong, and who saw it so."""
        found: dict[str, list[str]] = {}
        for look in self.looks:
            if look.health is not Health.GOOD:
                found.setdefault(look.reason or look.health.value, []).append(look.observer)
        return found


def seen(records: Iterable[Record], site: Site) -> tuple[Seen, ...]:
    """Every place that was looked at, in the order of the first look; what was only fetched to warm a cache is left out."""
    known = {USERS, ORIGIN, *(way.name for way in ways(site))}
    by_aim: dict[str, dict[str, Observation]] = {}
    for entry in (record.entry for record in records):
        if isinstance(entry, entries.Observed) and entry.aim in known:
            by_aim.setdefault(entry.aim, {})[entry.observation.observer] = entry.observation
    quorum = site.detection.quorum
    return tuple(Seen(aim, tuple(looks.values()), judge(tuple(looks.values()), quorum)) for aim, looks in by_aim.items())


def as_lines(places: Iterable[Seen], site: Site) -> list[str]:
    """For people: ``DOWN``, ``well`` or ``?`` first, then where, then what was seen there."""
    marks = {"down": "DOWN", "well": "well", "unknown": "?"}
    return [f"{marks[place.state]:<4}  {_where(place, site)}: {_what(place)}" for place in places]


def as_plain(places: Iterable[Seen]) -> list[dict[str, Json]]:
    """The same for ``--json``."""
    return [
        {
            "aim": place.aim,
            "state": place.state,
            "reasons": list(place.judged.reasons),
            "observers": {look.observer: look.health.value for look in place.looks},
            "build": place.judged.build.id if place.judged.build else None,
        }
        for place in places
    ]


def since_line(since: datetime | None, by_watch: bool) -> str:
    """Since when users are without service, and who says so."""
    if since is None:
        return UNKNOWN_SINCE
    return f"since {since:%H:%M:%S} UTC ({'defib watch' if by_watch else '--since'})"


def _where(place: Seen, site: Site) -> str:
    if place.aim == USERS:
        return f"users of {site.page.name.rstrip('.')}"
    return "origin, past every cache" if place.aim == ORIGIN else place.aim


def _what(place: Seen) -> str:
    wrong = [f"{reason} ({', '.join(observers)})" for reason, observers in place.by_reason().items()]
    good = [look.observer for look in place.looks if look.health is Health.GOOD]
    if place.state != "well":
        return "; ".join([*wrong, f"good from {', '.join(good)}"] if good else wrong)
    served = f"build {place.judged.build.id[:12]}" if place.judged.build else "a build that nobody could read"
    if place.aim not in {USERS, ORIGIN}:
        served += ", certificate, headers and speed as in the site file"
    return "; ".join([served, *wrong])
