"""What the metrics of all rules of a pair amount to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from defib.replication.metrics import Reading, RuleMetrics


@dataclass(frozen=True)
class Latency:
    """How far a replica is behind by the vendor's metrics, and how many bytes are on their way.

    None is what they do not tell of one of the rules: it is never zero. `why` says what they leave open.
    """

    behind: timedelta | None = None
    pending: int | None = None
    why: str = "it was not asked for"


def of_rules(told: Sequence[RuleMetrics]) -> Latency:
    """The worst of all rules, and the sum of what is pending."""
    if not told:
        return Latency(why="no rule leads to the replica")
    latencies = [each.latency for each in told]
    pending = _known([each.bytes_pending for each in told])
    behind = _known(latencies)
    return Latency(
        behind=None if behind is None else timedelta(seconds=max(behind)),
        pending=None if pending is None else int(sum(pending)),
        why="; ".join(dict.fromkeys(_open(each) for each in told if _open(each))),
    )


def _known(readings: Sequence[Reading | None]) -> list[float] | None:
    """The figures, where there is one of each."""
    values = [each.value for each in readings if each is not None]
    return values if len(values) == len(readings) else None


def _open(told: RuleMetrics) -> str:
    failed = told.operations_failed.value if told.operations_failed is not None else 0
    if failed:
        return f"rule {told.rule}: {failed:g} operations failed"
    if told.latency is None:
        return f"rule {told.rule}: {told.why or 'no figure'}"
    return f"rule {told.rule}: nothing was on its way, which proves nothing" if told.empty else ""
