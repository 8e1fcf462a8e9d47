"""What somebody else says of a site: monitors that look at it from elsewhere, and signals of how its users fare.

Terminology:

*monitor*
    A service that looks at the site's page from its own places, on its own schedule, and keeps what it saw last. It adds
    one voice to those of the site's own observers, and alone it decides nothing.
*signal*
    A figure about users that nobody took by looking at the page, such as the share of sessions with errors. It can say
    that users suffer, and never that they are served: who gets no page sends no error.
*word*
    What one of them says at one moment, and from when until when that holds. What is old, or cannot be asked, is unknown.

Adapters raise :class:`Unavailable`, :class:`Denied` and :class:`NotFound` only, and neither retry nor wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from defib.clock import Deadline
from defib.ports import Health


@dataclass(frozen=True)
class Sighting:
    """What a monitor's last check found, as its vendor tells it.

    `seen` is a moment before which that check was not made, None where there was none; `reason` says what was wrong, or
    why nothing can be told. `watches` is the address that is looked at, `interval` the time between two checks.
    """

    health: Health
    seen: datetime | None
    watches: str
    interval: timedelta
    reason: str = ""


class Monitor(Protocol):
    """One monitor at one vendor, by its id."""

    @property
    def name(self) -> str:
        """Its name in the site file."""
        ...

    def sighting(self, *, within: Deadline) -> Sighting:
        """What it saw last. Idempotent; asks the vendor each time."""
        ...


@dataclass(frozen=True)
class Sessions:
    """How the sessions of users went from `since` to `until`: `bad` of `all` met errors."""

    since: datetime
    until: datetime
    all: int
    bad: int

    @property
    def share(self) -> float:
        """The share that met errors, 0 where there were none at all."""
        return self.bad / self.all if self.all else 0.0


class Signal(Protocol):
    """How users fare, at one vendor."""

    @property
    def name(self) -> str:
        """Its name in the site file."""
        ...

    def sessions(self, window: timedelta, *, within: Deadline) -> Sessions:
        """The sessions of the last `window`, or of a little more where the vendor counts in coarser steps. Idempotent."""
        ...


@dataclass(frozen=True)
class Word:
    """What a monitor or a signal says: `health` as of `seen`, believed until `until`; both are None where it is unknown.

    `counts` is whether it is a voice among others, `signal` whether it is one of a signal. `reason` is for people.
    """

    name: str
    health: Health
    reason: str
    seen: datetime | None = None
    until: datetime | None = None
    counts: bool = True
    signal: bool = False

    def at(self, now: datetime) -> Health:
        """What it is worth at `now`: unknown once it is older than it is believed."""
        return self.health if self.until is not None and now <= self.until else Health.UNKNOWN


class Monitors(Protocol):
    """Everybody else who has a word on a site."""

    @property
    def pauses(self) -> Mapping[str, timedelta]:
        """Who they are, and how long to wait at least between two questions to each."""
        ...

    def ask(self, name: str, *, within: Deadline) -> Word:
        """The word of `name`; the last one again where the vendor wants to be left alone. Never raises for an answer."""
        ...


@dataclass(frozen=True)
class Nobody:
    """Fulfils :class:`Monitors` where there are none."""

    pauses: Mapping[str, timedelta] = field(default_factory=dict)

    def ask(self, name: str, *, within: Deadline) -> Word:
        """Nobody is there to ask."""
        del within
        raise ValueError(f"no monitor is named {name!r}")
