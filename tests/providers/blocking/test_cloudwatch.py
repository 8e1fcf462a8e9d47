"""Alarms as the lab's CloudWatch tells them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest

from defib.clock import Deadline, SystemClock
from defib.drills.blocking import AlarmSeen
from defib.errors import Denied, Unavailable
from defib.lab.alone import RunningAws, serve_aws
from defib.lab.faults import Fault
from defib.providers.aws import AwsAccess
from defib.providers.blocking.cloudwatch import CloudWatchAlarms

REGION = "eu-west-1"


def soon() -> Deadline:
    """Enough for a few calls."""
    return Deadline.after(SystemClock(), timedelta(seconds=10))


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """The lab's AWS, with an alarm in each state."""
    with serve_aws() as running:
        client: Any = boto3.client(
            "cloudwatch",
            region_name=REGION,
            endpoint_url=running.endpoint,
            aws_access_key_id=running.credentials.access_key,
            aws_secret_access_key=running.credentials.secret_key,
        )
        for name, state in (("quiet", "OK"), ("loud", "ALARM"), ("silent", "INSUFFICIENT_DATA")):
            client.put_metric_alarm(
                AlarmName=name,
                Namespace="AWS/CloudFront",
                MetricName="5xxErrorRate",
                Statistic="Average",
                Period=60,
                EvaluationPeriods=1,
                Threshold=5.0,
                ComparisonOperator="GreaterThanThreshold",
            )
            client.set_alarm_state(AlarmName=name, StateValue=state, StateReason="by hand")
        yield running


def alarms(aws: RunningAws, *names: str, region: str = REGION) -> CloudWatchAlarms:
    """Those alarms with the lab's credentials."""
    access = AwsAccess(region, aws.endpoint, aws.credentials.access_key, aws.credentials.secret_key)
    return CloudWatchAlarms(names, access)


def test_each_as_it_stands(aws: RunningAws) -> None:
    """Quiet, loud, without data, and one that is not there: the last two are unknown, in the order that was asked for."""
    found = alarms(aws, "loud", "none", "silent", "quiet").seen(within=soon())
    assert found == (
        AlarmSeen("loud", quiet=False, text="alarm loud is ALARM: by hand"),
        AlarmSeen("none", quiet=None, text="there is no alarm 'none' at CloudWatch in eu-west-1"),
        AlarmSeen("silent", quiet=None, text="alarm silent is INSUFFICIENT_DATA: by hand"),
        AlarmSeen("quiet", quiet=True, text="alarm quiet is OK: by hand"),
    )


def test_another_region(aws: RunningAws) -> None:
    """An alarm is of its region alone."""
    (found,) = alarms(aws, "quiet", region="us-east-1").seen(within=soon())
    assert found.quiet is None


@pytest.mark.parametrize(("fault", "error"), [("denied", Denied), ("refuse", Unavailable)])
def test_a_cloudwatch_that_does_not_tell(aws: RunningAws, fault: str, error: type[Exception]) -> None:
    """Translated, as every adapter does."""
    aws.set_fault("monitoring", Fault(fault))
    try:
        with pytest.raises(error):
            alarms(aws, "quiet").seen(within=soon())
    finally:
        aws.set_fault("monitoring", None)
