"""A pair of buckets that is configured as it should be, for tests that spoil one thing of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from defib.objectives import Objectives
from defib.ready.check import Check, State
from defib.replication.audit import audit
from defib.replication.authority import Key, Role
from defib.replication.evidence import Evidence
from defib.replication.rules import BucketSettings, Rule
from defib.sites.replication import BucketAt, Replicated
from defib.sites.values import Aws

ROLE = "arn:aws:iam::111111111111:role/service-role/copies"
ELSEWHERE = "222222222222"
SOURCE, REPLICA = "assets", "assets-copy"
KEY_HERE = "arn:aws:kms:us-east-1:111111111111:key/here"
KEY_THERE = "arn:aws:kms:eu-west-1:111111111111:key/there"
OBJECTIVES = Objectives(rto=timedelta(hours=4), rpo=timedelta(hours=1))
PAIR = Replicated(
    name="assets",
    source=BucketAt(bucket=SOURCE, aws=Aws(region="us-east-1")),
    replica=BucketAt(bucket=REPLICA, aws=Aws(region="eu-west-1")),
)
RULE = Rule("all", enabled=True, destination=REPLICA, priority=1, markers=True, rtc=timedelta(minutes=15), metrics=True)


def trust(*services: str, **condition: Any) -> str:
    """A role's policy that lets these services take it on."""
    statement = {"Effect": "Allow", "Principal": {"Service": list(services)}, "Action": "sts:AssumeRole"}
    return json.dumps({"Statement": [statement | ({"Condition": condition} if condition else {})]})


WELL_SOURCE = BucketSettings("us-east-1", "Enabled", ROLE, (RULE,), owner="BucketOwnerEnforced")
WELL_REPLICA = BucketSettings("eu-west-1", "Enabled", owner="BucketOwnerEnforced")
WELL = Evidence(PAIR, OBJECTIVES, WELL_SOURCE, WELL_REPLICA, Role(ROLE, there=True, trust=trust("s3.amazonaws.com")))


def source(**changed: Any) -> Evidence:
    """All is well but for these settings of the source."""
    return replace(WELL, source=replace(WELL_SOURCE, **changed))


def replica(**changed: Any) -> Evidence:
    """All is well but for these settings of the replica."""
    return replace(WELL, replica=replace(WELL_REPLICA, **changed))


def rule(**changed: Any) -> Evidence:
    """All is well but for these parts of the one rule."""
    return source(rules=(replace(RULE, **changed),))


def pair(**changed: Any) -> Evidence:
    """All is well but for what the site file says of the pair."""
    return replace(WELL, pair=PAIR.model_copy(update=changed))


def role(**changed: Any) -> Evidence:
    """All is well but for what IAM tells of the role."""
    return replace(WELL, role=replace(WELL.role or Role(ROLE, None), **changed))


def encrypted(here: Key | None = None, there: Key | None = None, **changed: Any) -> Evidence:
    """A source that encrypts with a key of KMS, and a rule that allows for it but for what is `changed` in it."""
    settings = replace(
        WELL_SOURCE,
        kms_key=KEY_HERE,
        rules=(replace(RULE, kms=True, kms_key=KEY_THERE) if not changed else replace(RULE, **changed),),
    )
    keys = {
        KEY_HERE: here or Key(KEY_HERE, True, "Enabled", KEY_HERE),
        KEY_THERE: there or Key(KEY_THERE, True, "Enabled", KEY_THERE),
    }
    return replace(WELL, source=settings, keys=keys)


def found(seen: Evidence, name: str, of: str = "") -> Check:
    """The one finding with this name, whose `about` ends with `of`."""
    (check,) = [each for each in audit(seen) if each.name == name and each.about.endswith(of)]
    return check


def wrong(seen: Evidence) -> dict[str, State]:
    """The findings that are not well, by name."""
    return {each.name: each.state for each in audit(seen) if each.state is not State.OK}
