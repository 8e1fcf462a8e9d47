"""Edges answer when, and as, the vendors' state says; every fault is one that a user would meet."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from defib.clock import Deadline, SystemClock
from defib.lab import furniture
from defib.lab.content import STALE_BY, older_build
from defib.lab.faults import Fault
from tests.lab.lab_stage import PUBLIC, Stage, running_world

EDGES = {"cloudfront": "3.1", "cloudflare": "4.1"}
WASM = "/canvaskit/canvaskit.wasm"
CLOCK = SystemClock()


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


@pytest.fixture(params=EDGES)
def edge(request: pytest.FixtureRequest) -> str:
    """Each edge in turn."""
    return str(request.param)


def cloudflare(stage: Stage, method: str, path: str, body: object) -> None:
    """Call Cloudflare's API with the lab's token."""
    headers = {"Authorization": f"Bearer {stage.keys.cloudflare_token}"}
    url = f"{stage.world.cloudflare.server.url}/client/v4{path}"
    httpx.request(method, url, json=body, headers=headers).raise_for_status()


def test_both_edges_serve_the_build_with_the_sites_headers(stage: Stage, edge: str) -> None:
    """The public page comes over verified TLS, with the build marker, and each security header of the site once."""
    answer = stage.get(EDGES[edge])
    assert answer.status == 200
    assert b"<title>Pulse Trading</title>" in answer.body
    assert f'content="{stage.world.build.id} '.encode() in answer.body
    for name, value in furniture.SECURITY_HEADERS:
        assert [held for given, held in answer.headers if given.lower() == name.lower()] == [value]
    assert answer.header("Cache-Control") == "no-cache"


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/flutter_bootstrap.js", "text/javascript"),
        ("/main.dart.js", "text/javascript"),
        ("/version.json", "application/json"),
        (WASM, "application/wasm"),
    ],
)
def test_each_file_has_its_type(stage: Stage, edge: str, path: str, content_type: str) -> None:
    """R13: types come from the bucket through the edge."""
    assert stage.get(EDGES[edge], path).header("Content-Type") == content_type


def test_an_unknown_host_gets_the_vendors_page(stage: Stage) -> None:
    """A name that no distribution or zone has is not served: 403 at one vendor, error 1001 at the other."""
    host = furniture.DISTRIBUTION_DOMAIN
    answer = stage.get(EDGES["cloudflare"], host=host)
    assert (answer.status, b"error code: 1001" in answer.body) == (409, True)
    assert stage.get(EDGES["cloudfront"], host=host).status == 200


def test_what_is_not_there_is_not_invented(stage: Stage, edge: str) -> None:
    """A missing file is the origin's own refusal, not an empty page."""
    missing = stage.get(EDGES[edge], "/no-such-file.js")
    assert (missing.status, missing.header("X-Vercel-Error")) == (404, "NOT_FOUND")


def test_the_cache_serves_what_is_fresh_and_asks_for_what_is_not(stage: Stage, edge: str) -> None:
    """An asset is served from the cache over a dead origin, with its age; the page is not."""
    last = EDGES[edge]
    stage.get(last, WASM)
    stage.get(last)
    stage.break_("vercel", "refuse")
    hit = stage.get(last, WASM)
    assert (hit.status, "hit" in hit.header("X-Cache").lower(), hit.header("Age").isdigit()) == (200, True, True)
    assert stage.get(last).status in (502, 521)
    stage.heal()
    again = stage.get(last)
    marks = f"{again.header('X-Cache')} {again.header('CF-Cache-Status')}".lower()
    assert ("refreshhit" in marks or "revalidated" in marks, again.status) == (True, 200)


def test_a_query_gets_past_the_cache(stage: Stage, edge: str) -> None:
    """Another query is another copy, so that a probe can judge the origin."""
    last = EDGES[edge]
    stage.get(last, WASM)
    assert "miss" in stage.get(last, f"{WASM}?probe={CLOCK.now().timestamp()}").header("X-Cache").lower()


