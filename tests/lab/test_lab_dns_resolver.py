"""A caching resolver before real authorities, asked with real packets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import dns.exception
import dns.flags
import dns.message
import dns.query
import pytest
from dns.message import Message
from dns.rcode import Rcode

from defib.errors import PortTaken
from defib.lab.dns.authority import Authority
from defib.lab.dns.resolver import Resolver
from defib.lab.dns.zone import PublishedZone
from tests.lab.dns_stage import CLOCK, SECOND, Stage, ask, ask_tcp, question, record, stage, values, zone

NAME = "www.site.test."
FIRST, SECOND_ADDRESS = ["192.0.2.1"], ["192.0.2.2"]


def site(target: str, ttl: int = 1) -> PublishedZone:
    """A site that steers its users to an edge of `target`, with one name that is large."""
    return zone(
        "site.test.",
        record(NAME, "CNAME", f"edge.{target}.test.", ttl=ttl),
        record("long.site.test.", "A", "192.0.2.7", ttl=3600),
        record("never.site.test.", "A", "192.0.2.8", ttl=0),
        record("big.site.test.", "TXT", *(f'"{number:03} {"x" * 60}"' for number in range(40))),
        record("lost.site.test.", "CNAME", "nobody.first.test."),
        record("away.site.test.", "CNAME", "www.example.org."),
        negative_ttl=1,
    )


@dataclass
class World:
    """Two authorities of one site, one of two CDNs, and a resolver."""

    stage: Stage
    servers: list[Authority]
    cdn: Authority
    resolver: Resolver

    def publish(self, content: PublishedZone) -> None:
        """Give `content` to every server of the site."""
        for server in self.servers:
            server.publish(content)


@pytest.fixture
def world() -> Iterator[World]:
    """A world that steers to the first CDN."""
    with stage() as made:
        servers = [made.start(Authority(f"ns-{number}", f"127.78.3.{number}", 0)) for number in (1, 2)]
        cdn = made.start(Authority("ns-cdn", "127.78.3.3", 0))
        cdn.publish(zone("first.test.", record("edge.first.test.", "A", *FIRST, ttl=300), negative_ttl=1))
        cdn.publish(zone("second.test.", record("edge.second.test.", "A", *SECOND_ADDRESS, ttl=300)))
        stubs = {
            "site.test.": [(server.address, server.port) for server in servers],
            "first.test.": [(cdn.address, cdn.port)],
            "second.test.": [(cdn.address, cdn.port)],
        }
        found = World(made, servers, cdn, made.start(Resolver("resolver-1", "127.78.3.9", 0, stubs)))
        found.publish(site("first"))
        yield found


@dataclass(frozen=True)
class Timed:
    """A reply with the moments before the question and after the answer."""

    sent: timedelta
    reply: Message
    received: timedelta


def timed(resolver: Resolver, name: str = NAME) -> Timed:
    """Ask, and remember when."""
    sent = CLOCK.monotonic()
    reply = ask(resolver, name)
    return Timed(sent, reply, CLOCK.monotonic())


def asked_until_changed(resolver: Resolver, name: str, first: Timed, within: timedelta = 60 * SECOND) -> tuple[Timed, Timed]:
    """The last question answered like `first`, and the first answered otherwise."""
    last = first
    while True:
        seen = timed(resolver, name)
        if (values(seen.reply), seen.reply.rcode()) != (values(first.reply), first.reply.rcode()):
            return last, seen
        last = seen
        assert seen.received - first.received < within, f"unchanged after {within}"
        CLOCK.sleep(timedelta(milliseconds=1))


def test_a_chain_of_cnames_is_followed_across_zones(world: World) -> None:
    """The answer holds the whole chain, with RA and without AA."""
    reply = ask(world.resolver, NAME)
    assert (values(reply, "CNAME"), values(reply)) == (["edge.first.test."], FIRST)
    assert [rrset.ttl for rrset in reply.answer] == [1, 300]
    assert reply.flags & (dns.flags.RA | dns.flags.AA) == dns.flags.RA


def test_an_answer_is_kept_for_exactly_its_ttl(world: World) -> None:
    """With a TTL of 1 s nobody gets the old answer later, nor the new one earlier; no slack is given."""
    first = timed(world.resolver)
    world.publish(site("second"))
    last, changed = asked_until_changed(world.resolver, NAME, first)
    assert values(changed.reply) == SECOND_ADDRESS
    assert last.sent <= first.received + SECOND
    assert changed.received >= first.sent + SECOND


def test_a_denial_is_kept_for_the_minimum_of_the_soa(world: World) -> None:
    """D16: a name that was asked for too early stays missing for the negative TTL, then appears."""
    first = timed(world.resolver, "new.site.test.")
    assert (first.reply.rcode(), first.reply.authority[0].ttl) == (Rcode.NXDOMAIN, 1)
    content = site("first")
    world.publish(PublishedZone(content.origin, (*content.sets, record("new.site.test.", "A", "192.0.2.3"))))
    assert ask(world.resolver, "new.site.test.", "TXT").rcode() == Rcode.NXDOMAIN
    last, changed = asked_until_changed(world.resolver, "new.site.test.", first)
    assert values(changed.reply) == ["192.0.2.3"]
    assert last.sent <= first.received + SECOND
    assert changed.received >= first.sent + SECOND


def test_clients_are_told_what_is_left_of_the_ttl(world: World) -> None:
    """The TTL counts down in whole seconds, rounded down: a client that caches never outlives the authority's word."""
    world.publish(site("first", ttl=3))
    first = timed(world.resolver)
    assert first.reply.answer[0].ttl == 3
    seen = set()
    while CLOCK.monotonic() < first.sent + 2.5 * SECOND:
        now = timed(world.resolver)
        told = now.reply.answer[0].ttl
        lowest = (first.sent + 3 * SECOND - now.received) // SECOND
        highest = (first.received + 3 * SECOND - now.sent) // SECOND
        assert lowest <= told <= highest
        seen.add(told)
        CLOCK.sleep(timedelta(milliseconds=20))
    assert seen == {2, 1, 0}


