"""Amazon CloudFront."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from defib.clock import Deadline
from defib.ports import EdgeStatus, Receipt
from defib.privilege.permission import Permission
from defib.providers.aws import AwsAccess, Clients
from defib.providers.aws_errors import asked
from defib.providers.pointer.distribution import arn

if TYPE_CHECKING:
    from mypy_boto3_cloudfront import CloudFrontClient
    from mypy_boto3_cloudfront.type_defs import DistributionConfigOutputTypeDef

# "CloudFront fails over to the secondary origin only when the HTTP method of the viewer request is GET, HEAD, or
# OPTIONS" (https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/high_availability_origin_failover.html).
_NOT_FAILED_OVER = ("DELETE", "PATCH", "POST", "PUT")


def permissions(distribution: str) -> tuple[Permission, ...]:
    """Reading a distribution, and telling it to forget. No procedure waits for an invalidation: what is served decides."""
    return (
        Permission(("cloudfront:GetDistribution",), (arn(distribution),)),
        Permission(("cloudfront:CreateInvalidation",), (arn(distribution),), acts=True),
    )


class CloudFront:
    """Fulfils :class:`defib.ports.Cdn` for one distribution, by its id."""

    def __init__(self, distribution: str, access: AwsAccess) -> None:
        self._distribution = distribution
        self._clients: Clients[CloudFrontClient] = access.clients("cloudfront")

    @property
    def vendor(self) -> str:
        """``cloudfront``."""
        return "cloudfront"

    @property
    def distribution(self) -> str:
        """The distribution's id."""
        return self._distribution

    def status(self, *, within: Deadline) -> EdgeStatus:
        """The configuration by GetDistribution: aliases, origin of the default behaviour, ETag as version."""
        answer = asked(
            lambda: self._clients.within(within).get_distribution(Id=self._distribution),
            within,
            "GetDistribution",
            self._where,
        )
        config = answer["Distribution"]["DistributionConfig"]
        return EdgeStatus(
            enabled=config["Enabled"],
            deployed=answer["Distribution"]["Status"] == "Deployed",
            names=tuple(sorted(alias.lower() + "." for alias in config.get("Aliases", {}).get("Items", []))),
            origin=_origin(config),
            version=answer["ETag"],
            uncovered_methods=_NOT_FAILED_OVER if config.get("OriginGroups", {}).get("Quantity", 0) else (),
        )

    def purge(self, paths: Sequence[str], *, within: Deadline) -> Receipt:
        """Forget `paths` by one invalidation; a path may end in ``*``.

        The caller reference is made of moment and paths, so that a request which is sent twice is one invalidation.
        """
        if not paths:
            return Receipt("")
        stamp = within.clock.now().isoformat()
        reference = hashlib.sha256("\n".join([stamp, *paths]).encode()).hexdigest()
        answer = asked(
            lambda: self._clients.within(within).create_invalidation(
                DistributionId=self._distribution,
                InvalidationBatch={
                    "Paths": {"Quantity": len(paths), "Items": list(paths)},
                    "CallerReference": reference,
                },
            ),
            within,
            "CreateInvalidation",
            self._where,
        )
        return Receipt(answer["Invalidation"]["Id"])

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """Whether GetInvalidation says Completed."""
        if not receipt.id:
            return True
        answer = asked(
            lambda: self._clients.within(within).get_invalidation(DistributionId=self._distribution, Id=receipt.id),
            within,
            "GetInvalidation",
            self._where,
        )
        return answer["Invalidation"]["Status"] == "Completed"

    @property
    def _where(self) -> str:
        return f"CloudFront, distribution {self._distribution}"


def _origin(config: DistributionConfigOutputTypeDef) -> str:
    """Where a miss of the default behaviour is fetched from; of an origin group, its first member."""
    target = config["DefaultCacheBehavior"]["TargetOriginId"]
    for group in config.get("OriginGroups", {}).get("Items", []):
        if group["Id"] == target:
            target = group["Members"]["Items"][0]["OriginId"]
    hosts = {origin["Id"]: origin["DomainName"] for origin in config["Origins"]["Items"]}
    return hosts.get(target, "")
