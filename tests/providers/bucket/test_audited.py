"""The audit of the lab's two buckets, spoiled one by one as people spoil them, through the real adapters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from defib.clock import Deadline, SystemClock
from defib.lab.alone import RunningAws, serve_replicated
from defib.lab.faults import Fault
from defib.lab.replication.furniture import REPLICA, ROLE_NAME, SOURCE
from defib.objectives import Objectives
from defib.providers.aws import AwsAccess
from defib.providers.bucket.authority import AwsAuthority
from defib.providers.bucket.settings import ConfiguredBucket
from defib.ready.check import Check, State, worst
from defib.replication.audit import audit
from defib.replication.evidence import Sides, gather
from defib.sites.replication import BucketAt, Replicated
from defib.sites.values import Aws
from tests.lab.replication_stage import client, rule

OK, WARN, UNKNOWN, FAIL = State.OK, State.WARN, State.UNKNOWN, State.FAIL
HERE, THERE = "us-east-1", "eu-west-1"
PAIR = Replicated(
    name="assets",
    source=BucketAt(bucket=SOURCE, aws=Aws(region=HERE)),
    replica=BucketAt(bucket=REPLICA, aws=Aws(region=THERE)),
)
PROMISED: dict[str, Any] = {
    "Bucket": f"arn:aws:s3:::{REPLICA}",
    "ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}},
    "Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}},
}


@dataclass(frozen=True)
class Account:
    """The lab's AWS, and both sides of the pair in it."""

    aws: RunningAws

    def client(self, service: str, region: str = HERE) -> Any:
        """A service itself."""
        return client(self.aws, region, service)

    def configure(self, destination: dict[str, Any] | None = None, **parts: Any) -> None:
        """One rule as it should be, but for these parts."""
        told = rule("all", Destination=destination or PROMISED, **parts)
        role = f"arn:aws:iam::123456789012:role/{ROLE_NAME}"
        self.client("s3").put_bucket_replication(Bucket=SOURCE, ReplicationConfiguration={"Role": role, "Rules": [told]})

    def wrong(self, pair: Replicated = PAIR) -> dict[str, State]:
        """What the audit finds that is not well, by name; of several findings the worst."""
        found: dict[str, State] = {}
        for check in self.checks(pair):
            if check.state is not OK:
                found[check.name] = worst((check.state, found.get(check.name, OK)))
        return found

    def checks(self, pair: Replicated = PAIR) -> tuple[Check, ...]:
        """All that the audit finds."""
        keys = self.aws.credentials
        here, there = (AwsAccess(region, self.aws.endpoint, keys.access_key, keys.secret_key) for region in (HERE, THERE))
        sides = Sides(
            ConfiguredBucket(SOURCE, here), ConfiguredBucket(REPLICA, there), AwsAuthority(here), AwsAuthority(there)
        )
        within = Deadline.after(SystemClock(), timedelta(seconds=10))
        return audit(gather(pair, Objectives(timedelta(hours=4), timedelta(hours=1)), sides, within))


@pytest.fixture
def account() -> Iterator[Account]:
    """Two buckets that are configured as they should be."""
    with serve_replicated() as aws:
        account = Account(aws)
        for region, bucket in ((HERE, SOURCE), (THERE, REPLICA)):
            account.client("s3", region).put_bucket_ownership_controls(
                Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
            )
        account.configure()
        yield account


def test_a_pair_as_it_should_be(account: Account) -> None:
    """Nothing is found wrong, and nothing is unknown."""
    assert account.wrong() == {}


def test_a_rule_that_was_disabled(account: Account) -> None:
    """S10: what was copied before still matches."""
    account.configure(Status="Disabled")
    assert account.wrong() == {"rules": FAIL, "prefixes": FAIL, "canary": FAIL}


def test_a_prefix_that_was_narrowed(account: Account) -> None:
    """S10: the rest is left behind, and so is the canary."""
    account.configure(Filter={"Prefix": "images/"})
    assert account.wrong() == {"prefixes": FAIL, "canary": FAIL}


def test_a_role_that_was_lost(account: Account) -> None:
    """S10: the configuration still names it."""
    iam = account.client("iam")
    for name in iam.list_role_policies(RoleName=ROLE_NAME)["PolicyNames"]:
        iam.delete_role_policy(RoleName=ROLE_NAME, PolicyName=name)
    assert account.wrong() == {"role-permissions": FAIL}
    iam.delete_role(RoleName=ROLE_NAME)
    assert account.wrong() == {"role": FAIL}


def test_a_role_that_s3_may_no_longer_take_on(account: Account) -> None:
    """S10: the same role, for somebody else."""
    statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    account.client("iam").update_assume_role_policy(
        RoleName=ROLE_NAME, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    assert account.wrong() == {"role-trust": FAIL}


def test_a_key_that_was_disabled(account: Account) -> None:
    """S10: everything is opted in and permitted, and then somebody disables the key."""
    made = {region: account.client("kms", region).create_key()["KeyMetadata"] for region in (HERE, THERE)}
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": made[HERE]["Arn"]}
    account.client("s3").put_bucket_encryption(
        Bucket=SOURCE, ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    )
    assert account.wrong() == {"encryption": FAIL}
    account.configure(
        PROMISED | {"EncryptionConfiguration": {"ReplicaKmsKeyID": made[THERE]["Arn"]}},
        SourceSelectionCriteria={"SseKmsEncryptedObjects": {"Status": "Enabled"}},
    )
    assert account.wrong() == {"role-permissions": FAIL}
    granted = [
        {"Effect": "Allow", "Action": action, "Resource": made[region]["Arn"]}
        for action, region in (("kms:Decrypt", HERE), ("kms:Encrypt", THERE))
    ]
    account.client("iam").put_role_policy(
        RoleName=ROLE_NAME, PolicyName="keys", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": granted})
    )
    assert account.wrong() == {}
    account.client("kms", THERE).disable_key(KeyId=made[THERE]["KeyId"])
    assert account.wrong() == {"key": FAIL}


def test_versioning_that_was_suspended_on_the_replica(account: Account) -> None:
    """S10: S3 lets it happen, and fails whatever is written from then on."""
    account.client("s3", THERE).put_bucket_versioning(Bucket=REPLICA, VersioningConfiguration={"Status": "Suspended"})
    assert account.wrong() == {"versioning": FAIL}


@pytest.mark.parametrize("fault", ["500", "refuse", "denied"])
def test_a_replica_region_that_refuses_all_calls(account: Account, fault: str) -> None:
    """S15: its side is unknown, and what is wrong at the source is found all the same."""
    account.configure(Status="Disabled")
    account.aws.set_fault(f"s3-{THERE}", Fault(fault))
    checks = account.checks()
    at_replica = {check.name: check.state for check in checks if check.about.endswith("replica")}
    assert (at_replica["region"], at_replica["versioning"]) == (UNKNOWN, UNKNOWN)
    assert {check.name for check in checks if check.state is FAIL} == {"rules", "prefixes", "canary"}
    assert not any(check.state is UNKNOWN for check in checks if check.about.endswith("source"))


def test_what_nobody_watches(account: Account) -> None:
    """S11: without time and metrics it works, and nobody is told how far it is behind."""
    account.configure({"Bucket": PROMISED["Bucket"]})
    assert account.wrong() == {"replication-time": WARN, "metrics": WARN}
