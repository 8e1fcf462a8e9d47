"""CAA records are read as authorities read them, and what cannot be told is unknown."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.lab.background import BackgroundLoop
from defib.lab.dns.authority import Authority
from defib.lab.dns.resolver import Resolver
from defib.lab.dns.zone import PublishedSet, PublishedZone
from defib.observe.caa import CaaLookup, climb
from defib.observe.failure import NoAnswer
from defib.sites.site import Site, load_site
from defib.sites.vendors import Server
from defib.users.trust import CaaPolicy, CaaRecord
from tests.lab.lab_stage import Stage, running_world

SITES = Path(__file__).parents[2] / "runbooks" / "sites"
CLOCK = SystemClock()
LETS_ENCRYPT = "letsencrypt.org"


def soon(seconds: float = 5) -> Deadline:
    """A deadline."""
    return Deadline.after(CLOCK, timedelta(seconds=seconds))


def policy(*records: tuple[int, str, str], name: str = "www.example.org.") -> CaaPolicy:
    """A policy of these records."""
    return CaaPolicy(name, "example.org.", tuple(CaaRecord(*record) for record in records))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (policy(), True),
        (policy((0, "issue", "letsencrypt.org")), True),
        (policy((0, "issue", "LetsEncrypt.org; validationmethods=dns-01")), True),
        (policy((0, "issue", "digicert.com")), False),
        (policy((0, "issue", "digicert.com"), (0, "issue", "letsencrypt.org")), True),
        (policy((0, "issue", ";")), False),
        (policy((0, "iodef", "mailto:security@example.org")), True),
        (policy((0, "issuewild", ";")), True),
        (policy((0, "issue", "letsencrypt.org"), (128, "future", "x")), False),
        (policy((0, "issue", "letsencrypt.org"), (0, "future", "x")), True),
        (policy((128, "issue", "letsencrypt.org")), True),
        (policy((0, "issue", "letsencrypt.org"), (0, "issuewild", ";"), name="*.example.org."), False),
        (policy((0, "issue", "digicert.com"), (0, "issuewild", "letsencrypt.org"), name="*.example.org."), True),
        (policy((0, "issue", "letsencrypt.org"), name="*.example.org."), True),
        (CaaPolicy("www.example.org.", problem="SERVFAIL"), None),
    ],
)
def test_who_may_issue(found: CaaPolicy, expected: bool | None) -> None:
    """D13: an authority may issue if a record names it, or if none restricts; a failed look-up leaves it unknown."""
    assert found.allows(LETS_ENCRYPT) is expected


def test_conditions_are_kept() -> None:
    """What a record asks of the authority beside its name can be shown."""
    record = CaaRecord(0, "issue", "letsencrypt.org; accounturi=https://acme.test/1")
    assert (record.issuer, record.conditions) == (LETS_ENCRYPT, "accounturi=https://acme.test/1")


def climbed(name: str, known: Mapping[str, tuple[CaaRecord, ...] | None]) -> tuple[CaaPolicy, list[str]]:
    """The policy for `name`, and the names that were asked for; those known as None cannot be told."""
    asked = []

    async def find(node: str) -> tuple[CaaRecord, ...]:
        asked.append(node)
        found = known.get(node, ())
        if found is None:
            raise NoAnswer("SERVFAIL")
        return found

    return asyncio.run(climb(name, find)), asked


def test_the_closest_records_decide() -> None:
    """RFC 8659: from the name towards the root, the first records decide and the others count for nothing."""
    near, far = (CaaRecord(0, "issue", "near.test"),), (CaaRecord(0, "issue", "far.test"),)
    found, asked = climbed("*.a.b.example.org.", {"b.example.org.": near, "example.org.": far})
    assert (found.found_at, found.records, asked) == ("b.example.org.", near, ["a.b.example.org.", "b.example.org."])


def test_the_climb_ends_below_the_root() -> None:
    """Where nobody has records, every ancestor was asked, and all may issue."""
    found, asked = climbed("www.example.org", {})
    assert (found.found_at, found.allows(LETS_ENCRYPT)) == ("", True)
    assert asked == ["www.example.org.", "example.org.", "org."]


def test_a_name_that_cannot_be_told_ends_the_climb() -> None:
    """A failure on the way may hide a record that forbids, so what lies above it does not count."""
    found, asked = climbed("www.example.org", {"example.org.": None, "org.": (CaaRecord(0, "issue", LETS_ENCRYPT),)})
    assert found.allows(LETS_ENCRYPT) is None
    assert found.problem == "CAA of example.org.: SERVFAIL"
    assert asked == ["www.example.org.", "example.org."]


@pytest.fixture(scope="module")
def world() -> Iterator[Stage]:
    """One world for the module."""
    with running_world() as running:
        yield running


@pytest.fixture
def stage(world: Stage) -> Iterator[Stage]:
    """The world, healed after each test."""
    yield world
    world.heal()


def site(stage: Stage, tmp_path: Path) -> Site:
    """The lab's site file, moved to the network of the test."""
    (tmp_path / "lab").mkdir(exist_ok=True)
    (tmp_path / "lab" / "ca.pem").write_bytes(stage.world.authority.pem)
    file = tmp_path / "lab.yaml"
    file.write_text((SITES / "lab.yaml").read_text().replace("127.77.", f"{stage.world.plan.net}."))
    return load_site(file)


