"""One record of a zone changed by compare-and-set: how many calls, what they take, and what we add to them."""

from __future__ import annotations

import base64
import itertools
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import dns.query
import dns.tsig
import dns.update

from benchmarks.figures import Findings, Sample, Series, at_most, in_turns
from benchmarks.order import Order
from defib.clock import Clock, Deadline, SystemClock
from defib.errors import Conflict
from defib.lab.alone import RunningAws, serve_aws
from defib.lab.background import BackgroundLoop
from defib.lab.dns.dynamic import DynamicPrimary
from defib.lab.dns.messages import TsigKey
from defib.lab.dns.zone import PublishedSet, PublishedZone
from defib.ports import DnsZone, RecordChange, RecordKey, RecordSet
from defib.providers.aws import AwsAccess
from defib.providers.dns.records import canonical
from defib.providers.dns.rfc2136 import Rfc2136
from defib.providers.dns.route53 import Route53
from defib.sites.vendors import Server

if TYPE_CHECKING:
    import boto3

ZONE = "bench.test."
RECORDS = 51
LIMIT = 0.1
"""Seconds for one change."""

_ADDRESS = "127.98.5.1"
_WITHIN = timedelta(seconds=10)
_CHANGES = 20
_TARGETS = ("a.example.net.", "b.example.net.")
_WWW = RecordKey(f"www.{ZONE}", "CNAME")


Content = Callable[[], tuple[RecordSet, ...]]
"""What the vendor itself holds, without SOA and NS."""


@dataclass
class Calls:
    """A vendor's calls: how many there were, and the time from sending each to having read its answer."""

    clock: Clock
    number: int = 0
    waited: timedelta = timedelta(0)
    _sent: timedelta = timedelta(0)

    def sent(self, **_: object) -> None:
        """A request goes out."""
        self.number += 1
        self._sent = self.clock.monotonic()

    def forget(self) -> None:
        """Count from nothing again."""
        self.number, self.waited = 0, timedelta(0)

    def answered(self, **_: object) -> None:
        """Its answer has been read."""
        self.waited += self.clock.monotonic() - self._sent


@dataclass(frozen=True)
class CountedAccess(AwsAccess):
    """AWS as the adapter reaches it, with its calls counted by botocore's own events."""

    calls: Calls = field(default_factory=lambda: Calls(SystemClock()))

    def session(self) -> boto3.Session:
        """A session that tells of each call."""
        session = super().session()
        session.events.register("before-send.route-53", self.calls.sent)
        session.events.register("response-received.route-53", self.calls.answered)
        return session


@dataclass
class Told:
    """What is known of each change beside how long it took, in the order of the changes that count."""

    calls: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)


def measure(order: Order) -> Findings:
    """Route 53 in the lab with the adapter kept and made anew; RFC 2136 with the adapter and with dnspython alone."""
    rounds = max(_CHANGES, order.rounds)
    order.tell(f"{rounds} changes each")
    told = Told()
    with serve_aws() as aws, _primary() as primary:
        route53, rfc2136 = _Route53(aws, told), _Rfc2136(primary)
        tasks = {
            "kept": route53.kept,
            "fresh": route53.fresh,
            "adapter": rfc2136.adapter,
            "bare": rfc2136.bare,
        }
        found = in_turns(rounds, tasks)
    kept = Series("Route 53, one change", "defib", samples=found["kept"])
    calls = Series("  of it: calls", "defib", "", _plain(told.calls))
    update = Series("RFC 2136, one change", "defib", samples=found["adapter"])
    series = (
        kept,
        calls,
        Series("  of it: in the calls", "lab", samples=_plain(told.waited)),
        Series("  of it: our own", "defib", samples=_plain(told.own)),
        Series("Route 53, first change of a run", "defib", samples=found["fresh"]),
        update,
        Series("RFC 2136, bare UPDATE", "dnspython", samples=found["bare"]),
    )
    targets = (
        at_most(kept.job, kept, kept.median, LIMIT),
        at_most("Route 53, calls for one change", calls, calls.largest, 1),
        at_most(update.job, update, update.median, LIMIT),
    )
    return Findings(series, targets, _NOTES)


_NOTES = (
    f"one CNAME of a zone of {RECORDS} record sets, by compare-and-set",
    "after each change the whole zone must be as expected, and the same change again must be refused as a conflict",
    "octodns-sync stands beside it in zone-sizes",
    "the lab is nearer than any vendor: the figures to watch are the number of calls and our own part",
    "the first change of a run makes the adapter and its client as well",
    "the adapter over RFC 2136 also reads the TTL before and the serial after, where the bare UPDATE does neither",
)


class _Turning:
    """Turns one CNAME from one target to the other and back, and proves after each turn that nothing else moved."""

    def __init__(self, content: Content, clock: Clock) -> None:
        self._content = content
        self._clock = clock
        self._target = itertools.cycle((1, 0))

    def turn(self, change: Callable[[RecordChange], DnsZone]) -> Sample:
        """Let `change` make the next turn, timed, and check it; it gives the zone that made it."""
        number = next(self._target)
        wanted = RecordChange(before=_www(1 - number), after=_www(number))
        started = self._clock.monotonic()
        zone = change(wanted)
        took = self._clock.monotonic() - started
        if self._content() != _expected(number):
            return Sample(None, "the zone is not as expected after the change")
        try:
            zone.replace([wanted], within=self.soon())
        except Conflict:
            return Sample.took(took) if self._content() == _expected(number) else Sample(None, "a conflict changed the zone")
        return Sample(None, "made a change whose `before` no longer held")

    def soon(self) -> Deadline:
        """Time enough for a change."""
        return Deadline.after(self._clock, _WITHIN)


