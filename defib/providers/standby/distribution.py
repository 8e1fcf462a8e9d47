"""The distribution of a standby: what users get by it, and by what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from defib.clock import Deadline
from defib.errors import NotFound
from defib.privilege.permission import ACCOUNT, Permission
from defib.providers.host.acm import REGION, Acm, Certificate, describing
from defib.providers.pointer import distribution as one
from defib.providers.standby.edge import listed
from defib.providers.standby.resource import Held, Services
from defib.redeploy.groundwork import DISTRIBUTION, DistributionFacts, Groundwork, read_facts, written

CACHE_POLICY = "658327ea-f89d-4fab-a63d-7e88639e58f6"
"""CloudFront's own CachingOptimized: what is served says how long it is kept, and compressed bodies are kept apart.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html
"""

_LASTS = timedelta(days=1)
OLDEST_TLS = "TLSv1.2_2021"
"""https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/secure-connections-supported-viewer-protocols-ciphers.html"""

_NEWER_TLS = (OLDEST_TLS, "TLSv1.2_2025", "TLSv1.3_2025")

_KEYS = ["RSA_2048", "RSA_3072", "RSA_4096", "EC_prime256v1"]
"""What CloudFront can use; without naming them ACM lists those with RSA keys of 2048 bits alone.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/cnames-and-https-requirements.html
"""

ORIGIN = "releases"
"""What a distribution's origin is called in its configuration."""


_NOTHING = DistributionFacts(
    enabled=False,
    names=(),
    bucket="",
    access_control="",
    headers_policy="",
    web_acl="",
    logs="",
    certificate="",
    minimum_tls="",
    http="",
    viewer_protocol="",
    root_object="",
)


def permissions(work: Groundwork) -> tuple[Permission, ...]:
    """The distribution, or one that was made in its place, whose id only AWS knows; and the certificates it could have."""
    every = f"arn:aws:cloudfront::{ACCOUNT}:distribution/*"
    if work.shared:
        return one.permissions(work.distribution)
    return (
        Permission(("cloudfront:GetDistribution",), (every,)),
        Permission(("cloudfront:ListDistributions",), why="asked where the one of the site file is not there"),
        describing(),
        Permission(("acm:ListCertificates",), why="asked where the certificate in use does not do"),
        Permission(("cloudfront:UpdateDistribution",), (every,), acts=True),
        Permission(("cloudfront:CreateDistribution",), acts=True),
    )


@dataclass(frozen=True)
class Uses:
    """The names of what a distribution has for headers and limits, "" for nothing."""

    headers_policy: str
    web_acl: str


