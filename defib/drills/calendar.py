"""When the drills of a site are due, what was due and did not happen, and what is due now; pure, and told the time.

Terminology:

*occasion*
    The planned moment of one procedure in one month.
*chance*
    A moment at which an occasion is taken up: the occasion itself and, where that came to nothing, the same hour of the
    next working days that are neither in a blackout nor another procedure's own.
*punctual*
    Within :data:`PUNCTUAL` of a chance. Whoever comes later does not begin: at that hour nobody has agreed to a drill.

It may be asked as often as one likes, from an hourly schedule of Prefect, from cron or by hand: the answer depends on the
past and on the time alone. So a worker that was away for days leaves behind a missed drill that is told, and nothing that
begins in the night; and no second calendar has to agree with this one. All moments are in UTC.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from defib.sites.drills import ORDINALS, WEEKDAYS, Blackout, Drills

PUNCTUAL = timedelta(hours=2)
"""How late a drill may begin. Whoever asks every hour never comes later than that, unless it was away."""

_DAY = timedelta(days=1)
_WEEK = 7
_SATURDAY = 5
_DECEMBER = 12
_TWO_MONTHS = timedelta(days=62)
"""The longest time between two occasions of a procedure is shorter."""


class Ending(StrEnum):
    """How a drill ended; `open` is one that runs, or was cut off."""

    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    MISSED = "missed"
    INTERRUPTED = "interrupted"
    OPEN = "open"

    @property
    def was_held(self) -> bool:
        """Whether something was proved or disproved. One that failed is for people to look at, not to repeat by itself."""
        return self in {Ending.DONE, Ending.FAILED}


@dataclass(frozen=True)
class PastDrill:
    """One drill of the past as far as a calendar needs it. `due` is the occasion that it was recorded for, if any."""

    procedure: str
    at: datetime
    ending: Ending
    due: datetime | None = None


@dataclass(frozen=True)
class Due:
    """A drill that is due now: why, of which occasion (None where something has changed), and at which chance."""

    procedure: str
    why: str
    occasion: datetime | None
    chance: datetime


@dataclass(frozen=True)
class Missed:
    """An occasion of which chances passed without anybody there, and the next chance, if there is one."""

    procedure: str
    occasion: datetime
    chances: tuple[datetime, ...]
    again: datetime | None


@dataclass(frozen=True)
class Calendar:
    """The drills of one site. `procedures` stand in the order in which they are due in a month."""

    config: Drills
    procedures: tuple[str, ...]

    def occasion(self, procedure: str, year: int, month: int) -> datetime:
        """When `procedure` is due, of the month in which the first of the procedures is."""
        config = self.config
        return _planned(config.day, config.at, config.tz, self.procedures.index(procedure), year, month)

    def occasions(self, procedure: str, since: datetime, until: datetime) -> Iterator[datetime]:
        """Every occasion of `procedure` from `since` on and before `until`."""
        year, month = _month_after(since.year, since.month, -2)  # the last procedures of a month are due in the next
        while (at := self.occasion(procedure, year, month)) < until:
            if at >= since:
                yield at
            year, month = _month_after(year, month)

    def next(self, procedure: str, now: datetime) -> datetime:
        """The first occasion of `procedure` that is still to come."""
        return next(self.occasions(procedure, now, now + 2 * _TWO_MONTHS))

    def chances(self, procedure: str, occasion: datetime) -> tuple[datetime, ...]:
        """The occasion, and the moments at which it is tried again; all before the next occasion."""
        found, day = [occasion], self._day(occasion)
        end = self.next(procedure, occasion + _DAY)
        taken = {self._day(at) for each in self.procedures for at in self.occasions(each, occasion, end)}
        while len(found) < self.config.chances:
            day = working_day_after(day)
            at = self._moment(day)
            if at >= end:
                break
            if day not in taken and self.blackout(at) is None:
                found.append(at)
        return tuple(found)

    def blackout(self, at: datetime) -> Blackout | None:
        """The blackout that a moment falls into."""
        day = self._day(at)
        return next((each for each in self.config.blackouts if each.first <= day <= each.last), None)

    def due(
        self,
        now: datetime,
        past: Sequence[PastDrill],
        since: Mapping[str, datetime],
        changed: Mapping[str, str] | None = None,
    ) -> Due | None:
        """The one drill that is due at `now`; None where none is.

        `since` says since when the calendar of each procedure is known: what was due before that is nobody's. `changed` says
        of procedures what has changed since they were last proved. They are due at the hour of drills on the next working
        day outside of any blackout on which nothing else is drilled, one a day.
        """
        for procedure in self.procedures:
            begin = max(now - _TWO_MONTHS, since.get(procedure, now))
            occasion = max(self.occasions(procedure, begin, now + timedelta.resolution), default=None)
            chance = self._open_chance(procedure, occasion, now, past) if occasion else None
            if chance:
                return Due(procedure, "monthly", occasion, chance)
        return self._due_by_change(now, past, changed or {})

    def missed(self, now: datetime, past: Sequence[PastDrill], since: Mapping[str, datetime]) -> tuple[Missed, ...]:
        """What was due since then and found nobody, and is not recorded yet. What is not in `since` has no past."""
        return tuple(
            found
            for procedure in self.procedures
            if procedure in since
            for occasion in self.occasions(procedure, since[procedure], now)
            if (found := self._missed(procedure, occasion, now, past))
        )

    def settled(self, now: datetime) -> dict[str, datetime]:
        """For each procedure the occasion before which nothing can be missed any more, once all is recorded that was."""
        return {
            procedure: max(self.occasions(procedure, now - _TWO_MONTHS, now + timedelta.resolution))
            for procedure in self.procedures
        }

    def said(self, missed: Missed) -> str:
        """A missed occasion in a sentence, in the site's own time."""
        at = ", ".join(self.told(chance) for chance in missed.chances)
        then = f"it is tried again on {self.told(missed.again)}" if missed.again else "it is not tried again this month"
        return f"nobody was there at {at}, as when a worker is down; {then}"

    def told(self, at: datetime) -> str:
        """A moment as people of the site have it."""
        return f"{at.astimezone(self.config.tz):%a %Y-%m-%d %H:%M %Z}"

    def _missed(self, procedure: str, occasion: datetime, now: datetime, past: Sequence[PastDrill]) -> Missed | None:
        """The chances of an occasion that passed before it was held, and of which nothing is recorded."""
        own = [each for each in past if each.procedure == procedure]
        if any(each.ending.was_held and occasion <= each.at <= occasion + PUNCTUAL for each in own):
            return None
        end = self.next(procedure, occasion + _DAY)
        told = max(
            (each.at for each in own if each.ending is Ending.MISSED and each.due == occasion), default=occasion - _DAY
        )
        came = [each for each in own if each.ending is not Ending.MISSED and occasion <= each.at < end]
        held = min((each.at for each in came if each.ending.was_held), default=now)
        chances = self.chances(procedure, occasion)
        gone = tuple(
            chance
            for chance in chances
            if told < chance < held
            and now > chance + PUNCTUAL
            and not any(chance <= each.at <= chance + PUNCTUAL for each in came)
        )
        again = next((chance for chance in chances if chance + PUNCTUAL >= now), None)
        return Missed(procedure, occasion, gone, again) if gone else None

    def _open_chance(self, procedure: str, occasion: datetime, now: datetime, past: Sequence[PastDrill]) -> datetime | None:
        """The chance of an occasion that is now, where it was neither held before nor tried at this chance."""
        since = [each for each in past if each.procedure == procedure and each.at >= occasion]
        if any(each.ending.was_held for each in since):
            return None
        chance = max(at for at in self.chances(procedure, occasion) if at <= now)
        tried = any(each.at >= chance for each in since if each.ending is not Ending.MISSED)
        return None if tried or now > chance + PUNCTUAL else chance

    def _due_by_change(self, now: datetime, past: Sequence[PastDrill], changed: Mapping[str, str]) -> Due | None:
        today = self._day(now)
        chance = self._moment(today)
        if today.weekday() >= _SATURDAY or not chance <= now <= chance + PUNCTUAL or self.blackout(chance):
            return None
        came = [each for each in past if self._day(each.at) == today and each.ending is not Ending.MISSED]
        if any(each.ending.was_held or each.ending is Ending.OPEN for each in came):
            return None
        tried = {each.procedure for each in came}
        free = (each for each in self.procedures if each not in tried and not self._is_given_up(each, past))
        wanted = next((each for each in free if changed.get(each)), None)
        return Due(wanted, f"changed since it was proved: {changed[wanted]}", None, chance) if wanted else None

    def _is_given_up(self, procedure: str, past: Sequence[PastDrill]) -> bool:
        """Whether something was in the way of it on as many days as an occasion has: then it waits for its month."""
        own = [each for each in past if each.procedure == procedure]
        held = max((each.at for each in own if each.ending.was_held), default=None)
        since = [each for each in own if each.ending is Ending.SKIPPED and each.due is None and (not held or each.at > held)]
        return len(since) >= self.config.chances

    def _day(self, at: datetime) -> date:
        return at.astimezone(self.config.tz).date()

    def _moment(self, day: date) -> datetime:
        return _moment(day, self.config.at, self.config.tz)


