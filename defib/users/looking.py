"""Looking at a site from several places, and what they together say of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from defib.clock import Deadline
from defib.errors import Refused
from defib.ports import Aim, Build, Expect, Health, Observation
from defib.run import Run, Step
from defib.sites.site import Site
from defib.users.ways import Way

USERS = "users"
ORIGIN = "origin"
"""Whose service a look was at, in the journal; everything else there is the name of a CDN or a host."""

ONLINE_WITHIN = timedelta(seconds=2)
"""For the question whether it is our own network that is down."""


@dataclass(frozen=True)
class Judged:
    """What several observers together say of one place; the build is the oldest that a good look saw."""

    good: int
    bad: int
    unknown: int
    reasons: tuple[str, ...]
    build: Build | None
    quorum: int

    def is_served(self) -> bool:
        """True when a quorum saw it good and nobody saw it bad."""
        return self.good >= self.quorum and self.bad == 0

    def is_older_than(self, expected: Build | None) -> bool:
        """Whether what was served is known to be older than what should be."""
        return bool(expected and self.build and self.build.built < expected.built)

    def __str__(self) -> str:
        seen = f"{self.good} good, {self.bad} bad, {self.unknown} unknown"
        return f"{seen}: {'; '.join(self.reasons)}" if self.reasons else seen


def judge(observations: Sequence[Observation], quorum: int) -> Judged:
    """The observers' views of one look, counted."""
    health = [seen.health for seen in observations]
    builds = [seen.build for seen in observations if seen.build and seen.health is Health.GOOD]
    return Judged(
        good=health.count(Health.GOOD),
        bad=health.count(Health.BAD),
        unknown=health.count(Health.UNKNOWN),
        reasons=tuple(dict.fromkeys(seen.reason for seen in observations if seen.reason)),
        build=min(builds, key=lambda build: build.built, default=None),
        quorum=quorum,
    )


def look_at_users(step: Step) -> Judged:
    """The site as users come to it."""
    return _judged(step, step.look(USERS, users(step.site)))


def look_at_origin(step: Step) -> Judged:
    """The origin, past every cache."""
    origin = step.site.origin
    aim = Aim(origin.url, connect_to=origin.connect_to, past_cache=True, expect=Expect.CONTENT)
    return _judged(step, step.look(ORIGIN, aim))


def look_through(at: Step | Run, way: Way) -> Judged:
    """The site as users on one way find it, whatever the DNS says."""
    return _judged(at, at.look(way.name, Aim(at.site.page.url, connect_to=way.connect_to)))


def _judged(at: Step | Run, seen: Sequence[Observation]) -> Judged:
    """Where the observers do not agree, those that reach nobody else's sites either have no say."""
    run = at.run if isinstance(at, Step) else at
    health = {each.health for each in seen}
    if Health.BAD in health and Health.GOOD in health:
        observers = run.outside.observers
        flags = observers.online(within=Deadline.after(run.clock, ONLINE_WITHIN))
        online = dict(zip(observers.names, flags, strict=True))
        seen = [
            replace(each, health=Health.UNKNOWN, reason=f"{each.observer} is offline")
            if each.health is Health.BAD and not online.get(each.observer, True)
            else each
            for each in seen
        ]
    return judge(seen, at.site.detection.quorum)


def users(site: Site) -> Aim:
    """The page under its public name, found as users find it."""
    return Aim(site.page.url)


def keep_looking(step: Step, duration: timedelta, looks: Iterable[Judged], expected: Build | None) -> Iterable[Judged]:
    """One judgement each interval of the site file, until every one was good for `duration` without a break.

    Good is what is served, and not older than `expected`.
    """
    interval = step.site.verification.interval
    since: timedelta | None = None
    started = step.clock.monotonic()
    for judged in looks:
        good = judged.is_served() and not judged.is_older_than(expected)
        since = (since if since is not None else started) if good else None
        yield judged
        if since is not None and step.clock.monotonic() - since >= duration:
            return
        step.wait(max(interval - (step.clock.monotonic() - started), timedelta(0)))
        started = step.clock.monotonic()


def insist(step: Step, text: str, then: str) -> None:
    """Refuse for the reason `text`, unless the operator forces the run; then the reason is a warning in the journal."""
    if not step.run.forced:
        raise Refused(text, then=then)
    step.note(f"{text}; going on because of --force", warning=True)
