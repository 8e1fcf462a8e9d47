"""The lab's replication can stall, lag, corrupt, drop and fail, and S3 can be away in one Region and there in the other."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, FlexibleChecksumError

from defib.errors import InputError
from defib.lab import faults
from defib.lab.alone import serve_replicated
from defib.lab.faults import Fault
from defib.lab.replication.furniture import REPLICA, SOURCE
from tests.lab.replication_stage import CLOCK, Pair, refused, rule, wait_until

REPLICATION = "s3-replication"
THERE, HERE = "s3-eu-west-1", "s3-us-east-1"
PART = 5 * 1024 * 1024


@pytest.fixture(scope="module")
def running() -> Iterator[Pair]:
    """Both buckets as they stand in the lab."""
    with serve_replicated(replicates_in=timedelta(milliseconds=20)) as aws:
        yield Pair.of(aws)


@pytest.fixture
def pair(running: Pair) -> Iterator[Pair]:
    """The same, healed and without what a test wrote."""
    yield running
    for target in (REPLICATION, THERE, HERE, "s3"):
        running.aws.set_fault(target, None)
    running.empty("new/")


def md5(body: bytes) -> str:
    """The ETag of a plain object."""
    return f'"{hashlib.md5(body).hexdigest()}"'


def content(s3: Any, bucket: str, key: str) -> bytes:
    """What is in an object."""
    body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def test_what_is_stalled_goes_on_when_it_is_healed(pair: Pair) -> None:
    """S7: versions stay pending for as long as it lasts, nothing fails, and all of them arrive after it."""
    pair.aws.set_fault(REPLICATION, Fault("stall"))
    versions = [pair.put("new/stalled", body) for body in (b"1", b"2")]
    CLOCK.sleep(timedelta(milliseconds=200))
    assert [pair.status("new/stalled", version) for version in versions] == ["PENDING", "PENDING"]
    assert pair.replica("new/stalled") is None
    pair.aws.set_fault(REPLICATION, None)
    assert [pair.settled("new/stalled", version) for version in versions] == ["COMPLETED", "COMPLETED"]
    assert content(pair.there, REPLICA, "new/stalled") == b"2"


def test_a_corrupt_copy_says_completed_and_differs_by_a_byte(pair: Pair) -> None:
    """S1: same size, other bytes, another ETag; nothing else tells, and the next copy is whole."""
    pair.aws.set_fault(REPLICATION, Fault("corrupt", {"times": 1}))
    body = bytes(range(256))
    pair.put("new/corrupt", body, ContentType="text/x")
    assert pair.settled("new/corrupt") == "COMPLETED"
    there = content(pair.there, REPLICA, "new/corrupt")
    assert (len(there), sum(a != b for a, b in zip(body, there, strict=True))) == (256, 1)
    held: Any = pair.replica("new/corrupt")
    assert (held["ETag"], held["ContentType"], held["ReplicationStatus"]) == (md5(there), "text/x", "REPLICA")
    pair.put("new/whole", body)
    assert pair.settled("new/whole") == "COMPLETED"
    assert content(pair.there, REPLICA, "new/whole") == body


def test_a_corrupt_copy_can_hide_it(pair: Pair) -> None:
    """With `silent` ETag and checksum are those of the source: only who reads the bytes finds out."""
    pair.aws.set_fault(REPLICATION, Fault("corrupt", {"silent": 1}))
    pair.put("new/rotten", b"content")
    assert pair.settled("new/rotten") == "COMPLETED"
    held: Any = pair.replica("new/rotten", ChecksumMode="ENABLED")
    here = pair.here.head_object(Bucket=SOURCE, Key="new/rotten", ChecksumMode="ENABLED")
    assert (held["ETag"], held["ChecksumCRC32"]) == (here["ETag"], here["ChecksumCRC32"])
    with pytest.raises(FlexibleChecksumError):
        content(pair.there, REPLICA, "new/rotten")


def test_healing_does_not_mend_what_was_copied(pair: Pair) -> None:
    """Who repairs a copy does it over the API: a copy from the source makes a new version in the replica."""
    pair.aws.set_fault(REPLICATION, Fault("corrupt"))
    pair.put("new/mended", b"content")
    assert pair.settled("new/mended") == "COMPLETED"
    pair.aws.set_fault(REPLICATION, None)
    assert content(pair.there, REPLICA, "new/mended") != b"content"
    pair.there.copy_object(Bucket=REPLICA, Key="new/mended", CopySource=f"{SOURCE}/new/mended")
    assert content(pair.there, REPLICA, "new/mended") == b"content"


def test_what_is_dropped_says_completed_and_is_not_there(pair: Pair) -> None:
    """A status proves nothing: one in two says it is done and is not."""
    pair.aws.set_fault(REPLICATION, Fault("drop", {"every": 2}))
    for name in ("a", "b", "c", "d"):
        pair.put(f"new/{name}")
        assert pair.settled(f"new/{name}") == "COMPLETED"
    assert [pair.replica(f"new/{name}") is None for name in ("a", "b", "c", "d")] == [False, True, False, True]


def test_what_fails_is_not_tried_again(pair: Pair) -> None:
    """S8: it is failed for good, healed or not."""
    pair.aws.set_fault(REPLICATION, Fault("fail"))
    pair.put("new/failed")
    assert pair.settled("new/failed") == "FAILED"
    pair.aws.set_fault(REPLICATION, None)
    pair.put("new/later")
    assert (pair.settled("new/later"), pair.status("new/failed"), pair.replica("new/failed")) == (
        "COMPLETED",
        "FAILED",
        None,
    )


def test_lag_is_as_long_as_it_is_asked_to_be(pair: Pair) -> None:
    """What waits for a minute is there at once when it is healed; what waits for less is there then."""
    pair.aws.set_fault(REPLICATION, Fault("lag", {"seconds": 0.4}))
    before = CLOCK.monotonic()
    pair.put("new/late")
    assert pair.settled("new/late") == "COMPLETED"
    assert timedelta(seconds=0.4) <= CLOCK.monotonic() - before < timedelta(seconds=2)
    pair.aws.set_fault(REPLICATION, Fault("lag"))
    pair.put("new/later")
    CLOCK.sleep(timedelta(milliseconds=100))
    assert pair.status("new/later") == "PENDING"
    pair.aws.set_fault(REPLICATION, None)
    assert pair.settled("new/later") == "COMPLETED"


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ("500", (500, "InternalFailure")),
        ("429", (503, "SlowDown")),
        ("denied", (403, "AccessDenied")),
        ("skewed", (403, "RequestTimeTooSkewed")),
    ],
)
def test_one_region_is_broken_and_the_other_goes_on(pair: Pair, fault: str, answer: tuple[int, str]) -> None:
    """S15, S16, S17: what is signed for the broken Region is refused, the source is there for everybody."""
    pair.aws.set_fault(THERE, Fault(fault))
    assert refused(pair.there.list_object_versions, Bucket=REPLICA) == answer
    assert pair.here.list_object_versions(Bucket=SOURCE)["Versions"]
    pair.aws.set_fault(THERE, None)
    assert pair.there.list_object_versions(Bucket=REPLICA)["Versions"]


def test_while_a_region_is_away_versions_stay_pending(pair: Pair) -> None:
    """S7, S15: a Region that nobody reaches fails nothing; what was written meanwhile arrives when it is back."""
    pair.aws.set_fault(THERE, Fault("refuse"))
    with pytest.raises(ConnectionClosedError):
        pair.there.list_object_versions(Bucket=REPLICA)
    pair.put("new/away")
    CLOCK.sleep(timedelta(milliseconds=150))
    assert pair.status("new/away") == "PENDING"
    pair.aws.set_fault(THERE, None)
    assert pair.settled("new/away") == "COMPLETED"


def test_a_client_whose_clock_is_wrong_is_told_so(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """S17: sixteen minutes are too much, fourteen are not, without any fault."""
    assert pair.here.head_bucket(Bucket=SOURCE)
    for minutes, code in ((14, ""), (16, "RequestTimeTooSkewed"), (-16, "RequestTimeTooSkewed")):
        when = CLOCK.now() + timedelta(minutes=minutes)
        monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, now=when, **__: now.replace(tzinfo=None))
        if code:
            assert refused(pair.here.list_objects_v2, Bucket=SOURCE) == (403, code)
        else:
            assert pair.here.list_objects_v2(Bucket=SOURCE)["Contents"]


def test_a_listing_can_lack_a_version(pair: Pair) -> None:
    """The last version of a page is there and is not listed."""
    whole = pair.here.list_object_versions(Bucket=SOURCE)["Versions"]
    pair.aws.set_fault("s3", Fault("short-listing"))
    assert pair.here.list_object_versions(Bucket=SOURCE)["Versions"] == whole[:-1]


def test_the_faults_have_their_options() -> None:
    """Every fault is checked before it is put in force."""
    targets = {REPLICATION: faults.REPLICATION_FAULTS, THERE: faults.REGION_FAULTS}
    faults.check(targets, REPLICATION, Fault("lag", {"seconds": 5}))
    faults.check(targets, REPLICATION, Fault("corrupt", {"silent": 1, "times": 2, "every": 3}))
    with pytest.raises(InputError, match="no option of stall 'times'"):
        faults.check(targets, REPLICATION, Fault("stall", {"times": 1}))


def test_an_object_in_parts_is_corrupted_in_its_own_parts(pair: Pair) -> None:
    """The ETag of a damaged copy is one of as many parts, and another."""
    pair.configure(rule())
    pair.aws.set_fault(REPLICATION, Fault("corrupt"))
    upload = pair.here.create_multipart_upload(Bucket=SOURCE, Key="new/parts")["UploadId"]
    told = {"Bucket": SOURCE, "Key": "new/parts", "UploadId": upload}
    bodies = enumerate((b"a" * PART, b"b"), 1)
    parts = [
        {"PartNumber": number, "ETag": pair.here.upload_part(**told, PartNumber=number, Body=body)["ETag"]}
        for number, body in bodies
    ]
    etag = pair.here.complete_multipart_upload(**told, MultipartUpload={"Parts": parts})["ETag"]
    wait_until(lambda: pair.status("new/parts") == "COMPLETED")
    held: Any = pair.replica("new/parts")
    assert held["ETag"] != etag
    assert held["ETag"].endswith('-2"')
