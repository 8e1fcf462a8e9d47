"""A job of S3 Batch Replication: what it was asked to do, which versions that comes to, and how far it is.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-batch-replication-batch.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-job-status.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element

from defib.lab.replication import standing
from defib.lab.replication.carrying import Operation
from defib.lab.strict import versions
from defib.lab.strict.xml import text

FINAL = ("Complete", "Failed", "Cancelled")
_GENERATOR = "ManifestGenerator/S3JobManifestGenerator"


@dataclass(frozen=True)
class Chosen:
    """One line of a manifest: a version of an object."""

    bucket: str
    key: str
    version_id: str


@dataclass(frozen=True)
class Filter:
    """Which versions of a bucket a manifest generator takes."""

    eligible: bool
    after: datetime | None
    before: datetime | None
    statuses: tuple[str, ...]
    prefix: str
    suffix: str
    substring: str

    @classmethod
    def of(cls, told: Element) -> Filter:
        """The filter of a generator, which takes everything where it has none."""
        names = ("MatchAnyPrefix", "MatchAnySuffix", "MatchAnySubstring")
        texts = (text(told, f"Filter/KeyNameConstraint/{name}/member") for name in names)
        return cls(
            text(told, "Filter/EligibleForReplication") == "true",
            _time(text(told, "Filter/CreatedAfter")),
            _time(text(told, "Filter/CreatedBefore")),
            tuple(each.text or "" for each in told.iterfind("Filter/ObjectReplicationStatuses/member")),
            *texts,
        )

    def takes(self, version: Any) -> bool:
        """Whether it takes a version; what no rule covered when it was written has the status NONE."""
        made, name = versions.changed(version), version.name
        in_time = (self.after is None or made > self.after) and (self.before is None or made < self.before)
        named = name.startswith(self.prefix) and name.endswith(self.suffix) and self.substring in name
        return in_time and named and (not self.statuses or (standing.status(version) or "NONE") in self.statuses)


def _time(told: str) -> datetime | None:
    return datetime.fromisoformat(told) if told else None


@dataclass
class Task:
    """What becomes of one line of the manifest: the operations it came to, or why it came to none."""

    chosen: Chosen
    operations: Sequence[Operation] = ()
    reason: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing more will become of it."""
        return bool(self.reason) or all(each.ended is not None for each in self.operations)

    @property
    def failed(self) -> bool:
        """Whether it is over and did not do what it should."""
        return bool(self.reason) or any(each.failed for each in self.operations)


@dataclass
class Job:
    """One job; `asked` is the request that made it."""

    id: str
    asked: Element
    body: bytes
    created: datetime
    status: str = "New"
    confirmed: bool = False
    reason: str = ""
    failure: tuple[str, str] = ("", "")
    tasks: list[Task] = field(default_factory=list)
    ended: datetime | None = None

    @property
    def role(self) -> str:
        """The role as which it acts."""
        return text(self.asked, "RoleArn")

    @property
    def needs_confirmation(self) -> bool:
        """Whether it waits for somebody to say that it may run."""
        return text(self.asked, "ConfirmationRequired") == "true"

    @property
    def generator(self) -> Element | None:
        """What makes its manifest, None where it brought one."""
        return self.asked.find(_GENERATOR)

    @property
    def over(self) -> bool:
        """Whether it has come to its end."""
        return self.status in FINAL

    def fail(self, code: str, reason: str, at: datetime) -> None:
        """End it without having done what it should."""
        self.status, self.failure, self.ended = "Failed", (code, reason), at
