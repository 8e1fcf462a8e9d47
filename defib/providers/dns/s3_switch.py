"""A pre-armed switch: an object in S3 that a Route 53 health check looks for.

While the object is there, the health check, which is inverted, fails, and Route 53's failover record sets that name it are
answered with their secondary. Health checks and answers are Route 53's data plane and objects are S3's, so that users move
while Route 53's control plane, which is in one region, is down. "Standby takes over primary" in
https://aws.amazon.com/blogs/networking-and-content-delivery/creating-disaster-recovery-mechanisms-using-amazon-route-53/.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from defib.clock import Deadline
from defib.errors import Conflict, Denied, NotFound, Unavailable
from defib.ports import Receipt, RecordChange, RecordKey, RecordSet
from defib.privilege.permission import Permission
from defib.providers.aws import AwsAccess, Clients
from defib.providers.aws_errors import asked, code_of
from defib.providers.dns.records import canonical_key, check, compare, same
from defib.users.ways import PRIMARY, SECONDARY, SWITCH

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

T = TypeVar("T")

# A condition that does not hold, and a conditional DELETE of what is gone:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
_DIFFERS = {"PreconditionFailed", "NoSuchKey"}

# Another request for the same key came between; what stands now, only a read tells. AWS's advice is to try again:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
_CROSSED = {"ConditionalRequestConflict", "OperationAborted"}

_MISSING_OR_FORBIDDEN = "allow s3:GetObject on the key and s3:ListBucket on the bucket, without which absence reads as 403"


def permissions(bucket: str, key: str) -> tuple[Permission, ...]:
    """Looking whether the object is there, putting it there, and taking it away."""
    switch = (f"arn:aws:s3:::{bucket}/{key}",)
    return (
        Permission(("s3:GetObject",), switch),
        Permission(("s3:ListBucket",), (f"arn:aws:s3:::{bucket}",), why="without it absence reads as 403"),
        Permission(("s3:PutObject", "s3:DeleteObject"), switch, acts=True),
    )


class S3Switch:
    """Fulfils :class:`defib.ports.DnsZone` for one switch and the `names` that it turns, in place of their record sets.

    Each name reads as a record set of type :data:`defib.users.ways.SWITCH` with the value ``primary``, or ``secondary``
    while the object is there, whoever put it there and whatever it says. One object turns all names, so a batch must turn
    all of them the same way; any other is :class:`NotFound` and is not sent.

    Compare-and-set is S3's own. To the secondary: ``PutObject`` with ``If-None-Match: *``, one call. To the primary:
    ``GetObject`` for the ETag, then ``DeleteObject`` with ``If-Match``, which needs s3:GetObject beside s3:DeleteObject
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html). Reading is one ``GetObject``; ``HEAD``
    would not tell a missing object from a missing bucket.

    It holds only while S3 answers the health checkers: what is lost looks like what is absent, so that a lost bucket moves
    nobody to the secondary, and moves those who are there back to the primary. Who stays for long at the secondary makes it
    permanent in the record sets once Route 53 takes changes again.

    A turned switch reaches users when as many checks as the health check's threshold says, 10 or 30 seconds apart, have seen
    it, and the TTL of the failover record sets is over
    (https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html).
    """

    def __init__(self, names: Sequence[str], bucket: str, key: str, access: AwsAccess) -> None:
        self._names = tuple(sorted(canonical_key(RecordKey(name, SWITCH)).name for name in names))
        self._bucket, self._key = bucket, key
        self._clients: Clients[S3Client] = access.clients("s3")

    @property
    def vendor(self) -> str:
        """``s3-switch``."""
        return "s3-switch"

    @property
    def zone(self) -> str:
        """Bucket and key of the object."""
        return f"{self._bucket}/{self._key}"

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """Where the switch stands, for each of its names; None for what it does not turn. Nothing asked costs nothing."""
        wanted = [canonical_key(key) for key in keys]
        if not any(self._turns(key) for key in wanted):
            return (None,) * len(wanted)
        value = SECONDARY if self._etag(within) else PRIMARY
        return tuple(_standing(key, value) if self._turns(key) else None for key in wanted)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Turn all names at once; a change from what stands to itself compares and writes nothing."""
        check(changes, self._where)
        if not changes:
            return Receipt("")
        value = self._wanted(changes)
        other = PRIMARY if value == SECONDARY else SECONDARY
        if all(same(change.before, _standing(canonical_key(change.key), other)) for change in changes):
            self._turn(changes, value, within)
        else:
            compare(changes, self.read([change.key for change in changes], within=within), self._where)
        return Receipt("")

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:  # noqa: ARG002 - S3 is strongly consistent
        """True: S3 reads after a write give what was written.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel

        Says nothing of the health check and of the name servers that follow it: nobody but those can tell.
        """
        return True

    @property
    def _where(self) -> str:
        return f"S3, object s3://{self.zone}"

    def _turns(self, key: RecordKey) -> bool:
        return key == RecordKey(key.name, SWITCH) and key.name in self._names

    def _wanted(self, changes: Sequence[RecordChange]) -> str:
        """Where to turn to; NotFound for a batch that one object cannot express."""
        keys = {canonical_key(change.key) for change in changes}
        if keys != {RecordKey(name, SWITCH) for name in self._names}:
            raise NotFound(
                "one object turns all names of a switch together",
                where=self._where,
                expected=", ".join(self._names),
                seen=", ".join(str(key) for key in sorted(keys)),
                then="change all of them in one batch, or give them switches of their own",
            )
        for value in (PRIMARY, SECONDARY):
            if all(same(change.after, _standing(canonical_key(change.key), value)) for change in changes):
                return value
        raise NotFound(
            "a switch turns all its names the same way",
            where=self._where,
            expected=f"{PRIMARY} or {SECONDARY}, with a TTL of 0",
            seen="; ".join(str(change.after or f"{change.key} removed") for change in changes),
        )

    def _turn(self, changes: Sequence[RecordChange], value: str, within: Deadline) -> None:
        """Write, if `before` holds at that moment; nothing is changed where it does not."""
        try:
            if value == SECONDARY:
                self._put(within)
            else:
                self._delete(changes, within)
        except NotFound as error:
            code = code_of(error.__cause__)
            if code == "PreconditionFailed" and value == PRIMARY:
                raise self._differs(changes, "another object in its place, put there since it was read") from error
            if code in _DIFFERS:
                raise self._differs(changes) from error
            if code in _CROSSED:
                raise Unavailable(
                    "another request for the same object came between", where=error.where, seen=error.seen
                ) from error
            raise

    def _put(self, within: Deadline) -> None:
        def put() -> None:
            self._clients.within(within).put_object(
                Bucket=self._bucket,
                Key=self._key,
                Body=self._body(),
                ContentType="application/json",
                CacheControl="no-store",
                IfNoneMatch="*",
            )

        self._asked(put, within, "PutObject")

    def _delete(self, changes: Sequence[RecordChange], within: Deadline) -> None:
        etag = self._etag(within)
        if not etag:
            raise self._differs(changes)
        self._asked(
            lambda: self._clients.within(within).delete_object(Bucket=self._bucket, Key=self._key, IfMatch=etag),
            within,
            "DeleteObject",
        )

    def _etag(self, within: Deadline) -> str:
        """The ETag of the object, "" where there is none."""

        def get() -> str:
            found = self._clients.within(within).get_object(Bucket=self._bucket, Key=self._key)
            found["Body"].close()  # unread: its presence says it all, however much somebody put there
            return found["ETag"]

        try:
            return self._asked(get, within, "GetObject")
        except NotFound as error:
            if code_of(error.__cause__) == "NoSuchKey":
                return ""
            raise

    def _differs(self, changes: Sequence[RecordChange], seen: str = "") -> Conflict:
        """What :func:`compare` says of a switch that was found turned already, or as `seen`."""
        first = changes[0]
        return Conflict(
            f"{first.key} is not what it was",
            where=self._where,
            expected=str(first.before),
            seen=seen or str(first.after),
            then="look who changed it, then make a new plan",
        )

    def _body(self) -> bytes:
        """For whoever finds the object; the same for every run, because nothing is read from it."""
        told = {
            "put here by": "defib",
            "while this object exists": f"Route 53 answers with the {SECONDARY} record sets",
            "names": self._names,
            "to take it back": f"aws s3 rm s3://{self.zone}",
        }
        return json.dumps(told, indent=1).encode() + b"\n"

    def _asked(self, work: Callable[[], T], within: Deadline, what: str) -> T:
        try:
            return asked(work, within, what, self._where)
        except Denied as error:
            if error.then or code_of(error.__cause__) != "AccessDenied":
                raise
            raise _with_way_out(error) from error.__cause__


def _with_way_out(error: Denied) -> Denied:
    # "If you don't have the s3:ListBucket permission, Amazon S3 returns an HTTP status code 403":
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    return Denied(error.what, where=error.where, expected=error.expected, seen=error.seen, then=_MISSING_OR_FORBIDDEN)


def _standing(key: RecordKey, value: str) -> RecordSet:
    return RecordSet(key, timedelta(0), (value,))
