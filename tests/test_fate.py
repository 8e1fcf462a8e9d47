"""Shared fate: a way back that leans on what failed is told, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defib.fate import DEFAULTS, SOURCES, Lean, Piece, dependencies, failed_by, in_plan, leaning, readiness
from defib.plan import Change, Plan
from defib.ports import RecordChange, RecordSet
from defib.sites.site import Site, load_site
from defib.users.ways import way_named
from tests.stage import LAB, RUNBOOKS, seconds

SITES = RUNBOOKS / "sites"
MAYBE = "leans on aws-us-east-1, as vercel does: if that is why it failed, this fails, too"
vendors = st.sampled_from(["aws", "aws-us-east-1", "aws-eu-west-1", "cloudflare", "vercel", "a", "b", "c"])
graphs = st.dictionaries(vendors, st.lists(vendors, max_size=3).map(tuple), max_size=8)


@pytest.fixture(scope="module")
def lab() -> Site:
    """CDNs CloudFront and Cloudflare, hosts Vercel and Netlify, DNS at Route 53."""
    return load_site(LAB)


@pytest.fixture(scope="module")
def at_cloudflare() -> Site:
    """The same with its zone at Cloudflare."""
    return load_site(SITES / "lab-cloudflare.yaml")


def with_depends(site: Site, **depends: tuple[str, ...]) -> Site:
    """The site with dependencies of its own."""
    return site.model_copy(update={"depends": depends})


def steering(site: Site, vendor: str, before: str, after: str) -> Plan:
    """The plan that sends users from the CDN named `before` to that named `after`."""
    hostnames = {cdn.name: cdn.hostname for cdn in site.cdns}
    old = RecordSet(site.steered.key, seconds(60), (hostnames[before],))
    change = RecordChange(old, replace(old, values=(hostnames[after],)))
    return Plan("cdn-failover", site.site, (Change(vendor, "Z1", (change,), f"send users to {after}"),))


def texts(leans: tuple[Lean, ...]) -> list[str]:
    """As people read them."""
    return [str(lean) for lean in leans]


def test_every_default_has_its_source() -> None:
    """What is said of a vendor can be looked up."""
    assert set(DEFAULTS) == set(SOURCES)
    assert all(source.startswith("https://") for source in SOURCES.values())


def test_the_zone_is_at_the_vendor_that_failed(at_cloudflare: Site) -> None:
    """Users are at Cloudflare's CDN, which failed, and the record that would send them away is at Cloudflare."""
    plan = steering(at_cloudflare, "cloudflare", "cloudflare", "cloudfront")
    found = "the way back through changes at cloudflare leans on cloudflare, which is what failed"
    assert [found] == texts(in_plan(at_cloudflare, "cdn", plan))


def test_the_other_way_round_nothing_is_shared(at_cloudflare: Site) -> None:
    """What failed is where the plan takes users away from, not a vendor that the site also uses."""
    plan = steering(at_cloudflare, "cloudflare", "cloudfront", "cloudflare")
    assert () == in_plan(at_cloudflare, "cdn", plan)


def test_the_standby_is_the_vendor_that_failed(lab: Site) -> None:
    """A standby that stands on the failed vendor is named with what is in between."""
    site = with_depends(lab, cloudflare=("a-carrier",), **{"a-carrier": ("cloudfront",)})
    plan = steering(site, "route53", "cloudfront", "cloudflare")
    told = texts(in_plan(site, "cdn", plan))
    assert told == ["the way back through cloudflare leans on cloudfront, which is what failed (by a-carrier)"]


def test_a_common_cause_is_told_as_one(lab: Site) -> None:
    """D9: Vercel and the changes of Route 53 lean on one region; nobody says that it failed, and what if is said."""
    vercel, netlify = way_named(lab, "cloudfront"), way_named(lab, "netlify")
    before, after = ({lead.key: lead for lead in way.leads} for way in (vercel, netlify))
    moves = tuple(RecordChange(before[key].put_into(None), after[key].put_into(None)) for key in before if key in after)
    plan = Plan("dns-switch", lab.site, (Change("route53", "Z1", moves, "send users to netlify"),))
    assert texts(in_plan(lab, "host", plan)) == [f"the way back through changes at route53 {MAYBE}"]


