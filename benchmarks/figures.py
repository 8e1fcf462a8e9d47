"""What a benchmark measured, against what it should have been, and the order in which tools take their turns.

A sample is what one tool took in one round. One wrong sample makes a series wrong, and its other figures no longer count: a
tool that is fast and wrong is not fast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median
from typing import TypeVar

from defib.objectives import Verdict

Key = TypeVar("Key")


@dataclass(frozen=True)
class Sample:
    """One figure, in the unit of its series; or, with `value` None, why it does not count as done."""

    value: float | None
    wrong: str = ""

    @classmethod
    def took(cls, span: timedelta) -> Sample:
        """A duration, in seconds."""
        return cls(span.total_seconds())


@dataclass(frozen=True)
class Series:
    """What `tool` took for `job`, once a round; `missing` says why it could not be asked at all."""

    job: str
    tool: str
    unit: str = "s"
    samples: tuple[Sample, ...] = ()
    missing: str = ""

    @property
    def values(self) -> tuple[float, ...]:
        """The figures of the rounds that were right."""
        return tuple(sample.value for sample in self.samples if sample.value is not None)

    @property
    def wrong(self) -> tuple[str, ...]:
        """What went wrong, each only once."""
        return tuple(dict.fromkeys(sample.wrong for sample in self.samples if sample.value is None))

    @property
    def median(self) -> float | None:
        """The middle of the figures; None unless every round was right."""
        return median(self.values) if self.values and not self.wrong else None

    @property
    def largest(self) -> float | None:
        """The greatest of the figures; None unless every round was right."""
        return max(self.values) if self.values and not self.wrong else None


@dataclass(frozen=True)
class Target:
    """One promise about speed, and whether the figures keep it."""

    what: str
    verdict: Verdict
    seen: str


@dataclass(frozen=True)
class Findings:
    """What one benchmark has to say; `notes` are what a reader must know to judge the figures."""

    series: tuple[Series, ...]
    targets: tuple[Target, ...]
    notes: tuple[str, ...] = ()


def at_most(what: str, series: Series, figure: float | None, limit: float) -> Target:
    """Whether `figure` of `series`, such as its median, is no more than `limit`."""
    if figure is None:
        return _without_figure(f"{what}: at most {limit:g} {series.unit}".rstrip(), series)
    verdict = Verdict.MET if figure <= limit else Verdict.MISSED
    return Target(f"{what}: at most {limit:g} {series.unit}".rstrip(), verdict, f"{figure:.3f} {series.unit}".rstrip())


def no_more_than(ours: Series, peer: Series, share: float = 1) -> Target:
    """Whether our median is no more than this share of the peer's; a peer that was wrong is beaten by being right."""
    what = f"{ours.job}: at most {peer.tool if share == 1 else f'{share:g} of {peer.tool}'}"
    if ours.median is None:
        return _without_figure(what, ours)
    if peer.wrong:
        return Target(what, Verdict.MET, f"{ours.median:.3f} {ours.unit}; {peer.tool} was wrong: {'; '.join(peer.wrong)}")
    if peer.median is None:
        return Target(what, Verdict.UNKNOWN, f"{peer.tool} {peer.missing or 'was not measured'}")
    verdict = Verdict.MET if ours.median <= share * peer.median else Verdict.MISSED
    return Target(what, verdict, f"{ours.median:.3f} {ours.unit} against {peer.median:.3f} {peer.unit}")


def _without_figure(what: str, series: Series) -> Target:
    if series.wrong:
        return Target(what, Verdict.MISSED, f"{series.tool} was wrong: {'; '.join(series.wrong)}")
    return Target(what, Verdict.UNKNOWN, f"{series.tool} {series.missing or 'was not measured'}")


def in_turns(rounds: int, tasks: Mapping[Key, Callable[[int], Sample]]) -> dict[Key, tuple[Sample, ...]]:
    """`rounds` samples of each task, interleaved, after one round that is dropped.

    The tasks of a round come one after the other, and in the next round in the reverse order, so that no tool always
    finds what another has left. Each is told the number of its round, -1 for the one that is dropped.
    """
    found: dict[Key, list[Sample]] = {key: [] for key in tasks}
    for number in range(-1, rounds):
        keys: Sequence[Key] = list(tasks) if number % 2 else list(reversed(list(tasks)))
        for key in keys:
            sample = tasks[key](number)
            # A dropped round is slow for reasons that users do not meet; a wrong one is wrong all the same.
            if number >= 0 or sample.value is None:
                found[key].append(sample)
    return {key: tuple(samples) for key, samples in found.items()}
