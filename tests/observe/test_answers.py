"""Asking DNS servers one by one: what each says, how it was reached, and what is no answer."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dns.rcode
import pytest

from defib.clock import SystemClock
from defib.observe.answers import DnsAnswers
from defib.ports import Answer, RecordKey
from defib.sites.vendors import Server
from tests.observe.loopback import NAME, Loopback, Zone, loopback, site_with, within
from tests.ports import free_port

KEY = RecordKey(f"{NAME}.", "CNAME")
MINUTE = timedelta(seconds=60)


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Loopback]:
    """Servers on loopback that end with the test."""
    with loopback(tmp_path) as world:
        yield world


def zone(target: str = "edge.test.", ttl: int = 60) -> Zone:
    """A zone with the steering record."""
    return Zone({(KEY.name, "CNAME"): (ttl, [target])})


def resolvers(net: Loopback, *servers: Server, key: RecordKey = KEY, seconds: float = 20) -> tuple[Answer, ...]:
    """What the resolvers say."""
    with DnsAnswers(site_with(f"https://{NAME}/", list(servers)), net.home, SystemClock()) as answers:
        return answers.resolvers(key, within=within(seconds))


def authoritative(net: Loopback, *servers: Server, seconds: float = 20) -> tuple[Answer, ...]:
    """What the authoritative servers say."""
    site = site_with(f"https://{NAME}/", [Server(name="r", address="127.0.0.1", port=free_port())], servers=list(servers))
    with DnsAnswers(site, net.home, SystemClock()) as answers:
        return answers.authoritative(KEY, within=within(seconds))


def test_each_server_is_asked_itself(net: Loopback) -> None:
    """D6: of two authoritative servers that disagree, each is reported with its own answer, by name."""
    new, old = zone("standby.test."), zone("edge.test.", ttl=30)
    new.authoritative = old.authoritative = True
    seen = authoritative(net, net.dns(new, name="ns-1"), net.dns(old, name="ns-2"))
    assert (
        Answer("ns-1", ("standby.test.",), MINUTE),
        Answer("ns-2", ("edge.test.",), timedelta(seconds=30)),
    ) == seen
    assert [("udp", "CNAME", False)] == new.asked


def test_answer_without_authority(net: Loopback) -> None:
    """A server of the zone that answers without authority has said nothing that counts."""
    (seen,) = authoritative(net, net.dns(zone(), name="ns-1"))
    assert Answer("ns-1", None, problem="not authoritative") == seen


def test_resolver_is_asked_to_recurse(net: Loopback) -> None:
    """A resolver is asked with recursion desired, and the TTL is what it has left."""
    records = zone(ttl=17)
    (seen,) = resolvers(net, net.dns(records))
    assert Answer("resolver", ("edge.test.",), timedelta(seconds=17)) == seen
    assert [("udp", "CNAME", True)] == records.asked


def test_values_are_sorted_and_names_in_lower_case(net: Loopback) -> None:
    """Two servers that rotate their values or shout their names give equal answers."""
    records = Zone({("a.test.", "A"): (60, ["127.0.0.2", "127.0.0.1"]), (KEY.name, "CNAME"): (60, ["EDGE.test."])})
    server = net.dns(records)
    (addresses,) = resolvers(net, server, key=RecordKey("a.test.", "A"))
    (name,) = resolvers(net, server)
    assert (("127.0.0.1", "127.0.0.2"), ("edge.test.",)) == (addresses.values, name.values)


def test_truncated_answer(net: Loopback) -> None:
    """An answer that does not fit a datagram is fetched over TCP, and `via` says so."""
    records = zone()
    records.udp_truncates = True
    assert (Answer("resolver", ("edge.test.",), MINUTE, "tcp"),) == resolvers(net, net.dns(records))


def test_udp_closed(net: Loopback) -> None:
    """D8: where UDP is closed TCP is used at once."""
    assert (Answer("resolver", ("edge.test.",), MINUTE, "tcp"),) == resolvers(net, net.dns(zone(), udp=False))


@pytest.mark.parametrize("silent", [True, False], ids=["dead", "closed"])
def test_https_where_port_53_fails(net: Loopback, silent: bool) -> None:
    """D8: with port 53 closed, or dead without a word, the answer comes over HTTPS and says so."""
    records = zone()
    records.udp_silent = records.tcp_silent = True
    server = net.dns(records, udp=silent, tcp=silent, doh=net.doh(records))
    assert (Answer("resolver", ("edge.test.",), MINUTE, "https"),) == resolvers(net, server, seconds=4)


def test_dead_servers_hold_nobody_up(net: Loopback) -> None:
    """D7: a closed and a silent server become problems by name within one deadline; the living one is not delayed."""
    silent = Zone(udp_silent=True, tcp_silent=True)
    closed = Server(name="closed", address="127.0.0.1", port=free_port())
    seen = resolvers(net, closed, net.dns(silent, name="silent"), net.dns(zone(), name="alive"), seconds=0.4)
    assert Answer("closed", None, problem="udp: connection refused; tcp: connection refused") == seen[0]
    assert Answer("silent", None, problem="no answer within 0.4 s") == seen[1]
    assert Answer("alive", ("edge.test.",), MINUTE) == seen[2]


def test_server_failure(net: Loopback) -> None:
    """SERVFAIL and REFUSED are no usable answers."""
    seen = resolvers(
        net,
        net.dns(Zone(rcode=dns.rcode.SERVFAIL), name="failing"),
        net.dns(Zone(rcode=dns.rcode.REFUSED), name="refusing"),
    )
    assert [(None, "SERVFAIL"), (None, "REFUSED")] == [(answer.values, answer.problem) for answer in seen]


def test_absence_is_an_answer(net: Loopback) -> None:
    """No such name and no such record are answers without values, told apart."""
    missing, other = net.dns(Zone(), name="x"), net.dns(Zone({(KEY.name, "TXT"): (60, ["x"])}), name="y")
    seen = resolvers(net, missing, other)
    assert [((), "no such name"), ((), "no such record")] == [(answer.values, answer.problem) for answer in seen]