def test_a_ttl_of_zero_is_never_kept(world: World) -> None:
    """TTL 0 is answered and forgotten."""
    assert values(ask(world.resolver, "never.site.test.")) == ["192.0.2.8"]
    world.publish(zone("site.test.", record("never.site.test.", "A", "192.0.2.9", ttl=0)))
    assert values(ask(world.resolver, "never.site.test.")) == ["192.0.2.9"]


def test_a_stubborn_resolver_keeps_answers_too_long(world: World) -> None:
    """D7: with a minimum TTL of 2 s an answer of 1 s is told and kept for 2 s, and not longer."""
    world.resolver.minimum_ttl = 2 * SECOND
    first = timed(world.resolver)
    assert first.reply.answer[0].ttl == 2
    world.publish(site("second"))
    last, changed = asked_until_changed(world.resolver, NAME, first)
    assert last.sent <= first.received + 2 * SECOND
    assert changed.received >= first.sent + 2 * SECOND


def test_a_flushed_resolver_asks_anew(world: World) -> None:
    """Nothing that was known before a flush is answered after it."""
    assert values(ask(world.resolver, "long.site.test.")) == ["192.0.2.7"]
    world.publish(zone("site.test.", record("long.site.test.", "A", "192.0.2.17")))
    assert values(ask(world.resolver, "long.site.test.")) == ["192.0.2.7"]
    world.resolver.flush()
    assert values(ask(world.resolver, "long.site.test.")) == ["192.0.2.17"]


def test_missing_names_and_types_are_told_apart(world: World) -> None:
    """NODATA of one type says nothing about others, NXDOMAIN at the end of a chain comes with the chain."""
    nodata = ask(world.resolver, "long.site.test.", "AAAA")
    assert (nodata.rcode(), nodata.answer, len(nodata.authority)) == (Rcode.NOERROR, [], 1)
    assert ask(world.resolver, "long.site.test.", "CNAME").answer == []
    assert values(ask(world.resolver, "long.site.test.")) == ["192.0.2.7"]
    lost = ask(world.resolver, "lost.site.test.")
    assert (lost.rcode(), values(lost, "CNAME")) == (Rcode.NXDOMAIN, ["nobody.first.test."])
    assert str(lost.authority[0].name) == "first.test."


@pytest.mark.parametrize(
    ("name", "rdtype", "rcode"),
    [
        ("example.org.", "A", Rcode.REFUSED),
        ("away.site.test.", "A", Rcode.SERVFAIL),
        ("long.site.test.", "ANY", Rcode.NOTIMP),
    ],
)
def test_what_it_cannot_know_is_never_denied(world: World, name: str, rdtype: str, rcode: Rcode) -> None:
    """Foreign names are refused, chains that lead there fail; an NXDOMAIN would be a lie."""
    assert ask(world.resolver, name, rdtype).rcode() == rcode


def test_who_wants_no_recursion_is_refused(world: World) -> None:
    """Without RD there is no look into the cache."""
    asked = question(NAME)
    asked.flags &= ~dns.flags.RD
    assert dns.query.udp(asked, world.resolver.address, 5, world.resolver.port).rcode() == Rcode.REFUSED


def test_an_authority_believes_only_its_own_zones(world: World) -> None:
    """What a server says about another server's zone is asked again there."""
    for server in world.servers:
        server.publish(zone("first.test.", record("edge.first.test.", "A", "203.0.113.66")))
    assert values(ask(world.resolver, NAME)) == FIRST


