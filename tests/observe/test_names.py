"""Vendors' names are found through the site's resolvers where this machine's own DNS fails."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from defib.clock import SystemClock
from defib.observe.names import Names, find_names
from tests.observe.loopback import Loopback, Zone, hanging, loopback, site_with

API = "api.vendor.test"
RECORDS = Zone({(f"{API}.", "A"): (60, ["127.0.0.9"])})


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Loopback]:
    """A small internet."""
    with loopback(tmp_path) as world:
        yield world


class OwnDns:
    """What this machine's own DNS does with a name: fail, be silent, or know it; addresses it always passes on."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.asked: list[Any] = []
        self.heal = threading.Event()

    def __call__(self, host: Any, port: Any, *more: Any, **named: Any) -> Any:
        self.asked.append(host)
        if host == API and self.how == "fails":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        if host == API and self.how == "takes it for no name":
            raise UnicodeError("label empty or too long")
        if host == API and self.how == "is silent":
            self.heal.wait()
        if host == API and self.how == "is slow":
            self.heal.wait(1.5)
        return socket.getaddrinfo("127.0.0.1" if host == API else host, port, *more, **named)


def addresses(found: Any) -> list[str]:
    """The addresses in what was found."""
    return [place[0] for *_, place in found]


def names(net: Loopback, own: OwnDns, *zones: Zone) -> Names:
    """Names as a process finds them whose own DNS is `own`, with a resolver for each of `zones`."""
    resolvers = [net.dns(zone, name=f"resolver-{number}") for number, zone in enumerate(zones or (RECORDS,))]
    site = site_with("https://www.pulse.test/", resolvers)
    return Names(site, net.home, SystemClock(), own)


@pytest.mark.parametrize("how", ["fails", "is silent"])
def test_resolvers_of_the_site_are_asked(net: Loopback, how: str) -> None:
    """D18: public DNS does not work for this machine, and the vendor's API is found all the same."""
    own = OwnDns(how)
    found = names(net, own).find(API, 443, type=socket.SOCK_STREAM)
    own.heal.set()
    assert (addresses(found), found[0][4][1]) == (["127.0.0.9"], 443)


def test_own_dns_comes_first(net: Loopback) -> None:
    """What the machine knows counts: a private name may not be known outside."""
    assert addresses(names(net, OwnDns("knows")).find(API, 443, type=socket.SOCK_STREAM)) == ["127.0.0.1"]


def test_error_of_the_machine_is_told_where_nobody_knows(net: Loopback) -> None:
    """A name that no resolver has is refused as ever."""
    with pytest.raises(socket.gaierror, match="not known"):
        names(net, OwnDns("fails"), Zone()).find(API, 443)


SILENT = Zone(udp_silent=True, tcp_silent=True)


def test_silent_resolver_keeps_no_other_from_answering(net: Loopback) -> None:
    """D18: a resolver that swallows questions is passed by, whatever its place in the site file."""
    found = names(net, OwnDns("fails"), SILENT, RECORDS).find(API, 443, type=socket.SOCK_STREAM)
    assert addresses(found) == ["127.0.0.9"]


def test_nobody_waits_for_ever(net: Loopback) -> None:
    """D18: where the resolvers are silent as well, the machine's own error is told in seconds."""
    started = time.monotonic()
    with pytest.raises(socket.gaierror, match="not known"):
        names(net, OwnDns("fails"), SILENT, SILENT).find(API, 443)
    assert time.monotonic() - started < 20


def test_machine_that_is_slow_is_believed_where_nobody_else_knows(net: Loopback) -> None:
    """A private name that the machine finds late is found, and not refused for its lateness."""
    assert addresses(names(net, OwnDns("is slow"), SILENT).find(API, 443, type=socket.SOCK_STREAM)) == ["127.0.0.1"]


def test_every_address_is_given(net: Loopback) -> None:
    """Whoever connects may try the next address where the first is dead."""
    records = Zone({(f"{API}.", "A"): (60, ["127.0.0.8", "127.0.0.9"])})
    found = names(net, OwnDns("fails"), records).find(API, 443, type=socket.SOCK_STREAM)
    assert sorted(addresses(found)) == ["127.0.0.8", "127.0.0.9"]


def test_other_errors_stay_what_they_are(net: Loopback) -> None:
    """Libraries expect a UnicodeError for what is no name, and get it at once."""
    with pytest.raises(UnicodeError):
        names(net, OwnDns("takes it for no name")).find(API, 443)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", None])
def test_addresses_and_the_machine_itself_are_nobody_elses(net: Loopback, host: str | None) -> None:
    """What needs no DNS goes on as it did."""
    own = OwnDns("fails")
    names(net, own).find(host, 443)
    assert own.asked == [host]


def test_everything_in_the_process_finds_names_so(net: Loopback) -> None:
    """D18: vendors' libraries look names up with the socket module, which asks us; two sites do not pile up."""
    before = socket.getaddrinfo
    site = site_with("https://www.pulse.test/", [net.dns(RECORDS)])
    try:
        find_names(site, net.home, SystemClock())
        find_names(site, net.home, SystemClock())
        port = net.serve(hanging, None, "127.0.0.9")
        with socket.create_connection((API, port), timeout=5) as connection:
            assert connection.getpeername() == ("127.0.0.9", port)
        assert socket.getaddrinfo.__self__._own is before  # type: ignore[attr-defined]
    finally:
        socket.getaddrinfo = before
