"""CloudWatch of the lab is told of replication by rule and minute, where a rule has metrics, and of nothing elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from defib.lab.alone import serve_replicated
from defib.lab.faults import Fault
from defib.lab.replication.carrying import Operation
from defib.lab.replication.furniture import REPLICA, SOURCE
from defib.lab.replication.metrics import samples
from defib.lab.replication.rules import Rule
from tests.lab.replication_stage import CLOCK, Pair, client, refused, rule

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
RULE = Rule("r", True, 1, "", (), "there", True, True, False, "", "", True)
MEASURED = {"Destination": {"Bucket": f"arn:aws:s3:::{REPLICA}", "Metrics": {"Status": "Enabled"}}}


def operation(queued: float, ended: float | None, *, failed: bool = False, size: int = 10) -> Operation:
    """One that was queued and ended so many seconds after noon."""
    over = NOON + timedelta(seconds=ended) if ended is not None else None
    return Operation("here", RULE, size, NOON + timedelta(seconds=queued), over, "because" if failed else "")


def told(operations: list[Operation], seconds: float) -> dict[str, list[tuple[int, float]]]:
    """What is told at so many seconds after noon: of each metric its values by minute."""
    found: dict[str, list[tuple[int, float]]] = {}
    for each in samples(operations, NOON, NOON + timedelta(seconds=seconds)):
        found.setdefault(each.name, []).append((int((each.at - NOON).total_seconds()) // 60, each.value))
    return found


def test_what_is_pending_is_told_of_every_minute() -> None:
    """S11: zero is told as zero; of latency nothing is told where nothing was on its way."""
    seen = told([operation(70, 200, size=7)], 250)
    assert seen["OperationsPendingReplication"] == [(0, 0), (1, 1), (2, 1), (3, 0), (4, 0)]
    assert seen["BytesPendingReplication"] == [(0, 0), (1, 7), (2, 7), (3, 0), (4, 0)]
    assert seen["ReplicationLatency"] == [(1, 50), (2, 110), (3, 130)]
    assert seen["OperationsFailedReplication"] == [(3, 0)]


def test_the_minute_that_is_not_over_is_told_as_it_stands() -> None:
    """What is on its way now is behind by its age now."""
    seen = told([operation(0, None), operation(10, 12, failed=True)], 30)
    assert seen["ReplicationLatency"] == [(0, 30)]
    assert seen["OperationsPendingReplication"] == [(0, 1)]
    assert seen["OperationsFailedReplication"] == [(0, 1)]


@pytest.fixture(scope="module")
def running() -> Iterator[Pair]:
    """Both buckets as they stand in the lab."""
    with serve_replicated() as aws:
        yield Pair.of(aws)


@pytest.fixture
def pair(running: Pair) -> Iterator[Pair]:
    """The same, healed, and without what a test wrote."""
    yield running
    running.aws.set_fault("s3-replication", None)
    running.aws.set_fault("monitoring", None)
    running.empty("new/")


def metric(name: str, rule_id: str, stat: str = "Maximum", **dimensions: str) -> dict[str, Any]:
    """A query for one metric of one rule."""
    all_of = {"SourceBucket": SOURCE, "DestinationBucket": REPLICA, "RuleId": rule_id, **dimensions}
    named = [{"Name": key, "Value": value} for key, value in all_of.items()]
    asked = {"Namespace": "AWS/S3", "MetricName": name, "Dimensions": named}
    return {"Id": name.lower(), "MetricStat": {"Metric": asked, "Period": 60, "Stat": stat}}


def ask(pair: Pair, *queries: dict[str, Any], region: str = "eu-west-1") -> dict[str, list[float]]:
    """The values of the last minutes, the newest first."""
    now = CLOCK.now()
    cloudwatch = client(pair.aws, region, "cloudwatch")
    times = {"StartTime": now - timedelta(minutes=20), "EndTime": now + timedelta(minutes=1)}
    answer = cloudwatch.get_metric_data(MetricDataQueries=list(queries), **times)["MetricDataResults"]
    assert all(at.second == 0 for each in answer for at in each["Timestamps"])
    return {each["Id"]: each["Values"] for each in answer}


def test_a_rule_with_metrics_is_told_of(pair: Pair) -> None:
    """S7: what is stalled is pending with its bytes, and latency grows; then nothing is pending any more."""
    pair.configure(rule("measured", **MEASURED))
    names = ("ReplicationLatency", "BytesPendingReplication", "OperationsPendingReplication")
    pair.aws.set_fault("s3-replication", Fault("stall"))
    pair.put("new/one", b"12345")
    pair.put("new/two", b"67890")
    seen = ask(pair, *(metric(name, "measured") for name in names))
    assert (seen["bytespendingreplication"][0], seen["operationspendingreplication"][0]) == (10, 2)
    CLOCK.sleep(timedelta(milliseconds=30))
    assert max(ask(pair, metric(names[0], "measured"))["replicationlatency"]) > max(seen["replicationlatency"])
    pair.aws.set_fault("s3-replication", None)
    assert [pair.settled(key) for key in ("new/one", "new/two")] == ["COMPLETED", "COMPLETED"]
    seen = ask(pair, *(metric(name, "measured") for name in names))
    assert (seen["bytespendingreplication"][0], seen["operationspendingreplication"][0]) == (0, 0)


def test_failures_are_counted(pair: Pair) -> None:
    """Their sum is how many failed, their average the rate, their count all operations."""
    pair.configure(rule("failing", **MEASURED))
    pair.aws.set_fault("s3-replication", Fault("fail", {"every": 2}))
    for name in ("a", "b", "c", "d"):
        pair.put(f"new/{name}")
        pair.settled(f"new/{name}")
    now = CLOCK.now()
    asked = metric("OperationsFailedReplication", "failing")["MetricStat"]["Metric"]
    times = {"StartTime": now - timedelta(minutes=2), "EndTime": now + timedelta(minutes=1), "Period": 300}
    cloudwatch = client(pair.aws, service="cloudwatch")
    (point,) = cloudwatch.get_metric_statistics(**asked, **times, Statistics=["Sum", "SampleCount", "Average"])["Datapoints"]
    assert (point["Sum"], point["SampleCount"], point["Average"]) == (2, 4, 0.5)


def test_a_rule_without_metrics_is_not_told_of(pair: Pair) -> None:
    """S11: nothing, not zero: for a rule without metrics, for another rule's name, and in the Region of the source."""
    pair.configure(rule("silent"))
    pair.put("new/one")
    assert pair.settled("new/one") == "COMPLETED"
    assert ask(pair, metric("ReplicationLatency", "silent")) == {"replicationlatency": []}
    pair.configure(rule("loud", **MEASURED))
    pair.put("new/two")
    assert pair.settled("new/two") == "COMPLETED"
    assert ask(pair, metric("ReplicationLatency", "other")) == {"replicationlatency": []}
    assert ask(pair, metric("ReplicationLatency", "loud"), region="us-east-1") == {"replicationlatency": []}
    assert ask(pair, metric("ReplicationLatency", "loud"))["replicationlatency"]


def test_metrics_can_be_away(pair: Pair) -> None:
    """S11: CloudWatch refuses in its own protocol, and S3 goes on."""
    pair.aws.set_fault("monitoring", Fault("denied"))
    assert refused(client(pair.aws, service="cloudwatch").list_metrics) == (403, "AccessDenied")
    assert pair.here.list_objects_v2(Bucket=SOURCE)["Contents"]
