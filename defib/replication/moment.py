"""What keys held at a moment, by their versions, and what may have been there that no version tells of any more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from defib.replication.merge import Keys
from defib.replication.port import NULL, Version
from defib.replication.rules import Expiry


def held_at(versions: Sequence[Version], at: datetime) -> Version | None:
    """The newest of a key's versions, which are newest first, that was written by then; None where there was none.

    It may be a marker. An upload in parts is stamped when it begins, and S3 orders versions by that:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
    """
    return next((version for version in versions if version.modified <= at), None)


def held_now(versions: Sequence[Version]) -> Version | None:
    """What a key holds, None where it holds nothing."""
    return versions[0] if versions and not versions[0].marker else None


def aligned(*listings: Keys) -> Iterator[tuple[str, tuple[list[Version], ...]]]:
    """Every key that any of the sorted listings has, with its versions in each."""
    heads = [next(listing, None) for listing in listings]
    while any(heads):
        key = min(head[0] for head in heads if head is not None)
        yield key, tuple(head[1] if head is not None and head[0] == key else [] for head in heads)
        heads = [
            next(listing, None) if head is not None and head[0] == key else head
            for head, listing in zip(heads, listings, strict=True)
        ]


def expiring(rules: Sequence[Expiry], prefix: str, age: timedelta) -> Expiry | None:
    """The rule that removes the most of what was superseded below `prefix` within the last `age`; None where none does."""
    about = [rule for rule in rules if rule.prefix.startswith(prefix) or prefix.startswith(rule.prefix)]
    reaching = [rule for rule in about if rule.superseded is not None and rule.superseded <= age]
    return min(reaching, key=lambda rule: rule.superseded or age, default=None)


def untold(versions: Sequence[Version], at: datetime, now: datetime, rules: Sequence[Expiry]) -> str:
    """Why nobody can tell from a key's versions what it held at `at`; "" where they tell.

    A lifecycle removes the oldest versions first, so that whatever is older than what is left is gone, and nothing between
    (but by rules for some tags or sizes alone, which are not looked into).
    """
    if any(version.id == NULL and version.modified > at for version in versions):
        return "it was written while the bucket kept no versions, and what it replaced is gone"
    if not versions or versions[-1].modified <= at:
        return ""
    older = now - versions[-1].modified
    for rule in rules:
        removes = rule.superseded is not None and rule.superseded <= older and len(versions) > rule.kept
        if removes and versions[0].key.startswith(rule.prefix):
            return f"the lifecycle rule {rule.id!r} has removed whatever was there before"
    return ""
