"""A replication is put as S3 takes it and told back as it was put; keys of KMS, all destinations and the way back count."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from defib.lab.alone import serve_replicated
from defib.lab.replication.furniture import REPLICA, ROLE, ROLE_NAME, SOURCE
from tests.lab.replication_stage import Pair, client, refused, rule, wait_until

ANYTHING = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}'
TAGGED = {"Tag": {"Key": "a", "Value": "b"}}


@pytest.fixture(scope="module")
def running() -> Iterator[Pair]:
    """Both buckets as they stand in the lab, and a third without versions."""
    with serve_replicated(replicates_in=timedelta(milliseconds=20)) as aws:
        pair = Pair.of(aws)
        pair.there.create_bucket(Bucket="without-versions", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        yield pair


@pytest.fixture
def pair(running: Pair) -> Iterator[Pair]:
    """The same, with the rule of the lab and without what a test wrote."""
    yield running
    running.configure(rule())
    running.empty("new/")


def to(bucket: str, **more: Any) -> dict[str, Any]:
    """A destination."""
    return {"Bucket": f"arn:aws:s3:::{bucket}", **more}


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ([rule(Destination=to("nowhere-at-all"))], "InvalidRequest"),
        ([rule(Destination=to("without-versions"))], "InvalidRequest"),
        ([rule(Destination=to(SOURCE))], "InvalidRequest"),
        ([rule(Destination={"Bucket": "pulse-assets-replica"})], "InvalidArgument"),
        ([rule("a", Priority=1), rule("a", Priority=2)], "InvalidArgument"),
        ([rule("a", Priority=1), rule("b", Priority=1)], "InvalidRequest"),
        ([rule(Filter=TAGGED)], "InvalidRequest"),
        ([{key: value for key, value in rule().items() if key != "Priority"}], "InvalidRequest"),
        ([{key: value for key, value in rule().items() if key != "DeleteMarkerReplication"}], "InvalidRequest"),
        ([rule(Destination=to(REPLICA, EncryptionConfiguration={"ReplicaKmsKeyID": "k"}))], "InvalidRequest"),
    ],
    ids=["nowhere", "unversioned", "itself", "no arn", "ids", "priorities", "markers", "no priority", "no markers", "key"],
)
def test_a_configuration_that_s3_refuses_is_refused(pair: Pair, rules: list[dict[str, Any]], code: str) -> None:
    """Each with the code of S3, and what was in force stays so."""
    before = pair.here.get_bucket_replication(Bucket=SOURCE)["ReplicationConfiguration"]
    told = {"Role": ROLE, "Rules": rules}
    assert refused(pair.here.put_bucket_replication, Bucket=SOURCE, ReplicationConfiguration=told) == (400, code)
    assert pair.here.get_bucket_replication(Bucket=SOURCE)["ReplicationConfiguration"] == before


def test_a_role_is_named_by_its_arn(pair: Pair) -> None:
    """A bare name is none, and a source keeps its versions for as long as it is one."""
    told = {"Role": ROLE_NAME, "Rules": [rule()]}
    assert refused(pair.here.put_bucket_replication, Bucket=SOURCE, ReplicationConfiguration=told)[1] == "InvalidArgument"
    suspended = {"Status": "Suspended"}
    answer = refused(pair.here.put_bucket_versioning, Bucket=SOURCE, VersioningConfiguration=suspended)
    assert answer == (409, "InvalidBucketState")


def test_a_configuration_is_told_back_as_it_was_put(pair: Pair) -> None:
    """Filters, tags, markers, keys and metrics: an audit reads what there is, not what moto remembers."""
    both = {"And": {"Prefix": "a &<b>/", "Tags": [{"Key": "k", "Value": "v"}, {"Key": "l", "Value": "w"}]}}
    time = {"ReplicationTime": {"Status": "Enabled", "Time": {"Minutes": 15}}}
    metrics = {"Metrics": {"Status": "Enabled", "EventThreshold": {"Minutes": 15}}}
    key = {"EncryptionConfiguration": {"ReplicaKmsKeyID": "arn:aws:kms:eu-west-1:123456789012:key/k"}}
    criteria = {"SseKmsEncryptedObjects": {"Status": "Enabled"}, "ReplicaModifications": {"Status": "Enabled"}}
    full = rule(
        "full",
        Priority=7,
        Filter=both,
        DeleteMarkerReplication={"Status": "Disabled"},
        SourceSelectionCriteria=criteria,
        Destination=to(REPLICA, StorageClass="STANDARD_IA", **time, **metrics, **key),
    )
    pair.configure(full, rule("off", Priority=3, Status="Disabled"))
    told = pair.here.get_bucket_replication(Bucket=SOURCE)["ReplicationConfiguration"]
    assert told == {"Role": ROLE, "Rules": [full, rule("off", Priority=3, Status="Disabled")]}
    pair.here.delete_bucket_replication(Bucket=SOURCE)
    assert refused(pair.here.get_bucket_replication, Bucket=SOURCE) == (404, "ReplicationConfigurationNotFoundError")


def test_a_locked_source_needs_a_locked_replica(pair: Pair) -> None:
    """S10: Object Lock on one side alone fails everything; on both, retention and legal hold are copied."""
    for s3, name in ((pair.here, "locked-here"), (pair.there, "locked-there")):
        region = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}} if s3 is pair.there else {}
        s3.create_bucket(Bucket=name, **region)
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    iam = client(pair.aws, service="iam")
    iam.put_role_policy(RoleName=ROLE_NAME, PolicyName="anything", PolicyDocument=ANYTHING)
    told = {"Role": ROLE, "Rules": [rule(Destination=to("locked-there"))]}
    pair.here.put_bucket_replication(Bucket="locked-here", ReplicationConfiguration=told)
    lock: dict[str, Any] = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}
    key = {"Bucket": "locked-here", "Key": "k"}

    def status() -> str:
        said: str = pair.here.head_object(**key)["ReplicationStatus"]
        return said

    pair.here.put_object(**key, Body=b"0")
    pair.here.put_object_lock_configuration(Bucket="locked-here", ObjectLockConfiguration=lock)
    assert pair.here.get_object_lock_configuration(Bucket="locked-here")["ObjectLockConfiguration"] == lock
    pair.here.put_object(**key, Body=b"1")
    wait_until(lambda: status() == "FAILED")
    pair.there.put_object_lock_configuration(Bucket="locked-there", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"})
    version = pair.here.put_object(**key, Body=b"2")["VersionId"]
    wait_until(lambda: status() == "COMPLETED")
    held = pair.there.head_object(Bucket="locked-there", Key="k")
    assert (held["VersionId"], held["ObjectLockMode"]) == (version, "GOVERNANCE")
    deleted = refused(pair.there.delete_object, Bucket="locked-there", Key="k", VersionId=version)
    assert deleted == (403, "AccessDenied")
    iam.delete_role_policy(RoleName=ROLE_NAME, PolicyName="anything")


def test_a_rule_names_the_storage_class_of_the_replica(pair: Pair) -> None:
    """The source's is another one, and stays."""
    pair.configure(rule(Destination=to(REPLICA, StorageClass="STANDARD_IA")))
    pair.put("new/cold")
    assert pair.settled("new/cold") == "COMPLETED"
    held: Any = pair.replica("new/cold")
    assert held["StorageClass"] == "STANDARD_IA"
    assert "StorageClass" not in pair.here.head_object(Bucket=SOURCE, Key="new/cold")


