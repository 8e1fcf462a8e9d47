"""UptimeRobot, one monitor by its id, through version 3 of its API.

Operations and fields: the vendor's OpenAPI description (https://github.com/uptimerobot/uptimerobot-cli,
``openapi/openapi.yaml``). Version 3 is the one that is maintained: version 2 "will remain available; however, it will no
longer receive support or updates" (https://uptimerobot.com/blog/introducing-the-uptimerobot-v3-api/). Limits: 10 requests a
minute for a free account, more for others, and 429 with ``Retry-After`` beyond (https://uptimerobot.com/api/v3/).

The API does not tell when it checked last. What is certain is that the last check is no older than the interval, and no
older than the present state, as long as checks are made at all; that they are is seen from the response times, whose points
come in steps of minutes. While a monitor is down there are none.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from typing import TypeVar

import httpx
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError

from defib.clock import Deadline
from defib.errors import Unavailable
from defib.monitor import Sighting
from defib.ports import Health
from defib.providers.host.api import HostApi, Told, quoted

T = TypeVar("T")

_HEALTH = {"UP": Health.GOOD, "DOWN": Health.BAD}
_CANNOT_TELL = {
    "PAUSED": "the monitor is paused, or in a maintenance window",
    "STARTED": "the monitor was started and has not checked yet",
    "LOOKS_DOWN": "looks down, and UptimeRobot is not sure yet",
}
"""The values of ``status``, as the operation that lists monitors names them."""

_STEP = timedelta(minutes=5)
"""Between two points of response times, where there are too few to see it."""

_LONGEST = 2_678_400
"""Seconds between two checks, at most."""

_LATE = 2
"""So many intervals after the end of the newest step checks are not being made any more."""


class _Incident(BaseModel):
    reason: str = ""


class _Monitor(BaseModel):
    status: str
    url: str
    interval: float = Field(gt=0, le=_LONGEST)
    held: float = Field(alias="currentStateDuration", ge=0, le=1e10)
    incident: _Incident | None = Field(default=None, alias="lastIncident")


class _Point(BaseModel):
    timestamp: AwareDatetime


class _Series(BaseModel):
    points: list[_Point] = Field(default_factory=list, alias="time_series")


_MONITOR, _SERIES = TypeAdapter(_Monitor), TypeAdapter(_Series)


class UptimeRobot:
    """Fulfils :class:`defib.monitor.Monitor`."""

    def __init__(self, name: str, monitor: int, token: str, api: str) -> None:
        self._name, self._monitor = name, monitor
        where = f"UptimeRobot, monitor {monitor}"
        self._api = HostApi(api, token, "UptimeRobot", where, _read_refusal, f"the id of the monitor {name}")

    @property
    def name(self) -> str:
        return self._name

    def sighting(self, *, within: Deadline) -> Sighting:
        asked = within.clock.now()
        path = f"/monitors/{self._monitor}"
        told = self._parsed(_MONITOR, self._api.ask("GET", path, within))
        interval = timedelta(seconds=told.interval)
        health = _HEALTH.get(told.status, Health.UNKNOWN)
        if health is Health.UNKNOWN:
            why = _CANNOT_TELL.get(told.status, f"in the state {told.status!r}, which its vendor does not describe")
            return Sighting(health, None, told.url, interval, why)
        seen = asked - min(interval, timedelta(seconds=told.held + 1))  # a duration is told in whole seconds
        if health is Health.BAD:
            return Sighting(health, seen, told.url, interval, told.incident.reason if told.incident else "")
        points = self._points(asked - 3 * _STEP - _LATE * interval, within)
        if not points or asked > points[-1] + _width(points) + _LATE * interval:
            why = f"no check is on record since {points[-1]:%H:%M:%SZ}" if points else "no check is on record of late"
            return Sighting(Health.UNKNOWN, None, told.url, interval, why)
        return Sighting(health, max(seen, points[-1]), told.url, interval)

    def _points(self, since: datetime, within: Deadline) -> list[datetime]:
        """When response times were measured since then, oldest first."""
        query = {"includeTimeSeries": "true", "from": f"{since:%Y-%m-%dT%H:%M:%S.000Z}"}
        body = self._api.ask("GET", f"/monitors/{self._monitor}/stats/response-time", within, query=query)
        return sorted(point.timestamp for point in self._parsed(_SERIES, body).points)

    def _parsed(self, shape: TypeAdapter[T], body: bytes) -> T:
        try:
            return shape.validate_json(body)
        except ValidationError as error:
            raise Unavailable(
                "not the answer that UptimeRobot documents", where=self._api.where, seen=str(body[:200])
            ) from error


def _width(points: list[datetime]) -> timedelta:
    """How much time one point stands for."""
    return min((after - before for before, after in pairwise(points) if after > before), default=_STEP)


def _read_refusal(answer: httpx.Response, now: datetime) -> Told:
    del now
    return Told(quoted(answer))
