"""The role of the lab's replication, and keys, as IAM and KMS tell of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Denied, Unavailable
from defib.lab.alone import RunningAws, serve_replicated
from defib.lab.replication.furniture import REPLICA, ROLE, ROLE_NAME, SOURCE
from defib.providers.aws import AwsAccess
from defib.providers.bucket.authority import AwsAuthority
from defib.replication.authority import Key, Lack, Need, Role
from tests.providers.bucket.s3_stage import refusing


def soon(seconds: float = 10) -> Deadline:
    """Enough for a few calls."""
    return Deadline.after(SystemClock(), timedelta(seconds=seconds))


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """The lab's AWS with its two buckets and the role between them."""
    with serve_replicated() as running:
        yield running


@pytest.fixture
def access(aws: RunningAws) -> AwsAccess:
    """Its keys, in the region of the source."""
    return AwsAccess("us-east-1", aws.endpoint, aws.credentials.access_key, aws.credentials.secret_key)


def client(access: AwsAccess, service: str) -> Any:
    """A service itself."""
    make: Any = access.session().client
    return make(service, endpoint_url=access.endpoint)


READ = Need(("s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl"), f"arn:aws:s3:::{SOURCE}/*")
WRITE = Need(("s3:ReplicateObject", "s3:ReplicateDelete"), f"arn:aws:s3:::{REPLICA}/*")
OVERRIDE = Need(("s3:ObjectOwnerOverrideToBucketOwner",), f"arn:aws:s3:::{REPLICA}/*")
ELSEWHERE = Need(("s3:ReplicateObject",), "arn:aws:s3:::elsewhere/*")


def role(access: AwsAccess, needs: Sequence[Need] = (READ, WRITE), arn: str = ROLE) -> Role:
    """What is told of a role."""
    return AwsAuthority(access).role(arn, needs, within=soon())


def test_a_role_that_may_all_that_it_must(access: AwsAccess) -> None:
    """It is there, who may take it on is told as it is written, and nothing is denied."""
    found = role(access)
    assert (found.there, found.denied, found.unsure, found.why) == (True, (), (), "")
    (statement,) = json.loads(found.trust)["Statement"]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}


def test_permissions_that_it_lacks(access: AwsAccess) -> None:
    """Each action that is denied is told with what it is needed for."""
    found = role(access, (READ, OVERRIDE, ELSEWHERE))
    assert found.denied == (
        Lack("s3:ObjectOwnerOverrideToBucketOwner", OVERRIDE),
        Lack("s3:ReplicateObject", ELSEWHERE),
    )


def test_a_role_that_is_gone(access: AwsAccess) -> None:
    """S10: it is not there, which IAM tells for sure."""
    assert role(access, arn=f"{ROLE}-of-old") == Role(f"{ROLE}-of-old", there=False)


def test_a_role_on_another_path(access: AwsAccess) -> None:
    """IAM finds roles by name alone, and S3 by the whole ARN."""
    moved = ROLE.replace("role/", "role/service-role/")
    assert role(access, arn=moved) == Role(moved, there=False)


def test_a_role_of_another_account(access: AwsAccess) -> None:
    """A role of the same name in the account of who asks is another one, of which nothing follows."""
    found = role(access, arn=f"arn:aws:iam::999999999999:role/{ROLE_NAME}")
    assert found.there is None
    assert "another account" in found.why


def test_an_iam_that_may_not_be_asked() -> None:
    """Who may not ask is told so, and nothing of the role."""
    with refusing("AccessDenied") as access:
        found = role(access)
    assert (found.there, found.why) == (None, "AccessDenied: told so")


def test_credentials_that_are_not_taken(access: AwsAccess) -> None:
    """Keys that AWS does not take are no answer about a role or a key."""
    wrong = replace(access, secret_key="wrong")
    with pytest.raises(Denied):
        role(wrong)
    with pytest.raises(Denied):
        AwsAuthority(wrong).key("alias/any", within=soon())


def test_an_aws_that_does_not_answer() -> None:
    """No answer is unavailable, for roles and for keys."""
    nowhere = AwsAuthority(AwsAccess("us-east-1", "http://127.0.0.1:9", "AKIAX", "secret"))
    with pytest.raises(Unavailable):
        nowhere.role(ROLE, (), within=soon())
    with pytest.raises(Unavailable):
        nowhere.key("alias/any", within=soon())


def test_a_key_by_its_arn_and_by_its_id(access: AwsAccess) -> None:
    """However it is called, the ARN is told: policies know keys by that."""
    told = client(access, "kms").create_key()["KeyMetadata"]
    for name in (told["Arn"], told["KeyId"]):
        assert AwsAuthority(access).key(name, within=soon()) == Key(name, True, "Enabled", told["Arn"])


def test_a_key_that_is_disabled(access: AwsAccess) -> None:
    """S10: it can be made usable again, and is not now."""
    kms = client(access, "kms")
    made = kms.create_key()["KeyMetadata"]
    arn = made["Arn"]
    kms.disable_key(KeyId=made["KeyId"])
    assert AwsAuthority(access).key(arn, within=soon()) == Key(arn, False, "Disabled", arn)


def test_a_key_that_waits_for_its_deletion(access: AwsAccess) -> None:
    """It looks as if it were there, and encrypts nothing."""
    kms = client(access, "kms")
    made = kms.create_key()["KeyMetadata"]
    arn = made["Arn"]
    kms.schedule_key_deletion(KeyId=made["KeyId"])
    assert AwsAuthority(access).key(arn, within=soon()) == Key(arn, False, "PendingDeletion", arn)


def test_a_key_that_is_not_there(access: AwsAccess) -> None:
    """Nor is a key of another region there for KMS of this one."""
    arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
    assert AwsAuthority(access).key(arn, within=soon()) == Key(arn, False, "not there")


def test_a_kms_that_may_not_be_asked() -> None:
    """Who may not ask is told so, and nothing of the key."""
    with refusing("AccessDeniedException") as access:
        found = AwsAuthority(access).key("alias/any", within=soon())
    assert (found.usable, found.state) == (None, "AccessDeniedException: told so")
