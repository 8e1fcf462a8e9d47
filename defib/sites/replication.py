"""Buckets that are replicated to another region: the part of a site file about the assets."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from defib.sites.git import Name
from defib.sites.values import Aws, Duration, Part
from defib.yamlfile import Misplaced


class BucketAt(Part):
    """A bucket in the region that `aws` names, which is asked there and nowhere else."""

    bucket: str
    aws: Aws = Aws()


class InventoryAt(Part):
    """Where S3 writes the inventories of a bucket: into a bucket of the same region, which its credentials may read.

    `prefix` is what AWS calls destination prefix, source bucket and configuration id: ``inventories/assets/all-versions``.
    """

    bucket: str
    prefix: str = Field(min_length=1)


class InventoriesAt(Part):
    """Where the inventories of both sides are."""

    source: InventoryAt
    replica: InventoryAt


class Replicated(Part):
    """A bucket and its replica in another region.

    `prefixes` are what must be in the replica; everything, where none is named. `rpo` is how old what is not yet there may
    be, the site's own where it is left out. `unversioned` compares what keys hold now and nothing older, for buckets that
    keep no versions, or whose replica is made by something that does not keep their ids.

    A listing tells neither status nor metadata, and each question for them is a request: `ask_at_most` bounds them in one
    check, `read_at_most` the bytes that are read where nothing else tells two objects apart. `canary` is the prefix of the
    object that is written, timed and removed in each check: a rule must lead from it to the replica. Whatever is below it is
    removed from both sides for good, so that it is a folder with nothing else. `restore_into` are other buckets that its
    objects may be restored into.

    `account` is whose the source is: with it a repair may ask for jobs of S3 Batch Replication. They act as `batch_role`, or
    as the role of the rules where that is left out, and write what failed into the bucket `batch_report`, if one is named.

    `inventory` is where S3 writes what both buckets hold, for who would rather not list them.
    """

    name: Name
    source: BucketAt
    replica: BucketAt
    prefixes: tuple[str, ...] = ()
    unversioned: bool = False
    rpo: Duration | None = None
    ask_at_most: int = Field(default=2000, ge=1)
    read_at_most: int = Field(default=64 * 1024 * 1024, ge=0)
    canary: str = Field(default=".defib-canary/", pattern=r"^.+/$")
    canary_within: Duration = timedelta(minutes=10)
    account: str = Field(default="", pattern=r"^(\d{12})?$")
    batch_role: str = Field(default="", pattern=r"^(arn:[^:]+:iam::\d{12}:role/.+)?$")
    batch_report: str = ""
    restore_into: tuple[BucketAt, ...] = ()
    inventory: InventoriesAt | None = None

    @model_validator(mode="after")
    def _two_places(self) -> Self:
        source, replica = self.source, self.replica
        if source.bucket == replica.bucket and source.aws.endpoint == replica.aws.endpoint:
            raise Misplaced("the replica is the source itself", "replica", "bucket")
        if any(prefix.startswith(self.canary) for prefix in self.prefixes):
            raise Misplaced("what is to be replicated is below the canary, and would be removed with it", "canary")
        if (self.batch_role or self.batch_report) and not self.account:
            raise Misplaced("is for jobs of an account", "batch_role" if self.batch_role else "batch_report")
        for number, prefix in enumerate(self.prefixes):
            if any(prefix.startswith(other) for other in self.prefixes[:number] + self.prefixes[number + 1 :]):
                raise Misplaced(f"{prefix!r} is part of another prefix, and would be compared twice", "prefixes", number)
        return self
