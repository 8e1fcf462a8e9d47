"""The last resort on AWS in the lab: a private bucket, and a distribution whose edges follow its origin path."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
import trustme
from botocore.exceptions import ClientError

from defib.clock import Deadline, SystemClock
from defib.lab import furniture, standby
from defib.lab.s3origin import SOURCE, endpoint_of
from defib.lab.strict.signature import Credentials, sign
from defib.lab.vendors import arn_of
from defib.lab.web import Request
from defib.providers.aws import AwsAccess
from defib.providers.host.s3_cloudfront import S3CloudFront
from defib.providers.releases.s3 import S3Releases
from defib.providers.standby.zone import AwsStandby
from defib.redeploy.groundwork import groundwork
from defib.releases.deploy import deploy
from defib.releases.plan import Before
from defib.releases.tree import files_of
from defib.sites.site import load_site
from defib.sites.vendors import AwsHost, Route53Zone
from tests.lab.lab_stage import PUBLIC, Stage, running_world

SITES = Path(__file__).parents[2] / "runbooks" / "sites"
CLOCK = SystemClock()
WWW, APEX = standby.NAMES
ORIGIN = endpoint_of(standby.BUCKET)
EDGES = ["3.1", furniture.STANDBY_EDGE]


@pytest.fixture(scope="module")
def world() -> Iterator[Stage]:
    """One world for the module."""
    with running_world() as running:
        yield running


@pytest.fixture
def stage(world: Stage) -> Iterator[Stage]:
    """The world, healed and with its own configuration after each test."""
    before = config(world)
    yield world
    world.heal()
    change(world, **before)


def client(stage: Stage, service: str) -> Any:
    """A client with the lab's keys."""
    make: Any = boto3.client
    keys = {"aws_access_key_id": stage.keys.aws.access_key, "aws_secret_access_key": stage.keys.aws.secret_key}
    return make(service, region_name="us-east-1", endpoint_url=stage.world.aws.server.url, **keys)


def access(stage: Stage) -> AwsAccess:
    """The same for the adapters."""
    keys = stage.keys.aws
    return AwsAccess(endpoint=stage.world.aws.server.url, access_key=keys.access_key, secret_key=keys.secret_key)


def config(stage: Stage) -> dict[str, Any]:
    """The configuration of the distribution."""
    held = client(stage, "cloudfront").get_distribution_config(Id=furniture.STANDBY_DISTRIBUTION)
    return dict(held["DistributionConfig"])


def change(stage: Stage, **parts: Any) -> None:
    """Change parts of it, and wait until the edges have it."""
    cloudfront = client(stage, "cloudfront")
    held = cloudfront.get_distribution_config(Id=furniture.STANDBY_DISTRIBUTION)
    if {**held["DistributionConfig"], **parts} == held["DistributionConfig"]:
        return
    wanted = {**held["DistributionConfig"], **parts}
    cloudfront.update_distribution(Id=furniture.STANDBY_DISTRIBUTION, IfMatch=held["ETag"], DistributionConfig=wanted)
    deadline = Deadline.after(CLOCK, timedelta(seconds=60))
    while cloudfront.get_distribution(Id=furniture.STANDBY_DISTRIBUTION)["Distribution"]["Status"] != "Deployed":
        assert not deadline.expired()
        CLOCK.sleep(timedelta(milliseconds=20))


