"""What replication leaves behind shows in the lab's fingerprint, and what was put right does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from defib.lab.alone import serve_replicated
from defib.lab.replication.furniture import CONFIGURATION, REPLICA, SOURCE
from defib.lab.replication.state import state
from tests.lab.replication_stage import Pair, client, rule, wait_until


@pytest.fixture(scope="module")
def running() -> Iterator[Pair]:
    """Both buckets as they stand in the lab."""
    with serve_replicated() as aws:
        yield Pair.of(aws)


@pytest.fixture
def pair(running: Pair) -> Iterator[Pair]:
    """The same, without what a test wrote."""
    yield running
    running.aws.aws.replication.configurations.put(SOURCE, CONFIGURATION.encode())
    running.empty("new/")


def now(pair: Pair) -> dict[str, Any]:
    """The part of the fingerprint that is about replication."""
    plain: dict[str, Any] = json.loads(json.dumps(state(pair.aws.aws.replication.configurations), sort_keys=True))
    return plain


def test_a_canary_that_is_removed_by_its_version_leaves_nothing(pair: Pair) -> None:
    """S13: gone from both sides, it was never there."""
    before = now(pair)
    version = pair.put("new/canary")
    assert pair.settled("new/canary") == "COMPLETED"
    pair.here.delete_object(Bucket=SOURCE, Key="new/canary", VersionId=version)
    assert now(pair) != before
    pair.there.delete_object(Bucket=REPLICA, Key="new/canary", VersionId=version)
    assert now(pair) == before


def test_a_delete_marker_is_a_trace(pair: Pair) -> None:
    """Who deletes a canary without its version leaves it, and a marker, on both sides."""
    before = now(pair)
    pair.put("new/canary")
    assert pair.settled("new/canary") == "COMPLETED"
    pair.here.delete_object(Bucket=SOURCE, Key="new/canary")
    wait_until(lambda: pair.replica("new/canary") is None)
    after = now(pair)
    assert [after[name]["keys"]["new/canary"][-1] for name in (SOURCE, REPLICA)] == ["deleted", "deleted"]
    assert "new/canary" not in before[SOURCE]["keys"]


@pytest.mark.parametrize("what", ["rule", "versioning", "role", "tags"])
def test_a_change_of_the_configuration_is_a_trace(pair: Pair, what: str) -> None:
    """Of the rules, the versioning, the role and the metadata; undone, it is none."""
    before = now(pair)
    iam = client(pair.aws, service="iam")
    tags = {"Bucket": REPLICA, "Key": "data/empty.json"}
    if what == "rule":
        pair.configure(rule(Status="Disabled"))
    elif what == "versioning":
        pair.there.put_bucket_versioning(Bucket=REPLICA, VersioningConfiguration={"Status": "Suspended"})
    elif what == "role":
        document = json.dumps(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        )
        iam.put_role_policy(RoleName="pulse-assets-replication", PolicyName="more", PolicyDocument=document)
    else:
        pair.there.put_object_tagging(**tags, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    assert now(pair) != before
    pair.there.put_bucket_versioning(Bucket=REPLICA, VersioningConfiguration={"Status": "Enabled"})
    pair.aws.aws.replication.configurations.put(SOURCE, CONFIGURATION.encode())
    if what == "role":
        iam.delete_role_policy(RoleName="pulse-assets-replication", PolicyName="more")
    pair.there.delete_object_tagging(**tags)
    assert now(pair) == before
