"""The last resort on AWS as it stands from the start: a private bucket with one release, and a distribution that serves it.

No CDN stands in front of the names that it holds. It could not take those of the CDN's distribution: CloudFront gives a name
to one distribution, and sends who asks for it there wherever the DNS has led them; even a wildcard comes second to that
(https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/CNAMEs.html#alternate-domain-names-restrictions).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from defib.clock import Clock
from defib.lab.aws import Aws
from defib.lab.bucket import Bucket
from defib.lab.certificates import LabAuthority
from defib.lab.furniture import (
    CDN_ALIASES,
    DISTRIBUTION,
    SECURITY_HEADERS,
    STANDBY_DISTRIBUTION,
    STANDBY_DOMAIN,
    ZONE_LAST,
)
from defib.lab.furniture import distribution_config as cdn_config
from defib.lab.s3origin import endpoint_of
from defib.lab.sitebuild import SiteBuild
from defib.lab.vendors import arn_of
from defib.releases.manifest import Entry, Manifest, encode
from defib.releases.rules import MANIFEST, headers_of, key_of, manifest_key

BUCKET = "pulse-trading-aws"
CDN_BUCKET = "pulse-trading-releases"
"""Of the sites whose last resort is the CDN's own distribution, with another origin."""

_SIGNING = {"SigningProtocol": "sigv4", "SigningBehavior": "always", "OriginAccessControlOriginType": "s3"}
HEADERS_POLICY = "0f1c3d2e-5b6a-4c7d-8e9f-a0b1c2d3e4f5"
NAMES = (f"www.{ZONE_LAST}".rstrip("."), ZONE_LAST.rstrip("."))


def furnish(aws: Aws, authority: LabAuthority, build: SiteBuild, clock: Clock) -> Bucket:
    """Put bucket, first release, certificate and distribution in their places."""
    bucket = Bucket(BUCKET)
    bucket.create()
    bucket.keep_private()
    bucket.let_distribution_read(arn_of(STANDBY_DISTRIBUTION))
    put_release(bucket, build, clock)
    cloudfront = get_backend("cloudfront")[DEFAULT_ACCOUNT_ID]["aws"]
    control = cloudfront.create_origin_access_control({"Name": BUCKET, "Description": "", **_SIGNING})
    aws.headers_policies.add(HEADERS_POLICY, BUCKET, dict(SECURITY_HEADERS))
    config = distribution_config(
        build.id, str(control.id), _certificate(authority, (*NAMES, f"*.{ZONE_LAST.rstrip('.')}"))
    ) | {"WebACLId": _web_acl()}
    aws.cloudfront.add_distribution(STANDBY_DISTRIBUTION, STANDBY_DOMAIN, config)
    return bucket


