"""What detection knows of an outage that is going on, on disk, for whoever starts a recovery.

The note is a courtesy: whatever is wrong with it, the looks go on and the recovery starts.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from defib.observe.detect import Decision
from defib.ports import Health, Observation

BELIEVED_FOR = timedelta(seconds=30)
"""A note that has not been renewed for longer says nothing: whoever wrote it may be dead."""

RENEWED = timedelta(seconds=10)
"""How often a note is renewed while the outage lasts."""


@dataclass(frozen=True)
class KnownOutage:
    """Users lost service at `first_bad`, the site counted as down at `down_at`, and it was still so at `seen_at`.

    `looks` are the observations that led to it, oldest first: the evidence for the start of the clock.
    """

    first_bad: AwareDatetime
    down_at: AwareDatetime
    seen_at: AwareDatetime
    looks: tuple[Observation, ...] = ()


_ADAPTER = TypeAdapter(KnownOutage)


def note_outage(home: Path, site: str, outage: KnownOutage | None) -> str:
    """Remember an outage, or with None that there is none; gives "" or why it could not be done, and raises nothing.

    Atomic: whoever reads sees the old or the new note. Idempotent.
    """
    path = _path(home, site)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        if outage is None:
            path.unlink(missing_ok=True)
            return ""
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_bytes(_ADAPTER.dump_json(outage))
        fresh.replace(path)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
        return f"the note of the outage cannot be written: {error}"
    return ""


def known_outage(home: Path, site: str, now: datetime) -> KnownOutage | None:
    """The outage that detection sees now; None where it sees none, has been silent for too long, or cannot be read.

    A note from the future says nothing either: the clock was set back since, or it was not detection that wrote it.
    """
    try:
        outage = _ADAPTER.validate_json(_path(home, site).read_bytes())
    except (OSError, ValidationError):
        return None
    if any(look.at.tzinfo is None for look in outage.looks):
        return None
    if max(outage.first_bad, outage.down_at, outage.seen_at) > now or now - outage.seen_at > BELIEVED_FOR:
        return None
    return outage


class OutageMemory:
    """What one watching knows of the outage of its site, kept on disk from decision to decision.

    An outage lasts until a quorum of observers is good again. Whatever an earlier or another watching of the same site
    noted of it counts as well: the earliest first bad look that anybody saw is the start.
    """

    def __init__(self, home: Path, site: str, evidence: int, now: datetime) -> None:
        self._home, self._site = home, site
        self._looks: deque[Observation] = deque(maxlen=evidence)
        self._written: datetime | None = None
        self._ended = False
        self.outage = known_outage(home, site, now)

    def saw(self, look: Observation) -> None:
        """One more look, which may become evidence."""
        self._looks.append(look)

    def follow(self, decision: Decision, now: datetime) -> str:
        """Note an outage that begins or goes on, forget one that is over; gives "" or why that could not be done."""
        if decision.verdict is Health.GOOD:
            return self._end()
        if decision.verdict is not Health.BAD or decision.first_bad is None:
            return ""
        if self._written is not None and timedelta(0) <= now - self._written < RENEWED:
            return ""
        self._ended, self._written = False, now
        here = KnownOutage(decision.first_bad, now, now, tuple(sorted(self._looks, key=lambda look: look.at)))
        for noted in (self.outage, known_outage(self._home, self._site, now)):
            if noted is not None and noted.first_bad <= now:  # else the clock was set back
                here = _together(here, noted)
        self.outage = here
        return note_outage(self._home, self._site, here)

    def _end(self) -> str:
        """A note is taken away once, when users are seen served: another watching may see that they are not."""
        if self._ended:
            return ""
        self._ended, self._written, self.outage = True, None, None
        return note_outage(self._home, self._site, None)


def _together(here: KnownOutage, noted: KnownOutage) -> KnownOutage:
    """One outage as two have seen it, with the evidence of whoever saw it first."""
    first = noted if noted.first_bad <= here.first_bad else here
    down_at = min(here.down_at, noted.down_at)
    return replace(here, first_bad=first.first_bad, down_at=down_at, looks=first.looks or here.looks)


def _path(home: Path, site: str) -> Path:
    return home / "sites" / site / "outage.json"
