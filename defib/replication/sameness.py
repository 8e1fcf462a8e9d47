"""Whether two versions hold the same bytes: by what a listing says, by checksums, by the bytes, or nobody knows."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from defib.clock import Deadline
from defib.errors import ProviderError
from defib.replication.allowance import Allowance
from defib.replication.merge import alike
from defib.replication.port import Bucket, Details, Version
from defib.replication.proofs import Proofs
from defib.replication.sides import both


class Same(Enum):
    """Three values: what was not told is not the same, and not different either."""

    YES = "same"
    NO = "different"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Answer:
    """Whether they are the same, and what says so."""

    same: Same
    why: str


@dataclass(frozen=True)
class Sameness:
    """Tells of two versions of one key, one in each bucket, whether their bytes are the same.

    Sizes decide first, then ETags where both are the MD5 of the bytes, then a checksum of all bytes that S3 keeps of both,
    and at last the bytes themselves, as far as the allowance goes. ETags of uploads in parts, and of what is encrypted with
    keys of KMS or of customers, prove nothing by being different
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
    """

    source: Bucket
    replica: Bucket
    allowance: Allowance
    proofs: Proofs

    def of(self, ours: Version, theirs: Version, within: Deadline) -> Answer:
        """Whether they are the same; what cannot be asked is unknown."""
        if ours.marker or theirs.marker:
            return Answer(Same.YES if ours.marker == theirs.marker else Same.NO, "one of them is a delete marker")
        if ours.size != theirs.size:
            return Answer(Same.NO, f"{theirs.size} bytes, and {ours.size} at the source")
        if alike(ours, theirs) or self.proofs.holds(ours, theirs):
            return Answer(Same.YES, "")
        try:
            return self._asked(ours, theirs, within)
        except ProviderError as error:
            return Answer(Same.UNKNOWN, str(error))

    def _asked(self, ours: Version, theirs: Version, within: Deadline) -> Answer:
        if not self.allowance.requests(2):
            return Answer(Same.UNKNOWN, "the checksums were not asked for: the check has asked as much as it may")
        here, there = both(
            lambda: self.source.details(ours.key, ours.id, within=within),
            lambda: self.replica.details(theirs.key, theirs.id, within=within),
        )
        if here is None or there is None:
            return Answer(Same.UNKNOWN, f"it was removed meanwhile {'at the source' if here is None else 'at the replica'}")
        answer = _by_checksums(here, there) or self._by_bytes(ours, theirs, within)
        # What has no id of its own may have been written over since it was listed: that proves nothing of what was listed.
        if answer.same is Same.YES and (here.etag, there.etag) == (ours.etag, theirs.etag):
            self.proofs.learn(ours, theirs)
        return answer

    def _by_bytes(self, ours: Version, theirs: Version, within: Deadline) -> Answer:
        if not (self.allowance.requests(2) and self.allowance.size(ours.size + theirs.size)):
            return Answer(
                Same.UNKNOWN, "no checksum tells, and the bytes were not read: the check has read as much as it may"
            )
        here, there = both(
            lambda: self.source.digest(ours.key, ours.id, within=within),
            lambda: self.replica.digest(theirs.key, theirs.id, within=within),
        )
        if here == there:
            return Answer(Same.YES, "by its bytes")
        return Answer(Same.NO, f"SHA-256 of its bytes {there[:12]}…, and {here[:12]}… at the source")


def _by_checksums(here: Details, there: Details) -> Answer | None:
    if here.plain and there.plain:
        if here.etag == there.etag:
            return Answer(Same.YES, "by MD5")
        return Answer(Same.NO, f"MD5 {there.etag[:12]}…, and {here.etag[:12]}… at the source")
    for algorithm, ours in here.checksums.items():
        theirs = there.checksums.get(algorithm)
        if theirs is not None:
            if ours == theirs:
                return Answer(Same.YES, f"by {algorithm}")
            return Answer(Same.NO, f"{algorithm} {theirs}, and {ours} at the source")
    return None
