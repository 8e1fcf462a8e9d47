"""The whole lab has the assets' buckets: they break by name, and what is left in them shows in its fingerprint."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from defib.errors import InputError
from defib.lab.replication.furniture import REPLICA, SOURCE
from tests.lab.lab_stage import Stage, running_world
from tests.lab.replication_stage import wait_until


@pytest.fixture(scope="module")
def world() -> Iterator[Stage]:
    """One world for the module."""
    with running_world() as running:
        yield running


@pytest.fixture
def stage(world: Stage) -> Iterator[Stage]:
    """The world, healed after each test."""
    yield world
    world.heal()


def s3(stage: Stage, region: str) -> Any:
    """A client with the lab's keys."""
    make: Any = boto3.client
    return make(
        "s3",
        region_name=region,
        endpoint_url=stage.world.aws.server.url,
        aws_access_key_id=stage.keys.aws.access_key,
        aws_secret_access_key=stage.keys.aws.secret_key,
        config=Config(retries={"total_max_attempts": 1}),
    )


def test_a_drill_of_replication_leaves_a_trace_until_it_is_cleaned_up(stage: Stage) -> None:
    """The fault is in the fingerprint while it is in force, a canary for as long as it is on either side."""
    before = json.loads(stage.world.fingerprint())
    stage.break_("s3-replication", "stall")
    here, there = s3(stage, "us-east-1"), s3(stage, "eu-west-1")
    canary = {"Bucket": SOURCE, "Key": "canary"}
    version = here.put_object(**canary, Body=b"x")["VersionId"]
    assert here.head_object(**canary)["ReplicationStatus"] == "PENDING"
    assert stage.world.active_plain() == {"s3-replication": {"fault": "stall"}}
    stage.heal()
    wait_until(lambda: here.head_object(**canary)["ReplicationStatus"] == "COMPLETED")
    here.delete_object(**canary, VersionId=version)
    assert json.loads(stage.world.fingerprint()) != before
    there.delete_object(Bucket=REPLICA, Key="canary", VersionId=version)
    assert json.loads(stage.world.fingerprint()) == before


def test_every_fault_of_the_assets_is_known_by_name(stage: Stage) -> None:
    """Those of the replication, of S3 in each Region, of its jobs and of the metrics."""
    targets = stage.world.targets
    assert targets["s3-replication"] == ("stall", "lag", "corrupt", "drop", "fail")
    for target in ("s3-replication", "s3-us-east-1", "s3-eu-west-1", "s3control-api", "monitoring-api"):
        for fault in targets[target]:
            stage.break_(target, fault)
            assert list(stage.world.active) == [target]
            stage.heal()
    stage.break_("s3-replication", "lag", seconds=3)
    assert stage.world.active_plain() == {"s3-replication": {"fault": "lag", "seconds": 3}}
    with pytest.raises(InputError, match="did you mean 'stall'"):
        stage.break_("s3-replication", "stal")
