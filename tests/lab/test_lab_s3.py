"""S3 of the lab compares bodies with their digests, gives a thousand keys a page, and fails as the real one does."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from defib.lab.alone import RunningAws, serve_aws
from defib.lab.bucket import Bucket
from defib.lab.faults import Fault

BUCKET = "a-bucket"


@pytest.fixture(scope="module")
def running() -> Iterator[RunningAws]:
    """AWS alone, with a bucket of its own."""
    with serve_aws() as aws:
        client(aws).create_bucket(Bucket=BUCKET)
        yield aws


@pytest.fixture
def aws(running: RunningAws) -> Iterator[RunningAws]:
    """The same, healed after each test."""
    yield running
    running.set_fault("s3", None)


def client(aws: RunningAws) -> Any:
    """A client that does not retry."""
    make: Any = boto3.client
    return make(
        "s3",
        region_name="us-east-1",
        endpoint_url=aws.endpoint,
        aws_access_key_id=aws.credentials.access_key,
        aws_secret_access_key=aws.credentials.secret_key,
        config=Config(retries={"total_max_attempts": 1}),
    )


def put(aws: RunningAws, body: bytes, sent: bytes, **headers: str) -> httpx.Response:
    """Put `sent` under a signature that is right for `body`."""
    request = AWSRequest("PUT", f"{aws.endpoint}/{BUCKET}/a-key", data=body, headers=headers)
    keys = Credentials(aws.credentials.access_key, aws.credentials.secret_key)
    S3SigV4Auth(keys, "s3", "us-east-1").add_auth(request)
    return httpx.put(str(request.url), content=sent, headers=dict(request.headers.items()))


def test_a_body_that_was_damaged_on_the_way_is_refused(aws: RunningAws) -> None:
    """R7: S3 stores what was signed, or nothing."""
    assert put(aws, b"whole", b"whole").status_code == 200
    refused = put(aws, b"whole", b"w0ole")
    assert (refused.status_code, "XAmzContentSHA256Mismatch" in refused.text) == (400, True)
    assert client(aws).get_object(Bucket=BUCKET, Key="a-key")["Body"].read() == b"whole"


@pytest.mark.parametrize(("header", "algorithm"), [("Content-MD5", "md5"), ("x-amz-checksum-sha256", "sha256")])
def test_a_wrong_digest_is_refused(aws: RunningAws, header: str, algorithm: str) -> None:
    """Each digest that comes along counts."""
    right = base64.b64encode(hashlib.new(algorithm, b"whole").digest()).decode()
    wrong = base64.b64encode(hashlib.new(algorithm, b"other").digest()).decode()
    assert put(aws, b"whole", b"whole", **{header: right}).status_code == 200
    refused = put(aws, b"whole", b"whole", **{header: wrong})
    assert (refused.status_code, "BadDigest" in refused.text) == (400, True)


def test_a_page_has_a_thousand_keys_at_most(aws: RunningAws) -> None:
    """R8: whoever asks for more and does not go on misses what comes after."""
    s3 = client(aws)
    s3.create_bucket(Bucket="many")
    for number in range(1001):
        Bucket("many").put(f"{number:05d}", b"", {})  # past the API, which is slow
    page = s3.list_objects_v2(Bucket="many", MaxKeys=5000)
    assert (len(page["Contents"]), page["IsTruncated"]) == (1000, True)
    rest = s3.list_objects_v2(Bucket="many", MaxKeys=5000, ContinuationToken=page["NextContinuationToken"])
    assert [each["Key"] for each in rest["Contents"]] == ["01000"]


def test_a_listing_can_lack_a_key(aws: RunningAws) -> None:
    """R8: the last object is there and is not listed, until it is healed."""
    s3 = client(aws)
    s3.create_bucket(Bucket="two")
    for key in ("one", "two"):
        s3.put_object(Bucket="two", Key=key, Body=b"x")
    aws.set_fault("s3", Fault("short-listing"))
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="two")["Contents"]] == ["one"]
    assert s3.get_object(Bucket="two", Key="two")["Body"].read() == b"x"
    aws.set_fault("s3", None)
    assert [each["Key"] for each in s3.list_objects_v2(Bucket="two")["Contents"]] == ["one", "two"]


def test_some_of_many_requests_fail(aws: RunningAws) -> None:
    """R7: SlowDown for one request in four, counted from the break."""
    s3 = client(aws)
    aws.set_fault("s3", Fault("429", {"every": 4}))
    seen = []
    for number in range(8):
        try:
            s3.put_object(Bucket=BUCKET, Key=f"k{number}", Body=b"x")
            seen.append("")
        except ClientError as error:
            seen.append(error.response["Error"]["Code"])
    assert seen == ["", "", "", "SlowDown"] * 2


def statement(effect: str, action: str, principal: Any = "*", **condition: dict[str, str]) -> dict[str, Any]:
    """One statement about everything in the bucket of the policy's test."""
    both = ["arn:aws:s3:::policied", "arn:aws:s3:::policied/*"]
    told = {"Effect": effect, "Principal": principal, "Action": action, "Resource": both}
    return {**told, "Condition": condition} if condition else told


SERVICE = {"Service": "cloudfront.amazonaws.com"}
TLS_ONLY = statement("Deny", "s3:*", Bool={"aws:SecureTransport": "false"})


@pytest.mark.parametrize(
    ("statements", "owner", "anybody"),
    [
        ([], 200, 403),
        ([statement("Allow", "s3:GetObject")], 200, 200),
        ([statement("Allow", "s3:Get*"), TLS_ONLY], 200, 200),
        ([TLS_ONLY], 200, 403),
        ([statement("Allow", "s3:GetObject", SERVICE, StringEquals={"AWS:SourceArn": "arn:x"})], 200, 403),
        ([statement("Allow", "s3:GetObject", IpAddress={"aws:SourceIp": "192.0.2.0/24"})], 200, 403),
        ([statement("Allow", "s3:GetObject"), statement("Deny", "s3:GetObject")], 403, 403),
        ([statement("Deny", "s3:GetObject", IpAddress={"aws:SourceIp": "192.0.2.0/24"})], 403, 403),
    ],
    ids=["none", "public", "public over TLS", "TLS", "a distribution", "some networks", "denied", "networks denied"],
)
def test_a_policy_decides_by_who_asks_and_how(
    aws: RunningAws, statements: list[dict[str, Any]], owner: int, anybody: int
) -> None:
    """Principals and conditions count; what nobody here can judge opens nothing and closes."""
    s3 = client(aws)
    s3.create_bucket(Bucket="policied")
    s3.put_object(Bucket="policied", Key="a-key", Body=b"x")
    try:
        if statements:
            s3.put_bucket_policy(Bucket="policied", Policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
        try:
            seen = s3.get_object(Bucket="policied", Key="a-key")["ResponseMetadata"]["HTTPStatusCode"]
        except ClientError as error:
            seen = error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert (seen, httpx.get(f"{aws.endpoint}/policied/a-key").status_code) == (owner, anybody)
    finally:
        s3.delete_bucket_policy(Bucket="policied")
        s3.delete_object(Bucket="policied", Key="a-key")
        s3.delete_bucket(Bucket="policied")
