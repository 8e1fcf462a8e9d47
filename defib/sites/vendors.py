"""Where a site's names, pages and builds are: the zones, CDNs and hosts of its file, each with the vendor's own ids."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from defib.ports import RecordKey
from defib.sites.values import Aws, Duration, HostName, Part, SecretReference, fully_qualified


class Server(Part):
    """A DNS server: a name for people, an address, and for resolvers where DNS over HTTPS is spoken."""

    name: str
    address: str
    port: int = Field(default=53, ge=1, le=65535)
    doh: str = ""


class Tsig(Part):
    """The key that signs RFC 2136 updates; `secret` leads to its base64."""

    name: str
    secret: SecretReference
    algorithm: str = "hmac-sha256"


class Route53Zone(Part):
    """A hosted zone."""

    provider: Literal["route53"]
    zone: HostName
    zone_id: str
    servers: tuple[Server, ...] = Field(min_length=1)
    aws: Aws = Aws()


class Rfc2136Zone(Part):
    """A zone on a name server that takes dynamic updates; `primary` is the server to send them to."""

    provider: Literal["rfc2136"]
    zone: HostName
    primary: Server
    servers: tuple[Server, ...] = Field(min_length=1)
    tsig: Tsig


class CloudflareZone(Part):
    """A Cloudflare zone in full set-up, which Cloudflare's own `servers` answer for."""

    provider: Literal["cloudflare"]
    zone: HostName
    zone_id: str
    servers: tuple[Server, ...] = Field(min_length=1)
    token: SecretReference
    api: str = "https://api.cloudflare.com/client/v4"


class FailoverSwitch(Part):
    """An object in S3 that a Route 53 health check looks for: while it is there, failover record sets give their secondary.

    The health check is inverted, so that the object's presence makes it fail: a lost bucket moves nobody to the backup, and
    those who are there go back. The object must be readable by everybody, because health checkers have no credentials.
    Putting the object there needs S3's data plane in one region and nothing of Route 53's control plane
    (https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/appendix-a---global-service-guidance.html).
    `zone` is where the record sets are that it turns, and `names` are those of them that it turns.
    """

    provider: Literal["s3-switch"]
    zone: HostName
    names: tuple[HostName, ...] = Field(min_length=1)
    bucket: str
    key: str
    health_check: str
    aws: Aws = Aws()


DnsZoneConfig = Annotated[Route53Zone | Rfc2136Zone | CloudflareZone | FailoverSwitch, Field(discriminator="provider")]


class _Distribution(Part):
    name: str
    role: Literal["primary", "secondary"]
    hostname: HostName


class CloudFrontDistribution(_Distribution):
    """A CloudFront distribution: its id, and the ``….cloudfront.net`` name that DNS points at."""

    provider: Literal["cloudfront"]
    distribution: str
    aws: Aws = Aws()


class CloudflareDistribution(_Distribution):
    """A Cloudflare zone in CNAME set-up: the zone's id, and the ``….cdn.cloudflare.net`` name that DNS points at."""

    provider: Literal["cloudflare"]
    zone_id: str
    token: SecretReference
    api: str = "https://api.cloudflare.com/client/v4"


CdnOfSite = CloudFrontDistribution | CloudflareDistribution

CdnConfig = Annotated[CdnOfSite, Field(discriminator="provider")]


class Alias(Part):
    """The target of a Route 53 alias record set, by its name and the id of the hosted zone that it is in."""

    name: HostName
    zone_id: str
    evaluate_health: bool = False


class HostRecords(Part):
    """One record set as it stands while users are at a host.

    `at` is the DNS provider that holds it so, where providers differ (an alias at Route 53, addresses elsewhere); empty is
    every provider that nothing else was said of for this name. Without values and `alias` there is no such record set
    meanwhile, which another type of the same name must make up for. `set_identifier` names one of Route 53's failover record
    sets, which stand all the time: a switch decides which of them is answered. `ttl` is for record sets that have to be
    made; those that stand keep theirs.
    """

    name: HostName
    type: Literal["A", "AAAA", "CNAME"]
    values: tuple[str, ...] = ()
    alias: Alias | None = None
    ttl: Duration = timedelta(seconds=60)
    set_identifier: str = ""
    at: Literal["", "route53", "rfc2136", "cloudflare"] = ""

    @field_validator("values")
    @classmethod
    def _qualified(cls, values: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        spell = {"A": IPv4Address, "AAAA": IPv6Address, "CNAME": fully_qualified}[info.data.get("type", "CNAME")]
        spelt = sorted(str(spell(value)) for value in values)
        if twice := [value for value in spelt if spelt.count(value) > 1]:
            raise ValueError(f"{twice[0]} stands twice")
        return tuple(spelt)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.alias is not None and (self.values or self.type == "CNAME" or self.at != "route53"):
            raise ValueError("an alias is an A or AAAA record set without values, and stands at route53")
        if self.type == "CNAME" and len(self.values) != 1:
            raise ValueError("a CNAME has exactly one value")
        if self.set_identifier and not (self.values or self.alias):
            raise ValueError("a failover record set has values")
        return self

    @property
    def key(self) -> RecordKey:
        """The key of the record set."""
        return RecordKey(self.name, self.type, self.set_identifier)


class _Host(Part):
    """`issuer` is the authority that the platform gets its certificates from, as CAA records name it."""

    name: str
    role: Literal["primary", "backup"]
    records: tuple[HostRecords, ...] = Field(min_length=1)
    issuer: str = "letsencrypt.org"


class VercelHost(_Host):
    """A Vercel project; `team` is the id of the team that owns it, if a team does."""

    provider: Literal["vercel"]
    project: str
    team: str = ""
    token: SecretReference
    api: str = "https://api.vercel.com"


class NetlifyHost(_Host):
    """A Netlify site, by its id (a UUID), not its name."""

    provider: Literal["netlify"]
    project: str
    token: SecretReference
    api: str = "https://api.netlify.com/api/v1"


class RateLimit(Part):
    """How many requests one address may send in a minute, to the paths that begin with `path`; more are refused."""

    name: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    path: str = Field(default="/", pattern=r"^/")
    per_minute: int = Field(ge=1)


class AwsHost(_Host):
    """A private bucket behind a CloudFront distribution, which serves one of the releases in it: the last resort.

    `hostname` is the distribution's ``….cloudfront.net`` name. Releases that are not live stay for `retention`. A web ACL
    holds the `limits`; the distribution's access logs go to the bucket `logs`, where one is named.
    """

    provider: Literal["s3-cloudfront"]
    bucket: str
    distribution: str
    hostname: HostName
    issuer: str = "amazon.com"
    retention: Duration = timedelta(days=30)
    limits: tuple[RateLimit, ...] = (RateLimit(name="all", per_minute=1000),)
    logs: str = ""
    aws: Aws = Aws()

    @field_validator("limits")
    @classmethod
    def _names_are_unique(cls, limits: tuple[RateLimit, ...]) -> tuple[RateLimit, ...]:
        names = [limit.name for limit in limits]
        if len(set(names)) < len(names):
            raise ValueError("two limits have the same name")
        return limits

    @property
    def project(self) -> str:
        """What people look for in the vendor's console."""
        return self.distribution


HostOfSite = VercelHost | NetlifyHost | AwsHost

HostConfig = Annotated[HostOfSite, Field(discriminator="provider")]
