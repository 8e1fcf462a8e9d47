"""What every :class:`defib.replication.jobs.Jobs` keeps, whatever is behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from defib.clock import Clock, Deadline, SystemClock
from defib.errors import NotFound
from defib.replication.jobs import Job, Jobs, Order


@dataclass
class JobsWorld:
    """Jobs, an order that they can carry out, what writes a version that it is about, and whether that was replicated."""

    jobs: Jobs
    order: Order
    write: Callable[[str], str]
    arrived: Callable[[str, str], bool]
    clock: Clock = field(default_factory=SystemClock)

    @property
    def soon(self) -> Deadline:
        """A deadline that is far enough."""
        return Deadline.after(self.clock, timedelta(seconds=20))

    def ended(self, job_id: str) -> Job:
        """A job when it is over."""
        within = self.soon
        while not within.expired():
            job = self.jobs.job(job_id, within=within)
            if job.is_over:
                return job
            self.clock.sleep(timedelta(milliseconds=20))
        raise AssertionError("the job has no end")


class JobsContract:
    """Subclass with a fixture `world`."""

    @pytest.fixture
    def world(self) -> Iterator[JobsWorld]:
        """The jobs under test; each adapter's class gives its own."""
        raise NotImplementedError

    def test_what_was_never_covered_is_replicated(self, world: JobsWorld) -> None:
        """Every version of it, under its own id, and the job says how many."""
        versions = [(key, world.write(key)) for key in ("a", "a", "b")]
        job = world.ended(world.jobs.create(world.order, within=world.soon))
        assert (job.status, job.total, job.succeeded, job.failed, job.reasons) == ("Complete", 3, 3, 0, ())
        assert all(world.arrived(key, version) for key, version in versions)

    def test_asked_for_twice_it_is_one_job(self, world: JobsWorld) -> None:
        """Who was killed before it heard the answer asks again, and the same order with another number is another job."""
        first = world.jobs.create(world.order, within=world.soon)
        assert world.jobs.create(world.order, within=world.soon) == first
        assert [job.id for job in world.jobs.named(world.order.name, within=world.soon)] == [first]
        second = Order.of(world.order.text, 2)
        assert world.jobs.create(second, within=world.soon) != first
        assert [job.id for job in world.jobs.named(world.order.name, within=world.soon)] == [first]

    def test_what_nobody_asked_for_is_not_there(self, world: JobsWorld) -> None:
        """By its name, and by its id."""
        assert world.jobs.named("defib of nobody", within=world.soon) == []
        with pytest.raises(NotFound):
            world.jobs.job("00000000-0000-0000-0000-000000000000", within=world.soon)

    def test_a_job_that_is_over_cannot_be_cancelled(self, world: JobsWorld) -> None:
        """No error: there is nothing left to cancel."""
        job = world.ended(world.jobs.create(world.order, within=world.soon))
        world.jobs.cancel(job.id, "a test", within=world.soon)
        assert world.jobs.job(job.id, within=world.soon).status == "Complete"

    def test_a_job_that_is_at_work_can(self, world: JobsWorld) -> None:
        """It replicates nothing more, and is known by its status."""
        job_id = world.jobs.create(world.order, within=world.soon)
        world.jobs.cancel(job_id, "a test", within=world.soon)
        assert world.ended(job_id).is_given_up
        (told,) = world.jobs.named(world.order.name, within=world.soon)
        assert told.is_given_up
