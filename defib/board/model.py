"""What a board shows: every site, each of its procedures and copies, and what goes on, all at one moment.

States are those of readiness: ``ok``, ``warn``, ``unknown``, ``fail``. What is old, never proved or cannot be read is
``unknown``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from defib.board.glance import Glance, Unreadable
from defib.objectives import Measure, Mode, Objectives
from defib.ready.check import Readiness, State, worst


@dataclass(frozen=True)
class ProcedureBoard:
    """One procedure on one site, and what is proved of it. `says` are the reasons for its state, the worst first.

    `last` is the last run that recovered; `past` are such runs, the oldest first, for a trend. `drill` is the last drill.
    """

    name: str
    state: State
    says: tuple[str, ...]
    targets: Objectives | None
    takes_users: bool
    """Whether it is about users, so that there is an RTO."""
    last: Glance | None = None
    drill: Glance | None = None
    past: tuple[Glance, ...] = ()
    then: str = ""
    """The command that proves it."""


@dataclass(frozen=True)
class Copy:
    """A mirror of a repository or a replica of a bucket, as it was last compared at `at`.

    `measure` is how much would have been lost, against the RPO; `past` is that over the last days, None where nobody knew.
    """

    kind: str
    name: str
    at: datetime
    state: State
    says: tuple[str, ...]
    measure: Measure
    held: str
    """How much of its source it holds, in words."""
    run: str
    worst: timedelta | None = None
    past: tuple[tuple[datetime, timedelta | None], ...] = ()


@dataclass(frozen=True)
class Running:
    """A run whose process is alive. `step` is "" between two steps, or where the journal's end does not say."""

    run: str
    site: str
    procedure: str
    mode: Mode
    is_drill: bool
    started: datetime
    step: str
    step_since: datetime | None
    step_budget: timedelta | None
    outage: bool
    """Whether users have no service, as far as the run knows; `out_since` is when they lost it, None where nobody knows."""
    out_since: datetime | None
    rto: timedelta
    waits_until: datetime | None = None
    """Until when its plan waits for somebody's approval; None where it waits for none."""


@dataclass(frozen=True)
class Left:
    """A run that is over, or dead, and left changes that may stand."""

    glance: Glance
    was_killed: bool


@dataclass(frozen=True)
class Down:
    """Users have no service, as a running ``defib watch`` sees it."""

    since: datetime
    seen_at: datetime


@dataclass(frozen=True)
class Held:
    """Nothing starts by itself: a kill switch is on."""

    since: datetime
    who: str
    why: str


@dataclass(frozen=True)
class Ready:
    """The last readiness check; `found` is None where none was kept, and `why` says so. Old findings are `unknown`."""

    state: State
    why: str
    found: Readiness | None = None


@dataclass(frozen=True)
class SiteBoard:
    """Everything about one site."""

    name: str
    title: str
    is_lab: bool
    targets: Objectives | None
    problem: str
    """What is wrong with its file, or that it has none; "" where it is well."""
    ready: Ready
    procedures: tuple[ProcedureBoard, ...] = ()
    copies: tuple[Copy, ...] = ()
    down: Down | None = None
    running: tuple[Running, ...] = ()
    left: tuple[Left, ...] = ()
    away: Glance | None = None
    """The recovery that sent users where they are now, if nothing has taken them back since."""
    held: Held | None = None
    unreadable: tuple[Unreadable, ...] = ()
    is_gone: bool = False
    """Whether runs were made on it, and it has no file any more."""

    @property
    def needs_somebody(self) -> bool:
        """Whether something goes on that a person must know of at once."""
        return bool(self.down or self.running or self.left or self.away)

    @property
    def state(self) -> State:
        """The worst of everything."""
        states = [self.ready.state, *(each.state for each in self.procedures), *(copy.state for copy in self.copies)]
        states += [State.FAIL] if self.down or self.left or (self.problem and not self.is_gone) else []
        states += [State.WARN] if self.held or self.away or self.running else []
        states += [State.UNKNOWN] if self.unreadable or self.is_gone else []
        return worst(states)


@dataclass(frozen=True)
class Board:
    """Every site at one moment.

    `unreadable` are runs of which not even the site is known, `problems` what is wrong with runbooks.
    """

    at: datetime
    sites: tuple[SiteBoard, ...]
    held: Held | None = None
    unreadable: tuple[Unreadable, ...] = ()
    problems: tuple[str, ...] = ()
    hidden: int = 0
    """Sites of the lab on which nothing was ever run, and which are not shown."""

    @property
    def state(self) -> State:
        """The worst of all sites; `unknown` where there is none."""
        states = [site.state for site in self.sites]
        states += [State.FAIL] if self.problems else []
        states += [State.UNKNOWN] if self.unreadable else []
        states += [State.WARN] if self.held else []
        return worst(states)
