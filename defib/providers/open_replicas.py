"""The pairs of buckets that a site file names, ready to be asked; nothing is asked yet."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from defib.home import Home
from defib.providers.open import Secrets, aws_access, free
from defib.providers.wrappers.fenced import Check
from defib.replication.evidence import Sides
from defib.replication.inventory import Inventories
from defib.replication.jobs import Jobs
from defib.replication.pair import Pair, Replicas
from defib.replication.port import WritableBucket
from defib.replication.proofs import Proofs
from defib.sites.replication import BucketAt, Replicated
from defib.sites.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from defib.providers.aws import AwsAccess


def open_replicas(site: Site, home: Home, secrets: Secrets, before_write: Check = free) -> Replicas | None:
    """Every pair of `site`; None where its file names none. `before_write` is called right before each write."""
    folder = home.replicas(site.site, lab=site.lab)
    pairs = tuple(_pair(config, folder / config.name, secrets, before_write) for config in site.replication)
    return Replicas(pairs) if pairs else None


def _pair(config: Replicated, folder: Path, secrets: Secrets, before_write: Check) -> Pair:
    from defib.providers.bucket.authority import AwsAuthority  # noqa: PLC0415 - vendors' libraries are imported when used
    from defib.providers.bucket.metrics import CloudWatchMetrics  # noqa: PLC0415

    source, replica = (open_bucket(side, secrets, before_write) for side in (config.source, config.replica))
    sides = [aws_access(side.aws, secrets) for side in (config.source, config.replica)]
    return Pair(
        config,
        source,
        replica,
        folder,
        Sides(source, replica, *map(AwsAuthority, sides)),
        CloudWatchMetrics(config.source.bucket, config.replica.bucket, *sides),
        Proofs(folder / "proofs.sqlite3"),
        tuple(open_bucket(each, secrets, before_write) for each in config.restore_into),
        open_jobs(config, secrets, before_write),
        inventories=_inventories(config, *sides),
    )


def open_jobs(config: Replicated, secrets: Secrets, before_write: Check = free) -> Jobs | None:
    """The jobs of the source's account, in its region; None where the site file names no account."""
    from defib.providers.bucket.jobs import S3Jobs  # noqa: PLC0415 - as above
    from defib.providers.bucket.retrying_jobs import RetryingJobs  # noqa: PLC0415

    if not config.account:
        return None
    chance = random.Random()  # noqa: S311 - it spreads retries, it keeps no secret
    return RetryingJobs(S3Jobs(config.account, aws_access(config.source.aws, secrets)), before_write, chance)


def _inventories(config: Replicated, here: AwsAccess, there: AwsAccess) -> tuple[Inventories, Inventories] | None:
    from defib.providers.bucket.inventory import S3Inventories  # noqa: PLC0415 - as above

    if config.inventory is None:
        return None
    source, replica, versions = config.inventory.source, config.inventory.replica, not config.unversioned
    return (
        S3Inventories(config.source.bucket, source.bucket, source.prefix, here, versions=versions),
        S3Inventories(config.replica.bucket, replica.bucket, replica.prefix, there, versions=versions),
    )


def open_bucket(config: BucketAt, secrets: Secrets, before_write: Check = free) -> WritableBucket:
    """One bucket in the region that the site file names."""
    from defib.providers.bucket.retrying import RetryingBucket  # noqa: PLC0415 - as above
    from defib.providers.bucket.s3 import S3Bucket  # noqa: PLC0415

    chance = random.Random()  # noqa: S311 - it spreads retries, it keeps no secret
    return RetryingBucket(S3Bucket(config.bucket, aws_access(config.aws, secrets)), before_write, chance)
