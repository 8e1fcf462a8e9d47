"""What a run would change outside, in order, with a digest to approve and brakes that keep it to what was named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from pydantic import TypeAdapter

from defib.errors import Refused
from defib.ports import RecordChange, RecordKey, RecordSet

SPLIT = "SPLIT STATE"
"""How the reason of a run begins that left a name changed at one provider and not at another."""


POINTER_VENDOR, GROUND_VENDOR, COPY_VENDOR, SOURCE_VENDOR = "cloudfront-pointer", "aws-standby", "git", "git-source"
OBJECT_VENDOR, JOB_VENDOR = "s3-objects", "s3-batch"
"""What stands for a vendor in a plan where a change is of no zone: see :mod:`defib.redeploy`, :mod:`defib.replication`."""


class Decides(StrEnum):
    """What a change decides: which way users go, which release they get, what that is made of, or what a copy holds."""

    WAY = "way"
    RELEASE = "release"
    GROUND = "ground"
    COPY = "copy"


_OTHERWISE = {
    POINTER_VENDOR: Decides.RELEASE,
    GROUND_VENDOR: Decides.GROUND,
    COPY_VENDOR: Decides.COPY,
    SOURCE_VENDOR: Decides.COPY,
    OBJECT_VENDOR: Decides.COPY,
    JOB_VENDOR: Decides.COPY,
}


@dataclass(frozen=True)
class Change:
    """One reversible change of record sets in one zone at one vendor: all of them at once, or none, unless `piecemeal`.

    `purpose` is what it does to users, in a person's words. Steering by weights or by a pre-armed switch adds a second
    kind of `records` here; nothing else asks what they are.
    """

    vendor: str
    zone: str
    records: tuple[RecordChange, ...]
    purpose: str

    @property
    def target(self) -> str:
        """What is changed, as one string: vendor, zone, names and types."""
        return f"{self.vendor}/{self.zone}/{self.names}"

    @property
    def decides(self) -> Decides:
        """What it decides."""
        return _OTHERWISE.get(self.vendor, Decides.WAY)

    @property
    def piecemeal(self) -> bool:
        """Whether its records are made one by one, so that after a kill -9 some are as before and some as after."""
        return self.vendor == OBJECT_VENDOR

    @property
    def names(self) -> str:
        """The names and types that are changed; of many objects the first and the last."""
        if self.piecemeal:
            first, *others = (record.key.name for record in self.records)
            return f"{first} to {others[-1]} ({len(self.records)} objects)" if others else first
        return ", ".join(str(record.key) for record in self.records)

    @property
    def keys(self) -> tuple[RecordKey, ...]:
        """The keys that are changed, in order."""
        return tuple(record.key for record in self.records)

    @property
    def before(self) -> tuple[RecordSet | None, ...]:
        """What every key must hold for the change to be made."""
        return tuple(record.before for record in self.records)

    @property
    def after(self) -> tuple[RecordSet | None, ...]:
        """What every key holds once it is made."""
        return tuple(record.after for record in self.records)

    def reversed(self) -> Change:
        """The change that undoes this one."""
        records = tuple(record.reversed() for record in self.records)
        return Change(self.vendor, self.zone, records, f"undo: {self.purpose}")


@dataclass(frozen=True)
class LeftOut:
    """In the journal: a provider of a zone could not be asked, so the next plan leaves these names as they are there."""

    vendor: str
    zone: str
    keys: tuple[RecordKey, ...]


@dataclass(frozen=True)
class Plan:
    """The ordered changes of one run. Empty when everything is already as wanted."""

    procedure: str
    site: str
    changes: tuple[Change, ...]

    def digest(self) -> str:
        """SHA-256 of the canonical JSON of the plan: the same changes have the same digest, at any time, anywhere."""
        hashed = hashlib.sha256()
        for part in _canonical(self):
            hashed.update(part)
        return hashed.hexdigest()

    @property
    def short_digest(self) -> str:
        """The first twelve digits, as shown to people and accepted from them."""
        return self.digest()[:12]

    def brake(self, allowed: Collection[RecordKey], removable: Collection[RecordKey] = ()) -> None:
        """Refuse the plan if it touches anything but `allowed`, touches it twice, or removes anything but `removable`."""
        seen: set[tuple[str, str, RecordKey]] = set()
        for change in self.changes:
            for record in change.records:
                _brake(change, record, allowed, removable)
                place = (change.vendor, change.zone, record.key)
                if place in seen:
                    raise Refused(f"the plan would change {record.key} twice", where=change.target)
                seen.add(place)

    def matches(self, digest: str) -> bool:
        """Whether `digest`, whole or at least its first twelve digits, is this plan's."""
        return len(digest) >= len(self.short_digest) and self.digest().startswith(digest.lower())


def _brake(change: Change, record: RecordChange, allowed: Collection[RecordKey], removable: Collection[RecordKey]) -> None:
    if record.key not in allowed:
        raise Refused(
            f"the plan would change {record.key}, which this procedure may not",
            where=change.target,
            expected="only " + ", ".join(sorted(map(str, allowed))),
            then="look at the site file's steering",
        )
    if record.after is None and record.key not in removable:
        raise Refused(
            f"the plan would delete {record.key}; resolvers would remember its absence",
            where=change.target,
            expected="a change in place",
        )


@cache
def change_adapter() -> TypeAdapter[Change]:
    """To and from plain values."""
    return TypeAdapter(Change)  # made when it is needed: most commands have no plan


def _canonical(plan: Plan) -> Iterator[bytes]:
    """Sorted keys, no spaces, UTF-8; a change at a time, as there may be thousands."""
    yield b'{"changes":['
    for number, change in enumerate(plan.changes):
        yield b"," if number else b""
        yield _plain(change_adapter().dump_python(change, mode="json"))
    yield b'],"procedure":' + _plain(plan.procedure) + b',"site":' + _plain(plan.site) + b"}"


def _plain(tree: object) -> bytes:
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
