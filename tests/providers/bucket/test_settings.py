"""How a bucket is configured: as the lab's AWS tells it, and in S3's own XML where the lab keeps less of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Denied, NotFound, Unavailable
from defib.lab.alone import RunningAws, serve_aws
from defib.lab.faults import Fault
from defib.providers.aws import AwsAccess
from defib.providers.bucket.settings import ConfiguredBucket
from defib.replication.rules import Archiving, BucketSettings, Expiry, Rule
from tests.providers.bucket.s3_stage import DENIED, REGION, Refusal, Told, telling


def soon(seconds: float = 10) -> Deadline:
    """Enough for a few calls."""
    return Deadline.after(SystemClock(), timedelta(seconds=seconds))


def told(parts: Told) -> BucketSettings:
    """What is read of a bucket of which S3 tells `parts`."""
    with telling(parts) as access:
        return ConfiguredBucket("assets", access).settings(within=soon())


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """The lab's AWS, for all tests of this file."""
    with serve_aws() as running:
        yield running


@pytest.fixture
def access(aws: RunningAws) -> Iterator[AwsAccess]:
    """Its keys; healed afterwards."""
    yield AwsAccess("us-east-1", aws.endpoint, aws.credentials.access_key, aws.credentials.secret_key)
    aws.set_fault("s3", None)


def client(access: AwsAccess) -> Any:
    """S3 itself."""
    make: Any = access.session().client
    return make("s3", endpoint_url=access.endpoint)


def test_a_bucket_of_which_nothing_was_configured(access: AwsAccess) -> None:
    """What was never configured is no error, and no part of it is unread."""
    client(access).create_bucket(Bucket="plain")
    assert ConfiguredBucket("plain", access).settings(within=soon()) == BucketSettings("us-east-1", "")


def test_a_bucket_that_is_configured(access: AwsAccess) -> None:
    """Versioning, region, lock, lifecycle, ownership and encryption, each from its own answer."""
    s3 = client(access)
    place = {"LocationConstraint": "eu-central-1"}
    s3.create_bucket(Bucket="full", CreateBucketConfiguration=place, ObjectLockEnabledForBucket=True)
    kept = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 3}}}
    s3.put_object_lock_configuration(Bucket="full", ObjectLockConfiguration=kept)
    s3.put_bucket_ownership_controls(
        Bucket="full", OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    )
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 30}}
    s3.put_bucket_lifecycle_configuration(Bucket="full", LifecycleConfiguration={"Rules": [rule]})
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "a-key"}
    s3.put_bucket_policy(Bucket="full", Policy='{"Version": "2012-10-17", "Statement": []}')
    s3.put_bucket_encryption(
        Bucket="full",
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}]
        },
    )
    assert ConfiguredBucket("full", access).settings(within=soon()) == BucketSettings(
        region="eu-central-1",
        versioning="Enabled",
        expiries=(Expiry("old", "tmp/", current=timedelta(days=30)),),
        lock=True,
        retention=timedelta(days=3),
        owner="BucketOwnerEnforced",
        kms_key="a-key",
        bucket_key=True,
        policy='{"Version": "2012-10-17", "Statement": []}',
    )


