"""One version copied by S3: with all that it tells, whatever its size, and not from an archive."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Denied, NotFound, ProviderError
from defib.lab.alone import RunningAws, serve_replicated
from defib.lab.faults import Fault
from defib.providers.aws import AwsAccess
from defib.providers.bucket.copying import in_parts
from defib.providers.bucket.s3 import S3Bucket
from defib.replication.port import Cursor, Original

SOURCE, REPLICA = "pulse-assets", "pulse-assets-replica"
KEY = "copying/ä b+c%20 (1).html"
PART = 5 * 1024 * 1024
TOLD: dict[str, Any] = {
    "ContentType": "text/html; charset=utf-8",
    "CacheControl": "public, max-age=300",
    "ContentDisposition": "inline",
    "ContentEncoding": "identity",
    "ContentLanguage": "de",
    "Expires": "Thu, 01 Dec 2033 16:00:00 GMT",
    "WebsiteRedirectLocation": "/elsewhere.html",
    "Metadata": {"schema": "2"},
    "Tagging": "kind=page&licence=OFL%201.1",
    "StorageClass": "STANDARD_IA",
}
"""Everything that an object may be served with, and what is kept beside it."""


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """AWS with two buckets in two regions."""
    with serve_replicated() as running:
        yield running


@pytest.fixture(autouse=True)
def healed(aws: RunningAws) -> Iterator[None]:
    """Nothing stays broken."""
    yield
    aws.set_fault("s3", None)


def access(aws: RunningAws, region: str = "us-east-1") -> AwsAccess:
    """Its keys."""
    return AwsAccess(region, aws.endpoint, aws.credentials.access_key, aws.credentials.secret_key)


def client(aws: RunningAws) -> Any:
    """S3 itself."""
    make: Any = access(aws).session().client
    return make("s3", endpoint_url=aws.endpoint)


def soon(seconds: float = 20) -> Deadline:
    """Enough for a few calls."""
    return Deadline.after(SystemClock(), timedelta(seconds=seconds))


def original(bucket: S3Bucket, key: str, version: str) -> Original:
    """A version with all that it tells."""
    told = bucket.details(key, version, within=soon())
    assert told is not None
    tags = bucket.tags(key, version, within=soon()) if told.tagged else {}
    return Original(bucket.name, key, version, told, tags)


def wanted(aws: RunningAws, body: bytes) -> tuple[S3Bucket, Original]:
    """An object with everything, over which something else was written."""
    source = S3Bucket(SOURCE, access(aws))
    version = client(aws).put_object(Bucket=SOURCE, Key=KEY, Body=body, **TOLD)["VersionId"]
    client(aws).put_object(Bucket=SOURCE, Key=KEY, Body=b"spoilt")
    return source, original(source, KEY, version)


def assert_like(target: S3Bucket, copied: str, source: S3Bucket, like: Original) -> None:
    """The same bytes, headers, metadata, tags and storage class, as what the key holds now."""
    there = original(target, KEY, copied)
    told = like.told
    assert (there.told.headers, there.tags, there.told.storage) == (told.headers, like.tags, told.storage)
    assert set(told.headers) >= {"Expires", "x-amz-website-redirect-location", "x-amz-meta-schema"}
    assert target.digest(KEY, "", within=soon()) == source.digest(KEY, like.version, within=soon())


@pytest.mark.parametrize(("name", "region"), [(SOURCE, "us-east-1"), (REPLICA, "eu-west-1")])
def test_as_a_whole(aws: RunningAws, name: str, region: str) -> None:
    """Within the bucket, and to another region."""
    source, like = wanted(aws, b"good")
    target = S3Bucket(name, access(aws, region))
    assert_like(target, target.copy(like, within=soon()), source, like)


def test_in_parts(aws: RunningAws) -> None:
    """Over 5 GB CopyObject copies nothing: parts take along neither headers nor tags, which are given to the whole."""
    source, like = wanted(aws, bytes(range(256)) * (2 * PART // 256) + b"the rest")
    copied = in_parts(like, SOURCE, "here", lambda: client(aws), soon(), part=PART)
    assert_like(source, copied, source, like)
    told = source.details(KEY, copied, within=soon())
    assert told is not None
    assert (told.plain, "CRC64NVME" in told.checksums) == (False, True)


def test_parts_that_fail_leave_nothing(aws: RunningAws) -> None:
    """What was begun is ended: an upload that nobody ends costs money for good."""
    _, like = wanted(aws, b"x" * (PART + 1))
    client(aws).delete_object(Bucket=SOURCE, Key=KEY, VersionId=like.version)
    with pytest.raises(ProviderError):
        in_parts(like, SOURCE, "here", lambda: client(aws), soon(), part=PART)
    assert "Uploads" not in client(aws).list_multipart_uploads(Bucket=SOURCE)


def test_what_is_gone(aws: RunningAws) -> None:
    """It is named."""
    source, like = wanted(aws, b"good")
    source.remove(KEY, like.version, within=soon())
    with pytest.raises(NotFound):
        source.copy(like, within=soon())


def test_what_is_archived_and_what_was_thawed(aws: RunningAws) -> None:
    """HEAD says in which archive it is; thawed it can be copied, and is not put into the archive again."""
    source = S3Bucket(SOURCE, access(aws))
    version = client(aws).put_object(Bucket=SOURCE, Key="copying/cold", Body=b"1", StorageClass="GLACIER")["VersionId"]
    cold = original(source, "copying/cold", version)
    assert cold.told.frozen == "GLACIER"
    with pytest.raises(Denied):
        source.copy(cold, within=soon())
    asked = {"Days": 1, "GlacierJobParameters": {"Tier": "Standard"}}
    client(aws).restore_object(Bucket=SOURCE, Key="copying/cold", VersionId=version, RestoreRequest=asked)
    thawed = original(source, "copying/cold", version)
    assert (thawed.told.frozen, thawed.told.storage) == ("", "GLACIER")
    copied = source.copy(thawed, within=soon())
    assert original(source, "copying/cold", copied).told.storage == ""


def test_a_copy_is_asked_for_once(aws: RunningAws) -> None:
    """A refusal is told: who writes again looks first."""
    source, like = wanted(aws, b"good")
    before = len(source.page(Cursor(KEY), within=soon()).versions)
    aws.set_fault("s3", Fault("500"))
    with pytest.raises(ProviderError):
        source.copy(like, within=soon())
    aws.set_fault("s3", None)
    assert len(source.page(Cursor(KEY), within=soon()).versions) == before