def serve(stage: Stage, commit: str) -> None:
    """Let the origin path name the release of a commit."""
    origins = config(stage)["Origins"]
    (origin,) = origins["Items"]
    change(stage, Origins={"Quantity": 1, "Items": [{**origin, "OriginPath": f"/releases/{commit}"}]})


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("name", [WWW, APEX, furniture.STANDBY_DOMAIN])
def test_the_live_build_is_served_from_the_start(stage: Stage, edge: str, name: str) -> None:
    """Under both names and its own, over verified TLS, with the headers of the site: any edge has every distribution."""
    page = stage.get(edge, host=name)
    assert (page.status, page.header("Content-Type")) == (200, "text/html; charset=utf-8")
    assert f'content="{stage.world.build.id} '.encode() in page.body
    for header, value in furniture.SECURITY_HEADERS:
        assert page.header(header) == value


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/main.dart.js", "text/javascript; charset=utf-8"),
        ("/canvaskit/canvaskit.wasm", "application/wasm"),
        ("/assets/assets/images/pulse.svg", "image/svg+xml; charset=utf-8"),
        ("/version.json", "application/json"),
    ],
)
def test_objects_come_with_their_own_headers(stage: Stage, path: str, kind: str) -> None:
    """R12, R13: content type and cache header are those of the objects."""
    answer = stage.get(furniture.STANDBY_EDGE, path, WWW)
    held = stage.world.build.get(path[1:])
    assert held is not None
    assert (answer.body, answer.header("Content-Type"), answer.header("Cache-Control")) == (held.body, kind, "no-cache")


def test_a_name_of_another_distribution_goes_there(stage: Stage) -> None:
    """C14: whoever is led to the standby with the CDN's name is served by the CDN's distribution, a wildcard or not."""
    stage.break_("vercel", "refuse")
    assert stage.get(furniture.STANDBY_EDGE, host=PUBLIC).status == 502
    names = [*standby.NAMES, f"*.{furniture.ZONE}".rstrip(".")]
    issued = trustme.CA().issue_cert(*names)
    leaf, key = issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes()
    arn = client(stage, "acm").import_certificate(Certificate=leaf, PrivateKey=key)["CertificateArn"]
    viewer = {"ACMCertificateArn": arn, "SSLSupportMethod": "sni-only", "MinimumProtocolVersion": "TLSv1.2_2021"}
    change(stage, Aliases={"Quantity": len(names), "Items": names}, ViewerCertificate=viewer)
    assert stage.get(furniture.STANDBY_EDGE, host=PUBLIC).status == 502
    with pytest.raises(ClientError, match="CNAMEAlreadyExists"):
        change(stage, Aliases={"Quantity": 1, "Items": [PUBLIC]})


def test_a_wildcard_serves_what_no_other_has(stage: Stage) -> None:
    """A name that no distribution lists goes to the one whose wildcard covers it."""
    wild = f"*.{APEX}"
    change(stage, Aliases={"Quantity": 2, "Items": [APEX, wild]})
    assert stage.get(furniture.STANDBY_EDGE, host=WWW).status == 200


def test_the_edge_follows_the_origin_path(stage: Stage) -> None:
    """R17: one write, and users have the other release; a second one, and they have the first again."""
    older = stage.world.build.earlier[0]
    standby.put_release(stage.world.standby_bucket, older, CLOCK)
    for build in (older, stage.world.build):
        serve(stage, build.id)
        for path in ("", "main.dart.js", "canvaskit/canvaskit.wasm"):
            held = build.get(path or "index.html")
            assert held is not None
            for edge in EDGES:
                assert stage.get(edge, f"/{path}", WWW).body == held.body


def test_a_release_that_is_not_there_is_not_served(stage: Stage) -> None:
    """R6: a pointer to nothing shows users S3's own page, so the release must be there first."""
    serve(stage, "f" * 40)
    answer = stage.get(furniture.STANDBY_EDGE, host=WWW)
    assert (answer.status, b"<Code>NoSuchKey</Code>" in answer.body) == (404, True)


def test_the_bucket_is_private(stage: Stage) -> None:
    """Without CloudFront's signature, or for another distribution, nothing is given."""
    path = f"/releases/{stage.world.build.id}/index.html"
    assert stage.get("2.1", path, ORIGIN).status == 403
    with httpx.Client() as anybody:
        assert anybody.get(f"{stage.world.aws.server.url}/{standby.BUCKET}{path}").status_code == 403


