"""The observers against real servers: TLS, DNS, hangs and lies."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from defib.clock import SystemClock
from defib.errors import SiteInvalid
from defib.observe.memory import MemoryObservers, Sight
from defib.observe.web import WebObservers
from defib.ports import Aim, Build, Health, Observation
from tests.observe.loopback import (
    BUILD,
    BUILT,
    NAME,
    Handler,
    Loopback,
    Requests,
    Zone,
    blurting,
    closing,
    dripping,
    hanging,
    loopback,
    serving,
    site_with,
    within,
    zipped,
)
from tests.ports import free_port

# A socket that the garbage collector has to close is a leak, and fails its test.
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning", "error::ResourceWarning")


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Loopback]:
    """Servers on loopback that end with the test."""
    with loopback(tmp_path) as world:
        yield world


def zone(address: str = "127.0.0.1") -> Zone:
    """The site's name behind a CNAME, as a CDN has it."""
    return Zone({(f"{NAME}.", "CNAME"): (60, ["edge.test."]), ("edge.test.", "A"): (60, [address])})


def look(net: Loopback, port: int, seconds: float = 20, records: Zone | None = None, aim: Aim | None = None) -> Observation:
    """One look by one observer at what listens on `port`."""
    url = f"https://{NAME}:{port}/"
    site = site_with(url, [net.dns(records or zone())])
    with WebObservers(site, net.home, SystemClock()) as observers:
        (seen,) = observers.look(aim or Aim(url), within=within(seconds))
    return seen


def good_port(net: Loopback, handler: Handler | None = None) -> int:
    """The port of a server with a right certificate."""
    return net.serve(handler or serving(), net.certificate(NAME))


def test_good_page(net: Loopback) -> None:
    """A page as the site file describes it is good, and its build is read."""
    before = datetime.now(UTC)
    seen = look(net, good_port(net))
    assert (Health.GOOD, "", "127.0.0.1") == (seen.health, seen.reason, seen.address)
    assert Build(BUILD, datetime.fromisoformat(BUILT)) == seen.build
    assert before <= seen.at <= datetime.now(UTC) - seen.took


def test_compressed_page(net: Loopback) -> None:
    """A compressed page is judged by what it says, as a browser sees it."""
    assert look(net, good_port(net, zipped())).health is Health.GOOD


def test_expired_certificate(net: Loopback) -> None:
    """C4: a certificate that expired two hours ago is bad although HTTP is fine, and the reason says since when."""
    expired = datetime.now(UTC) - timedelta(hours=2, minutes=5)
    tls = net.certificate(NAME, not_before=expired - timedelta(days=90), not_after=expired)
    seen = look(net, net.serve(serving(), tls))
    assert (Health.BAD, "TLS: certificate expired 2 h ago") == (seen.health, seen.reason)


def test_wrong_name(net: Loopback) -> None:
    """C4: a certificate for another name is bad although HTTP is fine, and the reason names it."""
    seen = look(net, net.serve(serving(), net.certificate("parked.example")))
    assert (Health.BAD, "TLS: certificate is for parked.example") == (seen.health, seen.reason)


def test_untrusted_issuer(net: Loopback) -> None:
    """A certificate of somebody else's authority is bad, and the reason names the issuer."""
    stranger = trustme.CA(organization_name="Strangers")
    seen = look(net, net.serve(serving(), net.certificate(NAME, ca=stranger)))
    assert (Health.BAD, "TLS: certificate issued by Strangers, which is not trusted") == (seen.health, seen.reason)


def test_hostile_issuer(net: Loopback) -> None:
    """An issuer whose name holds NUL, escape codes and far too much gives a reason that is one short printable line."""
    stranger = trustme.CA(organization_name="\0\x1b]0;owned\x07\u202e" + "x" * 40)
    seen = look(net, net.serve(serving(), net.certificate(NAME, ca=stranger)))
    assert (
        f"TLS: certificate issued by ??]0;owned??{'x' * 40}, which is not trusted",
        Health.BAD,
    ) == (seen.reason, seen.health)


