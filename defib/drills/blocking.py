"""Alarms that the owners of a site have set elsewhere, and that hold a drill back: one small port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from defib.clock import Deadline


@dataclass(frozen=True)
class AlarmSeen:
    """One alarm, and whether it is quiet; None where it has no data, or there is none of that name."""

    name: str
    quiet: bool | None
    text: str


class Alarms(Protocol):
    """The alarms that a site file names at one vendor."""

    @property
    def where(self) -> str:
        """The vendor, and where it was asked."""
        ...

    def seen(self, *, within: Deadline) -> tuple[AlarmSeen, ...]:
        """Each alarm as it stands, in the order of the site file. Changes nothing; raises as every port does."""
        ...
