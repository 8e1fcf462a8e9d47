"""A bucket as it was at a moment beside what another holds now: object by object, by what both tell, and not by records."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from defib.clock import Deadline
from defib.errors import Conflict, Denied, NotFound, ProviderError, Refused
from defib.ports import RecordChange
from defib.replication.listing import ranges, versions
from defib.replication.merge import Keys, alike
from defib.replication.moment import aligned, held_at, held_now, untold
from defib.replication.objects import ObjectsZone, holding, object_key, restored
from defib.replication.port import NULL, Bucket, Cursor, Status, Version
from defib.replication.rules import Expiry

MOST = 100_000
"""So many objects stand in one plan: what is approved, journalled and put back as one must stay within reach."""

SHOWN = 500

_RANGES = 32
_RANGES_AT_ONCE = 4
_ASKING_AT_ONCE = 16
_WAITING = 256


class Loss(StrEnum):
    """Why an object cannot be made what it was."""

    GONE = "gone"
    ARCHIVED = "archived"
    UNTOLD = "not known"


@dataclass(frozen=True)
class Apart:
    """An object that is not as it was. `then` is what it held, `now` what it holds; None is nothing.

    `first` and `last` are when its versions were written that came after the moment, None where none did.
    """

    key: str
    then: Version | None
    now: Version | None
    first: datetime | None = None
    last: datetime | None = None

    @property
    def change(self) -> RecordChange:
        """What makes it as it was."""
        key = object_key(self.key, self.then.id if self.then else "")
        return RecordChange(holding(key, self.now.id) if self.now else None, restored(key))


@dataclass(frozen=True)
class Left:
    """An object that cannot be made what it was; `version` is the one that it held, "" where nobody knows."""

    loss: Loss
    key: str
    version: str
    since: datetime | None
    why: str


@dataclass
class Rewound:
    """What was found below a prefix; `sums` add up.

    `held` objects were there at the moment, as far as can be told, of `size` bytes. `versions` were seen in all, the oldest
    written at `oldest`. Of what is lost, all are counted, and :data:`SHOWN` are told one by one.
    """

    versions: int = 0
    held: int = 0
    size: int = 0
    oldest: datetime | None = None
    apart: list[Apart] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    lost: Counter[Loss] = field(default_factory=Counter)

    def lose(self, left: Left) -> None:
        """Count it, and keep it as far as there is room."""
        self.lost[left.loss] += 1
        if len(self.left) < SHOWN:
            self.left.append(left)

    def add(self, other: Rewound) -> None:
        """Add what was found in another part of the keys."""
        self.versions += other.versions
        self.held += other.held
        self.size += other.size
        self.oldest = min((each for each in (self.oldest, other.oldest) if each is not None), default=None)
        self.apart += other.apart
        self.left = [*self.left, *other.left][:SHOWN]
        self.lost += other.lost


@dataclass
class Rewinder:
    """Reads the past of `past` and compares it with what `zone` holds, in `target`.

    `beside` is the other side of the pair, None where it is not to be asked: a version of then that it alone has proves that
    something is gone. `rules` remove older versions of `past`, those of them that reach back to `at`.
    """

    zone: ObjectsZone
    past: Bucket
    target: Bucket
    beside: Bucket | None
    beside_is_replica: bool
    at: datetime
    now: datetime
    rules: Sequence[Expiry] = ()
    most: int = MOST
    ignored: str = ""
    """Keys with this beginning are left out: the canary's."""

    def __post_init__(self) -> None:
        self.found = 0
        self.beside_failed: ProviderError | None = None

    def read(self, prefixes: Sequence[str], within: Deadline) -> Rewound:
        """Everything below the prefixes; :class:`Refused` for more than `most` objects that are not as they were."""
        parts = [part for prefix in prefixes for part in ranges(self.past, prefix, _RANGES, within)]
        whole = Rewound()
        with ThreadPoolExecutor(_RANGES_AT_ONCE, thread_name_prefix="defib-past") as pool:
            futures = [pool.submit(self._range, part, within) for part in parts]
            try:
                for future in futures:
                    whole.add(future.result())
            finally:
                for future in futures:
                    future.cancel()
        return whole

    def _range(self, part: Cursor, within: Deadline) -> Rewound:
        rewound = Rewound()
        with ThreadPoolExecutor(_ASKING_AT_ONCE, thread_name_prefix="defib-then") as pool:
            waiting: deque[Future[Apart | Left | None]] = deque()
            for row in self._rows(part, within):
                self._count(rewound, row)
                if row.is_as_it_was:
                    continue
                if row.needs_no_answer:
                    self._keep(rewound, self._apart(row))
                    continue
                waiting.append(pool.submit(self._judged, row, within))
                if len(waiting) > _WAITING:
                    self._keep(rewound, waiting.popleft().result())
            while waiting:
                self._keep(rewound, waiting.popleft().result())
        return rewound

    def _rows(self, part: Cursor, within: Deadline) -> Iterator[_Row]:
        """Every key with its versions in the past, in the target, and beside."""
        in_place = self.past.name == self.target.name
        listings = [versions(self.past, part, within), self._beside(part, within)]
        if not in_place:
            listings.append(versions(self.target, part, within))
        for key, found in aligned(*listings):
            if not (self.ignored and key.startswith(self.ignored)):
                yield _row(key, self.at, found[0], found[0] if in_place else found[2], found[1])

    def _beside(self, part: Cursor, within: Deadline) -> Keys:
        """The other side's versions; when it stops answering, what it would have told is missing, and nothing else."""
        if self.beside is None or self.beside_failed is not None:
            return
        try:
            yield from versions(self.beside, part, within)
        except ProviderError as error:
            self.beside_failed = error

    def _count(self, rewound: Rewound, row: _Row) -> None:
        rewound.versions += len(row.here)
        if row.here:
            rewound.oldest = min(rewound.oldest or row.here[-1].modified, row.here[-1].modified)
        if row.then is not None:
            rewound.held += 1
            rewound.size += row.then.size

    def _keep(self, rewound: Rewound, judged: Apart | Left | None) -> None:
        if isinstance(judged, Left):
            rewound.lose(judged)
        elif judged is not None:
            rewound.apart.append(judged)
            self.found += 1
            if self.found > self.most:
                raise Refused(f"more than {self.most:,} objects are not as they were", where=self.target.where)

    def _apart(self, row: _Row) -> Apart | Left:
        """A key that does not hold what it held, or of which nobody can tell that."""
        why = untold(row.here, self.at, self.now, self.rules)
        if why:
            return Left(Loss.UNTOLD, row.key, "", None, why)
        later = [version.modified for version in row.there if version.modified > self.at]
        return Apart(row.key, row.then, row.now, min(later, default=None), max(later, default=None))

    def _judged(self, row: _Row, within: Deadline) -> Apart | Left | None:
        """What is apart or lost of one key, by asking for its versions; None where it holds what it held."""
        lost = self._lost(row.missed, within) if row.missed is not None else None
        if lost is not None or row.holds:
            return lost
        apart = self._apart(row)
        if isinstance(apart, Left) or row.then is None:
            return apart
        return self._asked(apart, row.then, within)

    def _asked(self, apart: Apart, wanted: Version, within: Deadline) -> Apart | Left | None:
        key = object_key(apart.key, wanted.id)
        try:
            told = self.past.details(apart.key, wanted.id, within=within)
            if told is None:
                return _left(Loss.GONE, wanted, "it was removed for good while the versions were read")
            if apart.now is not None and self.zone.look(key, within) == restored(key):
                return None
        except (Conflict, Denied, NotFound) as error:  # encrypted with a customer's own key, say, or closed to us
            return _left(Loss.UNTOLD, wanted, f"it cannot be looked at: {'; '.join(filter(None, (error.what, error.seen)))}")
        return _left(Loss.ARCHIVED, wanted, f"it is in {told.frozen}") if told.frozen else apart

    def _lost(self, other: Version, within: Deadline) -> Left | None:
        """That a version of then was here, where that is so, or nobody can tell."""
        if self.beside is None or not self.beside_is_replica:
            return _left(Loss.GONE, other, "the source has it, and the replica does not")
        try:
            told = self.beside.details(other.key, other.id, within=within)
        except ProviderError as error:
            return _left(Loss.UNTOLD, other, f"the replica has a version of then, and does not say whose: {error}")
        if told is None or told.status is not Status.REPLICA:
            return None  # somebody wrote it there, and it never was here
        return _left(Loss.GONE, other, "the replica has it, and the source has it no more")