def test_long_reason_and_address_are_cut_in_every_world() -> None:
    """Whatever an observer reports, its reason and its address are short and printable."""
    clock = SystemClock()
    world = MemoryObservers(["a"], lambda *_: Sight(Health.BAD, "\0" * 5000, address="\x1b" * 5000), clock)
    (seen,) = world.look(Aim("https://a.test/"), within=within(1))
    assert ("?" * 199 + "…",) * 2 == (seen.reason, seen.address)


def test_not_tls(net: Loopback) -> None:
    """A server that speaks no TLS is bad in a readable way."""
    seen = look(net, net.serve(blurting, None))
    assert (Health.BAD, True) == (seen.health, seen.reason.startswith("TLS: "))


@pytest.mark.parametrize("tls", [True, False], ids=["after-handshake", "before-handshake"])
def test_hang_after_accept(net: Loopback, tls: bool) -> None:
    """C5: a server that accepts and then hangs, before or after TLS, costs one deadline and no more."""
    port = net.serve(hanging, net.certificate(NAME) if tls else None)
    seen = look(net, port, seconds=0.3)
    assert (Health.BAD, "no answer within 0.3 s") == (seen.health, seen.reason)
    assert timedelta(seconds=0.25) <= seen.took < timedelta(seconds=10)


def test_drip(net: Loopback) -> None:
    """C5: a server that drips one byte at a time cannot outlive the deadline."""
    seen = look(net, good_port(net, dripping(every=0.02)), seconds=0.3)
    assert (Health.BAD, True) == (seen.health, seen.reason.startswith("page not complete ("))
    assert seen.took < timedelta(seconds=2)


def test_truncated_body(net: Loopback) -> None:
    """A body shorter than its Content-Length is bad, and the reason says how much came."""
    seen = look(net, good_port(net, serving(b"x" * 312, promised=2048)))
    assert (Health.BAD, "page cut off after 312 of 2048 bytes") == (seen.health, seen.reason)


def test_parked_page(net: Loopback) -> None:
    """C3: a parked page with status 200 is unhealthy."""
    seen = look(net, good_port(net, serving(b"<title>This domain is for sale</title>")))
    assert (Health.BAD, "expected text missing") == (seen.health, seen.reason)


def test_page_without_build_marker(net: Loopback) -> None:
    """C3: a page with the right title but no build marker is unhealthy."""
    seen = look(net, good_port(net, serving(b"<title>Pulse</title>")))
    assert (Health.BAD, "build marker missing") == (seen.health, seen.reason)


def test_missing_header(net: Loopback) -> None:
    """A page without one of its security headers is not served as expected."""
    seen = look(net, good_port(net, serving(headers={"X-Frame-Options": "DENY"})))
    assert (Health.BAD, "header content-security-policy missing") == (seen.health, seen.reason)


def test_server_error(net: Loopback) -> None:
    """An HTTP error is told by its number."""
    seen = look(net, good_port(net, serving(status="503 Service Unavailable")))
    assert (Health.BAD, "HTTP 503") == (seen.health, seen.reason)


def test_redirect_is_not_followed(net: Loopback) -> None:
    """A redirect is not the page, wherever it leads."""
    seen = look(net, good_port(net, serving(status="301 Moved", headers={"Location": "https://elsewhere.test/"})))
    assert (Health.BAD, "HTTP 301") == (seen.health, seen.reason)


def test_closed_without_answer(net: Loopback) -> None:
    """A server that closes after the request is bad in plain words."""
    assert look(net, good_port(net, closing)).reason == "connection closed without an answer"


def test_connection_refused(net: Loopback) -> None:
    """A closed port is told as such, and at once."""
    seen = look(net, free_port())
    assert (Health.BAD, "connection refused") == (seen.health, seen.reason)
    assert seen.took < timedelta(seconds=4)


def test_no_such_name(net: Loopback) -> None:
    """A name that does not exist is bad, and the reason says which resolver says so."""
    seen = look(net, good_port(net), records=Zone({("other.test.", "A"): (60, ["127.0.0.1"])}))
    assert (Health.BAD, f"DNS: {NAME} does not exist, says resolver") == (seen.health, seen.reason)


def test_silent_resolver(net: Loopback) -> None:
    """The time for the DNS counts: a resolver that is silent on every way ends the look at its deadline."""
    seen = look(net, good_port(net), seconds=0.3, records=Zone(udp_silent=True, tcp_silent=True))
    assert (Health.BAD, "DNS: no answer from resolver within 0.3 s") == (seen.health, seen.reason)


