"""What copies versions from bucket to bucket: judged when they are written, copied after a lag, each in its turn.

A version is judged by the rules as they are when it is written. What fails is not tried again; while the destination's
Region cannot be reached, versions stay pending.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-status.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from defib.clock import Clock
from defib.lab.faults import Fault, FaultSwitch
from defib.lab.replication import standing
from defib.lab.replication.carrying import Operation, Task, carry
from defib.lab.replication.configurations import Configurations
from defib.lab.replication.permissions import by_kms
from defib.lab.replication.rules import Rule, Subject
from defib.lab.strict import versions
from defib.lab.strict.roles import Role
from defib.lab.strict.writes import Write
from defib.lab.web import Request

_AGAIN = 0.05
"""Seconds between two looks at what a fault holds back."""

_METADATA = ("tagging", "retention", "legal-hold")
_SPOILING = ("corrupt", "drop", "fail")


class Replication:
    """The replication of every bucket; `lock` is held by who touches S3, `unreachable` says it of a Region."""

    def __init__(self, lock: asyncio.Lock, clock: Clock, lag: timedelta, unreachable: Callable[[str], bool]) -> None:
        self.configurations = Configurations()
        self.switch = FaultSwitch()
        self.operations: list[Operation] = []
        self._lock = lock
        self._clock = clock
        self._lag = lag
        self._unreachable = unreachable
        self._tasks: list[Task] = []
        self._removed: set[tuple[str, str, str]] = set()
        self._stirred = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Copy what is due from now on."""
        if self._worker is None:
            self._worker = asyncio.create_task(self._work(), name="s3-replication")

    async def stop(self) -> None:
        """Copy nothing more. Safe to repeat."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
            self._worker = None

    def judge(self, write: Write, request: Request) -> None:
        """See what a request did, and queue what is to be copied of it; the caller holds the lock.

        Where the worker has died of a defect, that is raised here: nothing would be copied any more, and nobody told.
        """
        if self._worker is not None and self._worker.done():
            self._worker.result()
        self._removed |= {(write.place.bucket, each.name, each.version_id) for each in write.removed()}
        for version in write.made():
            self.again(write.place.bucket, version)
        query = write.place.query
        if write.before and request.method in ("PUT", "DELETE") and any(each in query for each in _METADATA):
            version = versions.find(write.bucket, write.place.key, query.get("versionId", ""))
            if versions.is_object(version):
                self._add_change(write.place.bucket, version)

    def eligible(self, bucket: str, version: Any) -> bool:
        """Whether a rule of today would copy the version."""
        return bool(self._rules(bucket, version))

    def again(self, bucket: str, version: Any) -> list[Operation]:
        """Queue a version for every destination that a rule of today gives it.

        Where it was deleted by its version id it is not brought back:
        https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-batch-replication-batch.html
        """
        return [
            self._queue(bucket, version, rule, role)
            for rule, role in self._rules(bucket, version)
            if (rule.destination, version.name, version.version_id) not in self._removed
        ]

    def _add_change(self, bucket: str, version: Any) -> None:
        """Queue a change of metadata, of what was copied; of a replica where its own bucket's rule sends changes back.

        https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-for-metadata-changes.html
        """
        for rule, role in self._rules(bucket, version):
            sent_back = standing.status(version) == standing.REPLICA and rule.replica_modifications
            if sent_back or rule.destination in getattr(version, "standing", {}):
                self._queue(bucket, version, rule, role, metadata=True)

    def _rules(self, bucket: str, version: Any) -> list[tuple[Rule, Role]]:
        held = self.configurations.of(bucket)
        return [(rule, Role(held.role)) for rule in held.for_version(_subject(version))] if held is not None else []

    def _queue(self, bucket: str, version: Any, rule: Rule, role: Role, *, metadata: bool = False) -> Operation:
        standing.set_status(version, rule.destination, standing.PENDING)
        size = version.size if versions.is_object(version) and not metadata else 0
        operation = Operation(bucket, rule, size, self._clock.now())
        self.operations.append(operation)
        self._tasks.append(Task(version.name, version.version_id, role, operation, self._clock.monotonic(), metadata))
        self._stirred.set()
        return operation

    async def _work(self) -> None:
        while True:
            self._stirred.clear()
            try:
                async with asyncio.timeout(self._rest()):
                    await self._stirred.wait()
            except TimeoutError:
                pass  # it is time for what was queued before
            async with self._lock:
                self._copy_what_is_due()

    def _rest(self) -> float | None:
        """Seconds until something is due, None where nothing is queued."""
        if not self._tasks:
            return None
        left = min(task.since for task in self._tasks) + self._lag_now() - self._clock.monotonic()
        # Nobody says when a fault is healed.
        return left.total_seconds() if left > timedelta(0) and self.switch.fault is None else _AGAIN

    def _lag_now(self) -> timedelta:
        fault = self.switch.fault
        return timedelta(seconds=fault.option("seconds", 60)) if fault and fault.name == "lag" else self._lag

    def _copy_what_is_due(self) -> None:
        now, lag = self._clock.monotonic(), self._lag_now()
        due = [task for task in self._tasks if task.since + lag <= now and not self._held_back(task)]
        self._tasks = [task for task in self._tasks if task not in due]
        for task in due:
            self._carry(task)

    def _held_back(self, task: Task) -> bool:
        fault, destination = self.switch.fault, versions.bucket(task.rule.destination)
        stalled = fault is not None and fault.name == "stall"
        return stalled or (destination is not None and self._unreachable(destination.region_name))

    def _carry(self, task: Task) -> None:
        task.operation.reason = carry(task, self._spoiled())
        task.operation.ended = self._clock.now()

    def _spoiled(self) -> Fault | None:
        """The fault that spoils the next copy; what holds copies back is not used up by them."""
        fault = self.switch.fault
        return self.switch.spend() if fault is not None and fault.name in _SPOILING else None


def _subject(version: Any) -> Subject:
    if versions.is_marker(version):
        return Subject(version.name, {}, marker=True)
    tags = versions.backend().tagger.get_tag_dict_for_resource(version.arn)
    return Subject(version.name, tags, by_kms=by_kms(version))
