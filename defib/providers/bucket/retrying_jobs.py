"""Jobs that are asked for again while S3 is unavailable and the deadline allows."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeVar

from defib.clock import Deadline
from defib.providers.attempts import Attempts, Backoff
from defib.providers.wrappers.fenced import Check
from defib.replication.jobs import Job, Jobs, Order

T = TypeVar("T")

_BACKOFF = Backoff()
_BY_HAND = "aws s3control list-jobs tells what became of it"


class RetryingJobs:
    """Fulfils :class:`Jobs` around another one; `check` is called right before each write, and raises to stop it.

    All may be repeated: who asks for a job once more gets the same.
    """

    def __init__(self, inner: Jobs, check: Check, chance: random.Random, backoff: Backoff = _BACKOFF) -> None:
        self._inner, self._check = inner, check
        self._attempts = Attempts(chance, backoff, _BY_HAND)

    @property
    def where(self) -> str:
        return self._inner.where

    def named(self, name: str, *, within: Deadline) -> Sequence[Job]:
        return self._attempts.run(lambda soon: self._inner.named(name, within=soon), within)

    def create(self, order: Order, *, within: Deadline) -> str:
        return self._written(lambda soon: self._inner.create(order, within=soon), within)

    def job(self, job_id: str, *, within: Deadline) -> Job:
        return self._attempts.run(lambda soon: self._inner.job(job_id, within=soon), within)

    def cancel(self, job_id: str, why: str, *, within: Deadline) -> None:
        self._written(lambda soon: self._inner.cancel(job_id, why, within=soon), within)

    def _written(self, work: Callable[[Deadline], T], within: Deadline) -> T:
        def once(soon: Deadline) -> T:
            self._check()
            return work(soon)

        return self._attempts.run(once, within)
