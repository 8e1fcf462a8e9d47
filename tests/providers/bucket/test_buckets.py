"""The buckets that a comparison reads: at S3, which is the lab's, and in memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Denied, NotFound, Unavailable
from defib.lab.alone import RunningAws, serve_aws, serve_replicated
from defib.lab.faults import Fault
from defib.providers.aws import AwsAccess
from defib.providers.bucket.memory import MemoryBucket
from defib.providers.bucket.pages import read_page
from defib.providers.bucket.s3 import S3Bucket
from defib.replication.listing import versions
from defib.replication.port import Cursor, Status
from defib.replication.rules import BucketSettings
from tests.contracts.bucket import PREFIX, BucketContract, BucketWorld

SOURCE, REPLICA = "pulse-assets", "pulse-assets-replica"


def bucket(aws: RunningAws, name: str, region: str = "us-east-1") -> S3Bucket:
    """A bucket of the lab."""
    keys = aws.credentials
    return S3Bucket(name, AwsAccess(region, aws.endpoint, keys.access_key, keys.secret_key))


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """AWS with two buckets."""
    with serve_replicated() as running:
        yield running


def _emptied(aws: RunningAws, *names: str) -> None:
    clock = SystemClock()
    for name in names:
        each = bucket(aws, name)
        within = Deadline.after(clock, timedelta(seconds=30))
        for key, held in versions(each, Cursor(PREFIX), within):
            for version in held:
                each.remove(key, version.id, within=within)


class TestS3Bucket(BucketContract):
    """Over the lab's S3."""

    @pytest.fixture
    def world(self, aws: RunningAws) -> Iterator[BucketWorld]:
        """The source, which no rule leads to."""
        _emptied(aws, SOURCE, REPLICA)
        yield BucketWorld(bucket(aws, SOURCE), bucket(aws, REPLICA, "eu-west-1"))
        _emptied(aws, SOURCE, REPLICA)


class TestMemoryBucket(BucketContract):
    """The one that tests are made with."""

    @pytest.fixture
    def world(self) -> BucketWorld:
        """Two that know each other."""
        clock = SystemClock()
        made = [MemoryBucket(name, "here", clock, BucketSettings("here", "Enabled"), 3) for name in ("one", "other")]
        for each in made:
            each.beside.update({other.name: other for other in made})
        return BucketWorld(made[0], made[1], clock)


class TestWhatS3Tells:
    """What a comparison of replicas goes by."""

    def within(self) -> Deadline:
        """Far enough."""
        return Deadline.after(SystemClock(), timedelta(seconds=20))

    def test_status_and_checksum(self, aws: RunningAws) -> None:
        """The source says COMPLETED, the replica REPLICA, and both the same CRC64NVME."""
        source, replica = bucket(aws, SOURCE), bucket(aws, REPLICA, "eu-west-1")
        listed = source.page(Cursor("images/"), within=self.within()).versions
        version = next(each for each in listed if not each.marker)
        here = source.details(version.key, version.id, within=self.within())
        there = replica.details(version.key, version.id, within=self.within())
        assert here is not None
        assert there is not None
        assert (here.status, there.status) == (Status.COMPLETED, Status.REPLICA)
        assert here.checksums == there.checksums != {}
        assert (here.etag, here.size, here.modified) == (version.etag, version.size, version.modified)

    def test_headers_metadata_and_tags(self, aws: RunningAws) -> None:
        """All that an object is served with, and its metadata under the names of the wire."""
        source, within = bucket(aws, SOURCE), self.within()
        listed = [each for each in source.page(Cursor(), within=within).versions if not each.marker]
        told = [source.details(each.key, each.id, within=within) for each in listed]
        names = {name for each in told if each is not None for name in each.headers}
        assert {"Content-Type", "Cache-Control"} <= names
        assert any(name.startswith("x-amz-meta-") for name in names)
        assert any(source.tags(each.key, each.id, within=within) for each in listed)

    def test_a_bucket_that_is_not_there(self, aws: RunningAws) -> None:
        """Its name is in the message, and what to look at."""
        with pytest.raises(NotFound) as caught:
            bucket(aws, "nobodys-bucket").page(Cursor(), within=self.within())
        assert "nobodys-bucket" in caught.value.where

    def test_keys_that_are_not_taken(self, aws: RunningAws) -> None:
        """No difference is made of it."""
        wrong = S3Bucket(SOURCE, AwsAccess("us-east-1", aws.endpoint, aws.credentials.access_key, "wrong"))
        with pytest.raises(Denied):
            wrong.page(Cursor(), within=self.within())


def test_a_region_that_refuses_is_unavailable() -> None:
    """S15: and the other region answers."""
    with serve_aws() as aws:
        aws.set_fault("s3-eu-west-1", Fault("500"))
        within = Deadline.after(SystemClock(), timedelta(seconds=10))
        with pytest.raises(Unavailable):
            bucket(aws, "pulse-assets-replica", "eu-west-1").page(Cursor(), within=within)


def test_a_clock_that_is_wrong_is_named() -> None:
    """S17: 16 minutes off, S3 takes no signature; the message says what it is and how to mend it."""
    with serve_replicated() as aws:
        aws.set_fault("s3", Fault("skewed"))
        within = Deadline.after(SystemClock(), timedelta(seconds=10))
        with pytest.raises(Denied, match="clock is wrong") as caught:
            bucket(aws, SOURCE).page(Cursor(), within=within)
        assert "timedatectl" in caught.value.then


@pytest.mark.parametrize("body", [b"", b"<html>busy</html>", b"<ListVersionsResult><Version><Key>a</Key>", b"\xff\xfe"])
def test_what_is_no_whole_listing_is_unavailable(body: bytes) -> None:
    """S3 answers 200 before it has the page; what broke off is asked for again, and never taken for an empty bucket."""
    with pytest.raises(Unavailable):
        read_page(body, Cursor(), "s3://bucket")
