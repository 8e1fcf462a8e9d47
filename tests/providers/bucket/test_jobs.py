"""Jobs of S3 Batch Replication: at S3, which is the lab's, and in memory."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Denied, LeaseLost, NotFound, Unavailable
from defib.lab.alone import RunningAws, serve_replicated
from defib.lab.replication.furniture import BATCH_ROLE, CONFIGURATION, REPLICA, ROLE, SOURCE
from defib.providers.aws import AwsAccess, Clients
from defib.providers.bucket.jobs import S3Jobs
from defib.providers.bucket.retrying_jobs import RetryingJobs
from defib.providers.bucket.s3 import S3Bucket
from defib.replication.jobs import Chosen, Order
from defib.replication.port import Status
from tests.contracts.jobs import JobsContract, JobsWorld
from tests.replication.buckets import SOURCE as MEMORY
from tests.replication.buckets import Buckets

ACCOUNT = "123456789012"


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """AWS with two buckets in two regions."""
    with serve_replicated(replicates_in=timedelta(milliseconds=20)) as running:
        yield running


def access(aws: RunningAws, region: str = "us-east-1") -> AwsAccess:
    """Its keys."""
    return AwsAccess(region, aws.endpoint, aws.credentials.access_key, aws.credentials.secret_key)


def soon() -> Deadline:
    """Enough for a few calls."""
    return Deadline.after(SystemClock(), timedelta(seconds=20))


def order(prefix: str = "", **more: Any) -> Order:
    """A job about what is below a prefix, as of an hour from now."""
    later = (SystemClock().now() + timedelta(hours=1)).replace(microsecond=0)
    return Order(**{"bucket": SOURCE, "before": later, "role": BATCH_ROLE, "prefix": prefix, **more})


class TestS3Jobs(JobsContract):
    """Over the lab's S3."""

    @pytest.fixture
    def world(self, aws: RunningAws) -> JobsWorld:
        """A prefix of its own, below which objects are written while the bucket has no rule."""
        prefix = f"jobs-{secrets.token_hex(4)}/"
        configurations = aws.aws.replication.configurations
        source, replica = S3Bucket(SOURCE, access(aws)), S3Bucket(REPLICA, access(aws, "eu-west-1"))

        def write(key: str) -> str:
            configurations._held.pop(SOURCE, None)
            version = source.put(prefix + key, b"content", within=soon())
            configurations.put(SOURCE, CONFIGURATION.encode())
            return version

        def arrived(key: str, version: str) -> bool:
            return replica.details(prefix + key, version, within=soon()) is not None

        return JobsWorld(S3Jobs(ACCOUNT, access(aws)), order(prefix), write, arrived)

    def test_a_job_whose_role_is_not_for_jobs_fails_with_its_reason(self, aws: RunningAws, world: JobsWorld) -> None:
        """The role of live replication is not one that Batch Operations may take."""
        job = world.ended(world.jobs.create(order("jobs-role/", role=ROLE), within=soon()))
        assert (job.status, job.reasons[0].partition(":")[0]) == ("Failed", "AccessDenied")

    def test_another_account_s_jobs_are_closed(self, aws: RunningAws) -> None:
        """No difference is made of it."""
        with pytest.raises(Denied):
            S3Jobs("210987654321", access(aws)).named("defib", within=soon())

    def test_the_token_of_another_job(self, aws: RunningAws, world: JobsWorld) -> None:
        """It cannot come to that: the token is made of all that the job is."""
        tokens = {order("a/").token, order("b/").token, order("a/", priority=11).token, order("a/", role=ROLE).token}
        assert len(tokens) == 4
        assert all(len(token) <= 64 for token in tokens)


class TestMemoryJobs(JobsContract):
    """The ones that tests are made with."""

    @pytest.fixture
    def world(self, tmp_path: Path) -> JobsWorld:
        """Between the buckets in memory."""
        buckets = Buckets(tmp_path)
        wanted = Order(MEMORY, buckets.clock.now() + timedelta(hours=1), BATCH_ROLE, "jobs/")
        return JobsWorld(
            buckets.jobs,
            wanted,
            lambda key: buckets.write(f"jobs/{key}", status=Status.NONE),
            lambda key, version: buckets.replica.kept(f"jobs/{key}", version) is not None,
            buckets.clock,
        )