def test_next_address_in_turn(net: Loopback) -> None:
    """A name with a dead and a living address is served, as it is to a browser."""
    port = net.serve(serving(), net.certificate(NAME), "127.0.0.3")
    records = zone()
    records.records["edge.test.", "A"] = (60, ["127.0.0.2", "127.0.0.3"])
    seen = look(net, port, records=records)
    assert (Health.GOOD, "127.0.0.3") == (seen.health, seen.address)


def test_silent_address_leaves_time_for_the_next(net: Loopback) -> None:
    """An address that hangs takes its share of the deadline, not all of it."""
    port = net.serve(hanging, None, "127.0.0.2")
    net.serve(serving(), net.certificate(NAME), "127.0.0.3", port)
    records = zone()
    records.records["edge.test.", "A"] = (60, ["127.0.0.2", "127.0.0.3"])
    seen = look(net, port, seconds=1, records=records)
    assert (Health.GOOD, "127.0.0.3") == (seen.health, seen.address)


@pytest.mark.parametrize("where", ["127.0.0.9", "standby.test."])
def test_connect_to(net: Loopback, where: str) -> None:
    """An aim with another address or host keeps the public name in TLS and Host."""
    requests = Requests()
    port = net.serve(requests.handler(), net.certificate(NAME), "127.0.0.9")
    records = zone()
    records.records["standby.test.", "A"] = (60, ["127.0.0.9"])
    seen = look(net, port, records=records, aim=Aim(f"https://{NAME}:{port}/", connect_to=where))
    assert (Health.GOOD, "127.0.0.9") == (seen.health, seen.address)
    assert f"Host: {NAME}:{port}\r\n" in requests.heads[0]


def test_past_cache(net: Loopback) -> None:
    """Two looks past the cache ask for two different things and forbid a cached answer; a plain look does neither."""
    requests = Requests()
    port = good_port(net, requests.handler())
    url = f"https://{NAME}:{port}/"
    site = site_with(url, [net.dns(zone())])
    with WebObservers(site, net.home, SystemClock()) as observers:
        for aim in (Aim(url, past_cache=True), Aim(url, past_cache=True), Aim(url)):
            observers.look(aim, within=within(20))
    targets = [head.split()[1] for head in requests.heads]
    assert len(set(targets)) == 3
    assert ["Cache-Control: no-cache" in head for head in requests.heads] == [True, True, False]
    assert targets[2] == "/"


def test_no_time_left(net: Loopback) -> None:
    """A look without time has seen nothing: that is unknown, not bad."""
    assert look(net, good_port(net), seconds=0).health is Health.UNKNOWN


def test_resolver_over_https(net: Loopback) -> None:
    """D8: an observer whose port 53 is closed resolves over HTTPS."""
    records = zone()
    resolver = net.dns(records, udp=False, tcp=False, doh=net.doh(records))
    url = f"https://{NAME}:{good_port(net)}/"
    with WebObservers(site_with(url, [resolver]), net.home, SystemClock()) as observers:
        (seen,) = observers.look(Aim(url), within=within(20))
    assert (Health.GOOD, "") == (seen.health, seen.reason)


def test_each_observer_through_its_own_resolver(net: Loopback) -> None:
    """C1: two observers whose resolvers disagree see different things, in the order of the site file."""
    port = good_port(net)
    url = f"https://{NAME}:{port}/"
    resolvers = [net.dns(zone(), name="north"), net.dns(zone("127.0.0.66"), name="south")]
    with WebObservers(site_with(url, resolvers), net.home, SystemClock()) as observers:
        seen = observers.look(Aim(url), within=within(20))
        (alone,) = observers.look(Aim(url), within=within(20), only="from-south")
        with pytest.raises(ValueError, match="nobody"):
            observers.look(Aim(url), within=within(20), only="nobody")
    assert [("from-north", Health.GOOD), ("from-south", Health.BAD)] == [(o.observer, o.health) for o in seen]
    assert ("from-south", "connection refused") == (alone.observer, alone.reason)


