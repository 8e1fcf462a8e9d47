"""When a site is drilled, by whom, and what holds a drill back: the part of a site file about drills.

::

    drills:
      owner: Dana Okafor
      participants: [platform on call, support lead]
      zone: Europe/Berlin
      day: second Tuesday
      at: "10:00"
      blackouts:
        - {first: 2026-11-20, last: 2026-12-02, why: the sales weeks}
"""

from __future__ import annotations

import re
from datetime import date, time
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, model_validator

from defib.sites.values import Aws, Part
from defib.yamlfile import Misplaced

ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": 5}
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBERS = range(1, 32)

Drillable = Literal["cdn-failover", "dns-switch", "aws-redeploy", "git-mirror", "replication-check"]
"""The procedures that are drilled by themselves; the others are part of one of these, or done by hand."""


def _day(value: object) -> str:
    """``second Tuesday``, ``last Friday`` or a day of the month, in lower case; ValueError for anything else."""
    text = str(value).strip().lower()
    ordinal, _, weekday = text.partition(" ")
    if ordinal in ORDINALS and weekday in WEEKDAYS:
        return text
    if text.isdecimal() and int(text) in _NUMBERS:
        return text
    raise ValueError(f"such as 'second Tuesday', 'last Friday' or a day from 1 to 31, not {text!r}")


def _zone(value: object) -> str:
    text = str(value)
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"a time zone such as Europe/Berlin or UTC, not {text!r}") from error
    return text


def _hour(value: object) -> time:
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", str(value))
    if found is None:
        raise ValueError(f'a time of day such as "10:00", in quotes, not {str(value)!r}')
    return time(int(found[1]), int(found[2]))


class Blackout(Part):
    """Days, the first and the last of them included, on which nothing is broken on purpose, and why."""

    first: date
    last: date
    why: str = Field(min_length=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise Misplaced(f"before the first day, {self.first}", "last")
        return self


class CloudWatchAlarms(Part):
    """Alarms of CloudWatch by their names, in the region that `aws` says. To ask takes ``cloudwatch:DescribeAlarms``."""

    provider: Literal["cloudwatch"] = "cloudwatch"
    names: tuple[Annotated[str, Field(min_length=1, max_length=255)], ...] = Field(min_length=1, max_length=100)
    aws: Aws = Aws()


class Drills(Part):
    """Who answers for drills, when they are due, and what holds them back.

    `day` is the day of the month on which the first of `procedures` is due, ``second Tuesday`` or a number, at `at` in
    `zone`; a month that lacks it has its last one instead. Every further procedure is due a working day later, so that no
    two of a site fall on the same day. `procedures` left out are all that the site has something for; one that is added at
    the end moves no other. What was skipped or missed is tried again on the next working days, on `chances` days in all.

    A drill is held back by a blackout, by an incident, by one of `alarms` that is not quiet or cannot be read, and by
    whatever ``defib ready`` finds failing, except for the findings whose names are in `ignore`.
    """

    owner: str = Field(min_length=1)
    participants: tuple[str, ...] = ()
    zone: Annotated[str, BeforeValidator(_zone)]
    day: Annotated[str, BeforeValidator(_day)]
    at: Annotated[time, BeforeValidator(_hour)]
    procedures: tuple[Drillable, ...] = ()
    chances: int = Field(default=3, ge=1, le=10)
    blackouts: tuple[Blackout, ...] = ()
    alarms: tuple[CloudWatchAlarms, ...] = ()
    ignore: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for number, name in enumerate(self.procedures):
            if name in self.procedures[:number]:
                raise Misplaced(f"{name} stands twice", "procedures", number)
        return self

    @property
    def tz(self) -> ZoneInfo:
        """The time zone itself."""
        return ZoneInfo(self.zone)