@lru_cache(maxsize=1024)
def _planned(rule: str, at: time, zone: ZoneInfo, place: int, year: int, month: int) -> datetime:
    """The moment of the procedure at this place of the list, in one month."""
    day = day_of(rule, year, month)
    for _ in range(place):
        day = working_day_after(day)
    return _moment(day, at, zone)


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The hour of drills on a day: the first of two where clocks are set back, an hour later where they skip it."""
    return datetime.combine(day, at, zone).astimezone(UTC)


def day_of(rule: str, year: int, month: int) -> date:
    """The day that a rule names in a month; the last such one where the month lacks it."""
    days = monthrange(year, month)[1]
    ordinal, _, weekday = rule.partition(" ")
    if not weekday:
        return date(year, month, min(int(ordinal), days))
    first = date(year, month, 1)
    day = 1 + (WEEKDAYS.index(weekday) - first.weekday()) % _WEEK + (ORDINALS[ordinal] - 1) * _WEEK
    return date(year, month, day if day <= days else day - _WEEK)


def working_day_after(day: date) -> date:
    """The next day from Monday to Friday."""
    day += _DAY
    while day.weekday() >= _SATURDAY:
        day += _DAY
    return day


def _month_after(year: int, month: int, by: int = 1) -> tuple[int, int]:
    years, before = divmod(month - 1 + by, _DECEMBER)
    return year + years, before + 1
