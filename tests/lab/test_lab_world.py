"""The world is the one that the lab's site files describe, and its parts hang together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import dns.exception
import dns.message
import dns.query
import dns.rdatatype
import dns.tsigkeyring
import dns.update
import httpx
import pytest
from botocore.config import Config
from mypy_boto3_route53.client import Route53Client

from defib.clock import Deadline, SystemClock
from defib.errors import InputError
from defib.lab import furniture
from defib.sites.site import Site, load_site
from defib.sites.vendors import (
    AwsHost,
    CloudflareDistribution,
    CloudflareZone,
    CloudFrontDistribution,
    Rfc2136Zone,
    Route53Zone,
)
from tests.lab.lab_stage import Stage, running_world

SITES = Path(__file__).parents[2] / "runbooks" / "sites"
STANDBY = "www.pulse-trading.test.cdn.cloudflare.net."
CLOCK = SystemClock()


@pytest.fixture(scope="module")
def world() -> Iterator[Stage]:
    """One world for the module."""
    with running_world() as running:
        yield running


@pytest.fixture
def stage(world: Stage) -> Iterator[Stage]:
    """The world, healed and steered back after each test."""
    yield world
    world.heal()


@pytest.fixture
def route53(stage: Stage) -> Iterator[Route53Client]:
    """A client with the lab's keys."""
    made = boto3.client(
        "route53",
        region_name="us-east-1",
        endpoint_url=stage.world.aws.server.url,
        aws_access_key_id=stage.keys.aws.access_key,
        aws_secret_access_key=stage.keys.aws.secret_key,
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield made
    stage.heal()
    change = steer(made, f"{furniture.DISTRIBUTION_DOMAIN}.")
    wait_until(lambda: made.get_change(Id=change)["ChangeInfo"]["Status"] == "INSYNC")
    for resolver in stage.world.names.resolvers:
        resolver.flush()
    made.close()


@pytest.fixture(params=["lab", "lab-rfc2136", "lab-cloudflare", "lab-two-dns"])
def site(request: pytest.FixtureRequest, stage: Stage, tmp_path: Path) -> Site:
    """A site file of the lab, moved to the network of the test."""
    text = (SITES / f"{request.param}.yaml").read_text().replace("127.77.", f"{stage.world.plan.net}.")
    file = tmp_path / f"{request.param}.yaml"
    file.write_text(text)
    return load_site(file)


def steer(route53: Route53Client, target: str) -> str:
    """Point the steering record at `target`."""
    records = [{"Value": target}]
    name = f"{furniture.PUBLIC_NAMES[0]}."
    rrset = {"Name": name, "Type": "CNAME", "TTL": 3, "ResourceRecords": records}
    batch: Any = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": rrset}]}
    answer = route53.change_resource_record_sets(HostedZoneId=furniture.ZONE_ID, ChangeBatch=batch)
    return answer["ChangeInfo"]["Id"]


def ask(address: str, name: str, type_: str = "CNAME", within: float = 10) -> list[str]:
    """What one DNS server says."""
    query = dns.message.make_query(name, type_)
    answer = dns.query.udp(query, address, port=5300, timeout=within)
    wanted = dns.rdatatype.from_text(type_)
    return [str(item) for rrset in answer.answer if rrset.rdtype == wanted for item in rrset]


def ask_https(stage: Stage, url: str, name: str) -> list[str]:
    """The address that one resolver gives over HTTPS."""
    query = dns.message.make_query(name, "A").to_wire()
    headers = {"Content-Type": "application/dns-message"}
    with httpx.Client(verify=stage.world.authority.client_context()) as client:
        answer = dns.message.from_wire(client.post(url, content=query, headers=headers).content)
    return [str(item) for rrset in answer.answer if rrset.rdtype == dns.rdatatype.A for item in rrset]


def wait_until(condition: Callable[[], bool], within: float = 60) -> None:
    """Wait for a condition, or fail."""
    deadline = Deadline.after(CLOCK, timedelta(seconds=within))
    while not condition():
        assert not deadline.expired(), "the condition did not come true in time"
        CLOCK.sleep(timedelta(milliseconds=5))


def fetch(stage: Stage, url: str, connect_to: str) -> httpx.Response:
    """Fetch `url` from the address `connect_to`, as its name, trusting the lab alone."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    where = f"https://{connect_to}:{parts.port}{parts.path}"
    with httpx.Client(verify=stage.world.authority.client_context()) as client:
        return client.get(where, headers={"Host": parts.netloc}, extensions={"sni_hostname": host})


def test_every_server_of_the_site_file_is_there(stage: Stage, site: Site) -> None:
    """Every authoritative server gives the steering record with its TTL, every resolver the address of the primary."""
    for server in site.servers:
        assert ask(server.address, site.steered.name) == [site.primary.hostname]
        query = dns.message.make_query(site.steered.name, "CNAME")
        answer = dns.query.udp(query, server.address, port=server.port, timeout=10)
        assert answer.answer[0].ttl == int(site.steered.ttl.total_seconds())
    for resolver in site.resolvers:
        assert ask(resolver.address, site.steered.name, "A") == [stage.world.plan.at("3.1")]
        assert ask_https(stage, resolver.doh, site.standbys[0].hostname) == [stage.world.plan.at("4.1")]


def test_every_cdn_of_the_site_file_serves_it_as_expected(stage: Stage, site: Site) -> None:
    """Content, build marker, headers and files to warm, through each CDN under the public name."""
    for cdn in site.cdns:
        (address,) = ask(site.resolvers[0].address, cdn.hostname, "A")
        answer = fetch(stage, site.page.url, address)
        assert (answer.status_code, site.page.contains in answer.text) == (200, True)
        marker = re.search(site.page.build, answer.text)
        assert marker is not None
        assert marker["id"] == stage.world.build.id
        assert datetime.fromisoformat(marker["built"]) == stage.world.build.built
        for name, value in site.page.headers.items():
            assert value in answer.headers[name]
        for path in site.page.warm:
            assert fetch(stage, site.page.url.rstrip("/") + path, address).status_code == 200


def test_the_origin_and_the_references_of_the_site_file_answer(stage: Stage, site: Site) -> None:
    """The origin past every cache; the references as sites of other people, and their APIs that want a key."""
    assert site.page.contains in fetch(stage, site.origin.url, site.origin.connect_to).text
    for urls, status in ((site.detection.references, 200), (site.page.apis, 401)):
        for url in urls:
            (address,) = ask(site.resolvers[0].address, urlsplit(url).hostname or "", "A")
            assert fetch(stage, url, address).status_code == status


def test_every_id_and_endpoint_of_the_site_file_exists(stage: Stage, site: Site) -> None:
    """Zones, distributions and APIs are where the site file says."""
    world = stage.world
    if isinstance(site.dns[0], Route53Zone):
        assert world.aws.route53.zones()[site.dns[0].zone_id] == site.dns[0].zone
        assert site.dns[0].aws.endpoint == world.aws.server.url
    if isinstance(site.dns[0], CloudflareZone):
        zones = {zone.id: (f"{zone.name}.", zone.full) for zone in world.cloudflare.zones}
        assert zones[site.dns[0].zone_id] == (site.dns[0].zone, True)
        assert site.dns[0].api == f"{world.cloudflare.server.url}/client/v4"
    for cdn in site.cdns:
        if isinstance(cdn, CloudFrontDistribution):
            assert cdn.distribution in [live.id for live in world.aws.cloudfront.live()]
            assert cdn.aws.endpoint == world.aws.server.url
        if isinstance(cdn, CloudflareDistribution):
            assert cdn.zone_id in [zone.id for zone in world.cloudflare.zones]
            assert cdn.api == f"{world.cloudflare.server.url}/client/v4"


def test_both_hosts_of_the_site_file_hold_its_names(stage: Stage, site: Site) -> None:
    """D14: by the ids of the file, each host holds every public name, certified, and serves it where its record leads."""
    hosting = stage.world.hosting
    platforms = [host for host in site.hosts if not isinstance(host, AwsHost)]
    for host, api, path in zip(platforms, (hosting.vercel, hosting.netlify), ("", "/api/v1"), strict=True):
        assert (host.project, host.api) == (api.project.id, f"{api.server.url}{path}")
        for name in (site.steered.name, site.dns[0].zone):
            held = api.project.held(name.rstrip("."))
            assert held is not None
            assert (held.verified, held.certificate_until is not None) == (True, True)
        for record in host.records:
            (value,) = record.values
            address = value if record.type == "A" else ask(site.resolvers[0].address, value, "A")[0]
            public = record.name.rstrip(".")
            answer = fetch(stage, f"https://{public}:8443/", address)
            assert (answer.status_code, site.page.contains in answer.text) == (200, True)


def test_a_route53_change_reaches_authorities_and_then_resolvers(stage: Stage, route53: Route53Client) -> None:
    """INSYNC is said when every authority answers with it; a resolver follows when its TTL is over."""
    name = f"{furniture.PUBLIC_NAMES[0]}."
    resolver = stage.world.plan.at("6.1")
    ask(resolver, name)
    change = steer(route53, STANDBY)
    statuses = [route53.get_change(Id=change)["ChangeInfo"]["Status"]]
    wait_until(lambda: route53.get_change(Id=change)["ChangeInfo"]["Status"] == "INSYNC")
    assert statuses == ["PENDING"]
    for number in range(1, 5):
        assert ask(stage.world.plan.at(f"5.{number}"), name) == [STANDBY]
    assert ask(resolver, name) == [f"{furniture.DISTRIBUTION_DOMAIN}."]
    wait_until(lambda: ask(resolver, name) == [STANDBY])


def test_a_frozen_authority_keeps_the_change_pending(stage: Stage, route53: Route53Client) -> None:
    """D6: one of four servers keeps the old answer, and Route 53 does not call the change done until it thaws."""
    name = f"{furniture.PUBLIC_NAMES[0]}."
    stage.break_("ns-3", "frozen")
    change = steer(route53, STANDBY)
    wait_until(lambda: ask(stage.world.plan.at("5.4"), name) == [STANDBY])
    assert ask(stage.world.plan.at("5.3"), name) == [f"{furniture.DISTRIBUTION_DOMAIN}."]
    CLOCK.sleep(timedelta(milliseconds=100))
    assert route53.get_change(Id=change)["ChangeInfo"]["Status"] == "PENDING"
    stage.heal()
    wait_until(lambda: route53.get_change(Id=change)["ChangeInfo"]["Status"] == "INSYNC")
    assert ask(stage.world.plan.at("5.3"), name) == [STANDBY]


def test_a_server_left_behind_is_called_done_all_the_same(stage: Stage, route53: Route53Client) -> None:
    """D6: the vendor's word is no proof: INSYNC, and one server of four still gives the old answer."""
    name = f"{furniture.PUBLIC_NAMES[0]}."
    stage.break_("ns-2", "left-behind")
    change = steer(route53, STANDBY)
    wait_until(lambda: route53.get_change(Id=change)["ChangeInfo"]["Status"] == "INSYNC")
    assert ask(stage.world.plan.at("5.2"), name) == [f"{furniture.DISTRIBUTION_DOMAIN}."]


def test_the_zone_takes_signed_updates_only(stage: Stage, tmp_path: Path) -> None:
    """RFC 2136 with the lab's TSIG key changes both servers; without it nothing."""
    text = (SITES / "lab-rfc2136.yaml").read_text().replace("127.77.", f"{stage.world.plan.net}.")
    (tmp_path / "site.yaml").write_text(text)
    (config,) = load_site(tmp_path / "site.yaml").dns
    assert isinstance(config, Rfc2136Zone)
    ring = dns.tsigkeyring.from_text({config.tsig.name: stage.keys.tsig_key})
    name = f"{furniture.PUBLIC_NAMES[1]}."
    for signed, target in ((True, "standby.example."), (True, f"{furniture.DISTRIBUTION_DOMAIN}."), (False, "x.")):
        before = ask(config.primary.address, name)
        update = dns.update.UpdateMessage(config.zone, keyring=ring if signed else None)
        update.replace(name, 3, "CNAME", target)
        answer = dns.query.udp(update, config.primary.address, port=config.primary.port, timeout=10)
        if signed:
            assert answer.rcode() == 0
            for server in config.servers:
                wait_until(lambda server=server, target=target: ask(server.address, name) == [target])  # type: ignore[misc]
        else:
            assert answer.rcode() != 0
            assert ask(config.primary.address, name) == before


def test_dns_servers_break_as_asked(stage: Stage) -> None:
    """D8: silent, failing and closed servers; DNS over HTTPS goes on where port 53 is closed."""
    name = f"{furniture.PUBLIC_NAMES[0]}."
    resolver, plan = stage.world.plan.at("6.2"), stage.world.plan
    stage.break_("resolver-2", "port53-closed")
    with pytest.raises((OSError, dns.exception.Timeout)):
        ask(resolver, name, within=1)
    assert ask_https(stage, f"https://{resolver}:8443/dns-query", name) == [plan.at("3.1")]
    stage.break_("resolver-2", "servfail")
    assert ask(resolver, name) == []
    stage.break_("ns-1", "silent")
    with pytest.raises(dns.exception.Timeout):
        ask(plan.at("5.1"), name, within=1)
    stage.heal()
    assert ask(plan.at("5.1"), name)


def test_the_last_resolver_is_stubborn(stage: Stage) -> None:
    """It keeps what it learnt for thirty seconds, whatever the TTL says."""
    query = dns.message.make_query(f"{furniture.PUBLIC_NAMES[0]}.", "CNAME")
    answer = dns.query.udp(query, stage.world.plan.at("6.6"), port=5300, timeout=10)
    assert answer.answer[0].ttl > 20


def test_an_alias_record_answers_with_its_targets_address(stage: Stage, route53: Route53Client) -> None:
    """D3: an alias at the apex is an A record to those who ask."""
    alias = {
        "HostedZoneId": "Z2FDTNDATAQYW2",
        "DNSName": furniture.DISTRIBUTION_DOMAIN,
        "EvaluateTargetHealth": False,
    }
    entry: Any = {"Name": furniture.ZONE, "Type": "A", "AliasTarget": alias}
    address = stage.world.plan.at(furniture.ORIGIN_EDGE)
    plain: Any = {"Name": furniture.ZONE, "Type": "A", "TTL": 3, "ResourceRecords": [{"Value": address}]}
    for each, expected in ((entry, [stage.world.plan.at("3.1")]), (plain, [address])):
        batch: Any = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": each}]}
        route53.change_resource_record_sets(HostedZoneId=furniture.ZONE_ID, ChangeBatch=batch)
        wait_until(
            lambda expected=expected: ask(stage.world.plan.at("5.4"), furniture.ZONE, "A") == expected  # type: ignore[misc]
        )


def test_the_fingerprint_follows_every_kind_of_state(stage: Stage, route53: Route53Client) -> None:
    """A record, a fault, a Cloudflare comment: each shows, and none leaves a trace when it is put back."""
    before = stage.world.fingerprint()
    steer(route53, STANDBY)
    assert stage.world.fingerprint() != before
    steer(route53, f"{furniture.DISTRIBUTION_DOMAIN}.")
    assert stage.world.fingerprint() == before
    stage.break_("vercel", "hang")
    assert stage.world.fingerprint() != before
    stage.heal()
    (zone, *_) = stage.world.cloudflare.zones
    headers = {"Authorization": f"Bearer {stage.keys.cloudflare_token}"}
    url = f"{stage.world.cloudflare.server.url}/client/v4/zones/{zone.id}/dns_records/{zone.records[0].id}"
    httpx.patch(url, json={"comment": "x"}, headers=headers)
    assert stage.world.fingerprint() != before
    httpx.patch(url, json={"comment": None}, headers=headers)
    assert stage.world.fingerprint() == before


def test_faults_of_dns_servers_take_no_options(stage: Stage) -> None:
    """What would be ignored is refused."""
    with pytest.raises(InputError, match="option"):
        stage.break_("ns-1", "silent", times=3)
    assert dict(stage.world.active) == {}
