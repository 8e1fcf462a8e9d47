"""S3 of the lab lists, suspends and deletes versions as AWS does, keeps checksums, and looks at conditions."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from defib.lab.alone import RunningAws, serve_aws
from defib.lab.strict import checksums
from tests.lab.replication_stage import client, refused

BUCKET = "versioned"
KEYS = ("a", "a/b", "a/c d", "b+1", "é", "b/x/y")


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """AWS alone."""
    with serve_aws() as running:
        yield running


@pytest.fixture
def s3(aws: RunningAws) -> Iterator[Any]:
    """A client, and a bucket with versions."""
    made = client(aws)
    made.create_bucket(Bucket=BUCKET)
    version(made, "Enabled")
    yield made
    page = made.list_object_versions(Bucket=BUCKET)
    for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
        made.delete_object(Bucket=BUCKET, Key=each["Key"], VersionId=each["VersionId"])
    made.delete_bucket(Bucket=BUCKET)


def version(s3: Any, status: str) -> None:
    """Enable or suspend versions."""
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": status})


def put(s3: Any, key: str, body: bytes = b"x", **more: Any) -> Any:
    """Put an object."""
    return s3.put_object(Bucket=BUCKET, Key=key, Body=body, **more)


def lines(page: dict[str, Any]) -> list[tuple[str, str]]:
    """What a page holds, by key and version."""
    held = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
    return [(each["Key"], each["VersionId"]) for each in held] + [
        (each["Prefix"], "") for each in page.get("CommonPrefixes", ())
    ]


def in_pages(s3: Any, size: int, **asked: Any) -> tuple[list[tuple[str, str]], int]:
    """A whole listing, page by page by its markers, and how many pages it took."""
    found: list[tuple[str, str]] = []
    markers: dict[str, str] = {}
    for pages in range(1, 100):
        page = s3.list_object_versions(Bucket=BUCKET, MaxKeys=size, **asked, **markers)
        assert len(lines(page)) <= size
        found += lines(page)
        if not page["IsTruncated"]:
            return found, pages
        markers = {"KeyMarker": page["NextKeyMarker"]}
        markers |= {"VersionIdMarker": page["NextVersionIdMarker"]} if page.get("NextVersionIdMarker") else {}
    raise AssertionError("the listing does not end")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    writes=st.lists(st.tuples(st.sampled_from(KEYS), st.booleans()), max_size=14),
    size=st.integers(1, 5),
    asked=st.sampled_from([{}, {"Prefix": "a"}, {"Delimiter": "/"}, {"Prefix": "b", "Delimiter": "/"}]),
)
def test_pages_together_are_the_whole_listing(
    s3: Any, writes: list[tuple[str, bool]], size: int, asked: dict[str, str]
) -> None:
    """Whatever the size of a page, nothing is lost or told twice at its border."""
    for key, removed in writes:
        if removed:
            s3.delete_object(Bucket=BUCKET, Key=key)
        else:
            put(s3, key)
    whole = lines(s3.list_object_versions(Bucket=BUCKET, **asked))
    found, pages = in_pages(s3, size, **asked)
    assert sorted(found) == sorted(whole)
    assert pages == max(1, -(-len(whole) // size))


def test_the_newest_version_comes_first(s3: Any) -> None:
    """In the order of keys, and within one from the newest; only that is the latest."""
    made = [put(s3, "b")["VersionId"], put(s3, "b")["VersionId"]]
    put(s3, "a")
    page = s3.list_object_versions(Bucket=BUCKET)
    assert lines(page)[1:] == [("b", made[1]), ("b", made[0])]
    assert [each["IsLatest"] for each in page["Versions"]] == [True, True, False]


def test_a_marker_is_good_though_its_version_is_gone(s3: Any) -> None:
    """Who pages goes on at the right place when a version is deleted in between."""
    made = [put(s3, "k")["VersionId"] for _ in range(3)]
    first = s3.list_object_versions(Bucket=BUCKET, MaxKeys=1)
    assert lines(first) == [("k", made[2])]
    s3.delete_object(Bucket=BUCKET, Key="k", VersionId=made[2])
    rest = s3.list_object_versions(Bucket=BUCKET, KeyMarker="k", VersionIdMarker=first["NextVersionIdMarker"])
    assert lines(rest) == [("k", made[1]), ("k", made[0])]


def test_versions_survive_when_versioning_is_suspended(s3: Any) -> None:
    """S10: what is written then is "null", in place of another null; all others stay and can be read."""
    kept = put(s3, "k", b"old", Tagging="a=1")["VersionId"]
    version(s3, "Suspended")
    assert [put(s3, "k", body, Tagging="b=2")["VersionId"] for body in (b"1", b"2")] == ["null", "null"]
    assert lines(s3.list_object_versions(Bucket=BUCKET)) == [("k", "null"), ("k", kept)]
    assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"2"
    assert s3.get_object_tagging(Bucket=BUCKET, Key="k")["TagSet"] == [{"Key": "b", "Value": "2"}]
    assert s3.head_object(Bucket=BUCKET, Key="k", VersionId=kept)["ContentLength"] == 3
    assert s3.delete_object(Bucket=BUCKET, Key="k")["VersionId"] == "null"
    page = s3.list_object_versions(Bucket=BUCKET)
    assert ([each["VersionId"] for each in page["Versions"]], len(page["DeleteMarkers"])) == ([kept], 1)
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Suspended"


def test_delete_markers_are_told(s3: Any) -> None:
    """Deleting makes one, also of what never was; removing one says so; reading one is refused."""
    put(s3, "k")
    marker = s3.delete_object(Bucket=BUCKET, Key="k")
    assert marker["DeleteMarker"] is True
    assert refused(s3.get_object, Bucket=BUCKET, Key="k") == (404, "NoSuchKey")
    assert refused(s3.get_object, Bucket=BUCKET, Key="k", VersionId=marker["VersionId"]) == (405, "MethodNotAllowed")
    assert s3.delete_object(Bucket=BUCKET, Key="k", VersionId=marker["VersionId"])["DeleteMarker"] is True
    assert s3.get_object(Bucket=BUCKET, Key="k")["Body"].read() == b"x"
    assert s3.delete_object(Bucket=BUCKET, Key="never")["DeleteMarker"] is True
    assert [each["Key"] for each in s3.list_object_versions(Bucket=BUCKET)["DeleteMarkers"]] == ["never"]


def test_every_object_has_a_checksum(aws: RunningAws, s3: Any) -> None:
    """S2, S3: the one that the client named, else CRC64NVME; a listing says which, a head what it is when asked."""
    put(s3, "named", b"whole", ChecksumAlgorithm="SHA256")
    silent = client(aws, request_checksum_calculation="when_required")
    put(silent, "plain", b"123456789")
    named = s3.head_object(Bucket=BUCKET, Key="named", ChecksumMode="ENABLED")
    assert named["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(b"whole").digest()).decode()
    assert "ChecksumSHA256" not in s3.head_object(Bucket=BUCKET, Key="named")
    plain = s3.get_object(Bucket=BUCKET, Key="plain", ChecksumMode="ENABLED")
    assert (plain["ChecksumCRC64NVME"], plain["ChecksumType"]) == ("rosUhgp5mIg=", "FULL_OBJECT")
    told = s3.get_object_attributes(Bucket=BUCKET, Key="plain", ObjectAttributes=["Checksum", "ETag"])
    assert told["Checksum"] == {"ChecksumCRC64NVME": "rosUhgp5mIg=", "ChecksumType": "FULL_OBJECT"}
    page = s3.list_object_versions(Bucket=BUCKET)["Versions"]
    assert [each["ChecksumAlgorithm"] for each in page] == [["SHA256"], ["CRC64NVME"]]


@pytest.mark.parametrize(
    ("algorithm", "checksum"), [("CRC64NVME", "ae8b14860a799888"), ("CRC32C", "e3069283"), ("CRC32", "cbf43926")]
)
def test_checksums_are_those_of_the_catalogue(algorithm: str, checksum: str) -> None:
    """Each algorithm gives its published check value, https://reveng.sourceforge.io/crc-catalogue/."""
    assert base64.b64decode(checksums.made(algorithm, b"123456789")).hex() == checksum


