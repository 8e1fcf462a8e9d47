"""Vercel and Netlify in the lab: their APIs by the vendors' own words, and edges that follow their state."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import dns.message
import dns.query
import dns.rdatatype
import httpx
import pytest

from defib.clock import Deadline, SystemClock
from defib.lab import furniture as common
from defib.lab.content import STALE_BY
from defib.lab.faults import AWS_FAULTS, EDGE_FAULTS, Fault
from defib.lab.hosting import furniture
from defib.lab.hosting.alone import RunningHosting, serve_netlify, serve_vercel
from defib.lab.hosting.project import HeldName, HostedProject
from defib.ports import RecordSet
from defib.providers.host.netlify import Netlify
from defib.providers.host.vercel import Vercel
from tests.contracts.described import NETLIFY, VERCEL, recording
from tests.lab.lab_stage import Stage, running_world

EDGES = {"vercel": furniture.VERCEL_EDGE, "netlify": furniture.NETLIFY_EDGE}
OLDER = {"vercel": furniture.VERCEL_OLDER, "netlify": furniture.NETLIFY_OLDER}
OWN = {"vercel": furniture.VERCEL_NAME, "netlify": furniture.NETLIFY_NAME}
PUBLIC = common.PUBLIC_NAMES[0]
PROJECT, SITE = f"/v9/projects/{furniture.VERCEL_PROJECT}", f"/sites/{furniture.NETLIFY_SITE}"
CLOCK = SystemClock()


@pytest.fixture(scope="module")
def world() -> Iterator[Stage]:
    """One world for the module."""
    with running_world() as running:
        yield running


@pytest.fixture
def stage(world: Stage) -> Iterator[Stage]:
    """The world, healed and as it was after each test."""
    hosting = world.world.hosting
    before = hosting.vercel.project, hosting.netlify.project
    yield world
    world.heal()
    hosting.vercel.project, hosting.netlify.project = before


@pytest.fixture(params=EDGES)
def host(request: pytest.FixtureRequest) -> str:
    """Each platform in turn."""
    return str(request.param)


def soon() -> Deadline:
    """A deadline."""
    return Deadline.after(CLOCK, timedelta(seconds=10))


def adapter(stage: Stage, host: str) -> Vercel | Netlify:
    """The adapter for one platform of the world, with the world's token."""
    hosting, keys = stage.world.hosting, stage.keys.hosting
    if host == "vercel":
        return Vercel(furniture.VERCEL_PROJECT, "", keys.vercel, hosting.vercel.server.url)
    return Netlify(furniture.NETLIFY_SITE, keys.netlify, f"{hosting.netlify.server.url}/api/v1")


def change(stage: Stage, host: str, **how: Any) -> None:
    """Change a project past the API."""
    api = stage.world.hosting.vercel if host == "vercel" else stage.world.hosting.netlify
    project: HostedProject = api.project
    api.project = replace(project, **how)


def marker(stage: Stage, host: str, name: str = PUBLIC) -> str:
    """The id of the build that an edge serves under a name."""
    body = stage.get(EDGES[host], host=name).body.decode()
    return body.partition('<meta name="build" content="')[2][:40]


def answers(stage: Stage, name: str, kind: str) -> list[str]:
    """What a resolver of the lab gives for a name, CNAMEs included."""
    query = dns.message.make_query(name, kind)
    answer = dns.query.udp(query, stage.world.plan.at("6.1"), port=5300, timeout=10)
    return [str(item) for rrset in answer.answer for item in rrset]


def publish(stage: Stage, sets: tuple[RecordSet, ...]) -> None:
    """Let the name servers answer with `sets` for the zone on Route 53, all of them when this returns."""

    async def on_the_loop() -> None:
        await asyncio.wrap_future(stage.world.names.publish(common.ZONE, sets))

    stage.loop.run(on_the_loop())


