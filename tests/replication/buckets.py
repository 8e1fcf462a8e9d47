"""Two buckets in memory, and replication that happens when a test says so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from defib.clock import Deadline, SimulatedClock
from defib.providers.bucket.memory import Kept, MemoryBucket
from defib.providers.bucket.memory_jobs import MemoryJobs
from defib.replication.allowance import Allowance
from defib.replication.authority import BATCH, REPLICATION, Key, Need, Role
from defib.replication.comparison import Comparer
from defib.replication.evidence import Sides
from defib.replication.findings import Finding, Kind, Tally
from defib.replication.jobs import Chosen, Order
from defib.replication.metrics import RuleMetrics
from defib.replication.pair import Pair
from defib.replication.port import Cursor, Original, Status
from defib.replication.progress import Progress
from defib.replication.proofs import Proofs
from defib.replication.rules import BucketSettings, Rule
from defib.sites.replication import BucketAt, Replicated
from defib.sites.values import Aws

SOURCE, REPLICA, LABORATORY = "assets", "assets-replica", "assets-laboratory"
RULE = Rule("all", enabled=True, destination=REPLICA)
OPAQUE = "9b2cf535f27731c974343645a3985328-2"
"""An ETag of an upload in parts."""

FAR = BucketAt(bucket=REPLICA, aws=Aws(region="eu-west-1"))


def settings(*rules: Rule, versioning: str = "Enabled", region: str = "us-east-1") -> BucketSettings:
    """Of a source with these rules."""
    return BucketSettings(region, versioning, "arn:aws:iam::123456789012:role/replication", rules)


@dataclass
class Buckets:
    """A source with one rule for everything, its replica, and a bucket to restore into, all at first without anything."""

    folder: Path
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    page_size: int = 1000

    def __post_init__(self) -> None:
        replica = BucketSettings("eu-west-1", "Enabled")
        self.source = MemoryBucket(SOURCE, "us-east-1", self.clock, settings(RULE), self.page_size)
        self.replica = MemoryBucket(REPLICA, "eu-west-1", self.clock, replica, self.page_size)
        self.laboratory = MemoryBucket(LABORATORY, "us-east-1", self.clock, settings(), self.page_size)
        for bucket in (self.source, self.replica, self.laboratory):
            bucket.beside |= {SOURCE: self.source, REPLICA: self.replica}
        self.jobs = MemoryJobs(self.replicate_in_batch)
        self.config = Replicated(name="assets", source=BucketAt(bucket=SOURCE), replica=FAR)

    @property
    def within(self) -> Deadline:
        """A minute from now."""
        return Deadline.after(self.clock, timedelta(minutes=1))

    @property
    def sides(self) -> Sides:
        """Both, with an IAM and a KMS that allow everything."""
        return Sides(self.source, self.replica, Generous(), Generous())

    @property
    def pair(self) -> Pair:
        """Both as a pair."""
        proofs = Proofs(self.folder / "proofs.sqlite3")
        others = (self.laboratory,)
        return Pair(
            self.config,
            self.source,
            self.replica,
            self.folder,
            self.sides,
            Silent(),
            proofs,
            others,
            self.jobs if self.config.account else None,
        )

    def configure(self, **parts: Any) -> None:
        """Let the site file say something else of the pair."""
        self.config = self.config.model_copy(update=parts)

    def write(self, key: str, content: bytes = b"content", status: Status = Status.PENDING, **parts: Any) -> str:
        """Write a version at the source; gives its id."""
        version = self.source.put(key, content, within=self.within)
        self.source.change(key, version, status=status, **parts)
        return version

    def delete(self, key: str) -> str:
        """Delete at the source, which leaves a marker; gives its id."""
        return self.source.mark_deleted(key, within=self.within)

    def replicate(self, key: str, version: str, content: bytes | None = None, etag: str = "") -> None:
        """Bring one version to the replica as S3 does, or with another content, or with another ETag."""
        held = self.source.kept(key, version)
        assert held is not None, "only what is there is replicated"
        self.source.change(key, version, status=Status.COMPLETED)
        body = held.content if content is None else content
        told = etag or (held.version.etag if content is None else md5(body))
        copied = held.version._replace(size=len(body), etag=told)
        self.replica.keep(Kept(copied, body, Status.REPLICA, held.plain and not etag, headers=held.headers, tags=held.tags))

    def replicate_in_batch(self, order: Order) -> tuple[int, int]:
        """Replicate what a job is about, as S3 does; gives how many versions that are, and that none has failed."""
        wanted = {Status.NONE if each is Chosen.NONE else Status.FAILED for each in order.statuses}
        page = self.source.page(Cursor(order.prefix), within=self.within)
        chosen = [
            each
            for each in page.versions
            if not each.marker and each.modified < order.before and self.source.must(each.key, each.id).status in wanted
        ]
        for version in chosen:
            self.replicate(version.key, version.id)
        return len(chosen), 0

    def copy_again(self, key: str, version: str) -> str:
        """Copy a version of the source to the replica by hand, which makes a new one there; gives its id."""
        told = self.source.details(key, version, within=self.within)
        assert told is not None, "only what is there is copied"
        return self.replica.copy(Original(SOURCE, key, version, told), within=self.within)

    def written(self, key: str, content: bytes = b"content", **parts: Any) -> str:
        """Write at the source, and let it be replicated."""
        version = self.write(key, content, **parts)
        self.replicate(key, version)
        return version

    def compare(self, progress: Progress | None = None) -> Tally:
        """Compare as a check does, now."""
        allowance = Allowance(self.config.ask_at_most, self.config.read_at_most)
        known = self.source.settings(within=self.within)
        comparer = Comparer(self.pair, known, allowance, self.clock.now(), timedelta(hours=1))
        told = progress or self.progress()
        tally = comparer.compare(comparer.parts(self.within), told, self.within)
        told.over()
        return tally

    def progress(self) -> Progress:
        """How far a comparison of now came, which is good for an hour."""
        return Progress(self.folder / "run.jsonl", self.clock.now(), timedelta(hours=1))

    def found(self) -> Mapping[str, Finding]:
        """What a comparison finds, by key; a key of which it finds two things fails the test."""
        tally = self.compare()
        assert len({finding.key for finding in tally.findings}) == len(tally.findings), tally.findings
        return {finding.key: finding for finding in tally.findings}

    def kinds(self) -> dict[str, Kind]:
        """The kind of what is found, by key."""
        return {key: finding.kind for key, finding in self.found().items()}


class Generous:
    """Whoever asks it, every role is there and may do everything, and every key may be used."""

    def role(self, arn: str, needs: Sequence[Need], *, within: Deadline) -> Role:
        del needs, within
        who = {"Effect": "Allow", "Principal": {"Service": [REPLICATION, BATCH]}, "Action": "sts:AssumeRole"}
        return Role(arn, there=True, trust=json.dumps({"Version": "2012-10-17", "Statement": [who]}))

    def key(self, key: str, *, within: Deadline) -> Key:
        del within
        return Key(key, usable=True, state="Enabled")


class Silent:
    """A CloudWatch that holds nothing."""

    def of(self, rules: Sequence[str], *, within: Deadline) -> tuple[RuleMetrics, ...]:
        del within
        return tuple(RuleMetrics(rule) for rule in rules)


def md5(content: bytes) -> str:
    """As S3 makes an ETag of what was uploaded at once."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