class _Route53:
    def __init__(self, aws: RunningAws, told: Told) -> None:
        self._clock = SystemClock()
        self._aws = aws
        self._told = told
        zone_id = "ZBENCHMARK"

        async def add() -> None:
            aws.aws.route53.add_zone(zone_id, ZONE, _expected(0))

        aws.loop.run(add())
        self._turning = _Turning(lambda: _without_apex(aws.aws.route53.content(zone_id)), self._clock)
        self._zone_id = zone_id
        self._access = CountedAccess(
            endpoint=aws.endpoint, access_key=aws.credentials.access_key, secret_key=aws.credentials.secret_key
        )
        self._kept = Route53(zone_id, self._access)

    def kept(self, number: int) -> Sample:
        """One change by an adapter that has made changes before."""
        calls = self._access.calls
        seen: list[tuple[int, float]] = []

        def change(wanted: RecordChange) -> DnsZone:
            calls.forget()
            self._kept.replace([wanted], within=self._turning.soon())
            seen.append((calls.number, calls.waited.total_seconds()))
            return self._kept

        sample = self._turning.turn(change)
        if number >= 0 and sample.value is not None:
            many, waited = seen[0]
            self._told.calls.append(many)
            self._told.waited.append(waited)
            self._told.own.append(sample.value - waited)
        return sample

    def fresh(self, _number: int) -> Sample:
        """One change by an adapter that is made for it."""

        def change(wanted: RecordChange) -> DnsZone:
            zone = Route53(self._zone_id, self._access)
            zone.replace([wanted], within=self._turning.soon())
            return zone

        return self._turning.turn(change)


class _Rfc2136:
    def __init__(self, running: _Primary) -> None:
        self._running = running
        self._turning = _Turning(running.content, SystemClock())
        address = Server(name=running.primary.name, address=running.primary.address, port=running.primary.port)
        self._zone = Rfc2136(ZONE, address, running.key, [address])

    def adapter(self, _number: int) -> Sample:
        """One change by the adapter: read, UPDATE, serial."""

        def change(wanted: RecordChange) -> DnsZone:
            self._zone.replace([wanted], within=self._turning.soon())
            return self._zone

        return self._turning.turn(change)

    def bare(self, _number: int) -> Sample:
        """The UPDATE alone, as any client would send it; what follows it is checked through the adapter."""

        def change(wanted: RecordChange) -> DnsZone:
            assert wanted.before is not None, "a turn has both sides"
            assert wanted.after is not None, "a turn has both sides"
            message = dns.update.UpdateMessage(ZONE)
            message.use_tsig(self._running.key)
            message.present(wanted.key.name, "CNAME", wanted.before.values[0])
            message.replace(wanted.key.name, int(wanted.after.ttl.total_seconds()), "CNAME", wanted.after.values[0])
            primary = self._running.primary
            dns.query.tcp(message, primary.address, timeout=_WITHIN.total_seconds(), port=primary.port)
            return self._zone

        return self._turning.turn(change)


@dataclass(frozen=True)
class _Primary:
    primary: DynamicPrimary
    key: dns.tsig.Key

    def content(self) -> tuple[RecordSet, ...]:
        """What the zone holds beside SOA and NS."""
        sets = (RecordSet(RecordKey(each.name, each.type), each.ttl, each.values) for each in self.primary.zone.sets)
        return _without_apex(sets)


@contextmanager
def _primary() -> Iterator[_Primary]:
    """The lab's primary with the zone of the benchmark."""
    secret = base64.b64encode(secrets.token_bytes(32)).decode()
    sets = tuple(PublishedSet(each.key.name, each.key.type, each.ttl, each.values) for each in _expected(0))
    zone = PublishedZone.with_apex(ZONE, sets, server=f"ns.{ZONE}")
    with BackgroundLoop() as loop:
        primary = DynamicPrimary("ns", _ADDRESS, 0, zone=zone, keys=[TsigKey("bench", secret)])
        loop.run(primary.start())
        try:
            yield _Primary(primary, dns.tsig.Key("bench", secret, "hmac-sha256"))
        finally:
            loop.run(primary.stop())


def _www(number: int) -> RecordSet:
    return RecordSet(_WWW, timedelta(seconds=60), (_TARGETS[number],))


def _expected(number: int) -> tuple[RecordSet, ...]:
    """The whole zone while the CNAME leads to target `number`."""
    others = [
        RecordSet(RecordKey(f"host-{n:02}.{ZONE}", "A"), timedelta(seconds=300), (f"192.0.2.{n}",))
        for n in range(1, RECORDS)
    ]
    return tuple(sorted((_www(number), *others), key=lambda each: each.key))


def _without_apex(sets: Iterable[RecordSet]) -> tuple[RecordSet, ...]:
    kept = (canonical(each) for each in sets if each.key.type not in {"SOA", "NS"})
    return tuple(sorted(kept, key=lambda each: each.key))


def _plain(values: list[float]) -> tuple[Sample, ...]:
    return tuple(Sample(value) for value in values)
