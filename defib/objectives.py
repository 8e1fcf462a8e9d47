"""What was promised, what was reached, and the words for the difference."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Verdict(StrEnum):
    """A figure against its target. `unknown` is never success."""

    MET = "met"
    MISSED = "missed"
    UNKNOWN = "unknown"


class Status(StrEnum):
    """How a run ended."""

    RECOVERED = "recovered"
    ROLLED_BACK = "rolled-back"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    REFUSED = "refused"

    @property
    def exit_code(self) -> int:
        """The exit code of `defib` when a run ends so."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Status.RECOVERED: 0,
    Status.FAILED: 1,
    Status.ROLLED_BACK: 3,
    Status.REFUSED: 4,
    Status.INTERRUPTED: 5,
}

EXIT_UNKNOWN = 6
"""Exit code where the run recovered but one of its objectives could not be measured."""

EXIT_MISSED = 7
"""Exit code where the run recovered, and took longer or lost more than was promised."""


class Mode(StrEnum):
    """How far a run may go."""

    PLAN = "plan"
    REHEARSAL = "rehearsal"
    INCIDENT = "incident"


class Phase(StrEnum):
    """What a step's time is spent on, in the order in which an outage passes through them."""

    DETECT = "detect"
    DECIDE = "decide"
    ACT = "act"
    PROPAGATE = "propagate"
    VERIFY = "verify"


class Plane(StrEnum):
    """What a step depends on."""

    CONTROL = "control"
    DATA = "data"
    HUMAN = "human"
    LOCAL = "local"


@dataclass(frozen=True)
class Objectives:
    """The ceilings that a business signed: time to recover, and age of what is recovered."""

    rto: timedelta
    rpo: timedelta


@dataclass(frozen=True)
class Measure:
    """One objective, measured. `actual` is None where it could not be measured, and `why` then says why."""

    target: timedelta
    actual: timedelta | None
    why: str = ""

    @property
    def verdict(self) -> Verdict:
        """`met` up to and including the target, `missed` beyond it, `unknown` without a figure."""
        if self.actual is None:
            return Verdict.UNKNOWN
        return Verdict.MET if self.actual <= self.target else Verdict.MISSED

    @property
    def share(self) -> float | None:
        """The part of the target that was used: 0.5 is half of it."""
        return None if self.actual is None else self.actual / self.target
