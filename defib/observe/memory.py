"""Observers and DNS servers of a scripted world, for rehearsals under a simulated clock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

from defib.clock import Clock, Deadline
from defib.observe.failure import plain, seconds
from defib.ports import Aim, Answer, Build, Health, Observation, RecordKey, RecordSet
from defib.users.trust import CaaPolicy, SeenCertificate

_TOOK = timedelta(milliseconds=20)


@dataclass(frozen=True)
class Sight:
    """What an observer would see; a `took` beyond its deadline is a hang."""

    health: Health
    reason: str = ""
    build: Build | None = None
    took: timedelta = _TOOK
    address: str = ""
    server: str = ""


HANG = Sight(Health.BAD, took=timedelta.max)
"""A server that accepts and never answers."""

World = Callable[[str, Aim, datetime], Sight]
"""From observer, aim and moment to what is seen."""


def always_online(_observer: str, _at: datetime) -> bool:
    """Nobody is ever cut off."""
    return True


class MemoryObservers:
    """Observers of a scripted world. A look takes its time on the clock, all observers side by side.

    `references_took` is how long the reference sites take to answer those who are online.
    """

    def __init__(
        self,
        names: Sequence[str],
        world: World,
        clock: Clock,
        online: Callable[[str, datetime], bool] = always_online,
        references_took: timedelta = timedelta(0),
    ) -> None:
        self._names = tuple(names)
        self._world = world
        self._clock = clock
        self._online = online
        self._references_took = references_took

    @property
    def names(self) -> tuple[str, ...]:
        """Who they are."""
        return self._names

    def look(self, aim: Aim, *, within: Deadline, only: str = "") -> tuple[Observation, ...]:
        """One observation from each, or from `only`; the clock moves by the longest."""
        if only and only not in self._names:
            raise ValueError(f"no observer is named {only!r}")
        allowed = within.remaining()
        seen = tuple(self.glimpse(aim, name, allowed) for name in ((only,) if only else self._names))
        self._clock.sleep(max(observation.took for observation in seen))
        return seen

    def online(self, *, within: Deadline) -> tuple[bool, ...]:
        """Whether each is online; one that is not costs all the time there is."""
        flags, took = self.glimpse_online(within.remaining())
        self._clock.sleep(took)
        return flags

    def glimpse(self, aim: Aim, observer: str, allowed: timedelta) -> Observation:
        """What `observer` will have seen when a look that starts now is over, without waiting for it."""
        at = self._clock.now()
        if allowed <= timedelta(0):
            return Observation(observer, at, timedelta(0), Health.UNKNOWN, "no time was left to look")
        sight = self._world(observer, aim, at)
        if sight.took > allowed:
            sight = Sight(Health.BAD, f"no answer within {seconds(allowed)}", took=allowed)
        reason, address = plain(sight.reason), plain(sight.address)
        return Observation(observer, at, sight.took, sight.health, reason, address, sight.build, sight.server)

    def glimpse_online(self, allowed: timedelta) -> tuple[tuple[bool, ...], timedelta]:
        """Who is online now, in the order of `names`, and how long it takes to tell."""
        now, in_time = self._clock.now(), self._references_took <= allowed
        flags = tuple(in_time and self._online(name, now) for name in self._names)
        return flags, self._references_took if all(flags) else allowed


class Readable(Protocol):
    """The part of a DNS zone that its servers answer from."""

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """The record sets of `keys` in the same order, None where absent."""
        ...


@dataclass
class MemoryServer:
    """A DNS server of a scripted world; change its fields to break and heal it.

    An authoritative server follows the zone `lag` after it first sees a change. A resolver keeps what it got for the
    record's TTL, or for `least_ttl` if that is longer. With `problem` set it gives no answer, for that reason.
    """

    name: str
    lag: timedelta = timedelta(0)
    least_ttl: timedelta = timedelta(0)
    via: str = "udp"
    problem: str = ""
    _held: dict[RecordKey, tuple[RecordSet | None, timedelta]] = field(default_factory=dict, repr=False)
    _coming: dict[RecordKey, tuple[RecordSet | None, timedelta]] = field(default_factory=dict, repr=False)

    def holds(self, key: RecordKey, present: RecordSet | None, now: timedelta) -> RecordSet | None:
        """What it answers from as an authoritative server when the zone holds `present`."""
        held = self._held.setdefault(key, (present, now))[0]
        if present == held:
            self._coming.pop(key, None)
            return held
        coming = self._coming.get(key)
        if coming is None or coming[0] != present:
            coming = self._coming[key] = (present, now + self.lag)
        if now < coming[1]:
            return held
        self._held[key] = self._coming.pop(key)
        return present

    def authoritative(self, key: RecordKey, present: RecordSet | None, now: timedelta) -> Answer:
        """Its answer when the zone holds `present`."""
        if self.problem:
            return self._silent(self.problem)
        held = self.holds(key, present, now)
        return self._answer(held, held.ttl if held else timedelta(0))

    def cached(self, key: RecordKey, upstream: Callable[[], RecordSet | None] | None, now: timedelta) -> Answer:
        """Its answer as a resolver, which asks `upstream` when what it holds has expired."""
        if self.problem:
            return self._silent(self.problem)
        found, expires = self._held.get(key, (None, now))
        if now >= expires:
            if upstream is None:
                return self._silent("SERVFAIL")
            found = upstream()
            expires = now + (max(found.ttl, self.least_ttl) if found else self.least_ttl)
            self._held[key] = (found, expires)
        return self._answer(found, expires - now)

    def _silent(self, problem: str) -> Answer:
        return Answer(self.name, None, via=self.via, problem=problem)

    def _answer(self, found: RecordSet | None, ttl: timedelta) -> Answer:
        if found is None:
            return Answer(self.name, (), via=self.via, problem="no such record")
        return Answer(self.name, tuple(sorted(found.values)), ttl, self.via)


@dataclass(frozen=True)
class MemoryAuthority:
    """A zone at one provider, and the servers that answer for it; without a `name` it holds every name."""

    zone: Readable
    servers: Sequence[MemoryServer]
    name: str = ""
    provider: str = ""

    def holds(self, key: RecordKey, at: str) -> bool:
        """Whether its servers are asked for `key`, where the provider `at` is asked, or any."""
        return f".{key.name}".endswith(f".{self.name}") and at in {"", self.provider}

    def present(self, key: RecordKey, within: Deadline) -> RecordSet | None:
        """The record set as it stands."""
        return self.zone.read([key], within=within)[0]


class MemoryAnswers:
    """The DNS of a scripted world: servers and resolvers that answer from zones, `MemoryZone` or any other."""

    def __init__(self, authorities: Sequence[MemoryAuthority], resolvers: Sequence[MemoryServer], clock: Clock) -> None:
        self._authorities = tuple(authorities)
        self._resolvers = tuple(resolvers)
        self._clock = clock

    def authoritative(self, key: RecordKey, *, within: Deadline, at: str = "") -> tuple[Answer, ...]:
        """The answer of each server of the key's zone, of the provider `at` alone where it is named."""
        now = self._clock.monotonic()
        return tuple(
            server.authoritative(key, held.present(key, within), now)
            for held in self._holding(key, at)
            for server in held.servers
        )

    def resolvers(self, key: RecordKey, *, within: Deadline, only: Collection[str] = ()) -> tuple[Answer, ...]:
        """The answer of each resolver; they ask the first server that answers, of one provider each in turn."""
        holding = self._holding(key)
        return tuple(
            self._resolved(resolver, key, holding[number % len(holding)], within)
            for number, resolver in enumerate(self._resolvers)
            if not only or resolver.name in only
        )

    def _holding(self, key: RecordKey, at: str = "") -> list[MemoryAuthority]:
        """Whose servers are asked: those of the innermost zone."""
        innermost = max((len(held.name) for held in self._authorities if held.holds(key, "")), default=0)
        return [held for held in self._authorities if held.holds(key, at) and len(held.name) == innermost]

    def _resolved(self, resolver: MemoryServer, key: RecordKey, held: MemoryAuthority, within: Deadline) -> Answer:
        present, now = held.present(key, within), self._clock.monotonic()
        answering = next((server for server in held.servers if not server.problem), None)
        upstream = None if answering is None else lambda: answering.holds(key, present, now)
        return resolver.cached(key, upstream, now)


@dataclass
class MemoryTrust:
    """The certificates and the CAA records of a scripted world, by host; whoever is not named is trusted for a year."""

    clock: Clock
    shown: dict[str, SeenCertificate] = field(default_factory=dict)
    policies: dict[str, CaaPolicy] = field(default_factory=dict)

    def look(self, url: str, connect_to: str = "", *, within: Deadline) -> tuple[SeenCertificate, ...]:
        """What is shown at `connect_to`, or else for the host of `url`."""
        del within
        host = urlsplit(url).hostname or ""
        until = self.clock.now() + timedelta(days=365)
        known = self.shown.get(connect_to) or self.shown.get(host)
        return (known or SeenCertificate(connect_to, Health.GOOD, (host,), "an authority", until),)

    def policy(self, name: str, *, within: Deadline) -> CaaPolicy:
        """Who may issue for `name`."""
        del within
        return self.policies.get(name, CaaPolicy(name))
