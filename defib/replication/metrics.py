"""How far a replica is behind, as CloudWatch was told by S3, rule by rule.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/repl-metrics.html: they are delivered on a best-effort basis, a quarter
of an hour after they were turned on, and for new objects only. So what is there is a sign, and no proof; and what is not
there is unknown, never zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from defib.clock import Deadline


@dataclass(frozen=True)
class Reading:
    """One figure, and the minute that it is of."""

    value: float
    at: datetime


@dataclass(frozen=True)
class RuleMetrics:
    """What is told of one rule; None is not told, and `why` says what kept it from being told, where that is known.

    `latency` is in seconds, by how much the replica is behind at most; `bytes_pending` and `operations_pending` are what is
    on its way, `operations_failed` how many failed in all minutes that were asked for, of which `at` is the newest.
    Operations are objects, delete markers, tags, access control lists and locks alike.
    """

    rule: str
    latency: Reading | None = None
    bytes_pending: Reading | None = None
    operations_pending: Reading | None = None
    operations_failed: Reading | None = None
    why: str = ""

    @property
    def behind(self) -> timedelta | None:
        """The latency, None where it is not told."""
        return None if self.latency is None else timedelta(seconds=self.latency.value)

    @property
    def known(self) -> bool:
        """Whether anything at all is told."""
        return any(each is not None for each in self._progress)

    @property
    def empty(self) -> bool:
        """S12: whether it is of minutes in which nothing was on its way, and so no proof that anything would arrive."""
        return self.known and not any(each.value for each in self._progress if each is not None)

    @property
    def _progress(self) -> tuple[Reading | None, ...]:
        return self.latency, self.bytes_pending, self.operations_pending


class Metrics(Protocol):
    """The metrics of replication from one bucket to one other."""

    def of(self, rules: Sequence[str], *, within: Deadline) -> tuple[RuleMetrics, ...]:
        """The newest of each of `rules`, by id, in their order. Idempotent.

        Raises nothing that a vendor says: the figures come from two regions, and one that refuses hides only its own.
        """
        ...
