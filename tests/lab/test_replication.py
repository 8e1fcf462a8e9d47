"""The lab's replication copies versions with lag, keeps what S3 keeps of them, and honours the rules."""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from boto3.s3.transfer import TransferConfig
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from defib.lab.alone import serve_replicated
from defib.lab.replication import furniture
from defib.lab.replication.furniture import REPLICA, SOURCE
from tests.lab.replication_stage import Pair, refused, rule, wait_until

PART = 5 * 1024 * 1024


@pytest.fixture(scope="module")
def running() -> Iterator[Pair]:
    """Both buckets as they stand in the lab."""
    with serve_replicated() as aws:
        yield Pair.of(aws)


@pytest.fixture
def pair(running: Pair) -> Iterator[Pair]:
    """The same, with the rule of the lab and without what a test wrote."""
    yield running
    running.configure(rule())
    running.there.put_bucket_versioning(Bucket=REPLICA, VersioningConfiguration={"Status": "Enabled"})
    running.empty("new/")


def listed(s3: Any, bucket: str) -> list[tuple[str, str, str]]:
    """Every version and every marker, with its ETag."""
    page = s3.list_object_versions(Bucket=bucket)
    versions = [(each["Key"], each["VersionId"], each["ETag"]) for each in page["Versions"]]
    return versions + [(each["Key"], each["VersionId"], "marker") for each in page["DeleteMarkers"]]


def test_both_buckets_stand_replicated_from_the_start(pair: Pair) -> None:
    """Some tens of versions, the same on both sides, each with its status; the same in every lab."""
    here = listed(pair.here, SOURCE)
    assert here == listed(pair.there, REPLICA)
    assert 40 < len(here) < 100
    for key, version, _ in (each for each in here if each[2] != "marker"):
        held = pair.replica(key, version)
        assert (pair.status(key, version), held and held["ReplicationStatus"]) == ("COMPLETED", "REPLICA")
    assert ("data/history.bin", "co9_gnJriRZNbcHsXY2aE_LU1ny7GvhR") in [each[:2] for each in here]


def test_a_new_version_is_pending_then_completed(pair: Pair) -> None:
    """The replica has the version, its creation time, metadata, tags, checksum and ETag."""
    told: dict[str, Any] = {
        "Metadata": {"source": "ä b"[2:]},
        "CacheControl": "max-age=5",
        "ContentType": "text/plain",
        "Tagging": "a=1&b=2",
    }
    version = pair.put("new/one +ü.txt", **told)
    assert pair.status("new/one +ü.txt") == "PENDING"
    assert pair.settled("new/one +ü.txt") == "COMPLETED"
    here = pair.here.head_object(Bucket=SOURCE, Key="new/one +ü.txt", ChecksumMode="ENABLED")
    there: Any = pair.replica("new/one +ü.txt", ChecksumMode="ENABLED")
    same = ("ETag", "LastModified", "VersionId", "Metadata", "CacheControl", "ContentType", "ChecksumCRC32", "ContentLength")
    assert {name: here[name] for name in same} == {name: there[name] for name in same}
    assert (there["VersionId"], there["ReplicationStatus"]) == (version, "REPLICA")
    tags = pair.there.get_object_tagging(Bucket=REPLICA, Key="new/one +ü.txt")["TagSet"]
    assert tags == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    assert pair.there.get_object(Bucket=REPLICA, Key="new/one +ü.txt")["Body"].read() == b"content"


def test_an_object_in_parts_keeps_the_etag_of_its_parts(pair: Pair) -> None:
    """S2: nothing of the ETag tells the content's MD5, on either side; the checksum is that of the parts' checksums."""
    body = io.BytesIO(b"x" * (PART + 4))
    pair.here.upload_fileobj(
        body, SOURCE, "new/big", Config=TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
    )
    assert pair.settled("new/big") == "COMPLETED"
    here = pair.here.head_object(Bucket=SOURCE, Key="new/big", ChecksumMode="ENABLED")
    there: Any = pair.replica("new/big", ChecksumMode="ENABLED")
    assert here["ETag"] == there["ETag"]
    assert here["ETag"].endswith('-2"')
    of_parts = b"".join(zlib.crc32(b"x" * size).to_bytes(4, "big") for size in (PART, 4))
    checksum = base64.b64encode(zlib.crc32(of_parts).to_bytes(4, "big")).decode()
    assert (there["ChecksumCRC32"], there["ChecksumType"]) == (f"{checksum}-2", "COMPOSITE")
    asked = ["ETag", "Checksum", "ObjectParts", "ObjectSize", "StorageClass"]
    told = pair.there.get_object_attributes(Bucket=REPLICA, Key="new/big", ObjectAttributes=asked)
    assert [each["Size"] for each in told["ObjectParts"]["Parts"]] == [PART, 4]
    assert (told["ObjectSize"], told["Checksum"]["ChecksumType"]) == (PART + 4, "COMPOSITE")


