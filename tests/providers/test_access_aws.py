"""What AWS says of credentials, by the lab's strict AWS, and who holds a name at CloudFront."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import boto3
import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Denied, Unavailable
from defib.lab import furniture
from defib.lab.plan import API_PORT
from defib.ports import RecordKey
from defib.privilege.permission import Permission
from defib.providers.access_aws import AwsPolicyAccess, CloudFrontClaims
from defib.providers.aws import AwsAccess
from defib.providers.cdn import cloudfront
from defib.providers.dns import route53, s3_switch
from defib.providers.status import s3 as status
from tests.lab.lab_stage import PUBLIC, Stage, running_world


@pytest.fixture(scope="module")
def world() -> Iterator[Stage]:
    """A world for this module."""
    with running_world() as stage:
        yield stage


@pytest.fixture
def stage(world: Stage) -> Iterator[Stage]:
    """The world, healed afterwards."""
    yield world
    world.heal()


@pytest.fixture
def access(stage: Stage) -> AwsAccess:
    """The keys of the lab's one user."""
    keys = stage.keys.aws
    return AwsAccess("us-east-1", f"http://{stage.world.plan.at('1.1')}:{API_PORT}", keys.access_key, keys.secret_key)


def soon() -> Deadline:
    """Enough for a few calls."""
    return Deadline.after(SystemClock(), timedelta(seconds=10))


ZONE = route53.permissions(furniture.ZONE_ID, [RecordKey(f"{PUBLIC}.", "CNAME")])
DISTRIBUTION = cloudfront.permissions(furniture.DISTRIBUTION)
SWITCH, PAGE = s3_switch.permissions("a-bucket", "a-key"), status.permissions("a-bucket", "lab/")


@pytest.mark.parametrize("wanted", [ZONE, DISTRIBUTION, SWITCH, PAGE])
def test_credentials_that_may_do_what_a_recovery_needs(access: AwsAccess, wanted: tuple[Permission, ...]) -> None:
    """Every action on its own resource is allowed, and the grant says whose the keys are."""
    grant = AwsPolicyAccess("it", wanted, access).granted(within=soon())
    assert (grant.may_edit, grant.until) == (True, None)
    assert grant.who.endswith(":user/defib")


def test_credentials_that_may_only_read(stage: Stage, access: AwsAccess) -> None:
    """D11: exactly the actions that are denied are named, before anything needs them."""
    stage.break_("route53-api", "read-only")
    stage.break_("cloudfront-api", "read-only")
    zone = AwsPolicyAccess("zone", ZONE, access).granted(within=soon())
    assert (zone.may_edit, zone.why) == (False, "it lacks route53:ChangeResourceRecordSets")
    edge = AwsPolicyAccess("edge", DISTRIBUTION, access).granted(within=soon())
    assert (edge.may_edit, edge.why) == (False, "it lacks cloudfront:CreateInvalidation")


def test_the_lab_means_what_it_says(stage: Stage, access: AwsAccess) -> None:
    """A policy that reads only is kept: reading goes on, and a change is refused with AWS's own code."""
    stage.break_("route53-api", "read-only")
    client = boto3.client(
        "route53",
        endpoint_url=access.endpoint,
        aws_access_key_id=access.access_key,
        aws_secret_access_key=access.secret_key,
        region_name="us-east-1",
        config=access.config(5),
    )
    assert client.list_resource_record_sets(HostedZoneId=furniture.ZONE_ID)["ResourceRecordSets"]
    record = {"Name": "x.pulse-trading.test.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    with pytest.raises(client.exceptions.ClientError) as told:
        client.change_resource_record_sets(
            HostedZoneId=furniture.ZONE_ID,
            ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]},  # type: ignore[typeddict-item]
        )
    assert told.value.response["Error"]["Code"] == "AccessDenied"


def test_keys_that_are_not_known(access: AwsAccess) -> None:
    """Keys that AWS does not take are denied, not unknown."""
    with pytest.raises(Denied):
        AwsPolicyAccess("it", ZONE, replace(access, secret_key="wrong")).granted(within=soon())


def test_an_aws_that_does_not_answer() -> None:
    """No answer is unknown to whoever asked: the adapter says so, and in time."""
    nowhere = AwsAccess("us-east-1", "http://127.0.0.1:9", "AKIAX", "secret")
    with pytest.raises(Unavailable):
        AwsPolicyAccess("it", ZONE, nowhere).granted(within=soon())


def test_a_name_that_nobody_else_holds(access: AwsAccess) -> None:
    """No other distribution has it."""
    assert CloudFrontClaims(furniture.DISTRIBUTION, access).holders(f"{PUBLIC}.", within=soon()) == ()


def test_a_name_that_another_distribution_holds(stage: Stage, access: AwsAccess) -> None:
    """C14: the holder is told, as far as CloudFront shows it; a wildcard over the name holds it too."""
    config = furniture.distribution_config(["*.elsewhere.test", "www.taken.test"]) | {"CallerReference": "other"}
    stage.world.aws.cloudfront.add_distribution("EOTHERPERSON", "dother.cloudfront.net", config)
    claims = CloudFrontClaims(furniture.DISTRIBUTION, access)
    for name, alias in (("www.taken.test.", "www.taken.test"), ("www.elsewhere.test.", "*.elsewhere.test")):
        (found,) = claims.holders(name, within=soon())
        assert found.startswith("distribution *******RPERSON of account ")
        assert found.endswith(f"as {alias}")