@pytest.mark.parametrize("fault", ["silent", "refusing", "stopped"])
def test_the_next_authority_is_asked_when_one_fails(world: World, fault: str) -> None:
    """One dead server of two costs time, never the answer; it is asked last for a while."""
    dead = world.servers[0]
    if fault == "stopped":
        world.stage.run(dead.stop())
    else:
        setattr(dead, fault, True)
    for _ in range(6):
        world.resolver.flush()
        assert values(ask(world.resolver, NAME)) == FIRST


def test_a_dead_authority_is_paid_for_once(world: World) -> None:
    """After one time-out the silent server is asked last, so later names come at once."""
    world.servers[0].silent = True
    stubs = {"site.test.": [(server.address, server.port) for server in world.servers]}
    patient = world.stage.start(Resolver("resolver-2", "127.78.3.10", 0, stubs, patience=SECOND))
    asked = [timed(patient, f"n{number}.site.test.") for number in range(8)]
    assert {each.reply.rcode() for each in asked} == {Rcode.NXDOMAIN}
    assert sum(each.received - each.sent >= SECOND for each in asked) <= 1


def test_all_authorities_dead_is_servfail(world: World) -> None:
    """Without any authority the resolver says that it failed, and recovers with them."""
    for server in world.servers:
        server.refusing = True
    assert ask(world.resolver, NAME).rcode() == Rcode.SERVFAIL
    for server in world.servers:
        server.refusing = False
    assert values(ask(world.resolver, NAME)) == FIRST


def test_an_answer_too_large_for_udp_is_fetched_over_tcp(world: World) -> None:
    """Truncation is followed up on both sides."""
    assert ask(world.resolver, "big.site.test.", "TXT").flags & dns.flags.TC
    assert len(values(ask_tcp(world.resolver, "big.site.test.", "TXT"), "TXT")) == 40


def test_one_frozen_authority_divides_the_resolvers(world: World) -> None:
    """D6: while one of two servers is frozen, fresh resolvers get old answers and new ones."""
    world.servers[0].frozen = True
    world.publish(site("second"))
    seen = set()
    for _ in range(40):
        world.resolver.flush()
        seen.add(tuple(values(ask(world.resolver, NAME))))
    assert seen == {tuple(FIRST), tuple(SECOND_ADDRESS)}


def test_many_at_once_share_one_question(world: World) -> None:
    """Twenty clients who ask at once, of a TTL of 0 that no cache holds, get one and the same drawn answer."""
    drawn = (record("pair.site.test.", "A", f"192.0.2.{number}", ttl=0, weight=1) for number in range(200))
    world.publish(zone("site.test.", *drawn))
    wire = question("pair.site.test.").to_wire()

    async def at_once() -> list[bytes]:
        return await asyncio.gather(*(world.resolver.answer(wire) for _ in range(20)))

    replies = [dns.message.from_wire(reply) for reply in world.stage.run(at_once())]
    assert len({tuple(values(reply)) for reply in replies}) == 1


def test_a_closed_port_53_is_dead_over_udp_and_tcp_until_opened(world: World) -> None:
    """D8: with port 53 closed UDP stays silent and TCP is reset."""
    world.resolver.port53_closed = True
    with pytest.raises(dns.exception.Timeout):
        ask(world.resolver, NAME, timeout=0.2)
    with pytest.raises((ConnectionError, EOFError)):
        ask_tcp(world.resolver, NAME)
    world.resolver.port53_closed = False
    assert values(ask_tcp(world.resolver, NAME)) == FIRST


def test_a_silent_and_a_failing_resolver(world: World) -> None:
    """Silence is a time-out, failure is SERVFAIL, and both end when healed."""
    world.resolver.silent = True
    with pytest.raises(dns.exception.Timeout):
        ask(world.resolver, NAME, timeout=0.2)
    world.resolver.silent = False
    world.resolver.servfail = True
    assert ask(world.resolver, NAME).rcode() == Rcode.SERVFAIL
    world.resolver.servfail = False
    assert values(ask(world.resolver, NAME)) == FIRST


def test_a_taken_port_is_named(world: World) -> None:
    """Address, port and the next command are in the error."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.78.3.9", 0))
        port = holder.getsockname()[1]
        with pytest.raises(PortTaken, match=f"{port}") as caught:
            world.stage.run(Resolver("resolver-2", "127.78.3.9", port, {}).start())
    assert "defib lab down" in caught.value.then


def test_stopping_ends_what_is_under_way(world: World) -> None:
    """A resolver that waits for dead authorities stops at once, after a flush too, and starts again."""
    for server in world.servers:
        server.silent = True
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.sendto(question(NAME).to_wire(), (world.resolver.address, world.resolver.port))
        world.stage.run(world.resolver.answer(question("example.org.").to_wire()))
        world.resolver.flush()
        world.stage.run(world.resolver.stop())
    for server in world.servers:
        server.silent = False
    world.stage.run(world.resolver.start())
    assert values(ask(world.resolver, NAME)) == FIRST
