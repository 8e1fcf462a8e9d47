"""Certificates are judged as browsers do, with the words and dates that people need."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.lab.hosting import furniture
from defib.lab.hosting.project import HeldName
from defib.lab.plan import WEB_PORT
from defib.observe.certificate import CertificateProbe, judge_certificate
from defib.ports import Health
from defib.sites.site import Site, load_site
from defib.users.trust import SeenCertificate
from tests.lab.lab_stage import Stage, running_world
from tests.observe.loopback import Zone, closing, loopback, site_with

SITES = Path(__file__).parents[2] / "runbooks" / "sites"
CLOCK = SystemClock()
PUBLIC = furniture.HELD_NAMES[0]
URL = f"https://{PUBLIC}:{WEB_PORT}/"


@pytest.fixture(scope="module")
def world() -> Iterator[Stage]:
    """One world for the module."""
    with running_world() as running:
        yield running


@pytest.fixture
def stage(world: Stage) -> Iterator[Stage]:
    """The world, healed and as it was after each test."""
    netlify = world.world.hosting.netlify
    before = netlify.project
    yield world
    world.heal()
    netlify.project = before


@pytest.fixture
def site(stage: Stage, tmp_path: Path) -> Site:
    """The lab's site file, moved to the network of the test, with the lab's authority to believe."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "ca.pem").write_bytes(stage.world.authority.pem)
    file = tmp_path / "lab.yaml"
    file.write_text((SITES / "lab.yaml").read_text().replace("127.77.", f"{stage.world.plan.net}."))
    return load_site(file)


@pytest.fixture
def probe(site: Site, tmp_path: Path) -> Iterator[CertificateProbe]:
    """A probe of the site."""
    with CertificateProbe(site, tmp_path, CLOCK) as probe:
        yield probe


def soon(seconds: float = 5) -> Deadline:
    """A deadline."""
    return Deadline.after(CLOCK, timedelta(seconds=seconds))


def at_netlify(stage: Stage, probe: CertificateProbe, url: str = URL, seconds: float = 5) -> SeenCertificate:
    """What Netlify's edge shows."""
    (seen,) = probe.look(url, stage.world.plan.at(furniture.NETLIFY_EDGE), within=soon(seconds))
    return seen


def test_right_certificate_is_good_and_told(stage: Stage, probe: CertificateProbe) -> None:
    """Names, issuer and end are those that the platform tells of its certificate, at the address that was asked."""
    seen = at_netlify(stage, probe)
    held = stage.world.hosting.netlify.project.held(PUBLIC)
    assert held is not None
    assert (seen.health, seen.problem, seen.names) == (Health.GOOD, "", (PUBLIC,))
    assert (seen.issuer, seen.not_after) == ("Defib lab", held.certificate_until)
    assert seen.address == stage.world.plan.at(furniture.NETLIFY_EDGE)


def test_users_own_way_and_a_hosts_name_are_resolved(stage: Stage, probe: CertificateProbe) -> None:
    """With nothing to connect to it is what users are shown; a host's own name is resolved by the site's resolvers."""
    for connect_to, edge in (("", "3.1"), (furniture.NETLIFY_NAME, furniture.NETLIFY_EDGE)):
        (seen,) = probe.look(URL, connect_to, within=soon())
        assert (seen.address, seen.health) == (stage.world.plan.at(edge), Health.GOOD)


def test_resolver_that_is_dead_is_passed_over(stage: Stage, probe: CertificateProbe) -> None:
    """D8: one dead resolver does not keep the probe from looking."""
    stage.break_("resolver-1", "silent")
    (seen,) = probe.look(URL, within=soon())
    assert seen.health is Health.GOOD