@pytest.mark.parametrize("zone", common.ZONES)
def test_every_zone_leads_to_vercel(stage: Stage, zone: str) -> None:
    """Apex by address, www by CDN, and a CAA record that lets Let's Encrypt issue, at each of three DNS providers."""
    assert answers(stage, zone, "A") == [stage.world.plan.at(furniture.VERCEL_EDGE)]
    assert answers(stage, f"www.{zone}", "A") == [f"{common.DISTRIBUTION_DOMAIN}.", stage.world.plan.at("3.1")]
    assert answers(stage, zone, "CAA") == ['0 issue "letsencrypt.org"']
    assert answers(stage, furniture.NETLIFY_NAME, "A") == [stage.world.plan.at(furniture.NETLIFY_EDGE)]
    assert {live.origin for live in stage.world.aws.cloudfront.live() if live.id == common.DISTRIBUTION} == {
        furniture.VERCEL_NAME
    }


@pytest.mark.parametrize("name", [*furniture.HELD_NAMES])
def test_every_held_name_is_served_by_both(stage: Stage, host: str, name: str) -> None:
    """The live build over verified TLS, with every security header of the site."""
    answer = stage.get(EDGES[host], host=name)
    assert answer.status == 200
    assert marker(stage, host, name) == stage.world.build.id
    for header, value in common.SECURITY_HEADERS:
        assert answer.header(header) == value
    assert answer.header("Server") == host.capitalize()


def test_the_vendors_own_name_is_served(stage: Stage, host: str) -> None:
    """A project answers under the vendor's name for it, with the vendor's certificate."""
    assert marker(stage, host, OWN[host]) == stage.world.build.id


def test_a_name_that_was_never_attached_has_no_certificate(stage: Stage, host: str) -> None:
    """D14: a backup that was never asked for the name shows its own certificate: a wrong name, to a browser."""
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        stage.get(EDGES[host], host="www.never-attached.test")


def test_a_name_without_certificate_is_not_served_over_tls(stage: Stage, host: str) -> None:
    """D14: attached and verified is not enough."""
    held = HeldName("new.pulse-trading.test", CLOCK.now())
    api = stage.world.hosting.vercel if host == "vercel" else stage.world.hosting.netlify
    api.project = api.project.holding(held)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        stage.get(EDGES[host], host=held.name)


def test_an_unknown_name_gets_the_vendors_page(stage: Stage, host: str) -> None:
    """Somebody else's name under the vendor's certificate is the vendor's own 404."""
    answer = stage.get(EDGES[host], host=f"nobody.{host}.app")
    expected = {"vercel": b"DEPLOYMENT_NOT_FOUND", "netlify": b"Not Found - Request ID: "}
    assert (answer.status, expected[host] in answer.body) == (404, True)


def test_an_unverified_name_is_not_served(stage: Stage) -> None:
    """Vercel holds a name that is not verified, and does not answer for it, nor for one that leads to a branch."""
    kept = {"alias.vercel.app": False, "branch.vercel.app": True}
    names = (HeldName(each, CLOCK.now(), verified, branch="next" * verified) for each, verified in kept.items())
    change(stage, "vercel", names=tuple(names))
    for name in kept:
        assert stage.get(EDGES["vercel"], host=name).header("X-Vercel-Error") == "DEPLOYMENT_NOT_FOUND"
    until = CLOCK.now() + timedelta(days=9)
    change(stage, "vercel", names=(HeldName(PUBLIC, CLOCK.now(), verified=False, certificate_until=until),))
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        stage.get(EDGES["vercel"], host=PUBLIC)


def test_what_is_published_is_served(stage: Stage, host: str) -> None:
    """A deployment that was promoted or restored is what the edge serves from then on, and the first again once put back."""
    first = adapter(stage, host).live(within=soon())
    assert first is not None
    for wanted in (OLDER[host], first.id):
        told = adapter(stage, host).publish(wanted, within=soon())
        deadline = soon()
        while marker(stage, host) != told.commit and not deadline.expired():
            CLOCK.sleep(timedelta(milliseconds=20))
        assert marker(stage, host) == told.commit
    assert first == adapter(stage, host).live(within=soon())


def test_a_name_that_was_attached_is_served(stage: Stage, host: str) -> None:
    """D14: once it is attached where it leads to, the platform certifies the name and answers for it."""
    name = "new.pulse-trading.test"
    address = stage.world.plan.at(EDGES[host])
    before = stage.world.aws.route53.content(common.ZONE_ID)
    extra = replace(
        next(each for each in before if each.key.type == "A"), key=replace(before[0].key, name=f"{name}.", type="A")
    )
    publish(stage, (*before, replace(extra, values=(address,))))
    try:
        found = adapter(stage, host).attach(name, within=soon())
        assert found.attached
        assert found.ready
        assert marker(stage, host, name) == stage.world.build.id
    finally:
        publish(stage, before)


