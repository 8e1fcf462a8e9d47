"""Whether a lifecycle rule of the source has removed what the replica still holds: removals are not replicated.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-what-is-isnot-replicated.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from defib.clock import Deadline
from defib.replication.allowance import Allowance
from defib.replication.port import NULL, Bucket, Cursor, Version
from defib.replication.rules import Expiry


@dataclass(frozen=True)
class Expired:
    """Judges versions that the replica alone has, by `rules` of the source. What was not to be asked explains nothing."""

    rules: Sequence[Expiry]
    replica: Bucket
    allowance: Allowance
    now: datetime

    def has_removed(self, theirs: Version, current: Version | None, within: Deadline) -> bool:
        """Whether one of the rules removes such versions, and had the time to; `current` is what the source's key holds."""
        about = [rule for rule in self.rules if _is_about(rule, theirs)]
        if theirs.marker:
            return any(rule.lone_markers for rule in about)
        return any(self._removes(rule, theirs, current, within) and self._fits(rule, theirs, within) for rule in about)

    def _removes(self, rule: Expiry, theirs: Version, current: Version | None, within: Deadline) -> bool:
        """By its age or the day where the bucket kept no versions; else by the time since it was superseded.

        What a key of a bucket with versions holds only gets a marker when it expires.
        """
        if theirs.id in {"", NULL}:
            by_day = rule.date is not None and self.now >= rule.date
            if by_day or (rule.current is not None and self.now - theirs.modified >= rule.current):
                return True
        if rule.superseded is None or self.now - theirs.modified < rule.superseded:
            return False
        newer = self._newer(theirs, within)
        if newer is None:
            return False
        superseded = [version for version in newer if current is None or version.id != current.id]
        if len(superseded) < rule.kept:
            return False
        # What deleted it at the source may be told to nobody here: then it counts from when it was written.
        since = newer[-1].modified if newer else theirs.modified
        return self.now - since >= rule.superseded

    def _newer(self, theirs: Version, within: Deadline) -> Sequence[Version] | None:
        """The versions that the replica holds above it, newest first; None where that was not to be asked.

        A rule keeps a hundred at most, so the first page is enough:
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_NoncurrentVersionExpiration.html
        """
        if theirs.latest:
            return ()
        if not self.allowance.requests(1):
            return None
        page = self.replica.page(Cursor(theirs.key), within=within)
        held = [version for version in page.versions if version.key == theirs.key]
        place = next((number for number, version in enumerate(held) if version.id == theirs.id), len(held))
        return held[:place]

    def _fits(self, rule: Expiry, theirs: Version, within: Deadline) -> bool:
        """Whether it has the tags that the rule asks for."""
        if not rule.tags:
            return True
        if not self.allowance.requests(1):
            return False
        return set(rule.tags) <= set(self.replica.tags(theirs.key, theirs.id, within=within).items())


def _is_about(rule: Expiry, theirs: Version) -> bool:
    if not theirs.key.startswith(rule.prefix):
        return False
    if theirs.marker:
        return True
    return (rule.above is None or theirs.size > rule.above) and (rule.below is None or theirs.size < rule.below)
