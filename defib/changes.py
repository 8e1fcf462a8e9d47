"""Making a run's changes and putting them back, each written down before it is made.

What may have been made is read from the journal alone, so that it is known after a kill -9 at any instant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from defib import entries
from defib.clock import Clock, Deadline
from defib.door import Door
from defib.errors import BudgetSpent, DefibError, ForeignChange, Interrupted, ProviderError, Refused, StepFailed
from defib.journal import Journal, Record
from defib.lease import Lease
from defib.plan import SPLIT, Change, LeftOut
from defib.ports import DnsZone, RecordChange, RecordKey, RecordSet

UNDO_BUDGET = timedelta(minutes=2)
"""For each change that is put back."""

STRIKE_BUDGET = timedelta(seconds=10)
"""For the question whether a change without a receipt is in effect."""

READ_BACK = timedelta(seconds=5)
"""How long a vendor may take to answer with a change that it has accepted."""

READ_AGAIN = timedelta(milliseconds=200)

_FEW = 3
"""So many objects are named where many are not as they must be."""

STOPPED = "a signal stopped the undoing"


class Changes:
    """The changes of one run. Without a `lease`, in plan mode, none can be made."""

    def __init__(self, journal: Journal, clock: Clock, zones: Sequence[DnsZone], lease: Lease | None) -> None:
        self._journal = journal
        self._clock = clock
        self._zones = {(zone.vendor, zone.zone): zone for zone in zones}
        self.lease = lease

    def standing(self) -> tuple[tuple[int, Change], ...]:
        """The changes that may have been made and are not put back, oldest first, with their numbers."""
        return standing(self._journal.records)

    def make(self, number: int, change: Change, within: Deadline, *, undo: bool = False) -> None:
        """Make one change by compare-and-set, written down before it is made; one already made costs a read.

        What was made piecemeal is put back as far as it is not somebody else's by now: the rest is named.
        """
        if self.lease is None:
            raise Refused("a run without a lease makes no change", where=change.target)
        zone = self._zone(change)
        present = zone.read(change.keys, within=within)
        if present == change.after:
            self._journal.append(entries.ChangeMade(number, already=True, undo=undo))
            return
        left, possible = _left(change, present), _may_be_made(change, present)
        if not possible and not (undo and change.piecemeal and left):
            raise foreign(change, present)
        self.lease.check()
        if within.expired():
            raise BudgetSpent(f"no time is left to change {change.names}", where=change.target)
        self._journal.append(entries.ChangeIntended(number, change, self.lease.number, undo=undo))
        self.lease.check()
        try:
            receipt = zone.replace(left, within=within)
        except ForeignChange as error:
            if undo and change.piecemeal:
                raise partly(change, zone.read(change.keys, within=within), error.seen) from error
            raise
        if not possible:
            raise partly(change, zone.read(change.keys, within=within), "")
        self._read_back(zone, change)
        self._journal.append(entries.ChangeMade(number, receipt.id, undo=undo))

    def _read_back(self, zone: DnsZone, change: Change) -> None:
        """Believe the vendor when it answers with the change: it may have said yes and done nothing."""
        limit = Deadline.after(self._clock, READ_BACK)  # its own: what was written must be known, also at the very end
        while (present := zone.read(change.keys, within=Deadline.after(self._clock, READ_BACK))) != change.after:
            if limit.expired():
                _, after, seen = _apart(change, present, lambda record, now: now != record.after)
                raise StepFailed(
                    f"{zone.vendor} accepted the change of {change.names} and does not hold it",
                    where=change.target,
                    expected=_sets(after),
                    seen=_sets(seen),
                )
            self._clock.sleep(READ_AGAIN)

    def undo(self) -> bool:
        """Put back every change of this run, newest first; True if nothing is left that was changed.

        One that cannot be put back does not keep the others from it. A signal ends it: what was not reached is listed, and
        :class:`Interrupted` goes on to the caller.
        """
        left = list(reversed(self.standing()))
        complete = True
        while left:
            number, change = left[0]
            try:
                self._undo_one(number, change)
            except Interrupted:
                for unreached, other in left:
                    self._journal.append(entries.ChangeNotUndone(unreached, other.target, STOPPED))
                raise
            except Exception as error:
                why = str(error) if isinstance(error, DefibError) else f"{type(error).__name__}: {error}"
                self._journal.append(entries.ChangeNotUndone(number, change.target, why))
                complete = False
            left.pop(0)
        return complete

    def leave(self, why: str) -> None:
        """Put nothing back, and write down of each change why not."""
        for number, change in self.standing():
            self._journal.append(entries.ChangeNotUndone(number, change.target, why))

    def strike_unmade(self) -> None:
        """Take the changes off the list that were intended, have no receipt, and are not in effect, as a read says."""
        made = {entry.number for entry in self._journal.of(entries.ChangeMade)}
        for number, change in self.standing():
            if number in made:
                continue
            try:
                present = self._zone(change).read(change.keys, within=Deadline.after(self._clock, STRIKE_BUDGET))
            except ProviderError:
                continue  # nobody can tell, so it counts as made
            if present == change.before:
                self._journal.append(entries.ChangeMade(number, already=True, undo=True))

    def _undo_one(self, number: int, change: Change) -> None:
        within = Deadline.after(self._clock, UNDO_BUDGET)
        door = Door(f"undoing change {number}")

        def work() -> None:
            with door.held_open():
                self.make(number, change.reversed(), within, undo=True)

        try:
            self._clock.call(work, UNDO_BUDGET)
        finally:
            door.shut()

    def _zone(self, change: Change) -> DnsZone:
        zone = self._zones.get((change.vendor, change.zone))
        if zone is None:
            raise Refused(
                "the site file no longer has the zone of this change",
                where=change.target,
                expected=", ".join(f"{vendor}/{name}" for vendor, name in self._zones),
            )
        return zone


def _may_be_made(change: Change, present: Sequence[RecordSet | None]) -> bool:
    """Whether everything is as before; of what is made piecemeal a part may be as after."""
    if not change.piecemeal:
        return present == change.before
    return all(now in (each.before, each.after) for each, now in zip(change.records, present, strict=True))


def _left(change: Change, present: Sequence[RecordSet | None]) -> tuple[RecordChange, ...]:
    """What of a change is still to be made."""
    if not change.piecemeal:
        return change.records
    return tuple(each for each, now in zip(change.records, present, strict=True) if now == each.before)


def standing(records: Sequence[Record]) -> tuple[tuple[int, Change], ...]:
    """The changes that a journal says may have been made and are not put back, oldest first, with their numbers."""
    found: dict[int, Change] = {}
    for record in records:
        entry = record.entry
        if isinstance(entry, entries.ChangeIntended) and not entry.undo:
            found[entry.number] = entry.change
        elif isinstance(entry, entries.ChangeMade) and entry.undo:
            found.pop(entry.number, None)
    return tuple(sorted(found.items(), key=lambda pair: pair[0]))


def left_out(records: Sequence[Record]) -> tuple[LeftOut, ...]:
    """The providers that the last plan leaves out, because they could not be asked."""
    found: list[LeftOut] = []
    pending: list[LeftOut] = []
    for record in records:
        if isinstance(record.entry, LeftOut):
            pending.append(record.entry)
        elif isinstance(record.entry, entries.Planned):
            found, pending = pending, []
    return tuple(found)


def split(records: Sequence[Record]) -> str:
    """Which names are changed at one provider and not at another that holds them too; "" where none is.

    Users then get the one or the other answer, by chance. One that could not be asked counts as not changed, until every
    server was seen to give the new answer: a person may have changed it by hand.
    """
    plans = [record.entry for record in records if isinstance(record.entry, entries.Planned)]
    planned = plans[-1].changes if plans else ()
    stands = {change.target for _, change in standing(records)}
    at: dict[RecordKey, dict[bool, list[str]]] = {}
    for change in planned:
        for key in change.keys:
            at.setdefault(key, {True: [], False: []})[change.target in stands].append(change.vendor)
    if not any(isinstance(record.entry, entries.AnswersMoved) for record in records):
        for left in left_out(records):
            for key in filter(at.__contains__, left.keys):
                at[key][False].append(f"{left.vendor}, which could not be asked")
    told = [
        f"{key} is changed at {', '.join(by[True])} and not at {', '.join(by[False])}"
        for key, by in at.items()
        if by[True] and by[False]
    ]
    return f"{SPLIT}, users get one or the other by chance: {'; '.join(told)}" if told else ""


def being_put_back(records: Sequence[Record]) -> bool:
    """Whether the last thing done to a change that was made was to put it back, or to begin to."""
    found = [r.entry for r in records if isinstance(r.entry, entries.ChangeIntended | entries.ChangeMade)]
    made = {entry.number for entry in found if isinstance(entry, entries.ChangeMade) and not entry.undo}
    return bool(found) and found[-1].undo and found[-1].number in made


def foreign(change: Change, present: Sequence[RecordSet | None]) -> ForeignChange:
    """The refusal of a change whose target holds neither its before nor its after."""
    before, after, seen = _apart(change, present, lambda record, now: now not in (record.before, record.after))
    return ForeignChange(
        f"somebody else changed {change.names}",
        where=change.target,
        expected=f"{_sets(before)} (before) or {_sets(after)} (after)",
        seen=_sets(seen),
        then="find out who; then plan again",
    )


def partly(change: Change, present: Sequence[RecordSet | None], seen: str) -> ForeignChange:
    """What is put back of a change that was made piecemeal, and whose the rest is."""
    left = [each.key.name for each, now in zip(change.records, present, strict=True) if now != each.after]
    more = f" and {len(left) - _FEW} more" if len(left) > _FEW else ""
    _, _, now = _apart(change, present, lambda record, held: held not in (record.before, record.after))
    return ForeignChange(
        f"somebody else changed {', '.join(left[:_FEW])}{more}; {len(change.records) - len(left)} of {len(change.records)}"
        " are put back",
        where=change.target,
        seen="; ".join(filter(None, (seen, _sets(now)))),
        then="find out who, and leave it or remove it by hand: nothing that others made is taken back",
    )


Sets = Sequence[RecordSet | None]


def _apart(
    change: Change, present: Sets, differs: Callable[[RecordChange, RecordSet | None], bool]
) -> tuple[Sets, Sets, Sets]:
    """What stands before and after a change, and now; of what is made piecemeal only the first few that differ."""
    rows = [(each.before, each.after, now) for each, now in zip(change.records, present, strict=True)]
    if change.piecemeal:
        pairs = zip(change.records, present, strict=True)
        rows = [(each.before, each.after, now) for each, now in pairs if differs(each, now)][:_FEW]
    before, after, seen = zip(*rows, strict=True) if rows else ((), (), ())
    return before, after, seen


def _sets(sets: Sets) -> str:
    return "; ".join(str(each or "no such record set") for each in sets)