def test_a_failing_lookup_certifies_nothing(stage: Stage) -> None:
    """D13: where the CAA records cannot be told, nobody issues; the attachment stands all the same."""
    name = "newer.pulse-trading.test"
    for server in ("ns-1", "ns-2", "ns-3", "ns-4"):
        stage.break_(server, "refusing")
    found = adapter(stage, "vercel").attach(name, within=soon())
    assert (found.attached, found.certificate_until, found.ready) == (True, None, False)


@pytest.mark.parametrize(
    ("how", "status", "words"),
    [({"paused": True}, 503, b"DEPLOYMENT_PAUSED"), ({"blocked": "UNPAID_INVOICE"}, 402, b"DEPLOYMENT_DISABLED")],
)
def test_a_project_that_may_not_serve_does_not(stage: Stage, how: dict[str, Any], status: int, words: bytes) -> None:
    """A paused project and a blocked account answer with the vendor's page, not with the site."""
    change(stage, "vercel", **how)
    answer = stage.get(EDGES["vercel"], host=PUBLIC)
    assert (answer.status, words in answer.body) == (status, True)
    change(stage, "netlify", **how)
    assert stage.get(EDGES["netlify"], host=PUBLIC).status == 503


def test_faults_of_the_page(stage: Stage, host: str) -> None:
    """C3: each fault of the answer is one that a user would meet, and healing ends it."""
    stage.break_(host, "5xx", status=502)
    assert stage.get(EDGES[host], host=PUBLIC).status == 502
    stage.break_(host, "wrong-page")
    assert b"Domain parked" in stage.get(EDGES[host], host=PUBLIC).body
    stage.break_(host, "empty-page")
    assert stage.get(EDGES[host], host=PUBLIC).body == b""
    stage.break_(host, "missing-headers")
    assert stage.get(EDGES[host], host=PUBLIC).header("X-Frame-Options") == ""
    stage.break_(host, "stale-build", age=STALE_BY.total_seconds())
    assert marker(stage, host) not in ("", stage.world.build.id)
    stage.break_(host, "truncated")
    with pytest.raises(ConnectionResetError):
        stage.get(EDGES[host], host=PUBLIC)
    stage.heal()
    assert marker(stage, host) == stage.world.build.id


def test_faults_of_connection_and_certificate(stage: Stage, host: str) -> None:
    """C4, C5: refused, hanging, expired and wrong, for the public name as for the vendor's own."""
    stage.break_(host, "refuse")
    with pytest.raises(ConnectionRefusedError):
        stage.get(EDGES[host], host=PUBLIC)
    stage.break_(host, "hang")
    with pytest.raises(TimeoutError):
        stage.get(EDGES[host], host=PUBLIC, within=0.3)
    for name in (PUBLIC, OWN[host]):
        stage.break_(host, "expired-certificate")
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            stage.get(EDGES[host], host=name)
        stage.break_(host, "wrong-certificate")
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            stage.get(EDGES[host], host=name)
    stage.heal()
    assert marker(stage, host) == stage.world.build.id


def test_everything_can_be_broken_by_name(stage: Stage, host: str) -> None:
    """Both edges and both APIs are targets, and what is in force is told."""
    assert stage.world.targets[host] == EDGE_FAULTS
    assert stage.world.targets[f"{host}-api"] == AWS_FAULTS
    stage.break_(f"{host}-api", "denied")
    assert stage.world.active[f"{host}-api"] == Fault("denied")


def test_the_fingerprint_follows_hosts_and_zones(stage: Stage, host: str) -> None:
    """What a recovery could change at a host, or in the zones that lead there, shows; a look does not."""
    before = stage.world.fingerprint()
    adapter(stage, host).attachment(PUBLIC, within=soon())
    assert before == stage.world.fingerprint()
    change(stage, host, live=OLDER[host])
    assert before != stage.world.fingerprint()
    state = json.loads(before)
    assert common.PUBLIC_NAMES[1] in {each["name"].rstrip(".") for each in state["rfc2136"]}
    assert common.ZONE_ID in state["route53"]


