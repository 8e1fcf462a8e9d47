"""What CloudWatch is told of replication, minute by minute, for each rule whose metrics are enabled, and for no other.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/repl-metrics.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from defib.lab.replication.carrying import Operation

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Flow:
    """From which bucket to which by which rule: the dimensions of every metric."""

    source: str
    destination: str
    rule: str

    @classmethod
    def of(cls, operation: Operation) -> Flow:
        """The flow that an operation is part of."""
        return cls(operation.source, operation.rule.destination, operation.rule.id)


@dataclass(frozen=True)
class Sample:
    """One value of one metric in one minute."""

    name: str
    at: datetime
    value: float
    unit: str


def samples(operations: Sequence[Operation], since: datetime, now: datetime) -> Iterator[Sample]:
    """What is told of one flow's operations from `since` on; of the minute that is not over, as it stands.

    What is pending is told of every minute, as zero too. Latency is told of minutes in which something was on its way.
    """
    minute = since.replace(second=0, microsecond=0)
    while minute <= now:
        until = min(minute + MINUTE, now)
        pending = [each for each in operations if each.queued <= until and (each.ended is None or each.ended > until)]
        yield Sample("OperationsPendingReplication", minute, len(pending), "Count")
        yield Sample("BytesPendingReplication", minute, sum(each.size for each in pending), "Bytes")
        yield from _latency(operations, minute, until)
        yield from _failures(operations, minute, until)
        minute += MINUTE


def _latency(operations: Iterable[Operation], minute: datetime, until: datetime) -> Iterator[Sample]:
    behind = [
        min(each.ended or until, until) - each.queued
        for each in operations
        if each.queued < until and (each.ended is None or each.ended >= minute)
    ]
    if behind:
        yield Sample("ReplicationLatency", minute, max(behind).total_seconds(), "Seconds")


def _failures(operations: Iterable[Operation], minute: datetime, until: datetime) -> Iterator[Sample]:
    """One for each operation that failed in the minute and zero for each that did not, so that their average is a rate."""
    for each in operations:
        if each.ended is not None and minute <= each.ended < until:
            yield Sample("OperationsFailedReplication", minute, float(each.failed), "Count")
