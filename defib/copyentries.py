"""What a journal may say of copies: of repositories at their mirrors, of buckets in another region, and of what they held.

They are entries like those of :mod:`defib.entries`, which hands them on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True)
class RefsIntended:
    """On disk before refs are pushed to a mirror without force: each as ``<ref> <before, or none> <after>``."""

    step: str
    repository: str
    place: str
    refs: tuple[str, ...]


@dataclass(frozen=True)
class RefsSent:
    """What the mirror said: the refs that it took, those that it rejected and why, or why it took none."""

    step: str
    repository: str
    place: str
    taken: tuple[str, ...]
    rejected: tuple[tuple[str, str], ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class MirrorSeen:
    """A mirror compared ref by ref with its source, by its own answer after everything was sent.

    `was` is how far it was behind before, `behind` how far it is now, `worst` the furthest that it was at any look of the
    last days (:data:`defib.mirror.lag.KEPT`); None where nobody knows.
    """

    repository: str
    source: str
    place: str
    refs: int
    equal: int
    was: timedelta | None
    behind: timedelta | None
    problems: tuple[str, ...] = ()
    worst: timedelta | None = None

    @property
    def lag(self) -> timedelta | None:
        """How much would have been lost at the worst moment of the run; None where nobody knows."""
        return None if self.was is None or self.behind is None else max(self.was, self.behind)


@dataclass(frozen=True)
class CanaryIntended:
    """On disk before a canary is written. Whatever is found under its key later, in either bucket, is removed."""

    step: str
    pair: str
    source: str
    replica: str
    key: str


@dataclass(frozen=True)
class CanaryTimed:
    """How long a canary took from its writing to its arrival; None where it did not arrive, and `why` then says so."""

    step: str
    pair: str
    took: timedelta | None
    why: str = ""
    left: tuple[str, ...] = ()
    """What of it could not be removed."""


@dataclass(frozen=True)
class Audited:
    """One thing of the configuration that was looked at; `state` as in readiness checks."""

    pair: str
    name: str
    state: str
    text: str
    then: str = ""


@dataclass(frozen=True)
class VersionSeen:
    """One version that is not as it must be at the replica. `kind` is one of :class:`defib.replication.findings.Kind`."""

    pair: str
    kind: str
    key: str
    version: str
    since: datetime
    size: int
    why: str
    then: str


@dataclass(frozen=True)
class ReplicaSeen:
    """A replica compared with its source, version by version.

    `exposure` is how old the oldest version is that would be lost if the source's region burned now; None where nobody
    knows, and `why` then says why. `worst` is the largest of the last days, `past` every look of the last day. `latency` is
    what CloudWatch says, and `pending` the bytes that it says are on their way. `counts` are the versions of each kind of
    finding, which are told one by one up to a number.
    """

    pair: str
    source: str
    replica: str
    rpo: timedelta
    versions: int
    same: int
    size: int
    counts: tuple[tuple[str, int], ...]
    exposure: timedelta | None
    why: str = ""
    canary: timedelta | None = None
    canary_why: str = ""
    latency: timedelta | None = None
    latency_why: str = ""
    pending: int | None = None
    worst: timedelta | None = None
    past: tuple[tuple[datetime, timedelta | None], ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class PastWanted:
    """What somebody wants back: the objects of `pair` below `prefix` as they were at `at`.

    They are read from the versions that its `side` has, ``source`` or ``replica``, and put into the bucket named `into`.
    """

    pair: str
    at: datetime
    prefix: str = ""
    side: str = "source"
    into: str = ""


@dataclass(frozen=True)
class ObjectLeft:
    """An object that cannot be made what it was. `loss` is one of :class:`defib.replication.rewinding.Loss`."""

    pair: str
    loss: str
    key: str
    version: str
    since: datetime | None
    why: str
    then: str = ""


@dataclass(frozen=True)
class ObjectsRestored:
    """What the restored bucket holds against what it held at `at`, read again after the last change.

    `held` objects were there at that moment, of `size` bytes. `returned`, `replaced` and `deleted` are what the plan named;
    `left` could not be restored, and `apart` are not as they were all the same: somebody wrote them meanwhile. `first` and
    `last` are when the versions were written that the restored objects held in between, None where there were none.
    """

    pair: str
    side: str
    past: str
    target: str
    prefix: str
    at: datetime
    held: int
    size: int
    returned: int
    replaced: int
    deleted: int
    left: int
    apart: int
    elsewhere: bool
    first: datetime | None = None
    last: datetime | None = None