def test_readiness_also_says_who_would_not_be_told(lab: Site) -> None:
    """Alert channels are known by their names alone, so what they lean on stands in the site file."""
    site = with_depends(lab, chat=("slack",), mail=("cloudfront",))
    told = texts(readiness(site, "host"))
    assert (
        "the alert channel chat leans on aws-us-east-1 (by slack), as vercel does: if that is why it failed, this fails, too"
        in told
    )
    assert not any("mail" in text for text in told)
    assert "the alert channel mail leans on cloudfront, which is what failed" in texts(readiness(site, "cdn"))


def test_a_procedure_against_nothing_leans_on_nothing(lab: Site) -> None:
    """A failback is no answer to a failure."""
    assert (frozenset(), ()) == (failed_by(lab, ""), readiness(lab, ""))
    assert () == in_plan(lab, "", steering(lab, "route53", "cloudfront", "cloudflare"))


def test_an_empty_plan_leans_on_nothing(at_cloudflare: Site) -> None:
    """Where nothing is to be done, nothing can be in the way of it."""
    assert () == in_plan(at_cloudflare, "cdn", Plan("cdn-failover", "lab", ()))


def test_a_switch_leans_on_its_region_alone() -> None:
    """The pre-armed switch needs S3 in one region and Route 53's answers, and none of Route 53's changes."""
    site = load_site(SITES / "lab-armed.yaml")
    elsewhere = [
        zone.model_copy(update={"aws": zone.aws.model_copy(update={"region": "eu-west-1"})})
        if zone.provider == "s3-switch"
        else zone
        for zone in site.dns
    ]
    away = site.model_copy(update={"dns": tuple(elsewhere), "status": ()})
    assert () == readiness(away, "host")
    here = texts(readiness(site.model_copy(update={"status": ()}), "host"))
    assert here == [f"the way back through the switch in S3, us-east-1 {MAYBE}"]


def test_a_site_adds_and_does_not_take_away(lab: Site) -> None:
    """What the site file says of a vendor comes on top of what is shipped, for vendors nobody else knows, too."""
    known = dependencies(with_depends(lab, vercel=("cloudflare",), ours=("theirs",)))
    assert known["vercel"] == ("aws-us-east-1", "cloudflare")
    assert known["ours"] == ("theirs",)
    assert known["gitlab.com"] == DEFAULTS["gitlab.com"]


def test_gitlab_stands_behind_cloudflare(lab: Site) -> None:
    """GitLab.com is out of reach where Cloudflare is down."""
    (lean,) = leaning(lab, {"cloudflare"}, [Piece("the remote at gitlab.com", "gitlab.com")])
    assert (lean.surely, lean.chain) == (True, ("gitlab.com", "cloudflare"))


def test_a_whole_vendor_is_down_with_all_its_regions(lab: Site) -> None:
    """`aws` down takes every region; one region down may be the unknown one that somebody leans on."""
    pieces = [Piece("the switch", "aws-eu-west-1"), Piece("the page", "statuspage")]
    assert [lean.surely for lean in leaning(lab, {"aws"}, pieces)] == [True, True]
    assert [(lean.piece.what, lean.surely) for lean in leaning(lab, {"aws-us-east-1"}, pieces)] == [("the page", False)]


@given(graphs, vendors, vendors)
def test_every_lean_can_be_followed(graph: dict[str, tuple[str, ...]], start: str, failed: str) -> None:
    """A chain begins at the part's vendor and goes from each name to one that it leans on, also around in circles."""
    site = with_depends(load_lab(), **graph)
    known = dependencies(site)
    for lean in leaning(site, {failed}, [Piece("it", start)]):
        assert lean.chain[0] == start
        assert all(other in known[name] for name, other in pairwise(lean.chain))
        assert lean.surely == (lean.chain[-1] == failed or lean.chain[-1].startswith(f"{failed}-"))


@given(graphs, vendors, vendors, vendors, vendors)
def test_more_dependencies_never_make_it_safer(
    graph: dict[str, tuple[str, ...]], start: str, failed: str, leans: str, on: str
) -> None:
    """What leaned on the failed vendor still does when one more dependency is known."""
    piece = Piece("it", start)
    before = leaning(with_depends(load_lab(), **graph), {failed}, [piece])
    more = {**graph, leans: (*graph.get(leans, ()), on)}
    after = leaning(with_depends(load_lab(), **more), {failed}, [piece])
    assert len(after) >= len(before)
    assert all(lean.surely for lean in after) or not any(lean.surely for lean in before)


@cache
def load_lab() -> Site:
    """The lab's site, read once."""
    return load_site(LAB)
