"""The pointer at CloudFront: a distribution's origin path, which names the release that users get."""

from __future__ import annotations

from collections.abc import Sequence

from defib.clock import Deadline
from defib.errors import NotFound
from defib.ports import Receipt, RecordChange, RecordKey, RecordSet
from defib.providers.aws import AwsAccess
from defib.providers.dns.records import canonical_key, check, compare
from defib.providers.pointer.distribution import Configuration, Distribution
from defib.redeploy.pointer import ELSEWHERE, NOWHERE, VENDOR, pointer_key, pointing_at


class CloudFrontPointer:
    """Fulfils :class:`defib.ports.DnsZone` for one distribution, whose pointer is the one record set in it.

    Compare-and-set is CloudFront's own: GetDistribution for the ETag, UpdateDistribution with ``If-Match``; two calls to
    flip, whatever the size of the release. The previous release stays where it is, so that going back is the same.
    CloudFront serves what it has cached until it is stale or forgotten: releases say which files may be cached
    (https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/Expiration.html).
    """

    def __init__(self, distribution: str, access: AwsAccess, bucket: str = "") -> None:
        self._distribution = Distribution(distribution, access, bucket)

    @property
    def vendor(self) -> str:
        """``cloudfront-pointer``."""
        return VENDOR

    @property
    def zone(self) -> str:
        """The distribution's id."""
        return self._distribution.id

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """Where the pointer stands, None for any other key. Nothing asked costs nothing."""
        if not any(self._is_pointer(key) for key in keys):
            return (None,) * len(keys)
        stands = _standing(self.zone, self._distribution.read(within))
        return tuple(stands if self._is_pointer(key) else None for key in keys)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Flip the pointer; a change from what stands to itself compares and writes nothing. The receipt is the new ETag.

        C12: a configuration that changed in another place meanwhile is read again, once, and only its pointer is moved.
        """
        check(changes, self._distribution.where)
        if not changes:
            return Receipt("")
        path, elsewhere = self._wanted(changes)
        held = self._distribution.read(within)
        compare(changes, (_standing(self.zone, held),), self._distribution.where)
        if (held.path, held.elsewhere) == (path, elsewhere):
            return Receipt("")
        return Receipt(self._distribution.move(held, path, within, elsewhere))

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """Whether the distribution's status is Deployed, which CloudFront says of its last change, and so of all before.

        Five minutes are usual, and nothing bounds it
        (https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/HowToUpdateDistribution.html): whoever asks
        bounds the waiting.
        """
        return not receipt.id or self._distribution.read(within).deployed

    def _is_pointer(self, key: RecordKey) -> bool:
        return canonical_key(key) == canonical_key(pointer_key(self.zone))

    def _wanted(self, changes: Sequence[RecordChange]) -> tuple[str, str]:
        """The origin path to write, and the other origin that users are to get; NotFound for what no pointer can be."""
        (change, *others) = changes
        after = change.after
        if others or not self._is_pointer(change.key):
            raise NotFound(
                "a distribution has one pointer, and no record sets",
                where=self._distribution.where,
                expected=str(pointer_key(self.zone)),
                seen=", ".join(str(each.key) for each in changes),
            )
        # Not only releases: what stood before Defib came must be put back as it was.
        if after is None or len(after.values) != 1 or not after.values[0].startswith("/"):
            raise NotFound(
                "a pointer has one value, and is never removed",
                where=self._distribution.where,
                expected=f"/releases/<commit>, or {NOWHERE} for none",
                seen=str(after or f"{change.key} removed"),
            )
        return "" if after.values[0] == NOWHERE else after.values[0], dict(after.attributes).get(ELSEWHERE, "")


def _standing(distribution: str, held: Configuration) -> RecordSet:
    return pointing_at(distribution, held.path, held.elsewhere)
