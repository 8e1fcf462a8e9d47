"""What the tests of the switch share: its names and batches, and a switch in a bucket of its own."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from defib.clock import Deadline, SystemClock
from defib.lab.alone import RunningAws
from defib.lab.bucket import Bucket
from defib.lab.content import StoredObject
from defib.ports import RecordChange, RecordKey, RecordSet
from defib.providers.aws import AwsAccess
from defib.providers.dns.s3_switch import S3Switch
from defib.providers.wrappers import RetryingZone

CLOCK = SystemClock()
KEY = "users-go-to-the-backup"
NAMES = ("pulse.test.", "www.pulse.test.")
_NUMBERS = itertools.count(1)


def at(value: str, name: str) -> RecordSet:
    """A name while the switch stands at `value`."""
    return RecordSet(RecordKey(name, "SWITCH"), timedelta(0), (value,))


def turned(before: str, after: str, names: Sequence[str] = NAMES) -> list[RecordChange]:
    """The batch that turns the names."""
    return [RecordChange(at(before, name), at(after, name)) for name in names]


KEYS = [at("", name).key for name in NAMES]
PRIMARY = tuple(at("primary", name) for name in NAMES)
SECONDARY = tuple(at("secondary", name) for name in NAMES)
OVER = turned("primary", "secondary")
BACK = turned("secondary", "primary")


def soon(seconds: float = 10) -> Deadline:
    """A deadline that is far enough."""
    return Deadline.after(CLOCK, timedelta(seconds=seconds))


def access(aws: RunningAws, secret_key: str = "") -> AwsAccess:
    """The lab's credentials, or its key with another secret."""
    return AwsAccess("us-east-1", aws.endpoint, aws.credentials.access_key, secret_key or aws.credentials.secret_key)


@dataclass(frozen=True)
class World:
    """A switch in a bucket of its own, and the bucket past it."""

    switch: S3Switch
    bucket: Bucket
    aws: RunningAws

    @property
    def found(self) -> StoredObject | None:
        """The object, past the adapter."""
        return self.bucket.get(KEY)

    def other(self, secret_key: str = "", bucket: str = "") -> S3Switch:
        """The same switch for somebody else."""
        return S3Switch(NAMES, bucket or self.bucket.name, KEY, access(self.aws, secret_key))

    def put_by_hand(self, body: bytes) -> None:
        """What a person does with the AWS command line."""
        client = access(self.aws).session().client("s3", endpoint_url=self.aws.endpoint)
        client.put_object(Bucket=self.bucket.name, Key=KEY, Body=body)
        client.close()

    def retrying(self) -> RetryingZone:
        """The switch as a run has it."""
        return RetryingZone(self.switch, random.Random(1))


@contextmanager
def fresh_switch(aws: RunningAws) -> Iterator[World]:
    """A switch that stands at its primary; S3 is healed afterwards."""
    bucket = Bucket(f"switch-{next(_NUMBERS)}")
    bucket.create()
    yield World(S3Switch(NAMES, bucket.name, KEY, access(aws)), bucket, aws)
    aws.set_fault("s3", None)
