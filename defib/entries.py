"""What a journal may say: one frozen dataclass for each kind of entry.

Everything reported later is derived from these and from nothing else. Fields are only ever added, with a default, so that
old journals stay readable.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from defib.objectives import Mode, Phase, Plane, Status
from defib.plan import Change
from defib.ports import Build, Observation


@dataclass(frozen=True)
class Opened:
    """A run begins. `since` is when users first lost service, where detection or the operator could say."""

    run_id: str
    procedure: str
    site: str
    mode: Mode
    operator: str
    version: str
    rto: timedelta
    rpo: timedelta
    since: datetime | None = None
    down_at: datetime | None = None
    trigger: str = ""
    automatic: bool = False
    """Started by detection, by leave of the runbook: nobody needs to approve it, and nobody needs to when it is resumed."""
    forced: bool = False
    site_digest: str = ""
    runbook_digest: str = ""
    follows: str = ""
    """The run whose changes a failback takes back."""


@dataclass(frozen=True)
class EngineChosen:
    """Whether Prefect runs the flow, and if not, why not."""

    prefect: bool
    why: str


@dataclass(frozen=True)
class LeaseTaken:
    """The run holds the site, under this fencing number."""

    number: int
    holder: str


@dataclass(frozen=True)
class StepStarted:
    """A step begins, with what the runbook promises for it."""

    step: str
    phase: Phase
    plane: Plane
    budget: timedelta


@dataclass(frozen=True)
class StepEnded:
    """A step is over: `outcome` is done, failed, refused or interrupted. `result` is the step's value as JSON text."""

    step: str
    outcome: str
    took: timedelta
    result: str = ""
    error: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Noted:
    """Something worth knowing that a step saw or waits for."""

    step: str
    text: str
    warning: bool = False


@dataclass(frozen=True)
class Observed:
    """One look by one observer, and at whose service it looked: ``users`` or the name of a CDN or ``origin``."""

    step: str
    aim: str
    observation: Observation


@dataclass(frozen=True)
class UsersHad:
    """The newest build that users were known to have before the run began, and when they were seen to have it."""

    build: Build
    seen_at: datetime


@dataclass(frozen=True)
class RecoveryPointRead:
    """How far the copy that users go to lags behind what they had. `lag` is None where it could not be read."""

    source: str
    lag: timedelta | None
    why: str
    expected: Build | None = None
    found: Build | None = None


@dataclass(frozen=True)
class Planned:
    """The changes that the run wants to make."""

    digest: str
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Approved:
    """The plan with this digest may be carried out. `how` is automatic, terminal or option."""

    digest: str
    by: str
    how: str


@dataclass(frozen=True)
class ChangeIntended:
    """On disk before the write goes out. `undo` marks a change that puts an earlier one back."""

    number: int
    change: Change
    fence: int
    undo: bool = False


@dataclass(frozen=True)
class ChangeMade:
    """The vendor accepted the write, or a read found it already true (`already`)."""

    number: int
    receipt: str = ""
    already: bool = False
    undo: bool = False


@dataclass(frozen=True)
class ChangeNotUndone:
    """An undo that failed, was not reached, or was held back, and why."""

    number: int
    target: str
    why: str


@dataclass(frozen=True)
class PurgeIntended:
    """On disk before a CDN is told to forget `paths`. It cannot be undone, and need not be."""

    step: str
    cdn: str
    paths: tuple[str, ...]


@dataclass(frozen=True)
class AnswersMoved:
    """From `at`, every authoritative server and enough resolvers give the new answer."""

    at: datetime
    authoritative: int
    resolvers: int
    resolvers_asked: int
    stale: tuple[str, ...] = ()


@dataclass(frozen=True)
class UsersServed:
    """From `since` on, users were served the expected build and stayed served for `held`."""

    since: datetime
    held: timedelta
    build: Build | None = None


@dataclass(frozen=True)
class Reopened:
    """Somebody took a run up again, to ``resume`` or to ``rollback``.

    `torn` is the number of bytes of a half-written last entry that were dropped.
    """

    how: str
    operator: str
    torn: int = 0


@dataclass(frozen=True)
class FaultSet:
    """A drill broke something on purpose (`fault` set) or healed it (`fault` empty)."""

    target: str
    fault: str


@dataclass(frozen=True)
class Fingerprinted:
    """A drill took the fingerprint of the outside state; `lines` are what it consists of."""

    when: str
    digest: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class DrillRun:
    """A run that belongs to the drill: ``forward`` or ``failback``, and the hash of its journal's last entry."""

    role: str
    run_id: str
    status: Status
    head: str


@dataclass(frozen=True)
class EyewitnessSaw:
    """The outage as an observer that knows nothing of the run saw it; `outage` is None where it saw no end.

    On the way out an outage is expected, so None also says that it saw none; on the way back that is zero.
    """

    role: str
    outage: timedelta | None
    started: datetime | None = None
    ended: datetime | None = None
    looks: int = 0
    log: str = ""


@dataclass(frozen=True)
class Told:
    """People were told of the run over a channel or a status page, or could not be.

    `outcome` is ``sent``, ``failed`` or ``unknown`` (it may still arrive); `why` says what was in the way. `subject` is the
    same for the same news.
    """

    channel: str
    kind: str
    subject: str
    title: str
    outcome: str = "sent"
    why: str = ""


@dataclass(frozen=True)
class Closed:
    """The run is over."""

    status: Status
    reason: str = ""


Entry = (
    Opened
    | EngineChosen
    | LeaseTaken
    | StepStarted
    | StepEnded
    | Noted
    | Observed
    | UsersHad
    | RecoveryPointRead
    | Planned
    | Approved
    | ChangeIntended
    | ChangeMade
    | ChangeNotUndone
    | PurgeIntended
    | AnswersMoved
    | UsersServed
    | Reopened
    | FaultSet
    | Fingerprinted
    | DrillRun
    | EyewitnessSaw
    | Told
    | Closed
)
