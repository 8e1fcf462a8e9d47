"""What lifecycles do to a copy: what the replica forgets too early, cannot be read at once, or keeps longer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from defib.ready.check import Check, State
from defib.replication import remedies
from defib.replication.coverage import effective, overlap
from defib.replication.evidence import Evidence
from defib.replication.rules import ARCHIVES, Archiving, BucketSettings, Expiry


def of_source(seen: Evidence, source: BucketSettings) -> Iterator[Check]:
    """What a lifecycle removes is not removed at the replica: that is expected, and no difference.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-what-is-isnot-replicated.html
    """
    removing = [each for each in source.expiries if _touches(seen, each.prefix) and _removes(each)]
    text = "removes nothing"
    if removing:
        text = f"{'; '.join(_told(each) for each in removing)}: at the replica that stays until a lifecycle there removes it"
    yield Check("lifecycle", f"{seen.pair.name}: source", State.OK, text)


def of_replica(seen: Evidence, source: BucketSettings, replica: BucketSettings) -> Iterator[Check]:
    """Whether the replica forgets what the source still has."""
    about, bucket = f"{seen.pair.name}: replica", seen.pair.replica.bucket
    removing = [each for each in replica.expiries if _touches(seen, each.prefix) and _removes(each)]
    objects = [each for each in removing if not _forgets_objects_too(each, source.expiries)]
    versions = [each for each in removing if each not in objects and not _forgets_versions_too(each, source.expiries)]
    if objects:
        text = f"{'; '.join(_told(each) for each in objects)}: the source does not, or later"
        then = remedies.edit_lifecycle(bucket, replica.region, f"take {', '.join(each.id for each in objects)} out")
        yield Check("lifecycle", about, State.FAIL, text, then)
    if versions:
        text = (
            f"{'; '.join(_told(each) for each in versions)}: the source keeps them longer; no restore reaches back further"
        )
        then = remedies.edit_lifecycle(bucket, replica.region, f"take {', '.join(each.id for each in versions)} out")
        yield Check("lifecycle", about, State.WARN, text, then)
    if not objects and not versions:
        yield Check("lifecycle", about, State.OK, "removes nothing that the source keeps")


def storage_class(seen: Evidence, source: BucketSettings, replica: BucketSettings) -> Iterator[Check]:
    """Whether the replica can be read at once: archives are restored in hours."""
    archiving = [rule for rule in effective(seen.pair, source) if rule.storage_class in ARCHIVES]
    written = [f"rule {rule.id} writes {rule.storage_class}" for rule in archiving]
    moved = [
        f"lifecycle {each.id} moves to {each.storage_class}{_after(each.after)}"
        for each in replica.archivings
        if _touches(seen, each.prefix) and not _archives_too(each, source.archivings)
    ]
    if written or moved:
        text = f"{'; '.join((*written, *moved))}: it is read hours after its restoration was asked for"
        then = "use GLACIER_IR, which is read at once"
        yield Check("storage-class", seen.pair.name, State.WARN, text, then)
    else:
        yield Check("storage-class", seen.pair.name, State.OK, "what can be read at the source can be read at the replica")


def _touches(seen: Evidence, prefix: str) -> bool:
    """Whether a rule of a lifecycle is about anything of the pair's but canaries, which are there to go."""
    wanted = seen.pair.prefixes or ("",)
    return any(overlap(prefix, each) for each in wanted) and not prefix.startswith(seen.pair.canary)


def _removes(expiry: Expiry) -> bool:
    """Whether it removes more than markers that hide nothing."""
    return expiry.current is not None or expiry.date is not None or expiry.superseded is not None


def _forgets_objects_too(expiry: Expiry, others: Sequence[Expiry]) -> bool:
    if expiry.current is None and expiry.date is None:
        return True
    return any(_wider(other, expiry) and _no_later(other, expiry) for other in others)


def _no_later(other: Expiry, expiry: Expiry) -> bool:
    by_age = expiry.current is None or (other.current is not None and other.current <= expiry.current)
    by_day = expiry.date is None or (other.date is not None and other.date <= expiry.date)
    return by_age and by_day


def _forgets_versions_too(expiry: Expiry, others: Sequence[Expiry]) -> bool:
    if expiry.superseded is None:
        return True
    return any(
        _wider(other, expiry)
        and other.superseded is not None
        and other.superseded <= expiry.superseded
        and other.kept <= expiry.kept
        for other in others
    )


def _wider(other: Expiry, expiry: Expiry) -> bool:
    """Whether `other` is about all that `expiry` is about."""
    return (
        expiry.prefix.startswith(other.prefix)
        and set(other.tags) <= set(expiry.tags)
        and (other.above is None or (expiry.above is not None and expiry.above >= other.above))
        and (other.below is None or (expiry.below is not None and expiry.below <= other.below))
    )


def _archives_too(move: Archiving, others: Sequence[Archiving]) -> bool:
    return any(move.prefix.startswith(other.prefix) and _age(other) <= _age(move) for other in others)


def _age(move: Archiving) -> timedelta:
    """The age at which it moves; what moves on a day of the calendar may be of any age."""
    return timedelta.max if move.after is None else move.after


def _told(expiry: Expiry) -> str:
    gone = (
        f"deletes what it holds{_after(expiry.current)}" if expiry.current is not None else "",
        f"deletes what it holds from {_day(expiry.date)}" if expiry.date is not None else "",
        f"removes older versions{_after(expiry.superseded)}" if expiry.superseded is not None else "",
    )
    where = f" under {expiry.prefix}" if expiry.prefix else ""
    return f"{expiry.id}{where} {' and '.join(filter(None, gone))}"


def _after(age: timedelta | None) -> str:
    return f" after {age.days} days" if age is not None else ""


def _day(date: datetime) -> str:
    return f"{date:%Y-%m-%d}"