@dataclass(frozen=True)
class _Row:
    """One key: its versions in the past and in the target, the object that it held `then` and holds `now`.

    `missed` is a version of then that the other side has and this one has not.
    """

    key: str
    here: Sequence[Version]
    there: Sequence[Version]
    then: Version | None
    now: Version | None
    missed: Version | None

    @property
    def holds(self) -> bool:
        """Whether the listings show that it holds what it held."""
        if self.then is None or self.now is None:
            return self.then is self.now
        return _is_that(self.then, self.now)

    @property
    def is_as_it_was(self) -> bool:
        """The same, and that nothing of then is gone."""
        return self.missed is None and self.holds

    @property
    def needs_no_answer(self) -> bool:
        """Whether the listings tell all of it: it held nothing."""
        return self.missed is None and self.then is None


def _row(key: str, at: datetime, here: Sequence[Version], there: Sequence[Version], beside: Sequence[Version]) -> _Row:
    then, now = held_at(here, at), held_now(there)
    missed = _missed(here, then, now, held_at(beside, at))
    return _Row(key, here, there, then if then is not None and not then.marker else None, now, missed)


def _missed(here: Sequence[Version], then: Version | None, now: Version | None, other: Version | None) -> Version | None:
    """A version of then that the other side has and this one has not; None where it has, or the target holds it."""
    if other is None or other.marker or any(version.id == other.id for version in here):
        return None
    if then is not None and (then.modified > other.modified or alike(then, other)):
        return None
    return None if now is not None and alike(now, other) else other


def _is_that(wanted: Version, now: Version) -> bool:
    """Whether it is the very version, or its replica, which keeps the id."""
    return wanted.id == now.id != NULL and alike(wanted, now)


def _left(loss: Loss, version: Version, why: str) -> Left:
    return Left(loss, version.key, version.id, version.modified, why)