class StandbyDistribution:
    """A distribution by its id in the site file, or, where it was made since, by the comment that Defib gives it.

    AWS chooses the ids of distributions, so that one that was made has to be put into the site file: until then
    :meth:`misplaced` says which it is. One that was taken back is not deleted, which CloudFront allows only some minutes
    after it was disabled: it is disabled, gives its names away, and counts as absent.
    """

    type = DISTRIBUTION

    def __init__(self, work: Groundwork, services: Services) -> None:
        self._work = work
        self._cloudfront = services.of("cloudfront")
        self._waf = services.of("wafv2", REGION)
        self._acm_list = services.of("acm", REGION)
        self._acm = Acm(services.access)

    def read(self, within: Deadline) -> Held:
        """What users get, with ids as names."""
        found = self._found(within)
        if found is None or _is_taken_back(found["Distribution"]["DistributionConfig"]):
            return Held(None)
        config = found["Distribution"]["DistributionConfig"]
        return Held(written(self._facts(config, within)), found["Distribution"]["Id"], found["ETag"])

    def wanted(self, held: Held, within: Deadline) -> str:
        """Every name, HTTP/2 and 3, TLS 1.2 or newer, the best certificate there is, and everything that was made for it.

        What it has for the same ends under other names stays: a policy, a web ACL, a stricter protocol. So does the origin
        that users get meanwhile, where the distribution stands in front of a host; a CDN's distribution gets the bucket as
        one more origin, and nothing else of it is changed.
        """
        work = self._work
        present = read_facts(DistributionFacts, held.text) if held.text else _NOTHING
        if work.shared:
            return written(self._beside(held, present))
        names = tuple(sorted({*work.names, *present.names}))
        uses = self.uses(within)
        return written(
            DistributionFacts(
                enabled=True,
                names=names,
                bucket=domain_of(work),
                access_control=work.bucket,
                headers_policy=uses.headers_policy or (work.bucket if work.headers else present.headers_policy),
                web_acl=uses.web_acl or (work.bucket if work.limits else ""),
                logs=work.logs or present.logs,
                certificate=self._certificate(names, present.certificate, within).arn,
                minimum_tls=present.minimum_tls if present.minimum_tls in _NEWER_TLS else OLDEST_TLS,
                http="http2and3",
                viewer_protocol="https-only" if present.viewer_protocol == "https-only" else "redirect-to-https",
                root_object=present.root_object or "index.html",
            )
        )

    def _beside(self, held: Held, present: DistributionFacts) -> DistributionFacts:
        work = self._work
        if held.text is None:
            raise NotFound("the CDN's distribution is not there", where=f"CloudFront, distribution {work.distribution}")
        return replace(present, bucket=domain_of(work), access_control=work.bucket)

    def uses(self, within: Deadline) -> Uses:
        """The names of the policy and the web ACL that it has, and that can be changed; CloudFront's own policies cannot."""
        found = self._found(within)
        if found is None or _is_taken_back(found["Distribution"]["DistributionConfig"]):
            return Uses("", "")
        config = found["Distribution"]["DistributionConfig"]
        policy = config["DefaultCacheBehavior"].get("ResponseHeadersPolicyId", "")
        custom = self._policies(within, Type="custom")
        return Uses(custom.get(policy, ""), self._acls(within).get(config.get("WebACLId", ""), ""))

    def misplaced(self, within: Deadline) -> str:
        """The id of the standby's distribution where it is not the one of the site file, "" where all is well."""
        found = self._found(within)
        other = found["Distribution"]["Id"] if found else ""
        return "" if other in ("", self._work.distribution) else str(other)

    def write(self, held: Held, text: str | None, within: Deadline) -> str:
        """Make, change or take back, by compare-and-set; the receipt is the distribution's id."""
        if held.text is None:
            return self._make(text, within)
        found = self._cloudfront.ask("get_distribution", within, Id=held.id)
        config = found["Distribution"]["DistributionConfig"]
        if text is None:
            _take_back(config)
        else:
            self._settle(config, read_facts(DistributionFacts, text), within)
        self._cloudfront.ask("update_distribution", within, Id=held.id, IfMatch=held.version, DistributionConfig=config)
        return held.id

    def settled(self, receipt: str, within: Deadline) -> bool:
        """Whether its status is Deployed."""
        if not receipt:
            return True
        return bool(self._cloudfront.ask("get_distribution", within, Id=receipt)["Distribution"]["Status"] == "Deployed")

    def _make(self, text: str | None, within: Deadline) -> str:
        """Make it, or take one back into use that was disabled by an undo."""
        if text is None:
            return ""
        found = self._found(within)
        config = found["Distribution"]["DistributionConfig"] if found else _empty(self._work)
        self._settle(config, read_facts(DistributionFacts, text), within)
        if found is None:
            made = self._cloudfront.ask("create_distribution", within, DistributionConfig=config)
            return str(made["Distribution"]["Id"])
        named = {"Id": found["Distribution"]["Id"], "IfMatch": found["ETag"]}
        self._cloudfront.ask("update_distribution", within, DistributionConfig=config, **named)
        return str(named["Id"])

    def _found(self, within: Deadline) -> Any:
        told = self._cloudfront.ask_if("NoSuchDistribution", "get_distribution", within, Id=self._work.distribution)
        if told is not None or self._work.shared:
            return told
        for each in listed(self._cloudfront, "list_distributions", "DistributionList", within):
            if each["Comment"] == self._work.comment:
                return self._cloudfront.ask("get_distribution", within, Id=each["Id"])
        return None

    def _facts(self, config: dict[str, Any], within: Deadline) -> DistributionFacts:
        behavior, viewer = config["DefaultCacheBehavior"], config.get("ViewerCertificate", {})
        origin = _bucket_origin(config, self._work) or {}
        logging = config.get("Logging", {})
        return DistributionFacts(
            enabled=config["Enabled"],
            names=tuple(sorted(config.get("Aliases", {}).get("Items", []))),
            bucket=origin.get("DomainName", ""),
            access_control=self._controls(within).get(origin.get("OriginAccessControlId", ""), ""),
            headers_policy=self._policies(within).get(behavior.get("ResponseHeadersPolicyId", ""), ""),
            web_acl=self._acls(within).get(config.get("WebACLId", ""), ""),
            logs=logging.get("Bucket", "").partition(".s3.")[0] if logging.get("Enabled") else "",
            certificate=viewer.get("ACMCertificateArn", ""),
            minimum_tls=viewer.get("MinimumProtocolVersion", ""),
            http=config.get("HttpVersion", ""),
            viewer_protocol=behavior["ViewerProtocolPolicy"],
            root_object=config.get("DefaultRootObject", ""),
        )

    def _settle(self, config: dict[str, Any], facts: DistributionFacts, within: Deadline) -> None:
        """Let `config` be as `facts` say, and nothing else in it change."""
        config["Enabled"] = facts.enabled
        config["Aliases"] = {"Quantity": len(facts.names), "Items": list(facts.names)}
        config["HttpVersion"], config["DefaultRootObject"] = facts.http, facts.root_object
        config["WebACLId"] = _id_in(self._acls(within), facts.web_acl, "web ACL")
        config["Logging"] = _logging(facts.logs, self._work)
        _settle_origin(config, facts, self._work, _id_in(self._controls(within), facts.access_control, "access control"))
        behavior = config["DefaultCacheBehavior"]
        behavior["ViewerProtocolPolicy"] = facts.viewer_protocol
        behavior["ResponseHeadersPolicyId"] = _id_in(self._policies(within), facts.headers_policy, "response headers policy")
        config["ViewerCertificate"] = _viewer(facts, config.get("ViewerCertificate", {}))

    def _controls(self, within: Deadline) -> dict[str, str]:
        found = listed(self._cloudfront, "list_origin_access_controls", "OriginAccessControlList", within)
        return {each["Id"]: each["Name"] for each in found}

    def _policies(self, within: Deadline, **kind: str) -> dict[str, str]:
        found = listed(self._cloudfront, "list_response_headers_policies", "ResponseHeadersPolicyList", within, **kind)
        policies = [each["ResponseHeadersPolicy"] for each in found]
        return {each["Id"]: each["ResponseHeadersPolicyConfig"]["Name"] for each in policies}

    def _acls(self, within: Deadline) -> dict[str, str]:
        found: dict[str, str] = {}
        marker: dict[str, str] = {}
        while True:
            page = self._waf.ask("list_web_acls", within, Scope="CLOUDFRONT", **marker)
            found |= {each["ARN"]: each["Name"] for each in page["WebACLs"]}
            if not page.get("NextMarker"):
                return found
            marker = {"NextMarker": page["NextMarker"]}

    def _certificate(self, names: tuple[str, ...], present: str, within: Deadline) -> Certificate:
        """The certificate that is in use, if it does; otherwise the one for all names that lasts longest."""
        now = within.clock.now()

        def good(each: Certificate) -> bool:
            return not any(each.hindrance(name, now + _LASTS) for name in names)

        if present:
            used = self._acm.certificate(present, within)
            if good(used):
                return used
        candidates = [each for arn in self._arns(within) if good(each := self._acm.certificate(arn, within))]
        lasting: Callable[[Certificate], Any] = lambda each: each.until  # noqa: E731 - a good one has an end
        if not candidates:
            raise NotFound(
                f"ACM in {REGION} has no issued certificate for {', '.join(names)}",
                where="ACM",
                expected="one certificate for all of them, valid for a day at least",
                then=f"aws acm request-certificate --region {REGION} --validation-method DNS --domain-name {names[0]}",
            )
        return max(candidates, key=lasting)

    def _arns(self, within: Deadline) -> list[str]:
        found: list[str] = []
        marker: dict[str, str] = {}
        while True:
            page = self._acm_list.ask(
                "list_certificates", within, CertificateStatuses=["ISSUED"], Includes={"keyTypes": _KEYS}, **marker
            )
            found += [each["CertificateArn"] for each in page["CertificateSummaryList"]]
            if not page.get("NextToken"):
                return found
            marker = {"NextToken": page["NextToken"]}


