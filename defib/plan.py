"""What a run would change outside, in order, with a digest to approve and brakes that keep it to what was named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass

from pydantic import TypeAdapter

from defib.errors import Refused
from defib.ports import RecordChange, RecordKey


@dataclass(frozen=True)
class Change:
    """One reversible change of one record set at one vendor, and what it does to users, in a person's words.

    Steering by weights or by a pre-armed switch adds a second kind of `record` here; nothing else asks what it is.
    """

    vendor: str
    zone: str
    record: RecordChange
    purpose: str

    @property
    def target(self) -> str:
        """What is changed, as one string: vendor, zone, name and type."""
        return f"{self.vendor}/{self.zone}/{self.record.key}"

    def reversed(self) -> Change:
        """The change that undoes this one."""
        return Change(self.vendor, self.zone, self.record.reversed(), f"undo: {self.purpose}")


@dataclass(frozen=True)
class Plan:
    """The ordered changes of one run. Empty when everything is already as wanted."""

    procedure: str
    site: str
    changes: tuple[Change, ...]

    def digest(self) -> str:
        """SHA-256 of the canonical JSON of the plan: the same changes have the same digest, at any time, anywhere."""
        return hashlib.sha256(_canonical(self)).hexdigest()

    @property
    def short_digest(self) -> str:
        """The first twelve digits, as shown to people and accepted from them."""
        return self.digest()[:12]

    def brake(self, allowed: Collection[RecordKey]) -> None:
        """Refuse the plan if it touches anything but `allowed`, touches it twice, or takes an answer away."""
        seen: set[RecordKey] = set()
        for change in self.changes:
            key = change.record.key
            if key not in allowed:
                raise Refused(
                    f"the plan would change {key}, which this procedure may not",
                    where=change.target,
                    expected="only " + ", ".join(sorted(map(str, allowed))),
                    then="look at the site file's steering",
                )
            if key in seen:
                raise Refused(f"the plan would change {key} twice", where=change.target)
            if change.record.after is None:
                raise Refused(
                    f"the plan would delete {key}; resolvers would remember its absence",
                    where=change.target,
                    expected="a change in place",
                )
            seen.add(key)

    def matches(self, digest: str) -> bool:
        """Whether `digest`, whole or at least its first twelve digits, is this plan's."""
        return len(digest) >= len(self.short_digest) and self.digest().startswith(digest.lower())


def _canonical(plan: Plan) -> bytes:
    tree = TypeAdapter(Plan).dump_python(plan, mode="json")
    return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