def test_a_wrong_checksum_is_refused(s3: Any) -> None:
    """S3 stores what has the checksum that the client says, or nothing."""
    wrong = base64.b64encode(b"0000").decode()
    assert refused(put, s3=s3, key="k", ChecksumCRC32=wrong) == (400, "BadDigest")
    assert refused(put, s3=s3, key="k", ChecksumCRC32C=wrong) == (400, "BadDigest")


def test_kms_gives_etags_that_are_no_digests(s3: Any) -> None:
    """S3: the same bytes twice have two ETags."""
    key: dict[str, Any] = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "arn:aws:kms:us-east-1:123456789012:key/k"}
    etags = [put(s3, "k", **key)["ETag"] for _ in range(2)]
    etags.append(s3.copy_object(Bucket=BUCKET, Key="k2", CopySource=f"{BUCKET}/k", **key)["CopyObjectResult"]["ETag"])
    listed = [each["ETag"] for each in s3.list_object_versions(Bucket=BUCKET)["Versions"]]
    assert sorted(listed) == sorted(etags)
    assert len({*etags, f'"{hashlib.md5(b"x").hexdigest()}"'}) == 4


def test_conditions_of_a_copy_are_looked_at(s3: Any) -> None:
    """A version is copied if it is still the one, to where there is still what was, or nothing."""
    source = put(s3, "from", b"1")
    named = {"Bucket": BUCKET, "Key": "from", "VersionId": source["VersionId"]}
    copy = {"Bucket": BUCKET, "Key": "to", "CopySource": named}
    put(s3, "from", b"2")
    assert refused(s3.copy_object, **copy, CopySourceIfMatch='"0"') == (412, "PreconditionFailed")
    s3.copy_object(**copy, CopySourceIfMatch=source["ETag"], IfNoneMatch="*")
    assert s3.get_object(Bucket=BUCKET, Key="to")["Body"].read() == b"1"
    assert refused(s3.copy_object, **copy, IfNoneMatch="*") == (412, "PreconditionFailed")
    assert refused(s3.copy_object, **copy, IfMatch='"0"') == (412, "PreconditionFailed")
    s3.copy_object(**copy, IfMatch=source["ETag"])
    assert refused(s3.copy_object, **{**copy, "Key": "nothing"}, IfMatch=source["ETag"])[0] == 404


def test_conditions_of_a_write_are_looked_at(s3: Any) -> None:
    """Put and delete do what they are asked if the object is still the one."""
    etag = put(s3, "k", b"1", IfNoneMatch="*")["ETag"]
    assert refused(put, s3=s3, key="k", IfNoneMatch="*") == (412, "PreconditionFailed")
    assert refused(put, s3=s3, key="k", IfMatch='"0"') == (412, "PreconditionFailed")
    put(s3, "k", b"1", IfMatch=etag)
    assert refused(s3.delete_object, Bucket=BUCKET, Key="k", IfMatch='"0"') == (412, "PreconditionFailed")
    s3.delete_object(Bucket=BUCKET, Key="k", IfMatch="*")
    assert refused(s3.delete_object, Bucket=BUCKET, Key="k", IfMatch="*") == (412, "PreconditionFailed")