@pytest.fixture
def keys(pair: Pair) -> Iterator[tuple[str, str]]:
    """A key of KMS in each Region, and a role that may do everything."""
    iam = client(pair.aws, service="iam")
    iam.put_role_policy(RoleName=ROLE_NAME, PolicyName="anything", PolicyDocument=ANYTHING)
    made = [client(pair.aws, region, "kms").create_key()["KeyMetadata"]["Arn"] for region in ("us-east-1", "eu-west-1")]
    yield made[0], made[1]
    iam.delete_role_policy(RoleName=ROLE_NAME, PolicyName="anything")


def with_key(key: str) -> dict[str, Any]:
    """What encrypts an object with a key of KMS."""
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}


def opted_in(key: str) -> dict[str, Any]:
    """A rule that copies what KMS encrypts, encrypted with another key."""
    destination = to(REPLICA, EncryptionConfiguration={"ReplicaKmsKeyID": key})
    return rule(SourceSelectionCriteria={"SseKmsEncryptedObjects": {"Status": "Enabled"}}, Destination=destination)


def test_what_kms_encrypts_needs_to_be_asked_for(pair: Pair, keys: tuple[str, str]) -> None:
    """S3, S10: without the opt-in no rule covers it; with it the replica has the other key, and another ETag."""
    pair.put("new/secret", **with_key(keys[0]))
    assert pair.settled("new/secret") == ""
    pair.configure(opted_in(keys[1]))
    pair.put("new/secret", **with_key(keys[0]))
    assert pair.settled("new/secret") == "COMPLETED"
    here = pair.here.head_object(Bucket=SOURCE, Key="new/secret", ChecksumMode="ENABLED")
    there: Any = pair.replica("new/secret", ChecksumMode="ENABLED")
    assert (here["SSEKMSKeyId"], there["SSEKMSKeyId"]) == keys
    assert here["ETag"] != there["ETag"]
    assert here["ChecksumCRC32"] == there["ChecksumCRC32"]


