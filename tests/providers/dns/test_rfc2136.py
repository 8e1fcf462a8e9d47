"""The adapter for dynamic updates keeps the contract against the lab's primary and against BIND."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import dns.name
import dns.query
import dns.rdatatype
import dns.tsig
import dns.update
import dns.xfr
import dns.zone
import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Conflict, Denied, NotFound, Unavailable
from defib.lab.background import BackgroundLoop
from defib.lab.dns.authority import Authority
from defib.lab.dns.dynamic import DynamicPrimary
from defib.lab.dns.messages import TsigKey
from defib.lab.dns.zone import PublishedSet, PublishedZone
from defib.ports import RecordKey, RecordSet
from defib.providers.dns.exchange import NameServer, exchange
from defib.providers.dns.records import canonical
from defib.providers.dns.rfc2136 import Rfc2136
from defib.providers.dns.update import update_message
from defib.sites.vendors import Server
from tests.contracts.dns_zone import SEED, WWW, WWW_B, ZONE, DnsZoneContract, ZoneWorld, change, record
from tests.providers.dns.bind import named, serve

SECRET = base64.b64encode(b"the secret of the tests, 32 byte").decode()
KEY = dns.tsig.Key("defib", SECRET, "hmac-sha256")
WRONG = dns.tsig.Key("defib", base64.b64encode(b"another secret").decode(), "hmac-sha256")
STRANGER = dns.tsig.Key("stranger", SECRET, "hmac-sha256")
APEX_TYPES = {"SOA", "NS"}


def published() -> PublishedZone:
    """The seed as the lab's servers publish it."""
    sets = tuple(PublishedSet(each.key.name, each.key.type, each.ttl, each.values) for each in SEED)
    return PublishedZone.with_apex(ZONE, sets, server=f"ns.{ZONE}")


@dataclass(frozen=True)
class Running:
    """The lab's primary and its secondary, and how to reach them."""

    primary: DynamicPrimary
    secondary: Authority

    def servers(self) -> tuple[Server, ...]:
        """Both, as a site file lists them."""
        return (server(self.primary.authority), server(self.secondary))

    def zone(self, key: dns.tsig.Key = KEY, zone: str = ZONE) -> Rfc2136:
        """The adapter for it."""
        return Rfc2136(zone, server(self.primary.authority), key, self.servers())


def server(authority: Authority) -> Server:
    """A server of the lab as a site file lists it."""
    return Server(name=authority.name, address=authority.address, port=authority.port)


@contextmanager
def running_primary(delay: timedelta = timedelta(0)) -> Iterator[Running]:
    """A primary with a secondary that gets new content after `delay`."""
    with BackgroundLoop() as loop:
        secondary = Authority("ns-secondary", "127.0.0.1", 0, delay=delay)
        primary = DynamicPrimary(
            "ns-primary",
            "127.0.0.1",
            0,
            zone=published(),
            keys=[TsigKey("defib", SECRET)],
            secondaries=[secondary],
        )
        loop.run(secondary.start())
        loop.run(primary.start())
        try:
            yield Running(primary, secondary)
        finally:
            loop.run(primary.stop())
            loop.run(secondary.stop())


@pytest.fixture
def running() -> Iterator[Running]:
    """A primary and its secondary."""
    with running_primary() as both:
        yield both


class TestRfc2136OnTheLab(DnsZoneContract):
    """The contract over the lab's primary, whose secondary is 100 ms behind."""

    @pytest.fixture
    def world(self) -> Iterator[ZoneWorld]:
        """A fresh primary."""
        with running_primary(timedelta(milliseconds=100)) as lab:

            def content() -> tuple[RecordSet, ...]:
                sets = [
                    canonical(RecordSet(RecordKey(each.name, each.type), each.ttl, each.values))
                    for each in lab.primary.zone.sets
                    if each.type not in APEX_TYPES
                ]
                return tuple(sorted(sets, key=lambda each: each.key))

            yield ZoneWorld(lab.zone(), content, lab.zone(WRONG), lab.zone(zone="elsewhere.test."))


@pytest.mark.skipif(not named(), reason="BIND's named is not installed (Debian: apt-get install bind9)")
class TestRfc2136OnBind(DnsZoneContract):
    """The contract over BIND, a server that is not ours."""

    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[ZoneWorld]:
        """A fresh BIND."""
        with serve(tmp_path, ZONE, SEED, "defib", SECRET) as port:
            bind = Server(name="bind", address="127.0.0.1", port=port)

            def zone(key: dns.tsig.Key = KEY, name: str = ZONE) -> Rfc2136:
                return Rfc2136(name, bind, key, [bind])

            yield ZoneWorld(zone(), lambda: transferred(port), zone(WRONG), zone(name="elsewhere.test."))


def transferred(port: int) -> tuple[RecordSet, ...]:
    """All that BIND holds, by zone transfer."""
    held = dns.zone.Zone(ZONE, relativize=False)
    query, _ = dns.xfr.make_query(held, keyring=KEY)
    dns.query.inbound_xfr("127.0.0.1", held, query, port=port, timeout=5)
    sets = [
        canonical(
            RecordSet(
                RecordKey(name.to_text(), dns.rdatatype.to_text(found.rdtype)),
                timedelta(seconds=found.ttl),
                tuple(rdata.to_text() for rdata in found),
            )
        )
        for name, found in held.iterate_rdatasets()
        if dns.rdatatype.to_text(found.rdtype) not in APEX_TYPES and name.to_text() != f"ns.{ZONE}"
    ]
    return tuple(sorted(sets, key=lambda each: each.key))


