"""What it means that the versions of one key are not alike: lost, late, wrong, expected, or unknown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from defib.clock import Deadline
from defib.errors import NotFound, ProviderError
from defib.replication.expired import Expired
from defib.replication.findings import Finding, Kind
from defib.replication.merge import Unlike
from defib.replication.port import Bucket, Cursor, Details, Status, Version
from defib.replication.rules import BucketSettings, Rule, rule_of
from defib.replication.sameness import Same, Sameness
from defib.replication.sides import both

LATE = timedelta(minutes=15)
"""What S3 promises for nearly all objects where Replication Time Control is on; a deletion that takes longer is missing.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-time-control.html
"""

_KINDS = {
    Status.NONE: (Kind.NOT_COVERED, "no rule matched when it was written"),
    Status.PENDING: (Kind.PENDING, "S3 has not replicated it yet"),
    Status.FAILED: (Kind.FAILED, "S3 says FAILED"),
    Status.COMPLETED: (Kind.MISSING, "S3 says COMPLETED, and the replica does not have it"),
    Status.REPLICA: (Kind.MISSING, "it is itself a replica of another bucket, and was never sent on"),
}

_Judgement = Callable[[Version, Deadline], Iterator[Finding]]


@dataclass(frozen=True)
class Judge:
    """Says what is wrong with a key. `settings` are those of the source, None where nobody may read them."""

    source: Bucket
    replica: Bucket
    settings: BucketSettings | None
    sameness: Sameness
    now: datetime

    def findings(self, unlike: Unlike, within: Deadline) -> Iterator[Finding]:
        """What is wrong with the versions of one key; nothing where the replica holds them all, by whatever ids.

        What was copied again has a new id: a version is held where the replica has its bytes under the same key.
        """
        again = list(unlike.there)
        if not (unlike.pairs or unlike.here or unlike.there):
            yield from self._other_order(unlike)
        for ours, theirs in unlike.pairs:
            answer = self.sameness.of(ours, theirs, within)
            if answer.same is Same.YES or (answer.same is Same.NO and self._held(ours, again, within)):
                continue
            kind = Kind.DIFFERENT if answer.same is Same.NO else Kind.UNKNOWN
            yield Finding(kind, ours.key, ours.id, ours.modified, ours.size, answer.why)
        for ours in unlike.here:
            if ours.marker:
                yield from self._deletion(ours, unlike)
            elif not self._held(ours, again, within):
                yield from self._asked(ours, within, self._lone)
        for theirs in again:
            yield from self._asked(theirs, within, lambda version, soon: self._extra(version, unlike, soon))

    def _other_order(self, unlike: Unlike) -> Iterator[Finding]:
        """Every version is at both sides, and the key holds another one at the replica."""
        ours, theirs = unlike.latest, unlike.replica_latest
        if ours is None or theirs is None or (ours.marker and theirs.marker):
            return
        kind = Kind.UNDELETED if ours.marker else Kind.HIDDEN
        yield _found(kind, ours, "the replica has it, and holds another version of the same second above it")

    def _held(self, ours: Version, again: list[Version], within: Deadline) -> bool:
        """Whether another version at the replica has the same bytes; it is taken from `again`, as it is no extra."""
        for theirs in again:
            later = theirs.modified >= ours.modified and theirs.size == ours.size and not theirs.marker
            if later and self.sameness.of(ours, theirs, within).same is Same.YES:
                again.remove(theirs)
                return True
        return False

    def _asked(self, version: Version, within: Deadline, judge: _Judgement) -> Iterator[Finding]:
        try:
            yield from judge(version, within)
        except ProviderError as error:
            yield _found(Kind.UNKNOWN, version, str(error))

    def _lone(self, ours: Version, within: Deadline) -> Iterator[Finding]:
        if not self.sameness.allowance.requests(2):
            yield _found(Kind.NOT_ASKED, ours, "the replica does not have it; its status was not asked for")
            return
        here, there = both(
            lambda: self.source.details(ours.key, ours.id, within=within),
            lambda: self.replica.details(ours.key, ours.id, within=within),
        )
        if here is None or (there is not None and (there.etag, there.size) == (ours.etag, ours.size)):
            return  # removed, or arrived, while the listings were read
        if there is not None:
            yield from self._arrived(ours, there, within)
            return
        kind, why = _KINDS[here.status]
        yield _found(kind, ours, why)

    def _arrived(self, ours: Version, there: Details, within: Deadline) -> Iterator[Finding]:
        """It came while the listings were read, with another ETag."""
        theirs = ours._replace(etag=there.etag, size=there.size, modified=there.modified)
        answer = self.sameness.of(ours, theirs, within)
        if answer.same is not Same.YES:
            yield _found(Kind.DIFFERENT if answer.same is Same.NO else Kind.UNKNOWN, ours, answer.why)

    def _deletion(self, ours: Version, unlike: Unlike) -> Iterator[Finding]:
        """A delete marker that the replica does not have."""
        if unlike.replica_latest is None or unlike.replica_latest.marker or not ours.latest:
            return  # what it deleted is not to be seen at the replica either
        if not self._rules_are_known():
            yield _found(Kind.UNKNOWN, ours, "deleted at the source; nobody may read whether a rule replicates deletions")
            return
        rule = self._rule(ours.key)
        if rule is None or not rule.markers:
            yield _found(Kind.EXPECTED, ours, "deleted at the source, and no rule replicates deletions")
        elif self.now - ours.modified <= LATE:
            yield _found(Kind.PENDING, ours, "its deletion is not replicated yet")
        else:
            yield _found(Kind.UNDELETED, ours, "deleted at the source, and the replica still has it")

    def _extra(self, theirs: Version, unlike: Unlike, within: Deadline) -> Iterator[Finding]:
        """A version that the replica alone has."""
        if theirs.marker:
            yield from self._lone_marker(theirs, unlike, within)
        elif self._expired.has_removed(theirs, unlike.latest, within):
            yield _found(Kind.EXPECTED, theirs, "a lifecycle rule has removed it at the source")
        elif self._is_current(theirs, unlike.latest, within):
            return
        elif not self.sameness.allowance.requests(2):
            yield _found(Kind.EXTRA, theirs, "the source did not list it")
        else:
            yield from self._unlisted(theirs, unlike, within)

    def _unlisted(self, theirs: Version, unlike: Unlike, within: Deadline) -> Iterator[Finding]:
        """A version that the replica alone has, by what the source says of it."""
        here, deleted = both(
            lambda: self.source.details(theirs.key, theirs.id, within=within),
            lambda: not theirs.id and self._deleted(theirs.key, within),
        )
        if here is not None:
            return  # written while the listings were read
        if deleted:
            yield _found(Kind.EXPECTED, theirs, "deleted at the source, and its older versions are still there")
        elif self._hides(theirs, unlike):
            yield _found(Kind.HIDDEN, theirs, "another version, that the replica alone has, hides it there")
        else:
            yield _found(Kind.EXTRA, theirs, "the source does not have it")

    def _lone_marker(self, theirs: Version, unlike: Unlike, within: Deadline) -> Iterator[Finding]:
        if theirs.latest and unlike.latest is not None and not unlike.latest.marker:
            if self._still_there(theirs.key, within):
                yield _found(Kind.HIDDEN, theirs, "a delete marker at the replica hides it there")
        elif self._expired.has_removed(theirs, unlike.latest, within):
            yield _found(Kind.EXPECTED, theirs, "a lifecycle rule removes such markers at the source")

    def _hides(self, theirs: Version, unlike: Unlike) -> bool:
        """Whether it is served instead of what the source's key holds, which the replica has below it."""
        latest = unlike.latest
        return theirs.latest and latest is not None and not latest.marker and latest not in unlike.here

    def _is_current(self, theirs: Version, latest: Version | None, within: Deadline) -> bool:
        """Whether what the replica's key holds is a copy, made by hand, of what the source's key holds."""
        if not theirs.latest or latest is None or latest.marker or latest.size != theirs.size:
            return False
        return self.sameness.of(latest, theirs, within).same is Same.YES

    def _still_there(self, key: str, within: Deadline) -> bool:
        """Whether the source's key holds something still, and was not deleted while the listings were read."""
        if not self.sameness.allowance.requests(1):
            return True  # as it was listed
        newest = self._newest(key, within)
        return newest is not None and not newest.marker

    def _newest(self, key: str, within: Deadline) -> Version | None:
        page = self.source.page(Cursor(key), within=within)
        return next((version for version in page.versions if version.key == key), None)

    def _deleted(self, key: str, within: Deadline) -> bool:
        """Whether the source has a delete marker for the key and no rule brings it to the replica."""
        try:
            rule, newest = self._rule(key), self._newest(key, within)
        except NotFound:  # other people's S3 may know no versions, and so no markers
            return False
        return newest is not None and newest.marker and not (rule is not None and rule.markers)

    def _rule(self, key: str) -> Rule | None:
        return rule_of(self.settings.rules, self.replica.name, key) if self.settings is not None else None

    @property
    def _expired(self) -> Expired:
        rules = self.settings.expiries if self.settings is not None else ()
        return Expired(rules, self.replica, self.sameness.allowance, self.now)

    def _rules_are_known(self) -> bool:
        return self.settings is not None and "rules" not in dict(self.settings.unread)


def _found(kind: Kind, version: Version, why: str) -> Finding:
    return Finding(kind, version.key, version.id, version.modified, version.size, why)