def test_port_53_that_swallows_questions(tmp_path: Path) -> None:
    """D8: where port 53 of every resolver is dead without a word, names are found over HTTPS in each one's share."""
    records = Zone({("host.test.", "A"): (60, ["127.0.0.1"])}, udp_silent=True, tcp_silent=True)
    with loopback(tmp_path) as net:
        resolvers = [net.dns(records, name=f"resolver-{number}", doh=net.doh(records)) for number in range(6)]
        port = net.serve(closing, net.certificate("www.pulse.test"))
        with CertificateProbe(site_with("https://www.pulse.test/", resolvers), net.home, CLOCK) as probe:
            within = soon()
            (seen,) = probe.look(f"https://www.pulse.test:{port}/", "host.test.", within=within)
    assert seen.health is Health.GOOD
    assert within.remaining() > timedelta(seconds=2)


def test_certificate_that_ends_soon_does_not_last(stage: Stage, probe: CertificateProbe) -> None:
    """D14: a certificate that is valid today and over in a week is good, and does not last a fortnight."""
    now = CLOCK.now()
    ends = (now + timedelta(days=7)).replace(microsecond=0)
    netlify = stage.world.hosting.netlify
    netlify.project = netlify.project.holding(HeldName(PUBLIC, now, certificate_until=ends))
    seen = at_netlify(stage, probe)
    assert seen.not_after == ends
    assert seen.lasts(now, timedelta(days=6))
    assert not seen.lasts(now, timedelta(days=14))


def test_host_that_was_never_asked_for_the_name_is_bad(stage: Stage, probe: CertificateProbe) -> None:
    """D14: the platform's default certificate is for another name, which is told."""
    seen = at_netlify(stage, probe, f"https://www.never-attached.test:{WEB_PORT}/")
    assert (seen.health, seen.names) == (Health.BAD, ("*.netlify.app",))
    assert seen.problem == "TLS: certificate is for *.netlify.app"
    assert not seen.lasts(CLOCK.now(), timedelta(0))


def test_expired_certificate_is_bad(stage: Stage, probe: CertificateProbe) -> None:
    """C4: over since yesterday, and it says so."""
    stage.break_("netlify", "expired-certificate")
    seen = at_netlify(stage, probe)
    assert (seen.health, seen.problem) == (Health.BAD, "TLS: certificate expired 1 d ago")
    assert seen.not_after is not None
    assert seen.not_after < CLOCK.now()


def test_authority_that_is_not_trusted_is_bad(stage: Stage, site: Site, tmp_path: Path) -> None:
    """A certificate of an authority that the site does not believe is bad, and its issuer is named."""
    with CertificateProbe(site.model_copy(update={"trust": ""}), tmp_path, CLOCK) as strict:
        seen = at_netlify(stage, strict)
    assert seen.health is Health.BAD
    assert "Defib lab" in seen.problem


@pytest.mark.parametrize(("fault", "reason"), [("refuse", "connection refused"), ("hang", "")])
def test_server_that_cannot_be_reached(stage: Stage, probe: CertificateProbe, fault: str, reason: str) -> None:
    """C5: a refused connection is bad; a server that hangs after the handshake has still shown its certificate."""
    stage.break_("netlify", fault)
    seen = at_netlify(stage, probe)
    assert (seen.health, seen.problem) == ((Health.BAD, reason) if reason else (Health.GOOD, ""))


def test_silence_ends_with_the_deadline(stage: Stage, probe: CertificateProbe) -> None:
    """Resolvers that are all silent leave it unknown, when the time is over and not later."""
    for number in range(1, 7):
        stage.break_(f"resolver-{number}", "silent")
    started = CLOCK.monotonic()
    (seen,) = probe.look(URL, within=soon(0.6))
    assert (seen.health, seen.address, seen.problem.startswith("DNS: ")) == (Health.UNKNOWN, "", True)
    assert CLOCK.monotonic() - started < timedelta(seconds=20)


def test_nothing_shown_is_bad() -> None:
    """A handshake without a certificate proves nothing."""
    assert judge_certificate("192.0.2.1", None, None, CLOCK.now()).health is Health.BAD
    refusal = ssl.SSLCertVerificationError()
    refusal.verify_message = "certificate has expired"
    judged = judge_certificate("192.0.2.1", None, refusal, CLOCK.now())
    assert judged.problem == "TLS: certificate has expired"
    assert not replace(judged, health=Health.GOOD).lasts(CLOCK.now(), timedelta(0))
