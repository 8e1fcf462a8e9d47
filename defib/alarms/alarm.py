"""What others say of a site: an alarm from outside starts a recovery, which then looks for itself, and proves nothing.

Terminology:

*alarm*
    One thing that one outside monitor says once: down, up, or something else. Sent again, it is still the same alarm.
*source*
    Who says it: ``uptimerobot``, ``pingdom``, ``cloudwatch``, or whatever a person or a script of theirs calls it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from defib.errors import InputError

LONGEST_AGO = timedelta(days=30)
"""An outage that is said to have begun earlier is a slip."""

MOST_SKEW = timedelta(minutes=5)
"""So far ahead of ours another's clock may be; what it says is then now."""

_SOURCE = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_LONGEST_ID = 300
_LONGEST_TEXT = 300


class Says(StrEnum):
    """What an alarm says. Only `down` ever starts anything."""

    DOWN = "down"
    UP = "up"
    OTHER = "other"


@dataclass(frozen=True)
class Alarm:
    """One alarm. `id` is the same however often the source sends it; `since` is when the source saw it begin."""

    source: str
    id: str
    says: Says
    text: str = ""
    since: datetime | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two alarms the same one."""
        return (self.source, self.id, self.says.value)

    def __str__(self) -> str:
        return f"{self.source} says {self.says.value}{f': {self.text}' if self.text else ''}"

    def believed(self, now: datetime) -> Alarm:
        """The alarm with a beginning that can be: what lies a little ahead is now; far ahead or long ago, nobody knows."""
        since = self.since
        if since is not None and now < since <= now + MOST_SKEW:
            since = now
        if since is not None and not now - LONGEST_AGO <= since <= now:
            since = None
        return replace(self, since=since)


def alarm(source: str, number: str, says: Says, text: str = "", since: datetime | None = None) -> Alarm:
    """An alarm that is fit for files, terminals and command lines; :class:`InputError` for what cannot be one."""
    if not _SOURCE.fullmatch(source):
        raise InputError("this cannot be the source of an alarm", expected="such as uptimerobot", seen=repr(source[:40]))
    kept = _one_line(number).strip()
    if not kept or len(kept) > _LONGEST_ID:
        raise InputError(
            "an alarm needs an id that tells it from others",
            where=source,
            expected=f"1 to {_LONGEST_ID} characters",
            seen=repr(number[:40]),
        )
    return Alarm(source, kept, says, _one_line(text)[:_LONGEST_TEXT].strip(), since)


def _one_line(text: str) -> str:
    """Control characters, line ends and what changes the direction of writing become a question mark."""
    return "".join(character if character.isprintable() else "?" for character in text)
