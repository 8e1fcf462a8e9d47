"""A standby on AWS as Terraform, so that it can be kept as code: the same resources, of the same words.

The pointer and whether the distribution is enabled are Defib's to change, so Terraform is told to leave them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from defib.providers.host.acm import REGION
from defib.providers.standby.bucket import WITH_ACLS, WITHOUT_ACLS, statements
from defib.providers.standby.distribution import CACHE_POLICY, OLDEST_TLS, ORIGIN, domain_of
from defib.providers.standby.edge import spelt
from defib.providers.standby.hcl import Block, Call, Reference, Value, block, render, within
from defib.redeploy.groundwork import Groundwork, Limit

_PROVIDER = "~> 5.100"
"""What the file is validated with, and what says that it is compatible."""

_NEEDED: dict[str, Value] = {"aws": {"source": "hashicorp/aws", "version": _PROVIDER}}

_HEAD = (
    "# The standby of {work.site} on AWS, written by `defib export terraform`. Change the site file, not this.\n"
    "# What stands already is taken over with, for example:\n"
    "#   terraform import aws_s3_bucket.releases {work.bucket}\n"
)

_BESIDE = (
    "# The distribution {work.distribution} is the site's CDN, and stays where it is kept as code. There it needs the\n"
    "# bucket as one more origin, which nobody gets until `defib` moves the pointer; so let Terraform ignore changes of\n"
    "# its origins and of the default behaviour's target_origin_id.\n\n"
)

_ARN = "aws_cloudfront_distribution.standby.arn"
_CDN_ARN = "data.aws_cloudfront_distribution.cdn.arn"
_GLOBAL = {"provider": Reference("aws.global")}


def terraform(work: Groundwork) -> str:
    """One file for ``terraform init`` and ``terraform plan``; pure."""
    if work.shared:
        return _HEAD.format(work=work) + _BESIDE.format(work=work) + render(_beside(work))
    taken = f"#   terraform import aws_cloudfront_distribution.standby {work.distribution}\n\n"
    parts = [*_settings(work), *_bucket(work), *_logs(work), *_edge(work), *_limits(work)]
    return _HEAD.format(work=work) + taken + render([*parts, _distribution(work), _policy(work)])


def _settings(work: Groundwork) -> list[Block]:
    certificate: dict[str, Value] = {
        "domain": Reference("var.certificate_domain"),
        "statuses": ["ISSUED"],
        "most_recent": True,
    }
    return [
        within(block("terraform", required_version=">= 1.5"), block("required_providers", **_NEEDED)),
        block("provider", "aws", region=work.region),
        # Certificates and web ACLs of distributions are in one region, wherever the bucket is.
        block("provider", "aws", alias="global", region=REGION),
        block(
            "variable",
            "certificate_domain",
            description=f"The domain of the certificate in ACM in {REGION} for {', '.join(work.names)}.",
            type=Reference("string"),
            default=min(work.names, key=len),
        ),
        block("data", "aws_acm_certificate", "standby", **_GLOBAL, **certificate),
    ]


def _bucket(work: Groundwork) -> list[Block]:
    default = within(block("rule"), block("apply_server_side_encryption_by_default", sse_algorithm="AES256"))
    return [
        block("resource", "aws_s3_bucket", "releases", bucket=work.bucket),
        within(_of("aws_s3_bucket_versioning", "releases"), block("versioning_configuration", status="Enabled")),
        within(_of("aws_s3_bucket_server_side_encryption_configuration", "releases"), default),
        _private("releases"),
        within(_of("aws_s3_bucket_ownership_controls", "releases"), block("rule", object_ownership=WITHOUT_ACLS)),
    ]


def _logs(work: Groundwork) -> list[Block]:
    if not work.logs:
        return []
    return [
        block("resource", "aws_s3_bucket", "logs", bucket=work.logs),
        _private("logs"),
        within(_of("aws_s3_bucket_ownership_controls", "logs"), block("rule", object_ownership=WITH_ACLS)),
    ]


def _of(kind: str, bucket: str) -> Block:
    return block("resource", kind, bucket, bucket=Reference(f"aws_s3_bucket.{bucket}.id"))


def _private(bucket: str) -> Block:
    return block(
        "resource",
        "aws_s3_bucket_public_access_block",
        bucket,
        bucket=Reference(f"aws_s3_bucket.{bucket}.id"),
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
    )


def _edge(work: Groundwork) -> list[Block]:
    control = block(
        "resource",
        "aws_cloudfront_origin_access_control",
        "standby",
        name=work.bucket,
        description="defib",
        origin_access_control_origin_type="s3",
        signing_behavior="always",
        signing_protocol="sigv4",
    )
    policy = block("resource", "aws_cloudfront_response_headers_policy", "standby", name=work.bucket, comment=work.comment)
    if not work.headers:
        return [control]
    parts = spelt(dict(work.headers))
    security = [_security(name, part) for name, part in parts.get("SecurityHeadersConfig", {}).items()]
    custom = [
        block("items", header=each["Header"], value=each["Value"], override=each["Override"])
        for each in parts.get("CustomHeadersConfig", {}).get("Items", [])
    ]
    inner = [
        *([within(block("security_headers_config"), *security)] if security else []),
        *([within(block("custom_headers_config"), *custom)] if custom else []),
    ]
    return [control, within(policy, *inner)]


_MEMBERS = {
    "StrictTransportSecurity": "strict_transport_security",
    "FrameOptions": "frame_options",
    "ContentTypeOptions": "content_type_options",
    "XSSProtection": "xss_protection",
    "ReferrerPolicy": "referrer_policy",
    "ContentSecurityPolicy": "content_security_policy",
    "AccessControlMaxAgeSec": "access_control_max_age_sec",
    "IncludeSubdomains": "include_subdomains",
    "Preload": "preload",
    "FrameOption": "frame_option",
    "Protection": "protection",
    "ModeBlock": "mode_block",
    "Override": "override",
}
"""CloudFront's words, and Terraform's."""


def _security(name: str, part: Mapping[str, Any]) -> Block:
    return block(_MEMBERS[name], **{_MEMBERS[key]: value for key, value in part.items()})


def _limits(work: Groundwork) -> list[Block]:
    if not work.limits:
        return []
    acl = block("resource", "aws_wafv2_web_acl", "standby", **_GLOBAL, name=work.bucket, scope="CLOUDFRONT")
    rules = [_rule(name, limit, number) for number, (name, limit) in enumerate(work.limits)]
    return [within(acl, within(block("default_action"), block("allow")), *rules, _visible(work.bucket))]


def _rule(name: str, limit: Limit, priority: int) -> Block:
    rate = block(
        "rate_based_statement",
        limit=limit.requests,
        evaluation_window_sec=limit.seconds,
        aggregate_key_type="IP",
    )
    if limit.path != "/":
        match = within(
            block("byte_match_statement", search_string=limit.path, positional_constraint="STARTS_WITH"),
            within(block("field_to_match"), block("uri_path")),
            block("text_transformation", priority=0, type="NONE"),
        )
        rate = within(rate, within(block("scope_down_statement"), match))
    return within(
        block("rule", name=f"defib-{name}", priority=priority),
        within(block("action"), block("block")),
        within(block("statement"), rate),
        _visible(f"defib-{name}"),
    )


def _visible(name: str) -> Block:
    return block("visibility_config", cloudwatch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=True)


def _distribution(work: Groundwork) -> Block:
    outer = block(
        "resource",
        "aws_cloudfront_distribution",
        "standby",
        comment=work.comment,
        enabled=True,
        aliases=sorted(work.names),
        http_version="http2and3",
        is_ipv6_enabled=True,
        default_root_object="index.html",
        **({"web_acl_id": Reference("aws_wafv2_web_acl.standby.arn")} if work.limits else {}),
    )
    origin = block(
        "origin",
        origin_id=ORIGIN,
        domain_name=domain_of(work),
        origin_access_control_id=Reference(f"{_CONTROL}.id"),
    )
    behavior = block(
        "default_cache_behavior",
        target_origin_id=ORIGIN,
        viewer_protocol_policy="redirect-to-https",
        allowed_methods=["GET", "HEAD"],
        cached_methods=["GET", "HEAD"],
        compress=True,
        cache_policy_id=CACHE_POLICY,
        **({"response_headers_policy_id": Reference(_HEADERS)} if work.headers else {}),
    )
    viewer = block(
        "viewer_certificate",
        acm_certificate_arn=Reference("data.aws_acm_certificate.standby.arn"),
        ssl_support_method="sni-only",
        minimum_protocol_version=OLDEST_TLS,
    )
    everywhere = within(block("restrictions"), block("geo_restriction", restriction_type="none"))
    logging = [block("logging_config", bucket=Reference(_LOGS), prefix=f"{work.site}/")] if work.logs else []
    # The origin carries the pointer to the release, which `defib` moves.
    left = block("lifecycle", ignore_changes=[Reference("origin"), Reference("enabled")])
    return within(outer, origin, behavior, viewer, everywhere, *logging, left)


_CONTROL = "aws_cloudfront_origin_access_control.standby"
_HEADERS = "aws_cloudfront_response_headers_policy.standby.id"
_LOGS = "aws_s3_bucket.logs.bucket_domain_name"


def _policy(work: Groundwork) -> Block:
    arn = _CDN_ARN if work.shared else _ARN
    policy: dict[str, Value] = {
        "Version": "2012-10-17",
        "Statement": [_referring(each, arn) for each in statements(work.bucket, arn)],
    }
    return block(
        "resource",
        "aws_s3_bucket_policy",
        "releases",
        bucket=Reference("aws_s3_bucket.releases.id"),
        policy=Call("jsonencode", policy),
    )


def _referring(value: Any, arn: str) -> Value:
    """A statement with the distribution's ARN as a reference."""
    if isinstance(value, Mapping):
        return {name: _referring(each, arn) for name, each in value.items()}
    if isinstance(value, list):
        return [_referring(each, arn) for each in value]
    return Reference(arn) if value == arn else str(value)


def _beside(work: Groundwork) -> list[Block]:
    """All that a CDN's distribution needs beside itself; the origin is told by an output."""
    origin: dict[str, Value] = {
        "origin_id": ORIGIN,
        "domain_name": domain_of(work),
        "origin_access_control_id": Reference(f"{_CONTROL}.id"),
    }
    control, *_ = _edge(work)
    return [
        within(block("terraform", required_version=">= 1.5"), block("required_providers", **_NEEDED)),
        block("provider", "aws", region=work.region),
        block("data", "aws_cloudfront_distribution", "cdn", id=work.distribution),
        *_bucket(work),
        control,
        _policy(work),
        block("output", "origin", description="What to add to the distribution's origins.", value=origin),
    ]
