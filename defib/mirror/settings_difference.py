"""One difference between the settings of a repository and those of its mirror."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What sort of difference it is.

    `unknown` means that a part could not be read on at least one side. `incomparable` means that both sides were read, and
    that the vendors' words for it do not translate into each other: a person has to look.
    """

    MISSING = "missing"
    OTHERWISE = "otherwise"
    EXTRA = "extra"
    UNKNOWN = "unknown"
    INCOMPARABLE = "incomparable"


@dataclass(frozen=True)
class Difference:
    """One difference: its `part`, the `name` of the setting ("" for the part as a whole), and what to do about it."""

    kind: Kind
    part: str
    name: str
    words: str

    def __str__(self) -> str:
        return f"{self.part}{f' {self.name!r}' if self.name else ''}: {self.words}"
