"""Answers from zones, without a network."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

import dns.name
import pytest
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from defib.errors import InputError
from defib.lab.dns.zone import Found, PublishedSet, PublishedZone, compile_zone, look_up
from tests.lab.dns_stage import record, zone

SITE = zone(
    "site.test.",
    record("www.site.test.", "CNAME", "edge.cdn.test.", ttl=3),
    record("api.site.test.", "A", "192.0.2.1", "192.0.2.2"),
    record("deep.down.site.test.", "A", "192.0.2.3"),
    record("*.wild.site.test.", "A", "192.0.2.4"),
    record("loop.site.test.", "CNAME", "pool.site.test."),
    record("pool.site.test.", "CNAME", "loop.site.test."),
    record("away.site.test.", "CNAME", "elsewhere.example."),
    record("gone.site.test.", "CNAME", "nobody.site.test."),
    record("child.site.test.", "NS", "ns.child.site.test."),
    record("ns.child.site.test.", "A", "192.0.2.53"),
    negative_ttl=7,
)
CDN = zone("cdn.test.", record("edge.cdn.test.", "A", "192.0.2.9"))


def found(name: str, rdtype: RdataType = RdataType.A, *zones: PublishedZone) -> Found | None:
    """The answer of a server that holds `zones`."""
    held = {each.origin: each for each in map(compile_zone, zones or (SITE, CDN))}
    return look_up(held, dns.name.from_text(name), rdtype, random.Random(1))


def texts(answer: Found | None) -> list[str]:
    """The answer section in order, as owner and values."""
    assert answer is not None
    return [f"{name} {' '.join(sorted(rdata.to_text() for rdata in rdataset))}" for name, rdataset in answer.answer]


def test_a_record_set_is_answered_whole() -> None:
    """All values of a set come in one answer, whatever the case of the question, which is given back."""
    assert texts(found("API.site.test.")) == ["API.site.test. 192.0.2.1 192.0.2.2"]


def test_a_cname_is_followed_into_another_zone_of_the_same_server() -> None:
    """The chain is complete where the server holds both zones."""
    assert texts(found("www.site.test.")) == ["www.site.test. edge.cdn.test.", "edge.cdn.test. 192.0.2.9"]


def test_a_cname_that_was_asked_for_is_not_followed() -> None:
    """Asked for the CNAME itself, the server gives only that."""
    assert texts(found("www.site.test.", RdataType.CNAME)) == ["www.site.test. edge.cdn.test."]


def test_a_cname_that_leads_away_ends_the_answer() -> None:
    """A target that the server does not hold leaves NOERROR and the CNAME."""
    answer = found("away.site.test.")
    assert answer is not None
    assert (answer.rcode, texts(answer)) == (Rcode.NOERROR, ["away.site.test. elsewhere.example."])


def test_a_cname_to_a_missing_name_says_so() -> None:
    """NXDOMAIN speaks of the end of the chain (RFC 6604), with the CNAME and the SOA."""
    answer = found("gone.site.test.")
    assert answer is not None
    assert (answer.rcode, texts(answer)) == (Rcode.NXDOMAIN, ["gone.site.test. nobody.site.test."])
    assert [str(name) for name, _ in answer.authority] == ["site.test."]


def test_a_loop_of_cnames_ends() -> None:
    """A loop gives each CNAME once."""
    assert texts(found("loop.site.test.")) == ["loop.site.test. pool.site.test.", "pool.site.test. loop.site.test."]


@pytest.mark.parametrize(
    ("name", "rdtype", "rcode"),
    [
        ("nobody.site.test.", RdataType.A, Rcode.NXDOMAIN),
        ("api.site.test.", RdataType.AAAA, Rcode.NOERROR),
        ("down.site.test.", RdataType.A, Rcode.NOERROR),
        ("wild.site.test.", RdataType.A, Rcode.NOERROR),
        ("any.wild.site.test.", RdataType.TXT, Rcode.NOERROR),
    ],
)
def test_a_denial_carries_the_soa_with_the_negative_ttl(name: str, rdtype: RdataType, rcode: Rcode) -> None:
    """Missing names are NXDOMAIN, empty ones NOERROR; the SOA's TTL is its minimum (RFC 2308)."""
    answer = found(name, rdtype)
    assert answer is not None
    assert (answer.rcode, answer.answer) == (rcode, ())
    assert [(str(owner), soa.rdtype, soa.ttl) for owner, soa in answer.authority] == [("site.test.", RdataType.SOA, 7)]


