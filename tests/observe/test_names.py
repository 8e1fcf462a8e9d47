"""Vendors' names are found through the site's resolvers where this machine's own DNS fails."""

from __future__ import annotations

import socket
import threading
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
        if host == API and self.how == "is silent":
            self.heal.wait()
        return socket.getaddrinfo("127.0.0.1" if host == API else host, port, *more, **named)


def addresses(found: Any) -> list[str]:
    """The addresses in what was found."""
    return [place[0] for *_, place in found]


def names(net: Loopback, own: OwnDns, records: Zone = RECORDS) -> Names:
    """Names as a process finds them whose own DNS is `own`."""
    site = site_with("https://www.pulse.test/", [net.dns(records)])
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
