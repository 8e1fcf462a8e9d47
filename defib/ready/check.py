"""What one check found, and what all of them together amount to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from defib.clock import Deadline
from defib.objectives import EXIT_UNKNOWN

FAILED = 1
"""Exit code where something would stop a recovery."""

SOON = timedelta(days=30)
TOO_SOON = timedelta(days=7)
"""What ends within these is a warning, and then a failure: certificates and credentials alike."""


class State(StrEnum):
    """How a check ended, from the best to the worst. What could not be checked is `unknown`, and worse than a warning."""

    OK = "ok"
    WARN = "warn"
    UNKNOWN = "unknown"
    FAIL = "fail"


_ORDER = tuple(State)


@dataclass(frozen=True)
class Check:
    """One finding: what was checked (`name`), of whom (`about`), what was found, and what to do (`then`)."""

    name: str
    about: str
    state: State
    text: str
    then: str = ""


Asked = Callable[[Deadline], Iterable[Check]]


@dataclass(frozen=True)
class Question:
    """Something to check. `ask` gives its findings by the deadline it is given, and may raise what the ports raise."""

    name: str
    about: str
    ask: Asked

    def unknown(self, why: str) -> Check:
        """The finding that there is none."""
        return Check(self.name, self.about, State.UNKNOWN, why)


@dataclass(frozen=True)
class Readiness:
    """Every finding on one site, at one moment."""

    site: str
    at: datetime
    checks: tuple[Check, ...]

    @property
    def state(self) -> State:
        """The worst of all; `unknown` where nothing was checked."""
        return worst(check.state for check in self.checks)

    @property
    def exit_code(self) -> int:
        """0 where nothing would stop a recovery, 1 where something would, 6 where that could not be told."""
        return {State.FAIL: FAILED, State.UNKNOWN: EXIT_UNKNOWN}.get(self.state, 0)

    def redacted(self, redact: Callable[[str], str]) -> Readiness:
        """The same without what `redact` takes out of its words."""
        return replace(
            self,
            checks=tuple(
                replace(check, about=redact(check.about), text=redact(check.text), then=redact(check.then))
                for check in self.checks
            ),
        )


def worst(states: Iterable[State]) -> State:
    """The worst of `states`; `unknown` of none."""
    return max(states, key=_ORDER.index, default=State.UNKNOWN)


def lasting(until: datetime, now: datetime) -> tuple[State, str]:
    """What it means that something is valid until `until`, in a state and in words."""
    left = until - now
    if left <= timedelta(0):
        return State.FAIL, f"ended on {until:%Y-%m-%d}"
    state = State.FAIL if left < TOO_SOON else State.WARN if left < SOON else State.OK
    return state, f"valid until {until:%Y-%m-%d}, for {left.days} days"