def _take_back(config: dict[str, Any]) -> None:
    """Serve nobody, and let go of every name and of all that was made for it, which could not be taken away otherwise."""
    config["Enabled"], config["Aliases"] = False, {"Quantity": 0}
    config["WebACLId"], config["Logging"] = "", {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""}
    config["ViewerCertificate"] = {"CloudFrontDefaultCertificate": True}
    config["DefaultCacheBehavior"].pop("ResponseHeadersPolicyId", None)
    for origin in config["Origins"]["Items"]:
        origin.pop("OriginAccessControlId", None)


def _is_taken_back(config: dict[str, Any]) -> bool:
    return not config["Enabled"] and not config.get("Aliases", {}).get("Quantity", 0)


def domain_of(work: Groundwork) -> str:
    """The name of the bucket in its own region, which CloudFront asks and signs for."""
    return f"{work.bucket}.s3.{work.region}.amazonaws.com"


def _bucket_origin(config: dict[str, Any], work: Groundwork) -> dict[str, Any] | None:
    """The origin of the bucket, whether users get it or not."""
    for origin in config["Origins"]["Items"]:
        if str(origin["DomainName"]).lower().startswith(f"{work.bucket}.s3"):
            found: dict[str, Any] = origin
            return found
    return None


def _settle_origin(config: dict[str, Any], facts: DistributionFacts, work: Groundwork, access_control: str) -> None:
    """Let the bucket be an origin as `facts` say, or be none; which origin users get is the pointer's to say."""
    origin = _bucket_origin(config, work)
    origins = [each for each in config["Origins"]["Items"] if each is not origin]
    if facts.bucket:
        made = origin or _new_origin(facts.bucket)
        origins.append({**made, "DomainName": facts.bucket, "OriginAccessControlId": access_control})
    config["Origins"] = {"Quantity": len(origins), "Items": origins}


