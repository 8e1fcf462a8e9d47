"""A job of S3 Batch Replication as a plan can change it: it is asked for, and taken back as long as it is at work.

The key of a record is the order in words, with its number; its value says that the job was asked for, None that it was not,
or was cancelled. All that a job needs stands in the key, so that a run which is taken up again asks for the same one, and S3
knows it by its token.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from defib.clock import Deadline
from defib.errors import Conflict
from defib.plan import JOB_VENDOR, Change
from defib.ports import Receipt, RecordChange, RecordKey, RecordSet
from defib.replication.jobs import Job, Jobs, Order

JOB = "JOB"
"""The type under which a job stands in a plan."""


def asked_for(order: Order) -> RecordSet:
    """A job that was asked for."""
    return RecordSet(RecordKey(order.text, JOB, str(order.number)), timedelta(0), ("asked for",))


def order_of(key: RecordKey) -> Order:
    """The order that a key stands for."""
    return Order.of(key.name, int(key.set_identifier))


class JobsZone:
    """Fulfils :class:`defib.ports.DnsZone` for the jobs about one bucket."""

    def __init__(self, bucket: str, jobs: Jobs) -> None:
        self._bucket, self._jobs = bucket, jobs

    @property
    def vendor(self) -> str:
        return JOB_VENDOR

    @property
    def zone(self) -> str:
        """The bucket whose versions are replicated."""
        return self._bucket

    def change_to(self, order: Order, purpose: str, within: Deadline) -> Change:
        """The change that asks for a job, the next of its kind: an earlier one may be over, and have left something."""
        number = 1
        while self._jobs.named(next_order(order, number).name, within=within):
            number += 1
        return Change(JOB_VENDOR, self._bucket, (RecordChange(None, asked_for(next_order(order, number))),), purpose)

    def job(self, key: RecordKey, within: Deadline) -> Job | None:
        """The job as it stands, None where there is none."""
        found = self._jobs.named(order_of(key).name, within=within)
        return self._jobs.job(found[-1].id, within=within) if found else None

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        return tuple(self._read(key, within) for key in keys)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        for change in changes:
            if change.after is not None:
                self._jobs.create(order_of(change.key), within=within)
            else:
                self._cancel(change.key, within)
        return Receipt("")

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """A job is known as soon as it was taken; when it is over is another question."""
        del receipt, within
        return True

    def _read(self, key: RecordKey, within: Deadline) -> RecordSet | None:
        found = self._jobs.named(order_of(key).name, within=within)
        return asked_for(order_of(key)) if found and not found[-1].is_given_up else None

    def _cancel(self, key: RecordKey, within: Deadline) -> None:
        job = self.job(key, within)
        if job is None:
            return
        if job.is_over and not job.is_given_up:
            raise Conflict(
                "a job that is over cannot be taken back: the versions that it replicated stay",
                where=self._jobs.where,
                seen=str(job),
                then="leave them: the source has them, too; or remove them at the replica by hand",
            )
        self._jobs.cancel(job.id, "taken back", within=within)


def next_order(order: Order, number: int) -> Order:
    """The same order once more."""
    return Order.of(order.text, number)
