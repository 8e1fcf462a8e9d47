"""How changes are told to people: record sets from what to what, objects in a line each, and of many only so many."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from defib.plan import Change
from defib.ports import RecordChange, RecordSet
from defib.report import words

SHOWN = 40
"""So many objects of a plan are told one by one; all of them stand in the journal, and in what ``--json`` prints."""


@dataclass(frozen=True)
class Block:
    """What belongs together in a plan: a change with its record sets, or all objects that are changed to the same end."""

    purpose: str
    place: str
    lines: tuple[str, ...]
    records: tuple[RecordChange, ...] = ()


def blocks(changes: Sequence[Change]) -> Iterator[Block]:
    """The changes of a plan in order; objects beyond the first :data:`SHOWN` are counted."""
    left = SHOWN
    for _, some in groupby(enumerate(changes), key=_together):
        together = [change for _, change in some]
        first = together[0]
        if not first.piecemeal:
            yield Block(first.purpose, f"{first.vendor}/{first.zone}", tuple(_sides(first)), first.records)
            continue
        records = [record for change in together for record in change.records]
        lines = [object_line(record) for record in records[:left]]
        more = len(records) - len(lines)
        left -= len(lines)
        lines += [f"… and {words.count(more, 'more object', 'more objects')}: --plan --json lists all"] if more else []
        yield Block(first.purpose, f"{first.vendor}/{first.zone}", tuple(lines))


def _together(numbered: tuple[int, Change]) -> tuple[object, ...]:
    number, change = numbered
    return (change.vendor, change.zone, change.purpose) if change.piecemeal else (number,)


def _sides(change: Change) -> Iterator[str]:
    """A record set in two lines, from what and to what."""
    for record in change.records:
        yield f"from {record.before or 'nothing'}"
        yield f"to   {record.after or 'nothing'}"


def object_line(record: RecordChange) -> str:
    """An object, the version that it holds and the one that it is to hold."""
    name = words.plain(record.key.name).replace("\n", "\\n")  # or a name would look like two objects
    return f"{name}: {held(record.before)} → {held(record.after)}"


def held(side: RecordSet | None) -> str:
    """What an object holds on one side of a change."""
    return words.plain(side.values[0]).replace("as ", "version ", 1) if side is not None else "nothing"


def targets(changes: Iterable[Change]) -> list[str]:
    """What is changed, in short: of objects only how many of a bucket."""
    told: list[str] = []
    objects: dict[str, int] = {}
    for change in changes:
        if change.piecemeal:
            objects[change.zone] = objects.get(change.zone, 0) + len(change.records)
        else:
            told.append(change.target)
    return [*told, *(f"{words.count(number, 'object')} of {zone}" for zone, number in objects.items())]


def few(items: Sequence[str], shown: int) -> str:
    """So many of them, and how many more there are."""
    more = f"; and {len(items) - shown:,} more" if len(items) > shown else ""
    return "; ".join(items[:shown]) + more