def test_a_cloudflare_purge_empties_the_cache(stage: Stage) -> None:
    """After the purge has taken effect, the next request goes to the origin."""
    last, (zone, *_) = EDGES["cloudflare"], furniture.CLOUDFLARE_ZONES
    stage.get(last, WASM)
    assert stage.get(last, WASM).header("CF-Cache-Status") == "HIT"
    cloudflare(stage, "POST", f"/zones/{zone}/purge_cache", {"files": [f"https://{PUBLIC}:8443{WASM}"]})
    deadline = Deadline.after(CLOCK, timedelta(seconds=30))
    while stage.get(last, WASM).header("CF-Cache-Status") != "MISS":
        assert not deadline.expired()


def test_a_paused_zone_and_an_unproxied_record_are_not_served(stage: Stage) -> None:
    """The Cloudflare edge follows the API's state at once, both ways."""
    last, (zone, *_) = EDGES["cloudflare"], furniture.CLOUDFLARE_ZONES
    record = stage.world.cloudflare.zones[0].records[0].id
    for path, off, on in (
        (f"/zones/{zone}", {"paused": True}, {"paused": False}),
        (f"/zones/{zone}/dns_records/{record}", {"proxied": False}, {"proxied": True}),
    ):
        cloudflare(stage, "PATCH", path, off)
        assert stage.get(last).status == 409
        cloudflare(stage, "PATCH", path, on)
        assert stage.get(last).status == 200


def test_methods_that_the_distribution_does_not_allow_are_refused(stage: Stage) -> None:
    """C15: the lab's distribution takes GET and HEAD only."""
    assert stage.get(EDGES["cloudfront"], method="POST").status == 403
    head = stage.get(EDGES["cloudfront"], method="HEAD")
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize("fault", ["refuse", "hang"])
def test_a_dead_edge_gives_no_answer(stage: Stage, edge: str, fault: str) -> None:
    """C5: refusing closes the door; hanging accepts and never answers; healed, both serve again."""
    stage.break_(edge, fault)
    with pytest.raises(ConnectionRefusedError if fault == "refuse" else TimeoutError):
        stage.get(EDGES[edge], within=0.4)
    stage.heal()
    assert stage.get(EDGES[edge]).status == 200


def test_refusing_resets_live_connections(stage: Stage) -> None:
    """A client that kept its connection loses it too."""
    tls = stage.world.authority.client_context()
    host = {"Host": f"{PUBLIC}:8443"}
    url = f"https://{stage.world.plan.at(EDGES['cloudfront'])}:8443/"
    with httpx.Client(verify=tls) as client:
        request = client.build_request("GET", url, headers=host, extensions={"sni_hostname": PUBLIC})
        assert client.send(request).status_code == 200
        stage.break_("cloudfront", "refuse")
        with pytest.raises(httpx.TransportError):
            client.send(request)


@pytest.mark.parametrize(
    ("fault", "message"),
    [("expired-certificate", "certificate has expired"), ("wrong-certificate", "Hostname mismatch")],
)
def test_a_bad_certificate_fails_verification(stage: Stage, edge: str, fault: str, message: str) -> None:
    """C4: certificates are swapped on the running server, and back."""
    stage.break_(edge, fault)
    with pytest.raises(ssl.SSLCertVerificationError, match=message):
        stage.get(EDGES[edge])
    stage.heal()
    assert stage.get(EDGES[edge]).status == 200


def test_wrong_answers(stage: Stage, edge: str) -> None:
    """C3: a parked page and an empty page are 200 without the marker; a 5xx has its status; a cut page ends early."""
    last = EDGES[edge]
    stage.break_(edge, "wrong-page")
    parked = stage.get(last)
    assert (parked.status, b"Domain parked" in parked.body, b"build" in parked.body) == (200, True, False)
    stage.break_(edge, "empty-page")
    assert (stage.get(last).status, stage.get(last).body) == (200, b"")
    stage.break_(edge, "5xx", status=504)
    assert stage.get(last).status == 504
    stage.break_(edge, "truncated")
    with pytest.raises(ConnectionResetError, match="cut short"):
        stage.get(last)
    stage.break_(edge, "missing-headers")
    bare = stage.get(last)
    assert (bare.status, [name for name, _ in furniture.SECURITY_HEADERS if bare.header(name)]) == (200, [])


