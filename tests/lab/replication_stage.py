"""What the tests of replication share: two buckets in two Regions, clients for each, and waiting for a status."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from defib.clock import Deadline, SystemClock
from defib.lab.alone import RunningAws
from defib.lab.replication.furniture import REPLICA, ROLE, SOURCE

CLOCK = SystemClock()
ACCOUNT = "123456789012"


def client(aws: RunningAws, region: str = "us-east-1", service: str = "s3", **more: Any) -> Any:
    """A client that does not retry; `more` is botocore's configuration."""
    make: Any = boto3.client
    return make(
        service,
        region_name=region,
        endpoint_url=aws.endpoint,
        aws_access_key_id=aws.credentials.access_key,
        aws_secret_access_key=aws.credentials.secret_key,
        config=Config(retries={"total_max_attempts": 1}, **more),
    )


def control(aws: RunningAws) -> Any:
    """A client of S3's control API, which puts the account into the host where an address has no room for it."""
    made = client(aws, service="s3control")

    def without_account(request: Any, **_: Any) -> None:
        request.url = request.url.replace(f"{ACCOUNT}.", "", 1)

    made.meta.events.register_first("request-created.s3-control", without_account)
    return made


@dataclass(frozen=True)
class Pair:
    """The two buckets as their clients see them."""

    aws: RunningAws
    here: Any
    there: Any

    @classmethod
    def of(cls, aws: RunningAws) -> Pair:
        """One client a Region."""
        return cls(aws, client(aws), client(aws, "eu-west-1"))

    def put(self, key: str, body: bytes = b"content", **more: Any) -> str:
        """Write an object to the source, and give its version."""
        version: str = self.here.put_object(Bucket=SOURCE, Key=key, Body=body, **more)["VersionId"]
        return version

    def status(self, key: str, version: str = "") -> str:
        """What S3 says of the source's version."""
        asked = {"VersionId": version} if version else {}
        said: str = self.here.head_object(Bucket=SOURCE, Key=key, **asked).get("ReplicationStatus", "")
        return said

    def settled(self, key: str, version: str = "") -> str:
        """The status once it is no longer pending."""
        wait_until(lambda: self.status(key, version) != "PENDING")
        return self.status(key, version)

    def replica(self, key: str, version: str = "", **more: Any) -> dict[str, Any] | None:
        """The head of the replica, None where there is none."""
        asked = {"VersionId": version} if version else {}
        try:
            held: dict[str, Any] = self.there.head_object(Bucket=REPLICA, Key=key, **asked, **more)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise
        return held

    def configure(self, *rules: dict[str, Any], role: str = ROLE) -> None:
        """Put the source's replication."""
        self.here.put_bucket_replication(Bucket=SOURCE, ReplicationConfiguration={"Role": role, "Rules": list(rules)})

    def empty(self, prefix: str) -> None:
        """Remove every version of the keys under a prefix, on both sides."""
        for s3, bucket in ((self.here, SOURCE), (self.there, REPLICA)):
            page = s3.list_object_versions(Bucket=bucket, Prefix=prefix)
            for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                s3.delete_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])


def rule(name: str = "assets", **more: Any) -> dict[str, Any]:
    """A rule of today's schema about everything, but for `more`."""
    plain: dict[str, Any] = {
        "ID": name,
        "Status": "Enabled",
        "Priority": 1,
        "Filter": {"Prefix": ""},
        "DeleteMarkerReplication": {"Status": "Enabled"},
        "Destination": {"Bucket": f"arn:aws:s3:::{REPLICA}"},
    }
    return {**plain, **more}


def refused(call: Any, **arguments: Any) -> tuple[int, str]:
    """The status and the code with which a call is refused."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
    raise AssertionError("it was not refused")


def wait_until(condition: Any, within: float = 60) -> None:
    """Wait for a condition, or fail."""
    deadline = Deadline.after(CLOCK, timedelta(seconds=within))
    while not condition():
        assert not deadline.expired(), "the condition did not come true in time"
        CLOCK.sleep(timedelta(milliseconds=10))