def test_online(net: Loopback) -> None:
    """C2: an observer that reaches one of its reference sites is online; any HTTP answer over verified TLS counts."""
    port = net.serve(serving(status="404 Not Found"), net.certificate("one.test"))
    records = Zone({("one.test.", "A"): (60, ["127.0.0.1"])})
    references = (f"https://one.test:{port}/", "https://two.test/")
    resolvers = [net.dns(records, name="north"), net.dns(Zone(), name="south")]
    site = site_with(f"https://{NAME}/", resolvers, references)
    with WebObservers(site, net.home, SystemClock()) as observers:
        assert (True, False) == observers.online(within=within(20))


def test_captive_portal_is_not_online(net: Loopback) -> None:
    """C2: something that answers for a reference site without its certificate is no proof of a network."""
    port = net.serve(serving(), net.certificate("portal.test"))
    records = Zone({(f"{name}.test.", "A"): (60, ["127.0.0.1"]) for name in ("one", "two")})
    references = (f"https://one.test:{port}/", f"https://two.test:{port}/")
    site = site_with(f"https://{NAME}/", [net.dns(records)], references)
    with WebObservers(site, net.home, SystemClock()) as observers:
        assert (False,) == observers.online(within=within(20))


def test_proxy_settings_are_ignored(net: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxy is not on the way of users, so not on that of observers."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{free_port()}")
    assert look(net, good_port(net)).health is Health.GOOD


def test_missing_trust_file(net: Loopback) -> None:
    """A site file that names authorities which are not there is refused, with the path."""
    site = site_with(f"https://{NAME}/", [net.dns(zone())], trust="lab/none.pem")
    with pytest.raises(SiteInvalid) as caught:
        WebObservers(site, net.home, SystemClock())
    assert str(net.home / "lab/none.pem") == caught.value.where


def test_many_threads_and_no_leaks(net: Loopback) -> None:
    """Looks from many threads, good and hanging, leave no socket, file or thread behind."""
    url = f"https://{NAME}:{good_port(net)}/"
    slow = f"https://{NAME}:{net.serve(hanging, None)}/"
    slower = f"https://{NAME}:{good_port(net, hanging)}/"
    resolver = net.dns(zone())
    before = threading.active_count()
    seen: list[Observation] = []
    with WebObservers(site_with(url, [resolver]), net.home, SystemClock()) as observers:
        observers.look(Aim(url), within=within(20))

        def work() -> None:
            for _ in range(5):
                seen.extend(observers.look(Aim(url), within=within(60)))
                observers.look(Aim(slow), within=within(0.05))
                observers.look(Aim(slower), within=within(0.05))

        workers = [threading.Thread(target=work) for _ in range(6)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        gc.collect()
        assert [] == _sockets_to(slow) + _sockets_to(slower)
    assert [Health.GOOD] * 30 == [observation.health for observation in seen]
    assert before == threading.active_count()


def _sockets_to(url: str) -> list[str]:
    """This process's own client sockets that are still open towards the port of `url`."""
    port = f"{int(url.rsplit(':', 1)[1].strip('/')):04X}"
    inodes = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one of this listing
            inodes.add(str(descriptor.readlink()))
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    return [row[2] for row in rows if row[2].endswith(f":{port}") and f"socket:[{row[9]}]" in inodes]


def test_closed_observers_say_so(net: Loopback) -> None:
    """After close() a look is refused instead of hanging; closing twice is harmless."""
    url = f"https://{NAME}/"
    observers = WebObservers(site_with(url, [net.dns(zone())]), net.home, SystemClock())
    observers.look(Aim(url, connect_to="127.0.0.66"), within=within(20))
    observers.close()
    observers.close()
    with pytest.raises(RuntimeError, match="closed"):
        observers.look(Aim(url), within=within(1))


def test_close_ends_looks_under_way(net: Loopback) -> None:
    """close() does not wait for a look that hangs; whoever waits for the look is told."""
    arrived = threading.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        await hanging(reader, writer)

    url = f"https://{NAME}:{good_port(net, handle)}/"
    observers = WebObservers(site_with(url, [net.dns(zone())]), net.home, SystemClock())
    told: list[str] = []

    def work() -> None:
        try:
            observers.look(Aim(url), within=within(60))
        except RuntimeError as error:
            told.append(str(error))

    worker = threading.Thread(target=work)
    worker.start()
    assert arrived.wait(50)
    observers.close()
    worker.join(50)
    assert ["defib-observers-pulse was closed meanwhile"] == told
