"""From the versions that objects are to hold to the changes of a plan, a few objects each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from defib.clock import Deadline
from defib.plan import OBJECT_VENDOR, Change
from defib.ports import RecordChange, RecordKey
from defib.replication.objects import ObjectsZone, restored

Item = TypeVar("Item")

TOGETHER = 50
"""So many objects are one change: what is written down before it is made, and put back in its turn."""


def changes_to(zone: ObjectsZone, wanted: Sequence[RecordKey], purpose: str, within: Deadline) -> tuple[Change, ...]:
    """What is to change so that every object holds what its key wants; nothing for those that do."""
    present = (pair for keys in parts(wanted) for pair in zip(keys, zone.looked_at(keys, within), strict=True))
    records = [RecordChange(now, restored(key)) for key, now in present if now != restored(key)]
    return tuple(Change(OBJECT_VENDOR, zone.zone, tuple(some), purpose) for some in parts(records))


def parts(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    """A few at a time, in order."""
    return (items[first : first + TOGETHER] for first in range(0, len(items), TOGETHER))


def keys_of(changes: Iterable[Change]) -> tuple[RecordKey, ...]:
    """Every object that is changed."""
    return tuple(key for change in changes for key in change.keys)
