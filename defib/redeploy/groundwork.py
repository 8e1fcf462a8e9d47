"""What must stand at AWS before a release can be served there, and what stands, in the same canonical words.

Each resource stands in a plan beside record sets, under a type of its own; its one value is canonical JSON of what Defib
looks after in it, and nothing else of it is touched. So what is missing is made, and what was changed is put right, as any
other change: approved, written down, and put back.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar

from pydantic import TypeAdapter, ValidationError

from defib.clock import Deadline
from defib.errors import InputError
from defib.plan import GROUND_VENDOR, Change
from defib.ports import RecordChange, RecordKey, RecordSet
from defib.sites.site import Site
from defib.sites.vendors import AwsHost, CloudFrontDistribution

VENDOR = GROUND_VENDOR
"""The vendor of these resources in a plan; the zone is the bucket's name."""

BUCKET, POLICY, ACCESS_CONTROL = "BUCKET", "BUCKET-POLICY", "OAC"
HEADERS_POLICY, WEB_ACL, LOGGING, DISTRIBUTION = "HEADERS-POLICY", "WEB-ACL", "LOGGING", "DISTRIBUTION"
ORDER = (BUCKET, ACCESS_CONTROL, HEADERS_POLICY, WEB_ACL, LOGGING, DISTRIBUTION, POLICY)
"""The types in the order in which the resources are made: what another one names comes before it."""


