"""One CloudFront distribution's configuration: read whole, changed in one place, written back by compare-and-set.

CloudFront takes nothing but whole configurations, with the ETag of the one that was read in ``If-Match``. An ETag that is
not the last any more is refused with PreconditionFailed (412), one that never was with InvalidIfMatchVersion (400):
https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_UpdateDistribution.html.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from defib.clock import Deadline
from defib.errors import Conflict, NotFound
from defib.privilege.permission import ACCOUNT, Permission
from defib.providers.aws import AwsAccess, Clients
from defib.providers.aws_errors import asked, code_of

if TYPE_CHECKING:
    from mypy_boto3_cloudfront import CloudFrontClient
    from mypy_boto3_cloudfront.type_defs import DistributionConfigOutputTypeDef, OriginOutputTypeDef

_STALE = {"PreconditionFailed", "InvalidIfMatchVersion"}


def arn(distribution: str) -> str:
    """The ARN of a distribution."""
    return f"arn:aws:cloudfront::{ACCOUNT}:distribution/{distribution}"


def permissions(distribution: str) -> tuple[Permission, ...]:
    """Reading a distribution's configuration, and writing it back."""
    return (
        Permission(("cloudfront:GetDistribution",), (arn(distribution),)),
        Permission(("cloudfront:UpdateDistribution",), (arn(distribution),), acts=True),
    )


class Stale(Conflict):
    """The distribution was changed between our look and our write; nothing was written."""


@dataclass(frozen=True)
class Configuration:
    """A distribution's configuration as last accepted, and whether it is on every edge.

    `config` must not be changed: :meth:`changed` gives a copy to change.
    """

    config: DistributionConfigOutputTypeDef
    etag: str
    deployed: bool
    bucket: str = ""
    """The bucket of the releases; without one it is that of the default behaviour's origin."""

    def changed(self, change: Callable[[DistributionConfigOutputTypeDef], None]) -> DistributionConfigOutputTypeDef:
        """A copy in which `change` has been made."""
        copy = deepcopy(self.config)
        change(copy)
        return copy

    @property
    def path(self) -> str:
        """The origin path of the releases' origin, "" where it has none."""
        return release_origin(self.config, self.bucket).get("OriginPath", "")

    @property
    def elsewhere(self) -> str:
        """The id of the origin that users get instead of any release, "" while they get releases."""
        target = self.config["DefaultCacheBehavior"]["TargetOriginId"]
        return "" if target == release_origin(self.config, self.bucket)["Id"] else target

    @property
    def aliases(self) -> tuple[str, ...]:
        """The public names that it answers for, in lower case, without a dot at the end."""
        return tuple(alias.lower() for alias in self.config.get("Aliases", {}).get("Items", []))

    def told(self) -> str:
        """What users get by it, for messages."""
        origin = release_origin(self.config, self.bucket)
        what = f"origin {self.elsewhere}" if self.elsewhere else f"{origin['DomainName']}{self.path}"
        return f"{what}{'' if self.config['Enabled'] else ', disabled'}"

    def leads(self) -> tuple[object, ...]:
        """All that decides which release users get: change any of it, and the pointer means something else."""
        origin = release_origin(self.config, self.bucket)
        return (self.config["Enabled"], self.elsewhere, origin["Id"], origin["DomainName"].lower(), self.path)


def release_origin(config: DistributionConfigOutputTypeDef, bucket: str) -> OriginOutputTypeDef:
    """The origin of the releases in `bucket`, whether users get it or not; without one the default behaviour's."""
    if not bucket:
        return pointed_origin(config)
    for origin in config["Origins"]["Items"]:
        if origin["DomainName"].lower().startswith(f"{bucket.lower()}.s3"):
            return origin
    raise NotFound(
        "the distribution has no origin for the bucket of the releases",
        expected=f"an S3 origin {bucket}.s3.REGION.amazonaws.com",
        seen=", ".join(origin["DomainName"] for origin in config["Origins"]["Items"]),
        then="add it to the distribution: users get it only when the pointer is moved",
    )


def pointed_origin(config: DistributionConfigOutputTypeDef) -> OriginOutputTypeDef:
    """The origin whose path is the pointer; :class:`NotFound` where the default behaviour does not lead to just one."""
    target = config["DefaultCacheBehavior"]["TargetOriginId"]
    for origin in config["Origins"]["Items"]:
        if origin["Id"] == target:
            return origin
    raise NotFound(
        "the distribution's default behaviour leads to no single origin",
        expected="one S3 origin, whose path names the release",
        seen=f"target {target!r}, an origin group",
        then="give the default behaviour an S3 origin, or take the distribution out of the site file",
    )


class Distribution:
    """The configuration of one distribution, by its id."""

    def __init__(self, distribution: str, access: AwsAccess, bucket: str = "") -> None:
        self.id = distribution
        self._bucket = bucket
        self.clients: Clients[CloudFrontClient] = access.clients("cloudfront")

    @property
    def where(self) -> str:
        """The distribution, for messages."""
        return f"CloudFront, distribution {self.id}"

    def read(self, within: Deadline) -> Configuration:
        """The configuration and its ETag by GetDistribution."""
        answer = asked(
            lambda: self.clients.within(within).get_distribution(Id=self.id), within, "GetDistribution", self.where
        )
        held = answer["Distribution"]
        return Configuration(held["DistributionConfig"], answer["ETag"], held["Status"] == "Deployed", self._bucket)

    def write(self, config: DistributionConfigOutputTypeDef, etag: str, within: Deadline) -> str:
        """Put `config` in the place of the one that had `etag`, and give the new ETag; :class:`Stale` where it is gone."""
        try:
            answer = asked(
                lambda: self.clients.within(within).update_distribution(Id=self.id, IfMatch=etag, DistributionConfig=config),
                within,
                "UpdateDistribution",
                self.where,
            )
        except NotFound as error:
            if code_of(error.__cause__) not in _STALE:
                raise
            raise Stale(
                "the distribution was changed by somebody else meanwhile",
                where=self.where,
                expected=f"version {etag}",
                seen=error.seen,
                then="look who changed it, then make a new plan",
            ) from error
        return answer["ETag"]

    def move(self, before: Configuration, path: str, within: Deadline, elsewhere: str = "") -> str:
        """Let the pointer name `path`, if it still stands as in `before`; the ETag of the configuration that does.

        Users get that release, or the origin `elsewhere` where one is named.
        """

        def point(config: DistributionConfigOutputTypeDef) -> None:
            origin = release_origin(config, self._bucket)
            origin["OriginPath"] = path
            config["DefaultCacheBehavior"]["TargetOriginId"] = elsewhere or origin["Id"]

        return self.amend(before, point, within)

    def amend(
        self, before: Configuration, change: Callable[[DistributionConfigOutputTypeDef], None], within: Deadline
    ) -> str:
        """Make one small `change` to the configuration that was read, and give the new ETag.

        Where somebody changed something else meanwhile (a name, a comment), theirs is read and the change made to it, once,
        so that nothing is lost. :class:`Stale` where they changed what users get, or go on changing.
        """
        try:
            return self.write(before.changed(change), before.etag, within)
        except Stale as stale:
            now = self.read(within)
            if now.leads() != before.leads():
                raise Stale(
                    "somebody else changed which release users get",
                    where=self.where,
                    expected=before.told(),
                    seen=now.told(),
                    then="look who changed it, then make a new plan",
                ) from stale
            return self.write(now.changed(change), now.etag, within)
