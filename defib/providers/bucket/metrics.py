"""The metrics of replication, by CloudWatch's GetMetricData: from the replica's region, and failures from the source's.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/repl-metrics.html says of each in which region it is published;
https://docs.aws.amazon.com/AmazonS3/latest/userguide/metrics-dimensions.html#s3-cloudwatch-replication-metrics has their
names, units and statistics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from defib.clock import Deadline
from defib.errors import ProviderError, Unavailable
from defib.privilege.permission import Permission
from defib.providers.aws import AwsAccess
from defib.providers.aws_errors import asked
from defib.replication.metrics import Reading, RuleMetrics

WINDOW = timedelta(minutes=15)
"""How far back is asked for: as often as a replica is checked."""

_PERIOD = timedelta(minutes=1)
_TOLD = {"Complete", "PartialData"}
"""Of a part the rest comes with the next page; other words are that it may not be told, or failed."""

_MOST = 500
"""Queries in one call: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html."""

_MAXIMUM, _SUM = "Maximum", "Sum"
_LATENCY, _BYTES, _PENDING = "ReplicationLatency", "BytesPendingReplication", "OperationsPendingReplication"
_FAILED = "OperationsFailedReplication"
_AT_REPLICA = {_LATENCY: _MAXIMUM, _BYTES: _MAXIMUM, _PENDING: _MAXIMUM}
_AT_SOURCE = {_FAILED: _SUM}
"""The metrics that are published in each region, and the statistic that means something of each."""

METRICS = Permission(("cloudwatch:GetMetricData",))
"""CloudWatch knows no permission for single metrics:
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html"""

Readings = dict[tuple[str, str], Reading]
"""By rule and metric."""


class CloudWatchMetrics:
    """Fulfils :class:`defib.replication.metrics.Metrics`, each region with its own side's credentials."""

    def __init__(self, source: str, replica: str, at_source: AwsAccess, at_replica: AwsAccess) -> None:
        dimensions = {"SourceBucket": source, "DestinationBucket": replica}
        self._regions = (_Region(at_replica, _AT_REPLICA, dimensions), _Region(at_source, _AT_SOURCE, dimensions))

    def of(self, rules: Sequence[str], *, within: Deadline) -> tuple[RuleMetrics, ...]:
        """The newest figures; a region that does not answer takes no more than half of the time."""
        readings, whys = Readings(), list[str]()
        for number, region in enumerate(self._regions):
            share = within.sooner(within.remaining() / (len(self._regions) - number))
            try:
                readings |= region.told(rules, share)
            except ProviderError as error:
                whys.append("; ".join(text for text in (f"{region.where}: {error.what}", error.seen) if text))
        return tuple(
            RuleMetrics(
                rule,
                latency=readings.get((rule, _LATENCY)),
                bytes_pending=readings.get((rule, _BYTES)),
                operations_pending=readings.get((rule, _PENDING)),
                operations_failed=readings.get((rule, _FAILED)),
                why="; ".join(whys),
            )
            for rule in rules
        )


class _Region:
    """CloudWatch in one region, and what is published there."""

    def __init__(self, access: AwsAccess, metrics: Mapping[str, str], dimensions: Mapping[str, str]) -> None:
        self.where = f"CloudWatch in {access.region}"
        self._metrics = metrics
        self._dimensions = dimensions
        self._clients = access.clients("cloudwatch")

    def told(self, rules: Sequence[str], within: Deadline) -> Readings:
        """What is told of each rule; raises as every port does."""
        wanted = {f"m{number}": each for number, each in enumerate((rule, name) for rule in rules for name in self._metrics)}
        points: dict[str, list[tuple[datetime, float]]] = {}
        queries = [self._query(name, *each) for name, each in wanted.items()]
        for first in range(0, len(queries), _MOST):
            for result in self._results(queries[first : first + _MOST], within):
                found = zip(result["Timestamps"], result["Values"], strict=True)
                points.setdefault(result["Id"], []).extend(found)  # an answer may come in several pages
        return {wanted[name]: self._reading(wanted[name][1], found) for name, found in points.items() if found}

    def _results(self, queries: Sequence[Mapping[str, Any]], within: Deadline) -> Iterator[Mapping[str, Any]]:
        now = within.clock.now()  # the minute that is not over is told as it stands
        asking = {"MetricDataQueries": queries, "StartTime": now - WINDOW, "EndTime": now + _PERIOD}
        while True:
            answer = self._page(asking, within)
            for result in answer["MetricDataResults"]:
                if result["StatusCode"] not in _TOLD:
                    raise Unavailable("GetMetricData: a metric is not told", where=self.where, seen=result["StatusCode"])
                yield result
            if not answer.get("NextToken"):
                return
            asking["NextToken"] = answer["NextToken"]

    def _page(self, asking: Mapping[str, Any], within: Deadline) -> Mapping[str, Any]:
        told: Mapping[str, Any] = asked(
            lambda: self._clients.within(within).get_metric_data(**asking), within, "GetMetricData", self.where
        )
        return told

    def _query(self, name: str, rule: str, metric: str) -> dict[str, Any]:
        named = {**self._dimensions, "RuleId": rule}
        dimensions = [{"Name": key, "Value": value} for key, value in named.items()]
        about = {"Namespace": "AWS/S3", "MetricName": metric, "Dimensions": dimensions}
        return {"Id": name, "MetricStat": {"Metric": about, "Period": _PERIOD.seconds, "Stat": self._metrics[metric]}}

    def _reading(self, metric: str, points: Sequence[tuple[datetime, float]]) -> Reading:
        """The newest minute; of what is summed, all of them."""
        at, value = max(points)
        return Reading(sum(each for _, each in points) if self._metrics[metric] == _SUM else value, at)