def test_a_part_is_read_by_its_number(pair: Pair) -> None:
    """S2: who wants to know the sizes of the parts asks for one; ETag and version are those of the object."""
    key = {"Bucket": REPLICA, "Key": "data/history.bin"}
    whole = pair.there.get_object(**key)
    body, at = whole["Body"].read(), 0
    for number, size in ((1, PART), (2, whole["ContentLength"] - PART)):
        head = pair.there.head_object(**key, PartNumber=number)
        assert (head["ContentLength"], head["PartsCount"], head["ETag"]) == (size, 2, whole["ETag"])
        part = pair.there.get_object(**key, PartNumber=number)
        assert (part["ResponseMetadata"]["HTTPStatusCode"], part["Body"].read()) == (206, body[at : at + size])
        at += size
    assert refused(pair.there.get_object, **key, PartNumber=3) == (416, "InvalidPartNumber")


def test_a_delete_marker_is_replicated_if_the_rule_says_so(pair: Pair) -> None:
    """S4: with it the replica is deleted as well, without it the replica is an expected extra."""
    for key, status in (("new/gone", "Enabled"), ("new/kept", "Disabled")):
        pair.configure(rule(DeleteMarkerReplication={"Status": status}))
        pair.put(key)
        assert pair.settled(key) == "COMPLETED"
        marker = pair.here.delete_object(Bucket=SOURCE, Key=key)["VersionId"]
        if status == "Enabled":
            wait_until(lambda: pair.replica("new/gone") is None)
            there = pair.there.list_object_versions(Bucket=REPLICA, Prefix=key)["DeleteMarkers"]
            assert [each["VersionId"] for each in there] == [marker]
    pair.put("new/after")
    assert pair.settled("new/after") == "COMPLETED"
    assert pair.replica("new/kept") is not None


def test_a_version_that_is_deleted_stays_in_the_replica(pair: Pair) -> None:
    """S6: who deletes a version at the source has it in the replica still, as an extra."""
    version = pair.put("new/removed")
    assert pair.settled("new/removed") == "COMPLETED"
    pair.here.delete_object(Bucket=SOURCE, Key="new/removed", VersionId=version)
    pair.put("new/after")
    assert pair.settled("new/after") == "COMPLETED"
    assert pair.replica("new/removed", version) is not None


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ([rule(Filter={"Prefix": "other/"})], ""),
        ([rule(Status="Disabled")], ""),
        ([rule(Filter={"Tag": {"Key": "copy", "Value": "yes"}}, DeleteMarkerReplication={"Status": "Disabled"})], ""),
        ([rule(Filter={"Prefix": "new/"})], "COMPLETED"),
        ([rule("low", Priority=1), rule("high", Priority=2, Status="Disabled")], "COMPLETED"),
    ],
    ids=["other prefix", "disabled", "tag", "prefix", "priority"],
)
def test_only_what_a_rule_covers_has_a_status(pair: Pair, rules: list[dict[str, Any]], status: str) -> None:
    """S9, S10: what no rule covers is copied by nobody, and nothing says so."""
    pair.configure(*rules)
    pair.put("new/ruled")
    assert pair.settled("new/ruled") == status
    assert (pair.replica("new/ruled") is not None) == (status == "COMPLETED")


def test_a_tag_decides_at_the_time_of_writing(pair: Pair) -> None:
    """A rule about tags covers what is written with them, within its prefix, and no delete marker."""
    both = {"And": {"Prefix": "new/", "Tags": [{"Key": "copy", "Value": "yes"}, {"Key": "kind", "Value": "a"}]}}
    pair.configure(rule(Filter=both, DeleteMarkerReplication={"Status": "Disabled"}))
    pair.put("new/tagged", Tagging="copy=yes&kind=a")
    pair.put("new/half", Tagging="copy=yes")
    assert (pair.settled("new/tagged"), pair.status("new/half")) == ("COMPLETED", "")


def test_a_rule_of_the_first_schema_replicates_markers(pair: Pair) -> None:
    """Where no rule has a filter, S3 replicates the markers that users make."""
    first = {"ID": "v1", "Status": "Enabled", "Prefix": "new/", "Destination": {"Bucket": f"arn:aws:s3:::{REPLICA}"}}
    pair.configure(first)
    pair.put("new/old-schema")
    assert pair.settled("new/old-schema") == "COMPLETED"
    pair.here.delete_object(Bucket=SOURCE, Key="new/old-schema")
    wait_until(lambda: pair.replica("new/old-schema") is None)


