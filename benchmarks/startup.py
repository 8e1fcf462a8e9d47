"""How long a command takes before it says anything, against Python itself and a bare typer."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.commands import timed
from benchmarks.figures import Findings, Sample, Series, Target, at_most, in_turns
from benchmarks.order import Order
from defib.errors import LabDown

STARTS = 10
LIMIT = 0.3
"""Seconds for ``defib --help``."""


@dataclass(frozen=True)
class Start:
    """One command: what it must say, and the exit code that is right."""

    job: str
    tool: str
    arguments: tuple[str, ...]
    says: str = ""
    status: int = 0


_STARTS = (
    Start("--help", "defib", ("-m", "defib", "--help"), says="Disaster recovery"),
    Start(
        "lab status, no lab", "defib", ("-m", "defib", "lab", "status"), says="the lab is not up", status=LabDown.exit_code
    ),
    Start("runs, none yet", "defib", ("-m", "defib", "runs"), says="No runs yet"),
    Start("nothing at all", "python", ("-c", "pass")),
    Start("--help", "typer", ("-m", "typer", "--help"), says="Usage"),
)


def measure(order: Order) -> Findings:
    """Each command in turn, every one in a fresh interpreter and an empty home."""
    rounds = max(STARTS, order.rounds)
    with tempfile.TemporaryDirectory(prefix="defib-bench-") as home:
        tasks = {start: _task(start, {"DEFIB_HOME": home}) for start in _STARTS}
        found = in_turns(rounds, tasks)
    series = {start: Series(start.job, start.tool, samples=samples) for start, samples in found.items()}
    return Findings(tuple(series.values()), _targets(series))


def _task(start: Start, environment: Mapping[str, str]) -> Callable[[int], Sample]:
    def sample(_number: int) -> Sample:
        ended = timed([sys.executable, *start.arguments], environment, within=30)
        if ended.status != start.status or start.says not in ended.output + ended.errors:
            return Sample(None, f"exit {ended.status}, not {start.status}: {ended.errors.strip()[:100]}")
        return Sample.took(ended.took)

    return sample


def _targets(series: Mapping[Start, Series]) -> tuple[Target, ...]:
    help_ = series[_STARTS[0]]
    return (at_most("defib --help", help_, help_.median, LIMIT),)