def test_the_secrets_are_files(stage: Stage, tmp_path: Any) -> None:
    """Site files name the tokens as files, readable by their owner alone."""
    stage.keys.write(tmp_path, {})
    for name, value in (("vercel-token", stage.keys.hosting.vercel), ("netlify-token", stage.keys.hosting.netlify)):
        assert (tmp_path / name).read_text() == value + "\n"
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_vercels_answers_fit_its_own_description() -> None:
    """Every operation of the lab's Vercel, its requests and its answers, as the vendor's OpenAPI file has them."""
    if not VERCEL.path.exists():
        pytest.skip(f"the vendor's description is not beside the project: {VERCEL.path}")
    new, unverified = "new.pulse-trading.test", HeldName("u.pulse-trading.test", CLOCK.now(), verified=False)
    promote = f"/v10/projects/{furniture.VERCEL_PROJECT}/promote"
    with serve_vercel() as running, recording(running.endpoint) as recorder:
        running.change(lambda project: replace(project.holding(unverified), blocked="UNPAID_INVOICE"))
        calls: list[tuple[str, str, Any]] = [
            ("GET", "/v2/user", None),
            ("GET", PROJECT, None),
            ("GET", f"{PROJECT}/domains/{PUBLIC}", None),
            ("GET", f"{PROJECT}/domains/{unverified.name}", None),
            ("GET", f"/v6/domains/{PUBLIC}/config", None),
            ("GET", f"/v6/domains/{new}/config", None),
            ("POST", f"/v10/projects/{furniture.VERCEL_PROJECT}/domains", {"name": new}),
            ("POST", f"/v10/projects/{furniture.VERCEL_PROJECT}/domains", {"name": new}),
            ("POST", f"/v10/projects/{furniture.VERCEL_PROJECT}/domains", {"name": furniture.TAKEN}),
            ("POST", f"{PROJECT}/domains/{new}/verify", None),
            ("POST", f"{PROJECT}/domains/{unverified.name}/verify", None),
            ("GET", f"/v13/deployments/{furniture.VERCEL_OLDER}", None),
            ("GET", "/v13/deployments/dpl_gone", None),
            ("POST", f"{promote}/{furniture.VERCEL_OLDER}", None),
            ("POST", f"{promote}/{furniture.VERCEL_LIVE}", None),
            ("GET", PROJECT, None),
        ]
        statuses = _call(running, recorder.url, calls)
        assert statuses == [200] * 7 + [400, 409, 200, 400, 200, 404, 202, 409, 200]
        assert VERCEL.check(recorder.exchanges) == len(calls)


def test_netlifys_answers_fit_its_own_description() -> None:
    """Every operation of the lab's Netlify, its requests and its answers, as the vendor's OpenAPI file has them."""
    if not NETLIFY.path.exists():
        pytest.skip(f"the vendor's description is not beside the project: {NETLIFY.path}")
    with serve_netlify() as running, recording(running.endpoint) as recorder:
        calls: list[tuple[str, str, Any]] = [
            ("GET", SITE, None),
            ("PATCH", SITE, {"domain_aliases": ["new.pulse-trading.test"]}),
            ("GET", f"{SITE}/ssl", None),
            ("POST", f"{SITE}/ssl", None),
            ("GET", f"{SITE}/deploys/{furniture.NETLIFY_OLDER}", None),
            ("POST", f"{SITE}/deploys/{furniture.NETLIFY_OLDER}/restore", None),
        ]
        assert _call(running, recorder.url, calls) == [200, 200, 200, 422, 200, 201]
        assert NETLIFY.check(recorder.exchanges) == len(calls)
        running.change(lambda project: replace(project, names=()))
        rest: list[tuple[str, str, Any]] = [
            ("PATCH", SITE, {"custom_domain": PUBLIC}),
            ("POST", f"{SITE}/ssl", None),
            ("PATCH", SITE, {"custom_domain": furniture.TAKEN}),
            ("GET", f"{SITE}/deploys/gone", None),
        ]
        assert _call(running, recorder.url, rest) == [200, 200, 422, 404]
        NETLIFY.check(recorder.exchanges)


def _call(running: RunningHosting, url: str, calls: list[tuple[str, str, Any]]) -> list[int]:
    headers = {"Authorization": f"Bearer {running.token}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        return [client.request(method, path, json=body).status_code for method, path, body in calls]
