"""Whether two buckets fit together as a source and its replica: versions, regions, locks and owners."""

from __future__ import annotations

from collections.abc import Iterator

from defib.ready.check import Check, State
from defib.replication import remedies
from defib.replication.authority import account_of
from defib.replication.coverage import effective, made_otherwise
from defib.replication.evidence import Evidence
from defib.replication.needs import ENFORCED
from defib.replication.rules import BucketSettings
from defib.sites.replication import BucketAt


def versioning_of_source(seen: Evidence, source: BucketSettings) -> Iterator[Check]:
    """Without versions S3 replicates nothing."""
    lost = "what is written over is lost" if made_otherwise(seen.pair, source) else "nothing is replicated"
    yield _versioning(seen, "source", source, lost)


def versioning_of_replica(seen: Evidence, replica: BucketSettings) -> Iterator[Check]:
    """S10: while it is suspended at the replica, everything that is written fails to be replicated.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-and-other-bucket-configs.html
    """
    lost = "what is written over is lost" if seen.pair.unversioned else "everything fails to be replicated"
    yield _versioning(seen, "replica", replica, lost)


def _versioning(seen: Evidence, side: str, settings: BucketSettings, lost: str) -> Check:
    about, at = f"{seen.pair.name}: {side}", _at(seen, side)
    if settings.versioning == "Enabled":
        return Check("versioning", about, State.OK, "on")
    state = State.WARN if seen.pair.unversioned else State.FAIL
    words = "suspended" if settings.versioning else "never turned on"
    return Check("versioning", about, state, f"{words}: {lost}", remedies.keep_versions(at.bucket, settings.region))


def region_of_source(seen: Evidence, source: BucketSettings) -> Iterator[Check]:
    """Whether the source is where the site file says."""
    yield _region(seen, "source", source)


def region_of_replica(seen: Evidence, replica: BucketSettings) -> Iterator[Check]:
    """Whether the replica is where the site file says."""
    yield _region(seen, "replica", replica)


def _region(seen: Evidence, side: str, settings: BucketSettings) -> Check:
    about, at = f"{seen.pair.name}: {side}", _at(seen, side)
    if settings.region == at.aws.region:
        return Check("region", about, State.OK, f"s3://{at.bucket} is in {settings.region}")
    text = f"s3://{at.bucket} is in {settings.region}, the site file says {at.aws.region}"
    return Check(
        "region", about, State.FAIL, text, f"put region: {settings.region} into the site file, or name another bucket"
    )


def regions(seen: Evidence, source: BucketSettings, replica: BucketSettings) -> Iterator[Check]:
    """Whether there is another region at all: what a region takes with it, a copy there does not survive."""
    name = seen.pair.name
    if source.region == replica.region:
        text = f"both buckets are in {source.region}: the replica is lost with the source"
        yield Check("other-region", name, State.FAIL, text, "replicate to a bucket in another region")
    else:
        yield Check("other-region", name, State.OK, f"from {source.region} to {replica.region}")


def object_lock(seen: Evidence, source: BucketSettings, replica: BucketSettings) -> Iterator[Check]:
    """A bucket with Object Lock is replicated to one with Object Lock alone.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html#object-lock-managing-replication
    """
    name = seen.pair.name
    if source.lock and not replica.lock:
        text = "on at the source and not at the replica: everything fails to be replicated"
        then = remedies.lock(seen.pair.replica.bucket, replica.region)
        yield Check("object-lock", name, State.FAIL, text, then)
    elif replica.lock and not source.lock:
        text = (
            "on at the replica and not at the source: what is lost at the source stays, and what is locked cannot be removed"
        )
        yield Check("object-lock", name, State.WARN, text, f"turn it on at s3://{seen.pair.source.bucket} too, or leave it")
    else:
        yield Check("object-lock", name, State.OK, "on at both sides" if source.lock else "off at both sides")
    locking = [side for side, settings in (("source", source), ("replica", replica)) if settings.retention]
    if locking:
        text = f"the {' and the '.join(locking)} lock what is written: canaries cannot be removed before their time"
        yield Check(
            "canary", f"{name}: clean-up", State.WARN, text, "let them pile up, or lock by object instead of by default"
        )


def ownership(seen: Evidence, source: BucketSettings, replica: BucketSettings) -> Iterator[Check]:
    """Whether replicas belong to who has the bucket; with access control lists they belong to the source's account.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-change-owner.html
    """
    name, bucket = seen.pair.name, seen.pair.replica.bucket
    every = effective(seen.pair, source)
    rules = [rule for rule in every if not rule.owner_changes]
    mine = account_of(source.role)
    foreign = [rule for rule in rules if rule.account and rule.account != mine]
    if replica.owner == ENFORCED:
        yield Check("ownership", name, State.OK, "the replica's owner owns all that is in it")
    elif foreign:
        text = (
            f"by {', '.join(rule.id for rule in foreign)} replicas belong to account {mine}: the replica's may not read them"
        )
        yield Check("ownership", name, State.FAIL, text, remedies.own(bucket, replica.region))
    elif rules:
        text = f"access control lists count at the replica ({replica.owner or 'ObjectWriter'})"
        yield Check("ownership", name, State.WARN, text, remedies.own(bucket, replica.region))
    elif every:
        yield Check("ownership", name, State.OK, "the rules give replicas to the replica's owner")


def _at(seen: Evidence, side: str) -> BucketAt:
    return seen.pair.source if side == "source" else seen.pair.replica
