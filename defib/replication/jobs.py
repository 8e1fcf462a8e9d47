"""Jobs of S3 Batch Replication: what no rule ever covered, or has failed, is replicated with its ids and older versions.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-batch-replication-batch.html: "S3 Batch Replication occurs on
demand on existing objects". Adapters raise as :mod:`defib.replication.port` says; they neither retry nor wait.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

from defib.clock import Deadline

_FINAL = frozenset({"Complete", "Failed", "Cancelled"})
_GIVEN_UP = frozenset({"Cancelled", "Cancelling"})


class Chosen(StrEnum):
    """Which versions a job takes by their status: those that no rule covered when they were written, and what failed."""

    NONE = "NONE"
    FAILED = "FAILED"


@dataclass(frozen=True)
class Order:
    """What a job is to do, and as whom; `number` counts the jobs with the same order.

    It takes what rules cover now, what is of one of the `statuses`, was written before `before`, and has a key that begins
    with `prefix`. `report` is the bucket that gets a list of the tasks that failed, "" for none.
    """

    bucket: str
    before: datetime
    role: str
    prefix: str = ""
    statuses: tuple[Chosen, ...] = (Chosen.FAILED, Chosen.NONE)
    priority: int = 10
    report: str = ""
    number: int = 1

    @property
    def text(self) -> str:
        """All but its number in words, which people approve and :meth:`of` reads."""
        words = ["--bucket", self.bucket, "--statuses", ",".join(self.statuses), "--before", _stamp(self.before)]
        words += ["--prefix", self.prefix] if self.prefix else []
        words += ["--role", self.role, "--priority", str(self.priority)]
        return shlex.join([*words, *(["--report", self.report] if self.report else [])])

    @classmethod
    def of(cls, text: str, number: int) -> Order:
        """The order of that text."""
        words = shlex.split(text)
        told = dict(zip(words[::2], words[1::2], strict=True))
        return cls(
            told["--bucket"],
            datetime.fromisoformat(told["--before"]),
            told["--role"],
            told.get("--prefix", ""),
            tuple(Chosen(each) for each in told["--statuses"].split(",")),
            int(told["--priority"]),
            told.get("--report", ""),
            number,
        )

    @property
    def name(self) -> str:
        """What the job is described as, so that it is found again: short, and no other order's."""
        return f"defib {self.token[:32]} {self.number}"

    @property
    def token(self) -> str:
        """What makes a second request for the same job give the first.

        ClientRequestToken has 64 characters at most:
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_control_CreateJob.html
        """
        return hashlib.sha256(f"{self.text} {self.number}".encode()).hexdigest()


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True)
class Job:
    """A job as it stands. `status` is S3's word, `reasons` are why it failed.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-job-status.html
    """

    id: str
    name: str
    status: str
    total: int = 0
    succeeded: int = 0
    failed: int = 0
    reasons: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it."""
        return self.status in _FINAL

    @property
    def is_given_up(self) -> bool:
        """Whether somebody has cancelled it."""
        return self.status in _GIVEN_UP

    def __str__(self) -> str:
        told = f"job {self.id} is {self.status}, {self.succeeded} of {self.total} versions replicated"
        return f"{told}, {self.failed} failed" if self.failed else told


class Jobs(Protocol):
    """The jobs of one account in the source's region."""

    @property
    def where(self) -> str:
        """Where they are, as people name it."""
        ...

    def named(self, name: str, *, within: Deadline) -> Sequence[Job]:
        """Every job of that name, the newest last; S3 forgets them 90 days after their end. Idempotent."""
        ...

    def create(self, order: Order, *, within: Deadline) -> str:
        """Begin a job, which needs no confirmation; gives its id. A second call with the same order gives the same job."""
        ...

    def job(self, job_id: str, *, within: Deadline) -> Job:
        """How one job stands, with its reasons; :class:`NotFound`. Idempotent."""
        ...

    def cancel(self, job_id: str, why: str, *, within: Deadline) -> None:
        """Let it begin nothing more; what it has replicated stays. No error where it is over."""
        ...