def test_a_bucket_whose_versioning_was_suspended(access: AwsAccess) -> None:
    """Suspended is neither on nor never on."""
    s3 = client(access)
    s3.create_bucket(Bucket="suspended")
    s3.put_bucket_versioning(Bucket="suspended", VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_versioning(Bucket="suspended", VersioningConfiguration={"Status": "Suspended"})
    assert ConfiguredBucket("suspended", access).settings(within=soon()).versioning == "Suspended"


def test_a_bucket_that_is_not_there(access: AwsAccess) -> None:
    """No bucket is no bucket without configuration."""
    with pytest.raises(NotFound) as told:
        ConfiguredBucket("nowhere", access).settings(within=soon())
    assert "s3://nowhere (us-east-1)" in told.value.where


def test_credentials_that_are_not_taken(access: AwsAccess) -> None:
    """Keys that AWS does not take make nothing unread: they are the finding."""
    with pytest.raises(Denied):
        ConfiguredBucket("plain", replace(access, secret_key="wrong")).settings(within=soon())


def test_credentials_that_may_read_nothing(aws: RunningAws, access: AwsAccess) -> None:
    """Every part is named with AWS's reason, and none is guessed."""
    aws.set_fault("s3", Fault("denied"))
    settings = ConfiguredBucket("plain", access).settings(within=soon())
    assert {name for name, _ in settings.unread} == {
        "versioning", "rules", "expiries", "lock", "owner", "kms_key", "region", "policy",
    }  # fmt: skip
    assert all("AccessDenied" in why or "403" in why for _, why in settings.unread)


def test_a_region_that_does_not_answer(aws: RunningAws, access: AwsAccess) -> None:
    """S15: a region that hangs is unavailable by the deadline, whatever it says later."""
    aws.set_fault("s3", Fault("hang"))
    with pytest.raises(Unavailable):
        ConfiguredBucket("plain", access).settings(within=soon(0.2))


def test_a_region_that_refuses_all_calls(aws: RunningAws, access: AwsAccess) -> None:
    """S15: 500 for everything is no configuration, and not "unread" either."""
    aws.set_fault("s3", Fault("500"))
    with pytest.raises(Unavailable):
        ConfiguredBucket("plain", access).settings(within=soon())


def replication(rule: str) -> Told:
    """A configuration of this one rule."""
    role = "arn:aws:iam::123456789012:role/copies"
    return {"replication": f"<ReplicationConfiguration><Role>{role}</Role><Rule>{rule}</Rule></ReplicationConfiguration>"}


TO = "<Destination><Bucket>arn:aws:s3:::assets-copy</Bucket></Destination>"


def test_a_rule_with_everything() -> None:
    """Filter, priority, markers, keys, owner, time and metrics of a rule as the API reference writes them."""
    settings = told(
        replication(
            """<ID>all</ID><Priority>7</Priority><Status>Enabled</Status>
            <Filter><And><Prefix>a/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>l</Key><Value>w</Value></Tag></And></Filter>
            <DeleteMarkerReplication><Status>Disabled</Status></DeleteMarkerReplication>
            <SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects></SourceSelectionCriteria>
            <Destination><Bucket>arn:aws:s3:::assets-copy</Bucket><Account>210987654321</Account>
            <StorageClass>STANDARD_IA</StorageClass>
            <AccessControlTranslation><Owner>Destination</Owner></AccessControlTranslation>
            <EncryptionConfiguration><ReplicaKmsKeyID>arn:aws:kms:eu-west-1:1:key/k</ReplicaKmsKeyID></EncryptionConfiguration>
            <ReplicationTime><Status>Enabled</Status><Time><Minutes>15</Minutes></Time></ReplicationTime>
            <Metrics><Status>Enabled</Status><EventThreshold><Minutes>15</Minutes></EventThreshold></Metrics></Destination>"""
        )
    )
    assert settings.role == "arn:aws:iam::123456789012:role/copies"
    assert settings.rules == (
        Rule(
            id="all",
            enabled=True,
            destination="assets-copy",
            prefix="a/",
            tags=(("k", "v"), ("l", "w")),
            priority=7,
            kms=True,
            kms_key="arn:aws:kms:eu-west-1:1:key/k",
            rtc=timedelta(minutes=15),
            metrics=True,
            owner_changes=True,
            storage_class="STANDARD_IA",
            account="210987654321",
        ),
    )


def test_a_rule_of_the_first_version_replicates_markers() -> None:
    """Without a filter the configuration is of the first version, which replicates what people delete."""
    (rule,) = told(replication(f"<ID>v1</ID><Status>Enabled</Status><Prefix>a/</Prefix>{TO}")).rules
    assert rule == Rule("v1", enabled=True, destination="assets-copy", prefix="a/", markers=True)


@pytest.mark.parametrize(("status", "markers"), [("Enabled", True), ("Disabled", False)])
def test_a_rule_of_the_second_version_says_whether_it_replicates_markers(status: str, markers: bool) -> None:
    """With a filter, even an empty one, markers are replicated where the rule says so."""
    said = f"<DeleteMarkerReplication><Status>{status}</Status></DeleteMarkerReplication>"
    (rule,) = told(replication(f"<ID>v2</ID><Status>Disabled</Status><Filter/>{said}{TO}")).rules
    assert rule == Rule("v2", enabled=False, destination="assets-copy", markers=markers)


def test_a_rule_for_one_tag() -> None:
    """A single tag stands in the filter itself."""
    tag = "<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>"
    (rule,) = told(replication(f"<ID>t</ID><Status>Enabled</Status>{tag}{TO}")).rules
    assert (rule.prefix, rule.tags, rule.markers) == ("", (("k", "v"),), False)


def test_a_rule_whose_time_and_metrics_are_off() -> None:
    """Parts that are there and disabled count as not there."""
    to = (
        "<Destination><Bucket>arn:aws:s3:::assets-copy</Bucket>"
        "<ReplicationTime><Status>Disabled</Status><Time><Minutes>15</Minutes></Time></ReplicationTime>"
        "<Metrics><Status>Disabled</Status></Metrics></Destination>"
    )
    (rule,) = told(replication(f"<Status>Enabled</Status><Filter><Prefix/></Filter>{to}")).rules
    assert (rule.rtc, rule.metrics) == (None, False)


def lifecycle(*rules: str) -> BucketSettings:
    """What is read of a lifecycle of these rules."""
    listed = "".join(f"<Rule>{rule}</Rule>" for rule in rules)
    return told({"lifecycle": f"<LifecycleConfiguration>{listed}</LifecycleConfiguration>"})


def test_what_a_lifecycle_removes() -> None:
    """Ages, days, what stays, tags and sizes; a rule that is disabled or removes nothing is no expiry."""
    settings = lifecycle(
        "<ID>sized</ID><Status>Enabled</Status><Filter><And><Prefix>a/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag>"
        "<ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>9</ObjectSizeLessThan></And></Filter>"
        "<Expiration><Days>3</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>4</NoncurrentDays>"
        "<NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
        "<ID>dated</ID><Status>Enabled</Status><Prefix>b/</Prefix>"
        "<Expiration><Date>2030-01-02T00:00:00.000Z</Date></Expiration>",
        "<ID>lone</ID><Status>Enabled</Status><Filter/>"
        "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
        "<ID>off</ID><Status>Disabled</Status><Filter/><Expiration><Days>1</Days></Expiration>",
        "<ID>uploads</ID><Status>Enabled</Status><Filter/>"
        "<AbortIncompleteMultipartUpload><DaysAfterInitiation>7</DaysAfterInitiation></AbortIncompleteMultipartUpload>",
    )
    assert settings.expiries == (
        Expiry("sized", "a/", (("k", "v"),), timedelta(days=3), timedelta(days=4), kept=2, above=5, below=9),
        Expiry("dated", "b/", date=datetime(2030, 1, 2, tzinfo=UTC)),
        Expiry("lone", lone_markers=True),
    )


def test_what_a_lifecycle_puts_out_of_reach() -> None:
    """Only the classes that need a restoration, and only where the rule is enabled."""
    moves = "".join(
        f"<Transition><Days>{days}</Days><StorageClass>{name}</StorageClass></Transition>"
        for days, name in ((30, "STANDARD_IA"), (60, "GLACIER_IR"), (90, "GLACIER"), (180, "DEEP_ARCHIVE"))
    )
    settings = lifecycle(
        f"<ID>colder</ID><Status>Enabled</Status><Filter><Prefix>a/</Prefix></Filter>{moves}",
        f"<ID>off</ID><Status>Disabled</Status><Filter/>{moves}",
    )
    assert settings.archivings == (
        Archiving("colder", "GLACIER", "a/", timedelta(days=90)),
        Archiving("colder", "DEEP_ARCHIVE", "a/", timedelta(days=180)),
    )


@pytest.mark.parametrize(
    ("constraint", "region"),
    [
        ("<LocationConstraint/>", "us-east-1"),
        ("<LocationConstraint>EU</LocationConstraint>", "eu-west-1"),
        ("<LocationConstraint>ap-south-1</LocationConstraint>", "ap-south-1"),
    ],
)
def test_region_of_a_bucket_that_may_not_be_listed(constraint: str, region: str) -> None:
    """HeadBucket needs s3:ListBucket; where that is missing the location tells, under its old names too."""
    settings = told({"": DENIED, "location": constraint})
    assert (settings.region, settings.unread) == (region, ())


def test_parts_that_may_not_be_read_leave_the_others() -> None:
    """One permission that is missing hides one part."""
    settings = told(
        {"encryption": DENIED, "versioning": "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"}
    )
    assert (settings.versioning, settings.region) == ("Enabled", REGION)
    ((name, why),) = settings.unread
    assert name == "kms_key"
    assert why == "AccessDenied: told so"


@pytest.mark.parametrize("refusal", [Refusal(501, "NotImplemented"), Refusal(405, "MethodNotAllowed")])
def test_part_that_a_server_does_not_know(refusal: Refusal) -> None:
    """Other people's S3 may know no Object Lock: what it does not tell is unread, and it is not out of reach."""
    ((name, why),) = told({"object-lock": refusal}).unread
    assert name == "lock"
    assert refusal.code in why


@pytest.mark.parametrize(
    ("rule", "key"),
    [
        ("<SSEAlgorithm>AES256</SSEAlgorithm>", ""),
        ("<SSEAlgorithm>aws:kms</SSEAlgorithm>", "alias/aws/s3"),
        ("<SSEAlgorithm>aws:kms:dsse</SSEAlgorithm><KMSMasterKeyID>k</KMSMasterKeyID>", "k"),
    ],
)
def test_key_that_a_bucket_encrypts_with(rule: str, key: str) -> None:
    """S3's own keys are none of KMS; KMS without a key is AWS's key for S3."""
    default = f"<ApplyServerSideEncryptionByDefault>{rule}</ApplyServerSideEncryptionByDefault>"
    settings = told(
        {"encryption": f"<ServerSideEncryptionConfiguration><Rule>{default}</Rule></ServerSideEncryptionConfiguration>"}
    )
    assert settings.kms_key == key


def test_lock_without_a_time() -> None:
    """A bucket may lock what it is told to lock, and nothing by itself; years count as years."""
    on = "<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{}</ObjectLockConfiguration>"
    years = "<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Years>2</Years></DefaultRetention></Rule>"
    plain, timed = told({"object-lock": on.format("")}), told({"object-lock": on.format(years)})
    assert (plain.lock, plain.retention) == (True, None)
    assert (timed.lock, timed.retention) == (True, timedelta(days=730))