def test_a_wildcard_speaks_under_the_name_that_was_asked() -> None:
    """The owner of a wildcard's answer is the question's name."""
    assert texts(found("any.wild.site.test.")) == ["any.wild.site.test. 192.0.2.4"]


def test_a_delegation_is_a_referral_with_glue() -> None:
    """Below a cut the server is not authoritative and names the child's servers."""
    answer = found("host.child.site.test.")
    assert answer is not None
    assert (answer.authoritative, answer.answer, answer.rcode) == (False, (), Rcode.NOERROR)
    assert [str(name) for name, _ in answer.authority] == ["child.site.test."]
    assert [(str(name), rdataset[0].to_text()) for name, rdataset in answer.additional] == [
        ("ns.child.site.test.", "192.0.2.53")
    ]


def test_a_foreign_name_is_not_answered() -> None:
    """Only held zones are spoken for."""
    assert found("example.org.") is None


def drawn(*weights: int) -> Counter[str]:
    """A thousand answers of a name with a set of each weight."""
    sets = tuple(record("www.w.test.", "A", f"192.0.2.{number}", weight=weight) for number, weight in enumerate(weights))
    held = compile_zone(zone("w.test.", *sets))
    dice = random.Random(7)
    name = dns.name.from_text("www.w.test.")
    answers = [look_up({held.origin: held}, name, RdataType.A, dice) for _ in range(1000)]
    return Counter(text.split()[1] for answer in answers for text in texts(answer))


def test_weights_share_the_answers() -> None:
    """A set with three quarters of the weight gives about three quarters of the answers, one at a time."""
    counted = drawn(3, 1)
    assert counted.total() == 1000
    assert 700 <= counted["192.0.2.0"] <= 800


def test_weight_zero_is_never_drawn_beside_others() -> None:
    """A set with weight 0 gets nothing while another has weight."""
    assert drawn(0, 5) == Counter({"192.0.2.1": 1000})


def test_all_weights_zero_share_alike() -> None:
    """With weight 0 everywhere every set is drawn, as at Route 53."""
    assert min(drawn(0, 0).values()) > 400


@pytest.mark.parametrize(
    "sets",
    [
        (record("www.site.test.", "CNAME", "a.test."), record("www.site.test.", "A", "192.0.2.1")),
        (record("www.site.test.", "A", "192.0.2.1"), record("www.site.test.", "A", "192.0.2.2")),
        (record("www.site.test.", "A", "192.0.2.1", weight=1), record("www.site.test.", "A", "192.0.2.2")),
        (record("www.other.test.", "A", "192.0.2.1"),),
        (record("www.site.test.", "A", "not-an-address"),),
        (record("www.site.test.", "A", "2001:db8::1"),),
        (record("www.site.test.", "NOSUCHTYPE", "x"),),
        (record("www.site.test.", "CNAME", "a.test.", "b.test."),),
        (record("www.site.test.", "A", "192.0.2.1", ttl=-1),),
        (PublishedSet("www.site.test.", "A", timedelta(milliseconds=1500), ("192.0.2.1",)),),
        (record("site.test.", "CNAME", "a.test."),),
        (record("www.site.test.", "A"),),
        (record("w" * 64 + ".site.test.", "A", "192.0.2.1"),),
    ],
)
def test_what_no_server_would_load_is_refused(sets: tuple[PublishedSet, ...]) -> None:
    """A wrong zone is refused by name, as a real server refuses to load it."""
    with pytest.raises(InputError):
        compile_zone(zone("site.test.", *sets))


def test_a_zone_without_soa_is_refused() -> None:
    """Without an SOA no denial could be told."""
    with pytest.raises(InputError, match="SOA"):
        compile_zone(PublishedZone("site.test.", (record("www.site.test.", "A", "192.0.2.1"),)))


def test_find_gives_the_sets_of_a_name() -> None:
    """Publishers can look into what they published, with absolute or relative names."""
    assert [each.values for each in SITE.find("api", "A")] == [("192.0.2.1", "192.0.2.2")]
    assert SITE.find("api.site.test.", "AAAA") == ()
