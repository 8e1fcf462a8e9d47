"""What a comparison found, counted without limit and told up to one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What may be wrong with one version at the replica."""

    DIFFERENT = "different"
    UNLIKE = "other headers or tags"
    MISSING = "missing"
    PENDING = "pending"
    FAILED = "failed"
    NOT_COVERED = "not covered"
    NOT_ASKED = "not there, status not asked"
    UNDELETED = "deletion missing"
    HIDDEN = "hidden at the replica"
    UNKNOWN = "unknown"
    EXTRA = "extra"
    EXPECTED = "expected extra"


AT_RISK = frozenset(
    {
        Kind.DIFFERENT,
        Kind.MISSING,
        Kind.PENDING,
        Kind.FAILED,
        Kind.NOT_COVERED,
        Kind.NOT_ASKED,
        Kind.UNDELETED,
    }
)
"""What would be lost, or undone, if the source's region burned now: it counts for the recovery point."""

WRONG = frozenset(
    {
        Kind.DIFFERENT,
        Kind.UNLIKE,
        Kind.MISSING,
        Kind.FAILED,
        Kind.NOT_COVERED,
        Kind.NOT_ASKED,
        Kind.UNDELETED,
        Kind.HIDDEN,
    }
)
"""What time does not mend: somebody has to do something about it."""

REMEDY = {
    Kind.DIFFERENT: "defib run replication-repair: the replica gets the source's bytes as a new version",
    Kind.UNLIKE: "defib run replication-repair: the replica gets the source's headers and tags with a new version",
    Kind.MISSING: "defib run replication-repair: S3 said that it was replicated; it is copied again",
    # "S3 doesn't retry": https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-status.html
    Kind.FAILED: "S3 never tries again: defib run replication-repair, which uses S3 Batch Replication, or upload it again",
    Kind.NOT_COVERED: "no rule matched when it was written: defib run replication-repair, which uses S3 Batch Replication",
    Kind.NOT_ASKED: "raise ask_at_most in the site file to know its status, or repair the others first",
    Kind.UNDELETED: "delete it at the replica by hand, if it was meant to be deleted",
    Kind.HIDDEN: "find out who wrote at the replica; defib run replication-repair, or remove what hides it",
    Kind.UNKNOWN: "raise read_at_most in the site file, or upload it again with a checksum",
}
"""What to do about it, where something is to be done."""

SHOWN = 500
"""So many findings of each kind are told one by one; all are counted."""


@dataclass(frozen=True)
class Finding:
    """One version that is not as it must be. `since` is when it was written, or deleted; `why` is in a person's words."""

    kind: Kind
    key: str
    version: str
    since: datetime
    size: int = 0
    why: str = ""


@dataclass
class Tally:
    """What was found in one part of the keys; `sums` add up.

    `oldest` and `newest` are for each kind when the oldest and the newest version of it were written. `checked` are the
    versions whose headers and tags were compared.
    """

    source: int = 0
    replica: int = 0
    size: int = 0
    same: int = 0
    checked: int = 0
    counts: dict[Kind, int] = field(default_factory=dict)
    sizes: dict[Kind, int] = field(default_factory=dict)
    oldest: dict[Kind, datetime] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    newest: dict[Kind, datetime] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        """Count it, and keep it as far as there is room."""
        kind = finding.kind
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.sizes[kind] = self.sizes.get(kind, 0) + finding.size
        self.oldest[kind] = min(self.oldest.get(kind, finding.since), finding.since)
        self.newest[kind] = max(self.newest.get(kind, finding.since), finding.since)
        if self.counts[kind] <= SHOWN:
            self.findings.append(finding)

    def number(self, kinds: Iterable[Kind]) -> int:
        """How many versions are of one of these kinds."""
        return sum(self.counts.get(kind, 0) for kind in kinds)

    def oldest_of(self, kinds: Iterable[Kind]) -> datetime | None:
        """When the oldest version of one of these kinds was written; None where there is none."""
        return min((self.oldest[kind] for kind in kinds if kind in self.oldest), default=None)

    def newest_of(self, kinds: Iterable[Kind]) -> datetime | None:
        """When the newest version of one of these kinds was written; None where there is none."""
        return max((self.newest[kind] for kind in kinds if kind in self.newest), default=None)


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them as one."""
    whole = Tally()
    for part in tallies:
        for name in ("source", "replica", "size", "same", "checked"):
            setattr(whole, name, getattr(whole, name) + getattr(part, name))
        for kind, number in part.counts.items():
            whole.counts[kind] = whole.counts.get(kind, 0) + number
            whole.sizes[kind] = whole.sizes.get(kind, 0) + part.sizes.get(kind, 0)
            whole.oldest[kind] = min(whole.oldest.get(kind, part.oldest[kind]), part.oldest[kind])
            newest = part.newest.get(kind, part.oldest[kind])
            whole.newest[kind] = max(whole.newest.get(kind, newest), newest)
        whole.findings += part.findings
    kept: dict[Kind, int] = {}
    findings, whole.findings = whole.findings, []
    for finding in findings:
        kept[finding.kind] = kept.get(finding.kind, 0) + 1
        if kept[finding.kind] <= SHOWN:
            whole.findings.append(finding)
    return whole
