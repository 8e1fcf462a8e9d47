"""Pingdom, one uptime check by its id, through version 3.1 of its API.

``GET /checks/{checkid}`` and its fields: https://docs.pingdom.com/api/, section Checks. Every answer tells what is left of
the account's limits, in the headers ``Req-Limit-Short`` and ``Req-Limit-Long`` ("Remaining: 394 Time until reset: 3589").
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import httpx
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from defib.clock import Deadline
from defib.errors import Unavailable
from defib.monitor import Sighting
from defib.ports import Health
from defib.providers.host.api import HostApi, Told, quoted

_HEALTH = {"up": Health.GOOD, "down": Health.BAD}
_CANNOT_TELL = {
    "paused": "the check is paused",
    "unknown": "Pingdom does not know",
    "unconfirmed_down": "looks down, and Pingdom is not sure yet",
}
_FAR = 4_102_444_800
"""The year 2100: what is later is no moment."""

_LIMITS = ("Req-Limit-Short", "Req-Limit-Long")
_LIMIT = re.compile(r"Remaining:\s*(\d+)\s*Time until reset:\s*(\d{1,9})", re.IGNORECASE)


class _Http(BaseModel):
    path: str = Field(default="/", alias="url")
    encryption: bool = False
    port: int | None = None


class _Kind(BaseModel):
    http: _Http | None = None


class _Check(BaseModel):
    status: str
    hostname: str
    resolution: int = Field(ge=1, le=1440)
    tested: int | None = Field(default=None, alias="lasttesttime", ge=0, le=_FAR)
    kind: _Kind = Field(alias="type")

    @property
    def watches(self) -> str:
        """The address that it fetches; a check that fetches none has its host's name alone."""
        http = self.kind.http
        if http is None:
            return self.hostname
        port = "" if http.port is None else f":{http.port}"
        return f"{'https' if http.encryption else 'http'}://{self.hostname}{port}/{http.path.removeprefix('/')}"


class _Answer(BaseModel):
    check: _Check


_SHAPE = TypeAdapter(_Answer)


class Pingdom:
    """Fulfils :class:`defib.monitor.Monitor`; `resolution` is a whole number of minutes, and times are whole seconds."""

    def __init__(self, name: str, check: int, token: str, api: str) -> None:
        self._name, self._check = name, check
        self._api = HostApi(api, token, "Pingdom", f"Pingdom, check {check}", _read_refusal, f"the id of the check {name}")

    @property
    def name(self) -> str:
        return self._name

    def sighting(self, *, within: Deadline) -> Sighting:
        body = self._api.ask("GET", f"/checks/{self._check}", within)
        try:
            told = _SHAPE.validate_json(body).check
        except ValidationError as error:
            raise Unavailable(
                "not the answer that Pingdom documents", where=self._api.where, seen=str(body[:200])
            ) from error
        interval = timedelta(minutes=told.resolution)
        health = _HEALTH.get(told.status, Health.UNKNOWN)
        if health is Health.UNKNOWN:
            why = _CANNOT_TELL.get(told.status, f"in the state {told.status!r}, which its vendor does not describe")
            return Sighting(health, None, told.watches, interval, why)
        if told.tested is None:
            return Sighting(Health.UNKNOWN, None, told.watches, interval, "the check was never made")
        return Sighting(health, datetime.fromtimestamp(told.tested, UTC), told.watches, interval)


def _read_refusal(answer: httpx.Response, now: datetime) -> Told:
    """Whichever limit is used up says when it is renewed."""
    del now
    limits = (_LIMIT.search(answer.headers.get(name, "")) for name in _LIMITS)
    waits = [timedelta(seconds=int(limit[2])) for limit in limits if limit and not int(limit[1])]
    return Told(quoted(answer), max(waits, default=None))