@pytest.mark.parametrize("zone", ["pulse-trading.test.", "pulse-trading-2136.test.", "pulse-trading-cf.test."])
def test_the_labs_zones_let_lets_encrypt_issue(stage: Stage, tmp_path: Path, zone: str) -> None:
    """D13: found at the apex, past the CNAME of www, through a real resolver; another authority may not."""
    with CaaLookup(site(stage, tmp_path), tmp_path) as lookup:
        found = lookup.policy(f"www.{zone}", within=soon())
        assert (found.found_at, found.problem) == (zone, "")
        assert (found.allows(LETS_ENCRYPT), found.allows("digicert.com")) == (True, False)


def test_a_zone_without_records_restricts_nobody(stage: Stage, tmp_path: Path) -> None:
    """Up to the top-level domain nobody has a CAA record."""
    with CaaLookup(site(stage, tmp_path), tmp_path) as lookup:
        found = lookup.policy("www.reference-one.test.", within=soon())
    assert found == CaaPolicy("www.reference-one.test.")


def test_broken_resolvers_are_passed_over_and_all_of_them_leave_it_unknown(stage: Stage, tmp_path: Path) -> None:
    """D13: one that answers is enough; with none left the policy is unknown, and says by whom."""
    stage.break_("resolver-1", "servfail")
    stage.break_("resolver-2", "port53-closed")
    with CaaLookup(site(stage, tmp_path), tmp_path) as lookup:
        assert lookup.policy("www.pulse-trading.test.", within=soon()).allows(LETS_ENCRYPT)
        for number in range(1, 7):
            stage.break_(f"resolver-{number}", "servfail")
        found = lookup.policy("www.pulse-trading.test.", within=soon())
        assert found.allows(LETS_ENCRYPT) is None
        assert "resolver-6: SERVFAIL" in found.problem
        for number in range(1, 7):
            stage.break_(f"resolver-{number}", "silent")
        assert lookup.policy("www.pulse-trading.test.", within=soon(0.5)).allows(LETS_ENCRYPT) is None


def test_records_behind_an_alias_are_the_names_own(stage: Stage, tmp_path: Path) -> None:
    """RFC 8659: the CAA records at the target of a CNAME count for the name, the target's ancestors do not."""
    soa = "ns.elsewhere.invalid."
    ttl = timedelta(seconds=3)
    zone = PublishedZone.with_apex(
        "alias.test.",
        (
            PublishedSet("www.alias.test.", "CNAME", ttl, ("host.alias.test.",)),
            PublishedSet("host.alias.test.", "CAA", ttl, ('0 issue ";"',)),
            PublishedSet("bare.alias.test.", "CNAME", ttl, ("target.below.alias.test.",)),
            PublishedSet("target.below.alias.test.", "A", ttl, ("192.0.2.1",)),
            PublishedSet("below.alias.test.", "CAA", ttl, ('0 issue ";"',)),
            PublishedSet("alias.test.", "CAA", ttl, ('0 issue "letsencrypt.org"',)),
        ),
        server=soa,
    )
    with BackgroundLoop() as loop:
        authority = Authority("ns", "127.0.0.1", 0)
        authority.publish(zone)
        loop.run(authority.start())
        resolver = Resolver("resolver", "127.0.0.1", 0, {"alias.test.": [("127.0.0.1", authority.port)]})
        loop.run(resolver.start())
        servers = (Server(name="resolver", address="127.0.0.1", port=resolver.port),)
        lab = site(stage, tmp_path).model_copy(update={"resolvers": servers})
        try:
            with CaaLookup(lab, tmp_path) as lookup:
                assert lookup.policy("www.alias.test.", within=soon()).allows(LETS_ENCRYPT) is False
                bare = lookup.policy("bare.alias.test.", within=soon())
                assert (bare.found_at, bare.allows(LETS_ENCRYPT)) == ("alias.test.", True)
        finally:
            loop.run(resolver.stop())
            loop.run(authority.stop())
