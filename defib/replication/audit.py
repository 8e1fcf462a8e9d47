"""Whether the configuration of a pair of buckets keeps a copy that a recovery can rely on; pure.

What is configured wrong is red even while both buckets still hold the same: the next object is not copied. What could not
be read is `unknown`, and so is all that depends on it; the other side is audited all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from defib.ready.check import Check, State
from defib.replication import coverage, keeping, leave, lifecycles
from defib.replication.evidence import Evidence, Unseen
from defib.replication.rules import BucketSettings

OfOne = Callable[[Evidence, BucketSettings], Iterator[Check]]
OfBoth = Callable[[Evidence, BucketSettings, BucketSettings], Iterator[Check]]


@dataclass(frozen=True)
class _Point:
    """One thing to judge: the name of its findings, and the parts of each side that it goes by."""

    name: str
    source: tuple[str, ...] = ()
    replica: tuple[str, ...] = ()


_OF_SOURCE: tuple[tuple[_Point, OfOne], ...] = (
    (_Point("region", source=("region",)), keeping.region_of_source),
    (_Point("versioning", source=("versioning", "rules")), keeping.versioning_of_source),
    (_Point("rules", source=("rules",)), coverage.configuration),
    (_Point("prefixes", source=("rules",)), coverage.prefixes),
    (_Point("priorities", source=("rules",)), coverage.priorities),
    (_Point("canary", source=("rules",)), coverage.canary),
    (_Point("delete-markers", source=("rules",)), coverage.delete_markers),
    (_Point("replication-time", source=("rules",)), coverage.replication_time),
    (_Point("metrics", source=("rules",)), coverage.metrics),
    (_Point("role", source=("rules",)), leave.role),
    (_Point("bucket-policy", source=("rules", "policy")), leave.policy_of_source),
    (_Point("encryption", source=("rules", "kms_key")), leave.encryption),
    (_Point("key", source=("rules", "kms_key")), leave.keys),
    (_Point("lifecycle", source=("expiries",)), lifecycles.of_source),
)
_OF_REPLICA: tuple[tuple[_Point, OfOne], ...] = (
    (_Point("region", replica=("region",)), keeping.region_of_replica),
    (_Point("versioning", replica=("versioning",)), keeping.versioning_of_replica),
)
_OF_BOTH: tuple[tuple[_Point, OfBoth], ...] = (
    (_Point("other-region", ("region",), ("region",)), keeping.regions),
    (_Point("bucket-policy", ("rules",), ("policy",)), leave.policy_of_replica),
    (_Point("object-lock", ("lock",), ("lock",)), keeping.object_lock),
    (_Point("ownership", ("rules",), ("owner",)), keeping.ownership),
    (_Point("lifecycle", ("expiries",), ("expiries",)), lifecycles.of_replica),
    (_Point("storage-class", ("rules", "expiries"), ("expiries",)), lifecycles.storage_class),
)


def audit(seen: Evidence) -> tuple[Check, ...]:
    """Every finding, source first; `about` begins with the name of the pair."""
    return tuple(_findings(seen))


def _findings(seen: Evidence) -> Iterator[Check]:
    yield from _sides(seen)
    for point, judge in _OF_SOURCE:
        yield from _unknown(seen, point, "source") or judge(seen, _settings(seen.source))
    for point, judge in _OF_REPLICA:
        yield from _unknown(seen, point, "replica") or judge(seen, _settings(seen.replica))
    for point, of_both in _OF_BOTH:
        yield from _unknown(seen, point, "") or of_both(seen, _settings(seen.source), _settings(seen.replica))


def _sides(seen: Evidence) -> Iterator[Check]:
    """S15: a side that does not answer is told once with all its words, and shortly wherever it is missed."""
    for side, settings, at in (("source", seen.source, seen.pair.source), ("replica", seen.replica, seen.pair.replica)):
        about, name = f"{seen.pair.name}: {side}", f"s3://{at.bucket}"
        if isinstance(settings, Unseen):
            yield Check("bucket", about, settings.state, f"{name} is {settings.short}: {settings.why}", settings.then)
        elif settings.unread:
            parts = ", ".join(part.replace("_", " ") for part, _ in settings.unread)
            then = f"allow {', '.join(_TO_READ[part] for part, _ in settings.unread)} to who asks"
            yield Check("bucket", about, State.UNKNOWN, f"{name} does not tell of its {parts}", then)
        else:
            yield Check("bucket", about, State.OK, f"{name} tells how it is configured")


_TO_READ = {
    "versioning": "s3:GetBucketVersioning",
    "rules": "s3:GetReplicationConfiguration",
    "expiries": "s3:GetLifecycleConfiguration",
    "lock": "s3:GetBucketObjectLockConfiguration",
    "owner": "s3:GetBucketOwnershipControls",
    "kms_key": "s3:GetEncryptionConfiguration",
    "policy": "s3:GetBucketPolicy",
    "region": "s3:ListBucket",
}
"""The permission that each part needs.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""


def _unknown(seen: Evidence, point: _Point, side: str) -> tuple[Check, ...]:
    """The finding that a point cannot be judged; none where it can."""
    missed = [
        f"the {name}'s {part.replace('_', ' ')}: {why}"
        for name, settings, parts in (("source", seen.source, point.source), ("replica", seen.replica, point.replica))
        for part, why in _missing(settings, parts)
    ]
    about = f"{seen.pair.name}: {side}" if side else seen.pair.name
    return (Check(point.name, about, State.UNKNOWN, f"cannot be told without {'; '.join(missed)}"),) if missed else ()


def _missing(settings: BucketSettings | Unseen, parts: tuple[str, ...]) -> list[tuple[str, str]]:
    if isinstance(settings, Unseen):
        return [(part, settings.short) for part in parts]
    unread = dict(settings.unread)
    return [(part, unread[part]) for part in parts if part in unread]


def _settings(side: BucketSettings | Unseen) -> BucketSettings:
    assert not isinstance(side, Unseen)
    return side