def test_a_stale_build_is_older_by_what_was_asked(stage: Stage, edge: str) -> None:
    """C8: the page is whole, over a right certificate, and of an older build; three hours unless said otherwise."""
    build = stage.world.build
    stage.break_(edge, "stale-build")
    old = older_build(build, Fault("stale-build"))
    assert build.built - old.built == STALE_BY
    assert f'content="{old.id} '.encode() in stage.get(EDGES[edge]).body
    stage.break_(edge, "stale-build", age=60)
    younger = older_build(build, Fault("stale-build", {"age": 60}))
    assert younger.id.encode() in stage.get(EDGES[edge]).body
    assert stage.get(EDGES[edge]).header("X-Frame-Options") == "DENY"


def test_slow_is_slow_and_counted_faults_heal_themselves(stage: Stage) -> None:
    """`slow` waits as long as it was told; with `times` the fault is over after so many requests."""
    stage.break_("cloudfront", "slow", delay=60, times=1)
    with pytest.raises(TimeoutError):
        stage.get(EDGES["cloudfront"], within=1)
    assert stage.get(EDGES["cloudfront"]).status == 200
    assert dict(stage.world.active) == {}


@pytest.mark.parametrize(("fault", "cloudfront_status", "cloudflare_status"), [("refuse", 502, 521), ("5xx", 503, 503)])
def test_a_broken_origin_shows_through_both_edges(
    stage: Stage, fault: str, cloudfront_status: int, cloudflare_status: int
) -> None:
    """A fault of the origin is not one of a CDN: both edges fail at once, each in its own way."""
    stage.break_("vercel", fault)
    statuses = (stage.get(EDGES["cloudfront"]).status, stage.get(EDGES["cloudflare"]).status)
    assert statuses == (cloudfront_status, cloudflare_status)


def test_a_stale_origin_is_seen_past_every_cache(stage: Stage) -> None:
    """Directly at the origin, and through both edges."""
    old = older_build(stage.world.build, Fault("stale-build"))
    stage.break_("vercel", "stale-build")
    for last, host, path in (
        (furniture.ORIGIN_EDGE, furniture.ORIGIN, "/"),
        ("3.1", PUBLIC, "/"),
        ("4.1", PUBLIC, "/"),
    ):
        assert old.id.encode() in stage.get(last, path, host).body


def test_the_edges_add_the_headers_that_the_origin_lost(stage: Stage, edge: str) -> None:
    """Both vendors set the headers by a policy of their own, whatever the origin sends."""
    stage.break_("vercel", "missing-headers")
    origin = stage.get(furniture.ORIGIN_EDGE, host=furniture.ORIGIN)
    assert (origin.status, origin.header("X-Frame-Options")) == (200, "")
    assert stage.get(EDGES[edge]).header("X-Frame-Options") == "DENY"


def test_other_peoples_apis_answer_until_they_are_broken(stage: Stage) -> None:
    """Without a key they say that it is missing, which is an answer; each of them can be down by itself."""
    for last, (target, name) in zip(("7.3", "7.4"), furniture.APIS.items(), strict=True):
        assert stage.get(last, "/v2/clock", host=name).status == 401
        stage.break_(target, "5xx")
        assert stage.get(last, host=name).status == 503
        stage.break_(target, "hang")
        with pytest.raises(TimeoutError):
            stage.get(last, host=name, within=0.3)
        stage.break_(target, "refuse")
        with pytest.raises(ConnectionRefusedError):
            stage.get(last, host=name)


def test_reference_sites_stand_apart(stage: Stage) -> None:
    """C2: sites of other people answer whatever happens to ours, until they are broken themselves."""
    stage.break_("cloudfront", "refuse")
    assert stage.get("7.1", host="reference-one.test").status == 200
    stage.break_("reference-two", "refuse")
    with pytest.raises(ConnectionRefusedError):
        stage.get("7.2", host="reference-two.test")


def test_a_disabled_distribution_is_not_served(stage: Stage) -> None:
    """The CloudFront edge goes by what is deployed."""
    api = stage.world.aws.cloudfront
    live = api.live()[0]
    assert live.enabled
    versions = api._versions[live.id]
    versions.live = replace(live, enabled=False)
    assert stage.get(EDGES["cloudfront"]).status == 403
    versions.live = live
    assert stage.get(EDGES["cloudfront"]).status == 200
