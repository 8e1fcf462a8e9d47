"""The metrics of replication as the lab's CloudWatch tells them, in two regions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from defib.clock import Deadline, SystemClock
from defib.lab.alone import RunningAws, serve_replicated
from defib.lab.faults import Fault
from defib.lab.replication.furniture import REPLICA, SOURCE
from defib.providers.aws import AwsAccess
from defib.providers.bucket.metrics import CloudWatchMetrics
from defib.replication.metrics import RuleMetrics
from tests.lab.replication_stage import Pair, rule
from tests.providers.bucket.s3_stage import refusing

MEASURED = {"Destination": {"Bucket": f"arn:aws:s3:::{REPLICA}", "Metrics": {"Status": "Enabled"}}}


def soon(seconds: float = 10) -> Deadline:
    """Enough for a few calls."""
    return Deadline.after(SystemClock(), timedelta(seconds=seconds))


@pytest.fixture(scope="module")
def running() -> Iterator[Pair]:
    """The lab's two buckets, with two rules of which one has metrics."""
    with serve_replicated() as aws:
        yield Pair.of(aws)


@pytest.fixture
def pair(running: Pair) -> Iterator[Pair]:
    """The same, healed."""
    silent = rule("silent", Priority=2, Filter={"Prefix": "quiet/"})
    running.configure(rule("measured", **MEASURED), silent)
    yield running
    for name in ("s3-replication", "monitoring"):
        running.aws.set_fault(name, None)
    running.empty("new/")


def access(aws: RunningAws, region: str) -> AwsAccess:
    """The lab's credentials in a region."""
    return AwsAccess(region, aws.endpoint, aws.credentials.access_key, aws.credentials.secret_key)


def told(pair: Pair, *rules: str, **sides: AwsAccess) -> tuple[RuleMetrics, ...]:
    """What is told of these rules, where not with the usual access of a side."""
    usual = {"at_source": access(pair.aws, "us-east-1"), "at_replica": access(pair.aws, "eu-west-1")}
    return CloudWatchMetrics(SOURCE, REPLICA, **(usual | sides)).of(rules, within=soon())


def test_what_is_on_its_way(pair: Pair) -> None:
    """S7: bytes and operations that are pending, and by how much the replica is behind, of the minute that is running."""
    pair.aws.set_fault("s3-replication", Fault("stall"))
    pair.put("new/one", b"12345")
    pair.put("new/two", b"67890")
    (found,) = told(pair, "measured")
    assert found.bytes_pending is not None
    assert found.operations_pending is not None
    assert found.behind is not None
    assert (found.bytes_pending.value, found.operations_pending.value, found.empty) == (10, 2, False)
    assert timedelta(0) < found.behind < timedelta(seconds=30)
    assert abs(SystemClock().now() - found.bytes_pending.at) < timedelta(minutes=2)


def test_a_rule_without_metrics_is_unknown(pair: Pair) -> None:
    """S11: what is not told is None, in the order that was asked for, and never zero."""
    first, second = told(pair, "silent", "measured")
    assert first == RuleMetrics("silent")
    assert (second.rule, second.known) == ("measured", True)


def test_failures_come_from_the_region_of_the_source(pair: Pair) -> None:
    """All of the last quarter of an hour together."""
    pair.aws.set_fault("s3-replication", Fault("fail"))
    for name in ("a", "b", "c"):
        pair.put(f"new/{name}")
        assert pair.settled(f"new/{name}") == "FAILED"
    (found,) = told(pair, "measured")
    assert found.operations_failed is not None
    assert found.operations_failed.value >= 3


@pytest.mark.parametrize("fault", ["denied", "500"])
def test_metrics_that_are_refused_are_unknown(pair: Pair, fault: str) -> None:
    """S11: nothing is told and nothing raised; both regions are named."""
    pair.aws.set_fault("monitoring", Fault(fault))
    (found,) = told(pair, "measured")
    assert found == RuleMetrics("measured", why=found.why)
    assert "CloudWatch in eu-west-1" in found.why
    assert "CloudWatch in us-east-1" in found.why


def test_a_region_that_refuses_hides_only_its_own(pair: Pair) -> None:
    """S15: with the replica's region away, what failed is still told; and the other way round."""
    pair.aws.set_fault("s3-replication", Fault("fail"))
    pair.put("new/one")
    assert pair.settled("new/one") == "FAILED"
    nowhere = replace(access(pair.aws, "eu-west-1"), endpoint="http://127.0.0.1:9")
    (found,) = told(pair, "measured", at_replica=nowhere)
    assert (found.known, found.operations_failed is not None) == (False, True)
    assert found.why.startswith("CloudWatch in eu-west-1: GetMetricData: no answer")
    with refusing("AccessDenied") as closed:
        (found,) = told(pair, "measured", at_source=closed)
    assert (found.known, found.operations_failed) == (True, None)


def test_no_rules_are_no_question(pair: Pair) -> None:
    """A source without rules costs no call."""
    pair.aws.set_fault("monitoring", Fault("hang"))
    assert told(pair) == ()


def test_a_region_that_hangs_takes_half_of_the_time(pair: Pair) -> None:
    """The deadline holds for both together."""
    pair.aws.set_fault("monitoring", Fault("hang"))
    clock = SystemClock()
    began = clock.monotonic()
    usual: dict[str, Any] = {"at_source": access(pair.aws, "us-east-1"), "at_replica": access(pair.aws, "eu-west-1")}
    (found,) = CloudWatchMetrics(SOURCE, REPLICA, **usual).of(["measured"], within=soon(1))
    assert clock.monotonic() - began < timedelta(seconds=20)
    assert not found.known
