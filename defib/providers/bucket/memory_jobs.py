"""Jobs of batch replication between buckets in memory, each of which is done when it is looked at a second time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from defib.clock import Deadline
from defib.errors import NotFound, ProviderError
from defib.replication.jobs import Job, Order

Work = Callable[[Order], tuple[int, int]]
"""Replicates what an order is about; gives how many versions were replicated and how many failed."""


@dataclass
class _Asked:
    order: Order
    job: Job
    looks: int = 0


class MemoryJobs:
    """Fulfils :class:`defib.replication.jobs.Jobs`; `ends` is the status that jobs come to, None where they go on."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._asked: list[_Asked] = []
        self.ends: str | None = "Complete"
        self.reasons: tuple[str, ...] = ()
        self.failing: ProviderError | None = None

    @property
    def where(self) -> str:
        return "memory://jobs"

    @property
    def all(self) -> list[Job]:
        """Every job that was ever asked for."""
        return [asked.job for asked in self._asked]

    def named(self, name: str, *, within: Deadline) -> Sequence[Job]:
        self._answer(within)
        return [asked.job for asked in self._asked if asked.order.name == name]

    def create(self, order: Order, *, within: Deadline) -> str:
        self._answer(within)
        for asked in self._asked:
            if asked.order.token == order.token:
                return asked.job.id
        made = Job(f"job-{len(self._asked) + 1}", order.name, "New")
        self._asked.append(_Asked(order, made))
        return made.id

    def job(self, job_id: str, *, within: Deadline) -> Job:
        self._answer(within)
        asked = self._of(job_id)
        asked.looks += 1
        if not asked.job.is_over:
            asked.job = self._gone_on(asked)
        return asked.job

    def cancel(self, job_id: str, why: str, *, within: Deadline) -> None:
        self._answer(within)
        asked = self._of(job_id)
        if not asked.job.is_over:
            asked.job = replace(asked.job, status="Cancelled", reasons=(why,))

    def _gone_on(self, asked: _Asked) -> Job:
        if asked.looks == 1 or self.ends is None:
            return replace(asked.job, status="Active")
        if self.ends != "Complete":
            return replace(asked.job, status=self.ends, reasons=self.reasons)
        succeeded, failed = self._work(asked.order)
        return replace(asked.job, status="Complete", total=succeeded + failed, succeeded=succeeded, failed=failed)

    def _of(self, job_id: str) -> _Asked:
        for asked in self._asked:
            if asked.job.id == job_id:
                return asked
        raise NotFound("no such job", where=self.where, seen=job_id)

    def _answer(self, within: Deadline) -> None:
        del within
        if self.failing is not None:
            raise self.failing