@dataclass(frozen=True)
class Limit:
    """No more than `requests` of an address in `seconds`, to paths that begin with `path`; without `blocks` only counted."""

    path: str
    requests: int
    seconds: int
    blocks: bool = True

    @classmethod
    def per_minute(cls, path: str, requests: int) -> Limit:
        """The shortest window in which AWS WAF counts so few.

        It counts no fewer than 10, in windows of 60, 120, 300 or 600 seconds
        (https://docs.aws.amazon.com/waf/latest/developerguide/waf-rule-statement-type-rate-based-high-level-settings.html).
        """
        for seconds in (60, 120, 300, 600):
            if requests * seconds // 60 >= _FEWEST:
                return cls(path, requests * seconds // 60, seconds)
        raise InputError(f"AWS WAF cannot count {requests} requests a minute", expected="at least 1")


_FEWEST = 10


@dataclass(frozen=True)
class Groundwork:
    """What one standby is made of. `names` are public ones without a dot at the end; `headers` are added to every answer.

    Where the distribution is one of the site's CDNs, `shared`, all that it needs is the bucket as one more origin.
    """

    site: str
    bucket: str
    region: str
    distribution: str
    names: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    limits: tuple[tuple[str, Limit], ...]
    logs: str = ""
    shared: bool = False

    @property
    def comment(self) -> str:
        """What tells the distribution from others, beside its id."""
        return f"defib: {self.site}, bucket {self.bucket}"


def groundwork(site: Site, host: AwsHost) -> Groundwork:
    """What the site file says of a standby."""
    return Groundwork(
        site=site.site,
        bucket=host.bucket,
        region=host.aws.region,
        distribution=host.distribution,
        names=tuple(dict.fromkeys(record.name.rstrip(".") for record in host.records)),
        headers=tuple(sorted(site.page.headers.items())),
        limits=tuple(sorted((each.name, Limit.per_minute(each.path, each.per_minute)) for each in host.limits)),
        logs=host.logs,
        shared=host.distribution in {cdn.distribution for cdn in site.cdns if isinstance(cdn, CloudFrontDistribution)},
    )


PUBLIC_WAYS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html"""


@dataclass(frozen=True)
class BucketFacts:
    """How a bucket keeps what is in it. `encryption` is the algorithm, and the key where there is one of our own.

    `blocked` are the ways of public access that are blocked, sorted: :data:`PUBLIC_WAYS` are all there are.
    """

    versioned: bool
    encryption: str
    blocked: tuple[str, ...]
    ownership: str


@dataclass(frozen=True)
class AccessControlFacts:
    """How CloudFront signs what it asks of the bucket."""

    behavior: str = "always"
    protocol: str = "sigv4"
    origin: str = "s3"


@dataclass(frozen=True)
class HeadersFacts:
    """The headers that are added to every answer, over any that the bucket gives."""

    headers: dict[str, str]


@dataclass(frozen=True)
class WebAclFacts:
    """The limits, by name."""

    limits: dict[str, Limit]


@dataclass(frozen=True)
class LogsFacts:
    """Whether CloudFront may write its access logs to a bucket: that needs access control lists.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logging-legacy-s3.html
    """

    blocked: tuple[str, ...]
    ownership: str


@dataclass(frozen=True)
class DistributionFacts:
    """What users of the distribution get, and by what; resources are told by their names, "" where there is none.

    `certificate` is the ARN of one in ACM, `minimum_tls` CloudFront's name of a security policy. The origin's path is the
    pointer, which is a change of its own: see :mod:`defib.redeploy.pointer`.
    """

    enabled: bool
    names: tuple[str, ...]
    bucket: str
    access_control: str
    headers_policy: str
    web_acl: str
    logs: str
    certificate: str
    minimum_tls: str
    http: str
    viewer_protocol: str
    root_object: str


Facts = BucketFacts | AccessControlFacts | HeadersFacts | WebAclFacts | LogsFacts | DistributionFacts
FactsOf = TypeVar("FactsOf", BucketFacts, AccessControlFacts, HeadersFacts, WebAclFacts, LogsFacts, DistributionFacts)


class Audit(Protocol):
    """Looks at a standby, and says what would have to be changed."""

    @property
    def keys(self) -> tuple[RecordKey, ...]:
        """The keys of all its resources, in the order in which they are made."""
        ...

    def audit(self, *, within: Deadline) -> tuple[RecordChange, ...]:
        """What differs from how it must stand, in the order of making; none where all is well. Changes nothing.

        :class:`defib.errors.NotFound` where there is no certificate to make the distribution with.
        """
        ...

    def misplaced(self, *, within: Deadline) -> str:
        """The id of the distribution that was made, where it is not in the site file yet; "" where all is well."""
        ...


def provisioning(audit: Audit, bucket: str, within: Deadline) -> tuple[Change, ...]:
    """What is missing or was changed, each as a change of a plan, in order; none where all is well."""
    return tuple(
        Change(VENDOR, bucket, (each,), f"{'make' if each.before is None else 'put right'} the {WORDS[each.key.type]}")
        for each in audit.audit(within=within)
    )


WORDS = {
    BUCKET: "private, versioned, encrypted bucket",
    POLICY: "bucket's policy, by which the distribution alone reads it",
    ACCESS_CONTROL: "origin access control, by which CloudFront signs what it asks of the bucket",
    HEADERS_POLICY: "security headers",
    WEB_ACL: "rate limits",
    LOGGING: "bucket of the access logs",
    DISTRIBUTION: "distribution",
}
"""What the resources are, for people."""


def key_of(resource: str, bucket: str) -> RecordKey:
    """The key under which a resource of a standby stands in a plan."""
    return RecordKey(f"{bucket}.", resource)


def standing(key: RecordKey, text: str) -> RecordSet:
    """A resource that stands as canonical JSON says."""
    return RecordSet(key, timedelta(0), (text,))


def written(facts: Facts) -> str:
    """`facts` as canonical JSON: the same facts are the same text."""
    return json.dumps(TypeAdapter(type(facts)).dump_python(facts, mode="json"), sort_keys=True, separators=(",", ":"))


def read_facts(kind: type[FactsOf], text: str) -> FactsOf:
    """What :func:`written` wrote; :class:`InputError` for anything else."""
    try:
        return TypeAdapter(kind).validate_json(text)
    except ValidationError as error:
        raise InputError("not what Defib writes of a resource", where=kind.__name__, seen=text[:200]) from error