def test_a_bucket_that_lets_another_distribution_in_is_closed_to_this_one(stage: Stage) -> None:
    """The policy decides by the distribution that asks."""
    stage.world.standby_bucket.let_distribution_read(arn_of(furniture.DISTRIBUTION))
    try:
        answer = stage.get(furniture.STANDBY_EDGE, "/version.json", WWW)
        assert (answer.status, b"<Code>AccessDenied</Code>" in answer.body) == (403, True)
    finally:
        stage.world.standby_bucket.let_distribution_read(arn_of(furniture.STANDBY_DISTRIBUTION))
    assert stage.get(furniture.STANDBY_EDGE, "/version.json", WWW).status == 200


def test_a_forged_signature_opens_nothing(stage: Stage) -> None:
    """Who knows the distribution and not the secret is turned away."""
    headers = {"host": ORIGIN, SOURCE: arn_of(furniture.STANDBY_DISTRIBUTION)}
    request = Request("GET", f"/releases/{stage.world.build.id}/index.html", headers)
    forged = sign(request, Credentials("ASIACLOUDFRONT", "wrong"), service="s3", when=CLOCK.now())
    sent = {name: value for name, value in forged.headers.items() if name != "host"}
    url = f"https://{stage.world.plan.at('2.1')}:8443{request.target}"
    with httpx.Client(verify=stage.world.authority.client_context()) as anybody:
        told = anybody.get(url, headers={**sent, "Host": ORIGIN}, extensions={"sni_hostname": ORIGIN})
    assert (told.status_code, "SignatureDoesNotMatch" in told.text) == (403, True)


@pytest.mark.parametrize(("fault", "status"), [("refuse", 502), ("5xx", 503)])
def test_a_broken_bucket_shows_at_the_edge(stage: Stage, fault: str, status: int) -> None:
    """S3 down is an outage of the standby, and nothing of the hosts'."""
    stage.break_("aws-origin", fault)
    assert stage.get(furniture.STANDBY_EDGE, host=WWW).status == status
    assert stage.get(furniture.ORIGIN_EDGE, host=WWW).status == 200


def test_the_edge_breaks_by_itself(stage: Stage) -> None:
    """The standby's edge and the CDN's are two machines."""
    stage.break_("aws-edge", "refuse")
    with pytest.raises(ConnectionRefusedError):
        stage.get(furniture.STANDBY_EDGE, host=WWW)
    assert stage.get("3.1").status == 200


def test_the_host_adapter_finds_all_of_it(stage: Stage) -> None:
    """The release is whole, the names are listed, and ACM has a certificate for them."""
    host = S3CloudFront(standby.BUCKET, furniture.STANDBY_DISTRIBUTION, access(stage))
    within = Deadline.after(CLOCK, timedelta(seconds=10))
    live = host.live(within=within)
    assert live is not None
    assert live.commit == stage.world.build.id
    for name in standby.NAMES:
        held = host.attachment(f"{name}.", within=within)
        assert (held.verified, held.problem, held.certificate_until is not None) == (True, "", True)


def test_the_site_file_names_what_stands(stage: Stage, tmp_path: Path) -> None:
    """Every id of lab-aws.yaml, and each host serves every name where its records would lead."""
    text = (SITES / "lab-aws.yaml").read_text().replace("127.77.", f"{stage.world.plan.net}.")
    (tmp_path / "lab-aws.yaml").write_text(text)
    site = load_site(tmp_path / "lab-aws.yaml")
    (zone,) = site.dns
    assert isinstance(zone, Route53Zone)
    assert stage.world.aws.route53.zones()[zone.zone_id] == zone.zone
    (aws,) = [host for host in site.hosts if isinstance(host, AwsHost)]
    assert (aws.bucket, aws.distribution) == (standby.BUCKET, furniture.STANDBY_DISTRIBUTION)
    assert site.git is not None
    assert [remote.url for remote in site.git.remotes] == [each.url for each in stage.world.git.values()]
    known = stage.world.names.hosts
    for host in site.hosts:
        for record in host.records:
            target = record.alias.name if record.alias else record.values[0]
            address = known.get(target.rstrip("."), target)
            page = stage.get(address.removeprefix(f"{stage.world.plan.net}."), host=record.name.rstrip("."))
            assert (page.status, site.page.contains.encode() in page.body) == (200, True)