@pytest.mark.parametrize("which", [0, 1])
def test_a_disabled_key_fails_it(pair: Pair, keys: tuple[str, str], which: int) -> None:
    """S10: neither what cannot be read here nor what cannot be written there is copied."""
    pair.configure(opted_in(keys[1]))
    region = ("us-east-1", "eu-west-1")[which]
    kms = client(pair.aws, region, "kms")
    kms.disable_key(KeyId=keys[which].rpartition("/")[2])
    assert kms.describe_key(KeyId=keys[which])["KeyMetadata"]["KeyState"] == "Disabled"
    pair.put("new/locked", **with_key(keys[0]))
    assert pair.settled("new/locked") == "FAILED"


def test_every_destination_counts(pair: Pair) -> None:
    """It is completed once all of them have it, and failed if one never will."""
    pair.there.create_bucket(Bucket="second-replica", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    pair.there.put_bucket_versioning(Bucket="second-replica", VersioningConfiguration={"Status": "Enabled"})
    iam = client(pair.aws, service="iam")
    second = rule("second", Priority=2, Destination=to("second-replica"))
    pair.configure(rule("first"), second)
    pair.put("new/half")
    assert pair.settled("new/half") == "FAILED"
    assert pair.replica("new/half") is not None
    iam.put_role_policy(RoleName=ROLE_NAME, PolicyName="anything", PolicyDocument=ANYTHING)
    pair.put("new/both")
    assert pair.settled("new/both") == "COMPLETED"
    assert pair.there.head_object(Bucket="second-replica", Key="new/both")["ReplicationStatus"] == "REPLICA"
    iam.delete_role_policy(RoleName=ROLE_NAME, PolicyName="anything")


def test_a_replica_is_not_replicated_but_its_changes_may_be(pair: Pair) -> None:
    """With rules both ways nothing goes round; with the sync of modifications a replica's new tags come back."""
    iam = client(pair.aws, service="iam")
    iam.put_role_policy(RoleName=ROLE_NAME, PolicyName="anything", PolicyDocument=ANYTHING)
    criteria = {"ReplicaModifications": {"Status": "Enabled"}}
    back = rule("back", Destination=to(SOURCE), SourceSelectionCriteria=criteria)
    pair.there.put_bucket_replication(Bucket=REPLICA, ReplicationConfiguration={"Role": ROLE, "Rules": [back]})
    try:
        pair.put("new/round")
        assert pair.settled("new/round") == "COMPLETED"
        tags = [{"Key": "from", "Value": "there"}]
        pair.there.put_object_tagging(Bucket=REPLICA, Key="new/round", Tagging={"TagSet": tags})
        wait_until(lambda: pair.here.get_object_tagging(Bucket=SOURCE, Key="new/round")["TagSet"] == tags)
        assert (pair.replica("new/round") or {})["ReplicationStatus"] == "REPLICA"
        assert len(pair.here.list_object_versions(Bucket=SOURCE, Prefix="new/")["Versions"]) == 1
    finally:
        pair.there.delete_bucket_replication(Bucket=REPLICA)
        iam.delete_role_policy(RoleName=ROLE_NAME, PolicyName="anything")


def test_a_late_copy_does_not_become_the_current_one(pair: Pair) -> None:
    """Versions stand in the order of their writing, in whatever order they arrive."""
    first = pair.put("new/order", b"1")
    assert pair.settled("new/order") == "COMPLETED"
    pair.there.delete_object(Bucket=REPLICA, Key="new/order", VersionId=first)
    second = pair.put("new/order", b"2")
    assert pair.settled("new/order") == "COMPLETED"
    pair.there.put_object(Bucket=REPLICA, Key="new/other", Body=b"x")
    listed = pair.there.list_object_versions(Bucket=REPLICA, Prefix="new/order")["Versions"]
    assert [(each["VersionId"], each["IsLatest"]) for each in listed] == [(second, True)]


def test_an_auditor_reads_the_role(pair: Pair) -> None:
    """Its trust, its policies, and what they come to for each resource."""
    iam = client(pair.aws, service="iam")
    trust = iam.get_role(RoleName=ROLE_NAME)["Role"]["AssumeRolePolicyDocument"]["Statement"][0]
    assert trust["Principal"] == {"Service": "s3.amazonaws.com"}
    assert iam.list_role_policies(RoleName=ROLE_NAME)["PolicyNames"] == ["replicate"]
    assert iam.list_attached_role_policies(RoleName=ROLE_NAME)["AttachedPolicies"] == []
    document = iam.get_role_policy(RoleName=ROLE_NAME, PolicyName="replicate")["PolicyDocument"]
    assert len(document["Statement"]) == 3
    asked = ["s3:ReplicateObject", "s3:GetObjectVersionForReplication"]
    both = [f"arn:aws:s3:::{REPLICA}/x", f"arn:aws:s3:::{SOURCE}/x"]
    told = iam.simulate_principal_policy(PolicySourceArn=ROLE, ActionNames=asked, ResourceArns=both)["EvaluationResults"]
    assert [each["EvalDecision"] for each in told] == ["allowed", "implicitDeny", "implicitDeny", "allowed"]
    assert refused(iam.get_role, RoleName="nobody") == (404, "NoSuchEntity")
