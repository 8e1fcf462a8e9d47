"""What a journal may say: one frozen dataclass for each kind of entry.

Everything reported later is derived from these and from nothing else. Fields are only ever added, with a default, so that
old journals stay readable.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from defib.copyentries import (
    Audited,
    CanaryIntended,
    CanaryTimed,
    MirrorSeen,
    ObjectLeft,
    ObjectsRestored,
    PastWanted,
    RefsIntended,
    RefsSent,
    ReplicaSeen,
    VersionSeen,
)
from defib.drillentries import DrillAsked, PreconditionSeen
from defib.objectives import Mode, Phase, Plane, Status
from defib.plan import Change, LeftOut
from defib.ports import Build, Observation
from defib.question import ApprovalAwaited


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
    live: bool = False
    """A live drill: users are moved in earnest while they are served, because somebody wants to see that it works."""
    commit: str = ""
    """The commit to build, where a person insisted on one."""
    promoted: str = ""
    """The mirror that is to be the source, as ``<repository>@<remote>``."""
    past: PastWanted | None = None
    """What is to be as it was, where a person wants objects back."""

    @property
    def moves_served_users(self) -> bool:
        """Whether nobody is without service when it begins: a failback, or a live drill."""
        return bool(self.follows) or self.live


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
class Foreseen:
    """One stretch of an outage that is still to come: `expected` is None where nothing tells, `source` says what does."""

    phase: Phase
    expected: timedelta | None
    worst: timedelta
    source: str


@dataclass(frozen=True)
class Forecast:
    """What the RTO would be if the plan were approved at once; `so_far` is None where nobody knows when it began."""

    digest: str
    rto: timedelta
    so_far: timedelta | None
    so_far_source: str
    parts: tuple[Foreseen, ...]

    @property
    def to_come(self) -> timedelta | None:
        """What is expected to come yet; None where one of the parts is not known."""
        known = [part.expected for part in self.parts if part.expected is not None]
        return sum(known, timedelta(0)) if len(known) == len(self.parts) else None

    @property
    def to_come_at_worst(self) -> timedelta:
        """What may come yet, if everything takes as long as it may."""
        return sum((part.worst for part in self.parts), timedelta(0))

    @property
    def expected(self) -> timedelta | None:
        """The whole outage as expected; None where the start or one of the parts is not known."""
        return None if self.so_far is None or self.to_come is None else self.so_far + self.to_come

    @property
    def worst(self) -> timedelta | None:
        """The whole outage at worst; None where its start is not known."""
        return None if self.so_far is None else self.so_far + self.to_come_at_worst

    @property
    def verdict(self) -> str:
        """``would meet``, ``would miss`` or ``unknown``: as expected, else where even the worst or the least decides."""
        least = (self.so_far or timedelta(0)) + sum((part.expected or timedelta(0) for part in self.parts), timedelta(0))
        if least > self.rto:
            return "would miss"
        within = self.expected if self.expected is not None else self.worst
        return "would meet" if within is not None and within <= self.rto else "unknown"


@dataclass(frozen=True)
class Approved:
    """The plan with this digest may be carried out. `how` is automatic, terminal, option, command or prefect."""

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
    """From `at`, every authoritative server that answers, and enough resolvers, give the new answer.

    `stale` are resolvers with another answer, `silent` are servers of either kind without one.
    """

    at: datetime
    authoritative: int
    resolvers: int
    resolvers_asked: int
    stale: tuple[str, ...] = ()
    silent: tuple[str, ...] = ()


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

    @classmethod
    def of(cls, when: str, lines: tuple[str, ...]) -> Fingerprinted:
        """The fingerprint of these lines."""
        return cls(when, sha256("\n".join(lines).encode()).hexdigest(), lines)


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
    | LeftOut
    | Planned
    | Forecast
    | ApprovalAwaited
    | Approved
    | ChangeIntended
    | ChangeMade
    | ChangeNotUndone
    | PurgeIntended
    | RefsIntended
    | RefsSent
    | MirrorSeen
    | CanaryIntended
    | CanaryTimed
    | Audited
    | VersionSeen
    | ReplicaSeen
    | ObjectLeft
    | ObjectsRestored
    | AnswersMoved
    | UsersServed
    | Reopened
    | FaultSet
    | Fingerprinted
    | DrillRun
    | EyewitnessSaw
    | DrillAsked
    | PreconditionSeen
    | Told
    | Closed
)
