"""The resources of a standby as one zone of a plan: read in canonical words, changed by compare-and-set, put back."""

from __future__ import annotations

from collections.abc import Sequence

from defib.clock import Deadline
from defib.errors import NotFound
from defib.ports import Receipt, RecordChange, RecordKey, RecordSet
from defib.privilege.permission import Permission
from defib.providers.aws import AwsAccess
from defib.providers.dns.records import canonical_key, check, compare
from defib.providers.standby import bucket, distribution, edge, limits
from defib.providers.standby.bucket import BucketPolicy, LogsBucket, ReleasesBucket
from defib.providers.standby.distribution import StandbyDistribution
from defib.providers.standby.edge import AccessControl, HeadersPolicy
from defib.providers.standby.limits import WebAcl
from defib.providers.standby.resource import Held, Resource, Services
from defib.redeploy.groundwork import ORDER, VENDOR, Groundwork, key_of, standing


def permissions(work: Groundwork) -> tuple[Permission, ...]:
    """What a standby is made of, read and made."""
    return tuple(each for part in (bucket, edge, limits, distribution) for each in part.permissions(work))


class AwsStandby:
    """Fulfils :class:`defib.ports.DnsZone` and :class:`defib.redeploy.groundwork.Audit`; the zone is the name of the bucket.

    Each resource is a record set whose one value is canonical JSON (:mod:`defib.redeploy.groundwork`). AWS has nothing
    that changes two of them together, so a batch has one.
    """

    def __init__(self, work: Groundwork, access: AwsAccess) -> None:
        self._work = work
        services = Services(access)
        self._distribution = StandbyDistribution(work, services)
        uses = self._distribution.uses
        made: list[Resource] = [
            ReleasesBucket(work, services),
            AccessControl(work, services),
            self._distribution,
            BucketPolicy(work, services),
        ]
        if not work.shared:
            made += [
                *([HeadersPolicy(work, services, lambda soon: uses(soon).headers_policy)] if work.headers else []),
                *([WebAcl(work, services, lambda soon: uses(soon).web_acl)] if work.limits else []),
                *([LogsBucket(work, services)] if work.logs else []),
            ]
        self._resources = {key_of(each.type, work.bucket): each for each in sorted(made, key=_place)}

    @property
    def vendor(self) -> str:
        """``aws-standby``."""
        return VENDOR

    @property
    def zone(self) -> str:
        """The bucket's name."""
        return self._work.bucket

    @property
    def keys(self) -> tuple[RecordKey, ...]:
        """The keys of all resources, in the order in which they are made."""
        return tuple(self._resources)

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """How the resources stand, None for those that are not there."""
        return tuple(self._standing(key, within) for key in keys)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Make one change. The receipt tells which resource it was, and what of it is pending."""
        check(changes, self._where)
        if not changes:
            return Receipt("")
        (change, *others) = changes
        resource = self._resource(change.key)
        if others or resource is None or (change.after is not None and len(change.after.values) != 1):
            raise NotFound(
                "a standby's resources are changed one at a time",
                where=self._where,
                expected=f"one of {', '.join(str(key) for key in self._resources)}, as one text",
                seen="; ".join(str(each.after or f"{each.key} removed") for each in changes),
            )
        held = resource.read(within)
        compare([change], [_as_record(change.key, held)], self._where)
        text = change.after.values[0] if change.after is not None else None
        if text == held.text:
            return Receipt("")
        pending = resource.write(held, text, within)
        return Receipt(f"{resource.type} {pending}" if pending else "")

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """Whether AWS says that the change is everywhere; only a distribution takes its time."""
        kind, _, pending = receipt.id.partition(" ")
        resource = self._resource(key_of(kind, self._work.bucket)) if pending else None
        return resource is None or resource.settled(pending, within)

    def audit(self, *, within: Deadline) -> tuple[RecordChange, ...]:
        """Each resource as it stands beside how it must stand."""
        found = []
        for key, resource in self._resources.items():
            held = resource.read(within)
            text = resource.wanted(held, within)
            if text != held.text:
                found.append(RecordChange(_as_record(key, held), standing(key, text)))
        return tuple(found)

    def misplaced(self, *, within: Deadline) -> str:
        """As the distribution's comment tells."""
        return self._distribution.misplaced(within)

    @property
    def _where(self) -> str:
        return f"AWS, standby {self._work.bucket}"

    def _resource(self, key: RecordKey) -> Resource | None:
        wanted = canonical_key(key)
        return next((each for known, each in self._resources.items() if canonical_key(known) == wanted), None)

    def _standing(self, key: RecordKey, within: Deadline) -> RecordSet | None:
        resource = self._resource(key)
        return _as_record(key, resource.read(within)) if resource is not None else None


def _place(resource: Resource) -> int:
    return ORDER.index(resource.type)


def _as_record(key: RecordKey, held: Held) -> RecordSet | None:
    return standing(key, held.text) if held.text is not None else None