class TestAnOrder:
    """What stands in a plan, and what a job is made of."""

    @pytest.mark.parametrize(
        "wanted",
        [
            Order("assets", datetime(2026, 1, 1, 12, 30, tzinfo=UTC), ROLE),
            Order("assets", datetime(2026, 1, 1, tzinfo=UTC), ROLE, "a b/ü'\"$(x)\n/", (Chosen.NONE,), 3, "reports", 7),
        ],
    )
    def test_its_text_says_all_of_it(self, wanted: Order) -> None:
        """Whatever a prefix may hold: a run that is taken up again reads the order from its plan."""
        assert Order.of(wanted.text, wanted.number) == wanted

    def test_a_number_that_is_none(self) -> None:
        """A text that is none of ours is not guessed at."""
        with pytest.raises((KeyError, ValueError)):
            Order.of("--bucket assets", 1)


def test_no_such_job_in_the_lab(aws: RunningAws) -> None:
    """A job that is cancelled must be there."""
    with pytest.raises(NotFound):
        S3Jobs(ACCOUNT, access(aws)).cancel("00000000-0000-0000-0000-000000000000", "a test", within=soon())


class Pages:
    """A control API whose list has three pages."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def list_jobs(self, **wanted: Any) -> dict[str, Any]:
        """One job a page."""
        self.asked.append(wanted.get("NextToken", ""))
        number = len(self.asked)
        job = {"JobId": f"job-{number}", "Description": "ours" if number != 2 else "theirs", "Status": "Complete"}
        more = {"NextToken": f"page-{number + 1}"} if number < 3 else {}
        return {"Jobs": [{**job, "CreationTime": 3 - number}], **more}


def test_a_list_of_several_pages(aws: RunningAws) -> None:
    """All of them are read, others' jobs are left out, and the newest comes last whatever the order."""
    jobs, pages = S3Jobs(ACCOUNT, access(aws)), Pages()
    jobs._clients = Clients(lambda _: _Client(pages))
    assert [job.id for job in jobs.named("ours", within=soon())] == ["job-3", "job-1"]
    assert pages.asked == ["", "page-2", "page-3"]


class _Client:
    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def list_jobs(self, AccountId: str, **wanted: Any) -> dict[str, Any]:  # noqa: N803 - AWS's own name
        """As the account's."""
        assert AccountId == ACCOUNT
        return self._pages.list_jobs(**wanted)


class TestRetrying:
    """S3 answers 503, and a run may have lost its lease."""

    def test_everything_is_asked_again(self, tmp_path: Path) -> None:
        """A job that was made once is made once."""
        buckets = Buckets(tmp_path)
        jobs = RetryingJobs(buckets.jobs, lambda: None, random.Random(0))
        wanted = Order(MEMORY, buckets.clock.now(), BATCH_ROLE)
        buckets.jobs.failing = Unavailable("SlowDown")
        buckets.clock.at(buckets.clock.monotonic() + timedelta(seconds=3), lambda: setattr(buckets.jobs, "failing", None))
        job_id = jobs.create(wanted, within=buckets.within)
        assert [job.id for job in jobs.named(wanted.name, within=buckets.within)] == [job_id]
        assert len(buckets.jobs.all) == 1

    def test_without_the_lease_nothing_is_asked_for(self, tmp_path: Path) -> None:
        """The fence stands before every write, and before no question."""
        buckets = Buckets(tmp_path)

        def lost() -> None:
            raise LeaseLost("lost")

        jobs = RetryingJobs(buckets.jobs, lost, random.Random(0))
        with pytest.raises(LeaseLost):
            jobs.create(Order(MEMORY, buckets.clock.now(), BATCH_ROLE), within=buckets.within)
        with pytest.raises(LeaseLost):
            jobs.cancel("job-1", "a test", within=buckets.within)
        assert jobs.named("any", within=buckets.within) == []