def _new_origin(domain: str) -> dict[str, Any]:
    return {"Id": ORIGIN, "DomainName": domain, "OriginPath": "", "S3OriginConfig": {"OriginAccessIdentity": ""}}


def _id_in(ids: dict[str, str], name: str, what: str) -> str:
    """The id of what is called `name`, "" for nothing."""
    for found, called in ids.items():
        if called == name and name:
            return found
    if name:
        raise NotFound(f"there is no {what} {name!r}", then="make it first: it comes before the distribution in the plan")
    return ""


def _logging(bucket: str, work: Groundwork) -> dict[str, Any]:
    domain = f"{bucket}.s3.amazonaws.com" if bucket else ""
    prefix = f"{work.site}/" if bucket else ""
    return {"Enabled": bool(bucket), "IncludeCookies": False, "Bucket": domain, "Prefix": prefix}


def _viewer(facts: DistributionFacts, present: dict[str, Any]) -> dict[str, Any]:
    if facts.certificate:
        return {
            "ACMCertificateArn": facts.certificate,
            "SSLSupportMethod": "sni-only",
            "MinimumProtocolVersion": facts.minimum_tls,
        }
    return present if present.get("IAMCertificateId") else {"CloudFrontDefaultCertificate": True}


def _empty(work: Groundwork) -> dict[str, Any]:
    """A distribution with nothing settled yet, whose pointer names nothing; made twice it is one, by its reference."""
    return {
        "CallerReference": work.comment,
        "Comment": work.comment,
        "Enabled": False,
        "IsIPV6Enabled": True,
        "Origins": {
            "Quantity": 1,
            "Items": [_new_origin(domain_of(work))],
        },
        "DefaultCacheBehavior": {
            "TargetOriginId": ORIGIN,
            "ViewerProtocolPolicy": "redirect-to-https",
            "CachePolicyId": CACHE_POLICY,
            "Compress": True,
        },
    }
