"""CloudWatch, which moto keeps: fed with the metrics of replication before it answers, and its answers made AWS's.

moto counts periods from the start that is asked for, AWS from whole minutes.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any

from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID

from defib.clock import Clock
from defib.lab.replication.engine import Replication
from defib.lab.replication.metrics import Flow, Sample, samples
from defib.lab.strict import versions

_NAMESPACE = "AWS/S3"
_REMEMBERED = timedelta(hours=3)


class StrictCloudWatch:
    """Tells CloudWatch of the lab's replication whenever somebody asks.

    Failures are published in the Region of the source, all else in that of the destination:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/repl-metrics.html.
    """

    def __init__(self, replication: Replication, clock: Clock) -> None:
        self._replication = replication
        self._clock = clock
        self._since = clock.now()
        self._told: list[Any] = []

    def tell(self, region: str) -> None:
        """Bring the metrics of a Region up to date."""
        now = self._clock.now()
        backend = get_backend("cloudwatch")[DEFAULT_ACCOUNT_ID][region]
        backend.metric_data = [each for each in backend.metric_data if not any(each is old for old in self._told)]
        before = len(backend.metric_data)
        for flow in self._flows():
            mine = [each for each in self._replication.operations if Flow.of(each) == flow]
            told = samples(mine, max(self._since, now - _REMEMBERED), now)
            here = [_datum(flow, each) for each in told if _region_of(_published_at(flow, each)) == region]
            backend.put_metric_data(_NAMESPACE, here)
        self._told = backend.metric_data[before:]
        _count_from_whole_minutes(backend)

    def _flows(self) -> list[Flow]:
        """Those whose rule has metrics now, or had them for what is on its way."""
        found = [Flow.of(each) for each in self._replication.operations if each.rule.metrics]
        found += [
            Flow(name, rule.destination, rule.id) for name, rule in self._replication.configurations.rules() if rule.metrics
        ]
        return sorted(set(found), key=str)


def _published_at(flow: Flow, sample: Sample) -> str:
    return flow.source if sample.name == "OperationsFailedReplication" else flow.destination


def _region_of(bucket: str) -> str:
    return str(getattr(versions.bucket(bucket), "region_name", ""))


def _datum(flow: Flow, sample: Sample) -> dict[str, Any]:
    named = (("SourceBucket", flow.source), ("DestinationBucket", flow.destination), ("RuleId", flow.rule))
    dimensions = [{"Name": name, "Value": value} for name, value in named]
    at = sample.at.astimezone(UTC).replace(tzinfo=None)  # as moto has all of its times
    told = {"MetricName": sample.name, "Value": sample.value, "Unit": sample.unit, "Timestamp": at}
    return {**told, "Dimensions": dimensions}


def _count_from_whole_minutes(backend: Any) -> None:
    for name in ("get_metric_data", "get_metric_statistics"):
        if name not in vars(backend):
            setattr(backend, name, _from_whole_minutes(getattr(backend, name)))


def _from_whole_minutes(ask: Callable[..., Any]) -> Callable[..., Any]:
    taken = inspect.signature(ask)

    def asked(*arguments: Any, **named: Any) -> Any:
        bound = taken.bind(*arguments, **named)
        bound.arguments["start_time"] = bound.arguments["start_time"].replace(second=0, microsecond=0)
        return ask(*bound.args, **bound.kwargs)

    return asked
