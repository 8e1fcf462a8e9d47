"""What the role must be allowed follows from the rules, and nothing else is asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from defib.replication.authority import Key, Need
from defib.replication.needs import keys_at_replica, keys_at_source, needs
from defib.replication.rules import BucketSettings
from tests.replication.audit_stage import KEY_HERE, KEY_THERE, PAIR, RULE, WELL_REPLICA, WELL_SOURCE

HERE, THERE = "arn:aws:s3:::assets", "arn:aws:s3:::assets-copy"
KEYS = {key: Key(key, True, "Enabled", key) for key in (KEY_HERE, KEY_THERE)}
ENCRYPTED = replace(WELL_SOURCE, kms_key=KEY_HERE, rules=(replace(RULE, kms=True, kms_key=KEY_THERE),))


def actions(settings: BucketSettings, replica: BucketSettings | None = WELL_REPLICA, **changed: Any) -> dict[str, set[str]]:
    """What is needed, by resource."""
    found: dict[str, set[str]] = {}
    for need in needs(PAIR.model_copy(update=changed), settings, replica, KEYS):
        found.setdefault(need.resource, set()).update(need.actions)
    return found


def test_what_every_replication_needs() -> None:
    """As AWS lists it."""
    assert actions(WELL_SOURCE) == {
        HERE: {"s3:GetReplicationConfiguration", "s3:ListBucket"},
        f"{HERE}/*": {"s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"},
        f"{THERE}/*": {"s3:ReplicateObject", "s3:ReplicateDelete"},
    }


def test_markers_are_not_asked_for_where_they_are_not_replicated() -> None:
    """A role that cannot delete is none that lacks something."""
    assert actions(replace(WELL_SOURCE, rules=(replace(RULE, markers=False),)))[f"{THERE}/*"] == {"s3:ReplicateObject"}


def test_each_prefix_is_asked_for() -> None:
    """A role may be allowed to touch only a part of the buckets."""
    found = actions(WELL_SOURCE, prefixes=("img/", "doc/"))
    assert set(found) == {HERE, *(f"{bucket}/{prefix}*" for bucket in (HERE, THERE) for prefix in ("img/", "doc/"))}


def test_a_locked_source_is_read_with_its_locks() -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html."""
    found = actions(replace(WELL_SOURCE, lock=True))
    assert {"s3:GetObjectRetention", "s3:GetObjectLegalHold"} <= found[f"{HERE}/*"]


def test_the_owner_is_changed_by_a_permission_unless_the_bucket_does_it() -> None:
    """A bucket without access control lists needs none, and of one that was not seen nothing is asked."""
    changes = replace(WELL_SOURCE, rules=(replace(RULE, owner_changes=True),))
    override = "s3:ObjectOwnerOverrideToBucketOwner"
    assert override in actions(changes, replace(WELL_REPLICA, owner="ObjectWriter"))[f"{THERE}/*"]
    assert override not in actions(changes)[f"{THERE}/*"]
    assert override not in actions(changes, None)[f"{THERE}/*"]


def test_batch_is_asked_for_where_the_site_file_names_an_account() -> None:
    """And its lack is no lack of what is replicated every day."""
    found = needs(PAIR.model_copy(update={"account": "111111111111"}), WELL_SOURCE, WELL_REPLICA, {})
    assert [need.without for need in found if "s3:InitiateReplication" in need.actions] == [
        "no job of S3 Batch Replication can run"
    ]


def test_keys_are_used_through_s3() -> None:
    """Conditions on keys see the service of the region, and the objects or the bucket that has a key for all of them."""
    found = needs(PAIR, ENCRYPTED, replace(WELL_REPLICA, bucket_key=True), KEYS)
    assert found[-2:] == (
        Need(
            ("kms:Decrypt",),
            KEY_HERE,
            (("kms:ViaService", "s3.us-east-1.amazonaws.com"), ("kms:EncryptionContext:aws:s3:arn", f"{HERE}/*")),
        ),
        Need(
            ("kms:Encrypt",),
            KEY_THERE,
            (("kms:ViaService", "s3.eu-west-1.amazonaws.com"), ("kms:EncryptionContext:aws:s3:arn", THERE)),
        ),
    )


def test_which_keys_are_looked_at() -> None:
    """Those of rules that are about such objects; AWS's own keys need nobody's leave."""
    assert (keys_at_source(PAIR, ENCRYPTED), keys_at_replica(PAIR, ENCRYPTED)) == ((KEY_HERE,), (KEY_THERE,))
    plain = replace(WELL_SOURCE, kms_key=KEY_HERE)
    assert (keys_at_source(PAIR, plain), keys_at_replica(PAIR, plain)) == ((), ())
    for managed in ("alias/aws/s3", "arn:aws:kms:us-east-1:111111111111:alias/aws/s3"):
        assert keys_at_source(PAIR, replace(ENCRYPTED, kms_key=managed)) == ()
    disabled = replace(ENCRYPTED, rules=(replace(RULE, kms=True, kms_key=KEY_THERE, enabled=False),))
    assert keys_at_replica(PAIR, disabled) == ()


def test_resources_are_in_the_partition_of_the_role() -> None:
    """China and the government have partitions of their own."""
    found = needs(PAIR, replace(WELL_SOURCE, role="arn:aws-cn:iam::111111111111:role/copies"), WELL_REPLICA, {})
    assert {need.resource.split(":")[1] for need in found} == {"aws-cn"}