def cdn_with_releases(authority: LabAuthority) -> dict[str, Any]:
    """The CDN's distribution with an empty bucket behind it: an origin that nobody gets before a release is chosen."""
    bucket = Bucket(CDN_BUCKET)
    bucket.create()
    bucket.keep_private()
    bucket.let_distribution_read(arn_of(DISTRIBUTION))
    control = get_backend("cloudfront")[DEFAULT_ACCOUNT_ID]["aws"].create_origin_access_control(
        {"Name": CDN_BUCKET, "Description": "", **_SIGNING}
    )
    origin = {
        "Id": "releases",
        "DomainName": endpoint_of(CDN_BUCKET),
        "OriginPath": "",
        "OriginAccessControlId": str(control.id),
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    config = cdn_config(CDN_ALIASES)
    config["ViewerCertificate"] = _viewer(_certificate(authority, CDN_ALIASES))
    config["Origins"] = {"Quantity": 2, "Items": [*config["Origins"]["Items"], origin]}
    return config


def put_release(bucket: Bucket, build: SiteBuild, clock: Clock) -> None:
    """The release of a build, as a deployment leaves it: every file with its headers, and the manifest at the end."""
    entries = tuple(_put(bucket, build))
    manifest = Manifest(build.id, build.built, clock.now(), entries)
    bucket.put(manifest_key(build.id), encode(manifest), {"Content-Type": "application/json", "Cache-Control": "no-cache"})


def _put(bucket: Bucket, build: SiteBuild) -> Iterator[Entry]:
    for each in build.objects:
        headers = headers_of(each.key)
        digest = hashlib.sha256(each.body).hexdigest()
        told = {"Content-Type": headers.content_type, "Cache-Control": headers.cache_control, "x-amz-meta-sha256": digest}
        changed = bucket.put(key_of(build.id, each.key), each.body, told)
        yield Entry(each.key, len(each.body), digest, headers, each.etag.strip('"'), changed)


def distribution_config(commit: str, access_control: str, certificate: str) -> dict[str, Any]:
    """The configuration of the distribution, in the shape of CloudFront's API."""
    bucket = {
        "Id": BUCKET,
        "DomainName": endpoint_of(BUCKET),
        "OriginPath": f"/releases/{commit}",
        "OriginAccessControlId": access_control,
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    return {
        "CallerReference": BUCKET,
        "Aliases": {"Quantity": len(NAMES), "Items": list(NAMES)},
        "DefaultRootObject": "index.html",
        "Origins": {"Quantity": 1, "Items": [bucket]},
        "DefaultCacheBehavior": {
            "TargetOriginId": BUCKET,
            "ViewerProtocolPolicy": "redirect-to-https",
            "ResponseHeadersPolicyId": HEADERS_POLICY,
            "AllowedMethods": {"Items": ["GET", "HEAD"]},
        },
        "ViewerCertificate": _viewer(certificate),
        "HttpVersion": "http2and3",
        "Comment": "Pulse Trading, the last resort",
        "Enabled": True,
    }


def _web_acl() -> str:
    """The limits of a site that names none, a thousand requests a minute from one address, by their ARN."""
    statement = {"Limit": 1000, "EvaluationWindowSec": 60, "AggregateKeyType": "IP"}
    rule = {
        "Name": "defib-all",
        "Priority": 0,
        "Statement": {"RateBasedStatement": statement},
        "Action": {"Block": {}},
        "VisibilityConfig": _visible("defib-all"),
    }
    made = get_backend("wafv2")[DEFAULT_ACCOUNT_ID]["aws"].create_web_acl(
        name=BUCKET,
        visibility_config=_visible(BUCKET),
        default_action={"Allow": {}},
        scope="CLOUDFRONT",
        description="Pulse Trading, the last resort",
        tags=[],
        rules=[rule],
        association_config=None,
        captcha_config=None,
        challenge_config=None,
        custom_response_bodies=None,
        token_domains=None,
    )
    return str(made.arn)


def _visible(name: str) -> dict[str, Any]:
    return {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": name}


def _viewer(certificate: str) -> dict[str, Any]:
    return {
        "ACMCertificateArn": certificate,
        "SSLSupportMethod": "sni-only",
        "MinimumProtocolVersion": "TLSv1.2_2021",
    }


def _certificate(authority: LabAuthority, names: tuple[str, ...]) -> str:
    """A certificate for `names` in ACM, by its ARN."""
    issued = authority.issue(names)
    leaf, key = issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes()
    acm = get_backend("acm")[DEFAULT_ACCOUNT_ID]["us-east-1"]
    return str(acm.import_certificate(leaf, key, None, None, []))


def releases(bucket: Bucket) -> dict[str, str]:
    """Each release in the bucket with a digest of all that is in it, but of its manifest: that tells when, not what."""
    digests: dict[str, Any] = {}
    for key in bucket.keys():  # noqa: SIM118 - no mapping
        held = bucket.get(key)
        prefix, _, path = key.removeprefix("releases/").partition("/")
        if held is not None and path != MANIFEST:
            told = f"{path}\0{held.etag}\0{held.content_type}\0{held.cache_control}\n"
            digests.setdefault(prefix, hashlib.sha256()).update(told.encode())
    return {prefix: digest.hexdigest() for prefix, digest in sorted(digests.items())}
