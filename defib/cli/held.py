"""For how long a place has served the site without a break, followed look by look."""

from __future__ import annotations

from datetime import datetime, timedelta

from defib import entries
from defib.journal import Record
from defib.ports import Build, Health
from defib.report import words
from defib.users.looking import USERS


class Held:
    """The unbroken row of good looks at one place within one step; a build older than the one sent to breaks it.

    A step that waits for such a row does not write down every look's meaning, so it is derived here as it is there.
    """

    def __init__(self, quorum: int, aim: str = USERS) -> None:
        self._quorum, self._aim = quorum, aim
        self._rows: dict[str, datetime] = {}
        self._bad: set[str] = set()
        self._expected: Build | None = None

    def follow(self, record: Record) -> None:
        """Take in one entry."""
        match record.entry:
            case entries.StepStarted() | entries.Reopened():
                self._rows.clear()
                self._bad.clear()
            case entries.RecoveryPointRead():
                self._expected = record.entry.found
            case entries.Observed(aim=aim, observation=seen) if aim == self._aim:
                older = self._expected and seen.build and seen.build.built < self._expected.built
                if seen.health is Health.GOOD and not older:
                    self._rows.setdefault(seen.observer, seen.at)
                    self._bad.discard(seen.observer)
                elif seen.health is not Health.UNKNOWN:
                    self._rows.pop(seen.observer, None)
                    self._bad.add(seen.observer)

    def since(self) -> datetime | None:
        """Since when a quorum sees it served and nobody sees it otherwise; None where that is not so."""
        return max(self._rows.values()) if len(self._rows) >= self._quorum and not self._bad else None

    def line(self, now: datetime, needed: timedelta) -> str:
        """``users served, 1.9 of 3 s held``; "" while they are not."""
        since = self.since()
        if since is None:
            return ""
        held = min(max(now - since, timedelta(0)), needed)
        whole, unit = words.duration(needed), ""
        told = words.duration(timedelta(seconds=held // timedelta(seconds=1)))
        if needed < timedelta(minutes=1):
            told, whole, unit = f"{held.total_seconds():.1f}", f"{needed.total_seconds():g}", " s"
        who = "users served" if self._aim == USERS else f"{self._aim} serves the site"
        return f"{who}, {told} of {whole}{unit} held"
