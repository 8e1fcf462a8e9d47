"""An authoritative server, asked with real packets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.query
import pytest
from dns.rcode import Rcode

from defib.errors import InputError, LabDown, PortTaken
from defib.lab.dns.authority import Authority
from defib.lab.dns.zone import PublishedZone
from tests.lab.dns_stage import CLOCK, Stage, ask, ask_tcp, question, record, stage, values, wait_for_values, zone

ADDRESS = "127.78.1.1"
OLD, NEW = ["old.cdn.test."], ["new.cdn.test."]


def steering(target: list[str], serial: int = 1) -> PublishedZone:
    """The zone of a site that steers its users to `target`."""
    return zone("site.test.", record("www.site.test.", "CNAME", *target, ttl=3), serial=serial)


@pytest.fixture
def servers() -> Iterator[Stage]:
    """An event loop for servers."""
    with stage() as made:
        yield made


@pytest.fixture
def authority(servers: Stage) -> Authority:
    """A server with one small and one large set."""
    made = Authority("ns-1", ADDRESS, 0)
    made.publish(
        zone(
            "site.test.",
            record("www.site.test.", "CNAME", *OLD, ttl=3),
            record("big.site.test.", "TXT", *(f'"{number:03} {"x" * 60}"' for number in range(40))),
            negative_ttl=9,
        )
    )
    return servers.start(made)


def test_an_answer_is_authoritative(authority: Authority) -> None:
    """AA is set, the TTL is the published one, and no recursion is offered."""
    reply = ask(authority, "www.site.test.", "CNAME")
    assert reply.rcode() == Rcode.NOERROR
    assert reply.flags & (dns.flags.AA | dns.flags.RA) == dns.flags.AA
    assert (values(reply, "CNAME"), reply.answer[0].ttl) == (OLD, 3)


@pytest.mark.parametrize(("name", "rcode"), [("nobody.site.test.", Rcode.NXDOMAIN), ("site.test.", Rcode.NOERROR)])
def test_a_denial_carries_the_soa(authority: Authority, name: str, rcode: Rcode) -> None:
    """NXDOMAIN and NODATA are authoritative and tell how long they may be kept."""
    reply = ask(authority, name, "AAAA")
    assert (reply.rcode(), reply.answer, reply.authority[0].ttl) == (rcode, [], 9)
    assert reply.flags & dns.flags.AA


@pytest.mark.parametrize(("name", "rdtype"), [("example.org.", "A"), ("site.test.", "AXFR")])
def test_what_is_not_served_is_refused(authority: Authority, name: str, rdtype: str) -> None:
    """Foreign zones and transfers get REFUSED, never a made-up NXDOMAIN."""
    reply = ask(authority, name, rdtype) if rdtype == "A" else _exchange(authority, question(name, rdtype).to_wire())
    assert reply.rcode() == Rcode.REFUSED


@pytest.mark.parametrize("edns", [None, 512, 1232])
def test_a_large_answer_is_cut_over_udp_and_whole_over_tcp(authority: Authority, edns: int | None) -> None:
    """TC tells the asker to come back over TCP, where all of it fits."""
    cut = ask(authority, "big.site.test.", "TXT", edns=edns)
    assert cut.flags & dns.flags.TC
    assert cut.wire is not None
    assert len(cut.wire) <= (edns or 512)
    assert len(values(ask_tcp(authority, "big.site.test.", "TXT"), "TXT")) == 40


def test_a_large_answer_fits_into_a_large_edns_size(authority: Authority) -> None:
    """Who announces room over UDP gets the whole answer over UDP."""
    reply = ask(authority, "big.site.test.", "TXT", edns=4096)
    assert (bool(reply.flags & dns.flags.TC), len(values(reply, "TXT"))) == (False, 40)


def test_many_questions_on_one_tcp_connection(authority: Authority) -> None:
    """A TCP connection stays open for the next question (RFC 7766)."""
    with socket.create_connection((authority.address, authority.port), timeout=5) as connection:
        connection.setblocking(False)
        for _ in range(3):
            asked = question("www.site.test.", "CNAME")
            dns.query.send_tcp(connection, asked, None)
            reply, _at = dns.query.receive_tcp(connection, None)
            assert values(reply, "CNAME") == OLD


def test_a_publication_shows_within_milliseconds(authority: Authority) -> None:
    """A change without delay is in the first answer after it, from whatever thread it came."""
    for number in range(20):
        target = [f"edge-{number}.cdn.test."]
        publisher = threading.Thread(target=authority.publish, args=(steering(target),))
        publisher.start()
        publisher.join()
        assert values(ask(authority, "www.site.test.", "CNAME"), "CNAME") == target


def test_a_wrong_zone_is_refused_and_the_old_one_stays(authority: Authority) -> None:
    """Publishing is all or nothing."""
    with pytest.raises(InputError):
        authority.publish(zone("site.test.", record("www.site.test.", "A", "nonsense")))
    assert values(ask(authority, "www.site.test.", "CNAME"), "CNAME") == OLD


def test_each_server_has_its_own_delay(servers: Stage) -> None:
    """D6: a slow server keeps the old answer for its delay, while the others have the new one."""
    slow = servers.start(Authority("ns-2", ADDRESS, 0, delay=timedelta(milliseconds=300)))
    fast = servers.start(Authority("ns-1", ADDRESS, 0))
    for server in (slow, fast):
        server.delay, kept = timedelta(0), server.delay
        server.publish(steering(OLD))
        server.delay = kept
    published = CLOCK.monotonic()
    for server in (slow, fast):
        server.publish(steering(NEW))
    assert values(ask(fast, "www.site.test.", "CNAME"), "CNAME") == NEW
    wait_for_values(slow, "www.site.test.", "CNAME", NEW)
    assert CLOCK.monotonic() - published >= timedelta(milliseconds=300)


def test_the_newest_content_is_never_overtaken(servers: Stage) -> None:
    """An old publication that arrives late does not undo a newer one."""
    server = servers.start(Authority("ns-1", ADDRESS, 0, delay=timedelta(milliseconds=100)))
    server.publish(steering(OLD))
    server.publish(zone("mark.test.", record("mark.test.", "TXT", '"late"')))
    server.delay = timedelta(0)
    server.publish(steering(NEW))
    wait_for_values(server, "mark.test.", "TXT", ['"late"'])
    assert values(ask(server, "www.site.test.", "CNAME"), "CNAME") == NEW


def test_a_frozen_server_keeps_the_old_answer_until_it_thaws(authority: Authority) -> None:
    """D6: partial propagation; what was published meanwhile arrives with the thaw, the newest only."""
    authority.frozen = True
    authority.publish(steering(["middle.cdn.test."]))
    authority.publish(steering(NEW))
    assert values(ask(authority, "www.site.test.", "CNAME"), "CNAME") == OLD
    authority.frozen = False
    assert values(ask(authority, "www.site.test.", "CNAME"), "CNAME") == NEW


def test_a_silent_server_says_nothing_until_healed(authority: Authority) -> None:
    """Silence is a time-out over UDP and TCP, and ends with the fault."""
    authority.silent = True
    with pytest.raises(dns.exception.Timeout):
        ask(authority, "www.site.test.", timeout=0.2)
    with pytest.raises(dns.exception.Timeout):
        ask_tcp(authority, "www.site.test.", timeout=0.2)
    authority.silent = False
    assert ask(authority, "www.site.test.").rcode() == Rcode.NOERROR


def test_a_refusing_server_fails(authority: Authority) -> None:
    """SERVFAIL to every question, and well again when healed."""
    authority.refusing = True
    assert ask(authority, "www.site.test.").rcode() == Rcode.SERVFAIL
    authority.refusing = False
    assert ask(authority, "www.site.test.").rcode() == Rcode.NOERROR


def _exchange(server: Authority, wire: bytes) -> dns.message.Message:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(5)
        asker.sendto(wire, (server.address, server.port))
        return dns.message.from_wire(asker.recv(65535))


def test_malformed_requests_get_an_error_and_the_server_lives(authority: Authority) -> None:
    """Junk is answered with FORMERR, an unknown operation with NOTIMP, an unknown EDNS with BADVERS."""
    good = question("www.site.test.")
    notify = question("www.site.test.")
    notify.set_opcode(dns.opcode.NOTIFY)
    future = dns.message.make_query("www.site.test.", "A", use_edns=1)
    assert _exchange(authority, good.to_wire()[:-2]).rcode() == Rcode.FORMERR
    assert _exchange(authority, notify.to_wire()).rcode() == Rcode.NOTIMP
    assert _exchange(authority, future.to_wire()).rcode() == Rcode.BADVERS
    assert ask(authority, "www.site.test.").rcode() == Rcode.NOERROR


def test_replies_and_fragments_are_not_answered(authority: Authority) -> None:
    """What is no request is dropped, so that two servers never talk to each other for ever."""
    echo = question("www.site.test.")
    echo.flags |= dns.flags.QR
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(0.2)
        for wire in (echo.to_wire(), b"\x00\x01"):
            asker.sendto(wire, (authority.address, authority.port))
        with pytest.raises(TimeoutError):
            asker.recv(512)


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_taken_port_is_named(servers: Stage, kind: socket.SocketKind) -> None:
    """Address, port and the next command are in the error, and nothing stays bound."""
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind((ADDRESS, 0))
        if kind == socket.SOCK_STREAM:
            holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            servers.run(Authority("ns-1", ADDRESS, port).start())
    assert f"{ADDRESS}:{port}" in caught.value.where
    assert "defib lab down" in caught.value.then
    servers.start(Authority("ns-1", ADDRESS, port))


def test_an_address_of_another_machine_is_named(servers: Stage) -> None:
    """An address that cannot be bound is an error of the lab, not a traceback."""
    with pytest.raises(LabDown, match=r"192\.0\.2\.1"):
        servers.run(Authority("ns-1", "192.0.2.1", 0).start())


def test_a_stopped_server_comes_back_on_its_port_with_its_content(servers: Stage, authority: Authority) -> None:
    """Stop and start is a restart, not a loss."""
    port = authority.port
    servers.run(authority.stop())
    servers.run(authority.stop())
    authority.publish(steering(NEW))
    servers.run(authority.start())
    assert (authority.port, values(ask(authority, "www.site.test.", "CNAME"), "CNAME")) == (port, NEW)