def test_objects_older_than_the_rule_have_no_status(pair: Pair) -> None:
    """S9: a rule looks at nothing that was there before it."""
    pair.here.delete_bucket_replication(Bucket=SOURCE)
    pair.put("new/older")
    pair.configure(rule())
    assert pair.status("new/older") == ""
    pair.put("new/younger")
    assert pair.settled("new/younger") == "COMPLETED"
    assert (pair.status("new/older"), pair.replica("new/older")) == ("", None)


def test_the_rules_of_the_writing_decide(pair: Pair) -> None:
    """A version that was written under a rule is copied by it, though the rule goes away in the meantime."""
    pair.put("new/then")
    pair.here.delete_bucket_replication(Bucket=SOURCE)
    assert pair.settled("new/then") == "COMPLETED"
    assert pair.replica("new/then") is not None


def test_a_replica_without_versions_fails_for_good(pair: Pair) -> None:
    """S8, S10: suspended versioning on the other side fails what is written, and mending it repairs nothing."""
    pair.there.put_bucket_versioning(Bucket=REPLICA, VersioningConfiguration={"Status": "Suspended"})
    pair.put("new/failed")
    assert pair.settled("new/failed") == "FAILED"
    pair.there.put_bucket_versioning(Bucket=REPLICA, VersioningConfiguration={"Status": "Enabled"})
    pair.put("new/again")
    assert (pair.settled("new/again"), pair.status("new/failed")) == ("COMPLETED", "FAILED")


@pytest.mark.parametrize("lost", ["role", "trust", "write", "read"])
def test_a_role_that_lacks_something_fails_it(pair: Pair, lost: str) -> None:
    """S10: no such role, one that S3 may not take, one that may not write there or read here."""
    iam = get_backend("iam")[DEFAULT_ACCOUNT_ID]["aws"]
    role = iam.get_role(furniture.ROLE_NAME)
    trust, document = role.assume_role_policy_document, role.policies["replicate"]
    try:
        if lost == "role":
            pair.configure(rule(), role="arn:aws:iam::123456789012:role/nobody")
        elif lost == "trust":
            role.assume_role_policy_document = trust.replace("s3.amazonaws.com", "ec2.amazonaws.com")
        else:
            action = {"write": "s3:ReplicateObject", "read": "s3:GetObjectVersionForReplication"}[lost]
            role.policies["replicate"] = document.replace(action, "s3:Nothing")
        pair.put("new/forbidden")
        assert pair.settled("new/forbidden") == "FAILED"
    finally:
        role.assume_role_policy_document, role.policies["replicate"] = trust, document


def test_a_destination_that_is_gone_fails_it(pair: Pair) -> None:
    """The bucket of a rule may be deleted after the rule was put."""
    pair.there.create_bucket(Bucket="short-lived", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    pair.there.put_bucket_versioning(Bucket="short-lived", VersioningConfiguration={"Status": "Enabled"})
    pair.configure(rule(Destination={"Bucket": "arn:aws:s3:::short-lived"}))
    pair.there.delete_bucket(Bucket="short-lived")
    pair.put("new/nowhere")
    assert pair.settled("new/nowhere") == "FAILED"


def test_a_change_of_tags_is_replicated(pair: Pair) -> None:
    """Metadata that may change after the writing follows, and the version is pending meanwhile."""
    version = pair.put("new/retagged", Tagging="a=1")
    assert pair.settled("new/retagged") == "COMPLETED"
    pair.here.put_object_tagging(Bucket=SOURCE, Key="new/retagged", Tagging={"TagSet": [{"Key": "b", "Value": "2"}]})
    assert pair.status("new/retagged") == "PENDING"
    assert pair.settled("new/retagged") == "COMPLETED"
    there = pair.there.get_object_tagging(Bucket=REPLICA, Key="new/retagged", VersionId=version)
    assert there["TagSet"] == [{"Key": "b", "Value": "2"}]


def test_a_bucket_is_asked_in_its_own_region(pair: Pair) -> None:
    """S15: what is signed for another Region is refused, and told the right one, where boto3 goes by itself."""
    request = AWSRequest("GET", f"{pair.aws.endpoint}/{REPLICA}?versions")
    keys = Credentials(pair.aws.credentials.access_key, pair.aws.credentials.secret_key)
    S3SigV4Auth(keys, "s3", "us-east-1").add_auth(request)
    answer = httpx.get(str(request.url), headers=dict(request.headers.items()))
    assert (answer.status_code, answer.headers["x-amz-bucket-region"]) == (400, "eu-west-1")
    assert "<Code>AuthorizationHeaderMalformed</Code>" in answer.text
    assert pair.here.get_bucket_location(Bucket=REPLICA)["LocationConstraint"] == "eu-west-1"
    assert pair.here.list_objects_v2(Bucket=REPLICA)["KeyCount"] > 0