class TestRfc2136Alone:
    """What only dynamic updates do."""

    def soon(self, seconds: float = 10) -> Deadline:
        """A deadline."""
        return Deadline.after(SystemClock(), timedelta(seconds=seconds))

    def test_settled_only_when_the_last_server_has_it(self, running: Running) -> None:
        """D6: while one of the servers keeps the old zone, the change is not settled."""
        zone = running.zone()
        running.secondary.frozen = True
        receipt = zone.replace([change(WWW, WWW_B)], within=self.soon())
        assert not zone.settled(receipt, within=self.soon())
        running.secondary.frozen = False
        assert zone.settled(receipt, within=self.soon())

    def test_silent_server_leaves_it_unknown(self, running: Running) -> None:
        """A server that does not answer is neither behind nor up to date: the question stays open."""
        zone = running.zone()
        receipt = zone.replace([change(WWW, WWW_B)], within=self.soon())
        running.secondary.silent = True
        with pytest.raises(Unavailable) as caught:
            zone.settled(receipt, within=self.soon(0.5))
        assert "ns-secondary" in caught.value.where

    def test_settled_at_once_where_no_servers_are_given(self, running: Running) -> None:
        """Without servers to ask, the primary's word is all there is."""
        zone = Rfc2136(ZONE, server(running.primary.authority), KEY)
        receipt = zone.replace([change(WWW, WWW_B)], within=self.soon())
        assert zone.settled(receipt, within=self.soon())

    def test_unknown_key_is_denied(self, running: Running) -> None:
        """BADKEY says which setting to look at."""
        with pytest.raises(Denied) as caught:
            running.zone(STRANGER).read([WWW.key], within=self.soon())
        assert caught.value.seen == "PeerBadKey"
        assert "dns.tsig" in caught.value.then

    def test_wrong_algorithm_is_denied(self, running: Running) -> None:
        """The right secret under another algorithm is another key."""
        other = dns.tsig.Key("defib", SECRET, "hmac-sha512")
        with pytest.raises(Denied):
            running.zone(other).replace([change(WWW, WWW_B)], within=self.soon())

    def test_lost_reply_of_an_update_may_have_landed(self, running: Running) -> None:
        """An update whose reply is lost raises by the deadline and stands; the adapter does not send it again."""
        running.primary.mute = True
        with pytest.raises(Unavailable):
            running.zone().replace([change(WWW, WWW_B)], within=self.soon(0.5))
        assert running.zone().read([WWW.key], within=self.soon()) == (WWW_B,)

    def test_failing_server_is_unavailable(self, running: Running) -> None:
        """SERVFAIL may pass."""
        running.primary.authority.refusing = True
        with pytest.raises(Unavailable) as caught:
            running.zone().read([WWW.key], within=self.soon())
        assert caught.value.seen == "SERVFAIL"

    def test_silent_primary_costs_the_deadline(self, running: Running) -> None:
        """C5: a server that accepts and says nothing costs what was given, not more."""
        running.primary.authority.silent = True
        clock = SystemClock()
        started = clock.monotonic()
        with pytest.raises(Unavailable):
            running.zone().read([WWW.key], within=self.soon(0.3))
        assert clock.monotonic() - started < timedelta(seconds=20)

    def test_refused_connection_is_unavailable(self) -> None:
        """A primary that nobody listens on may come back."""
        nobody = Rfc2136(ZONE, Server(name="nobody", address="127.0.0.1", port=9), KEY)
        with pytest.raises(Unavailable):
            nobody.read([WWW.key], within=self.soon())

    def test_name_outside_the_zone_is_not_found(self, running: Running) -> None:
        """NOTZONE is a matter of configuration."""
        outside = RecordSet(RecordKey("www.example.org.", "A"), timedelta(seconds=60), ("192.0.2.1",))
        with pytest.raises(NotFound):
            running.zone().replace([change(None, outside)], within=self.soon())

    @pytest.mark.parametrize(
        "foreign",
        [
            replace(WWW_B, attributes=(("Weight", "10"),)),
            replace(WWW_B, values=()),
            record("odd", "A", "not an address"),
            record("mail", "SOA", f"ns.{ZONE} h.{ZONE} 9 1 1 1 1"),
        ],
        ids=["attributes", "no values", "bad value", "soa"],
    )
    def test_what_no_server_could_hold_is_refused(self, running: Running, foreign: RecordSet) -> None:
        """Attributes of other vendors, empty sets, bad values and SOA would be lost without a word: they are refused."""
        before = WWW if foreign.key == WWW.key else None
        with pytest.raises(NotFound):
            running.zone().replace([change(before, foreign)], within=self.soon())
        assert running.zone().read([WWW.key], within=self.soon()) == (WWW,)

    def test_server_itself_compares(self, running: Running) -> None:
        """A value that changes between our look and our update is not overwritten: the message demands it."""
        message = dns.update.UpdateMessage(ZONE, keyring=KEY)
        message.replace(WWW.key.name, 60, "CNAME", "theirs.example.net.")
        authority = running.primary.authority
        real = running.zone()
        ours = update_message(dns.name.from_text(ZONE), [change(WWW, WWW_B)], "test")
        dns.query.tcp(message, authority.address, port=authority.port, timeout=5)
        with pytest.raises(Conflict):
            exchange(NameServer(server(authority), KEY), ours, self.soon(), "UPDATE")
        (seen,) = real.read([WWW.key], within=self.soon())
        assert seen == replace(WWW, values=("theirs.example.net.",))