def test_everything_is_as_the_site_file_wants_it(stage: Stage, tmp_path: Path) -> None:
    """An audit of the standby finds nothing to put right: bucket, access, headers, limits, distribution, policy."""
    text = (SITES / "lab-aws.yaml").read_text().replace("127.77.", f"{stage.world.plan.net}.")
    (tmp_path / "lab-aws.yaml").write_text(text)
    site = load_site(tmp_path / "lab-aws.yaml")
    (aws,) = [host for host in site.hosts if isinstance(host, AwsHost)]
    zone = AwsStandby(groundwork(site, aws), access(stage))
    within = Deadline.after(CLOCK, timedelta(seconds=20))
    assert (zone.audit(within=within), zone.misplaced(within=within)) == ((), "")


def test_the_edge_adds_the_headers_of_the_policy(stage: Stage) -> None:
    """What the account's policy says is what users get, and nothing where the distribution names none; it is state."""
    before = stage.world.fingerprint()
    cloudfront = client(stage, "cloudfront")
    security = {
        "StrictTransportSecurity": {"Override": True, "AccessControlMaxAgeSec": 60},
        "XSSProtection": {"Override": True, "Protection": False},
        "FrameOptions": {"Override": True, "FrameOption": "SAMEORIGIN"},
        "ContentTypeOptions": {"Override": True},
    }
    custom = {"Quantity": 1, "Items": [{"Header": "X-Place", "Value": "here", "Override": True}]}
    wanted = {"Name": "other", "SecurityHeadersConfig": security, "CustomHeadersConfig": custom}
    made = cloudfront.create_response_headers_policy(ResponseHeadersPolicyConfig=wanted)
    assert stage.world.fingerprint() != before
    policy = made["ResponseHeadersPolicy"]["Id"]
    behaviour = config(stage)["DefaultCacheBehavior"]
    change(stage, DefaultCacheBehavior={**behaviour, "ResponseHeadersPolicyId": policy})
    page = stage.get(furniture.STANDBY_EDGE, host=WWW)
    served = [page.header(name) for name in ("Strict-Transport-Security", "X-XSS-Protection", "X-Frame-Options", "X-Place")]
    assert (served, page.header("X-Content-Type-Options")) == (["max-age=60", "0", "SAMEORIGIN", "here"], "nosniff")
    change(stage, DefaultCacheBehavior={**behaviour, "ResponseHeadersPolicyId": ""})
    assert stage.get(furniture.STANDBY_EDGE, host=WWW).header("X-Frame-Options") == ""
    change(stage, DefaultCacheBehavior=behaviour)
    cloudfront.delete_response_headers_policy(Id=policy, IfMatch=made["ETag"])
    assert stage.world.fingerprint() == before


def test_a_deployment_of_the_same_commit_uploads_nothing(stage: Stage, tmp_path: Path) -> None:
    """R10, R11: what stands from the start is what a deployment would have left, to the byte and the header."""
    for each in stage.world.build.objects:
        file = tmp_path / each.key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(each.body)
    before = stage.world.fingerprint()
    within = Deadline.after(CLOCK, timedelta(seconds=20))
    store = S3Releases(standby.BUCKET, access(stage))
    files = partial(files_of, tmp_path, within=within)
    empty = Before(None, timedelta(days=30), CLOCK.now())
    done = deploy(store, stage.world.build.id, files, stage.world.build.built, empty, within=within)
    assert (done.uploaded, done.sent, stage.world.fingerprint()) == (0, 0, before)
    assert files()


def test_a_release_shows_in_the_fingerprint(stage: Stage) -> None:
    """What a drill left in the bucket would be found."""
    before = stage.world.fingerprint()
    key = f"releases/{'e' * 40}/index.html"
    s3 = client(stage, "s3")
    s3.put_object(Bucket=standby.BUCKET, Key=key, Body=b"left")
    assert stage.world.fingerprint() != before
    s3.delete_object(Bucket=standby.BUCKET, Key=key)
    assert stage.world.fingerprint() == before
