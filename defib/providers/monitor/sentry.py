"""Sentry, the sessions of one project by its number.

``GET /organizations/{organization}/sessions/``, grouped by ``session.status``: one request tells how many sessions there
were and how many of them met errors (https://docs.sentry.io/api/releases/retrieve-release-health-session-statistics/). The
page says that an interval has at least one hour; Sentry itself asks for minutes, and takes ten seconds
(https://github.com/getsentry/sentry/pull/27776). Where it refuses that, nothing is known. Limits are told in
``X-Sentry-Rate-Limit-…``, with the moment when they are renewed (https://docs.sentry.io/api/ratelimits/).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import httpx
from pydantic import AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError

from defib.clock import Deadline
from defib.errors import Unavailable
from defib.monitor import Sessions
from defib.providers.host.api import HostApi, Told, quoted, until

_COUNT = "sum(session)"
_HEALTHY = "healthy"
_MINUTE = timedelta(minutes=1)
_SHORTEST = timedelta(seconds=10)


class _Group(BaseModel):
    by: dict[str, str]
    series: dict[str, list[int]]


class _Answer(BaseModel):
    intervals: list[AwareDatetime] = Field(min_length=1)
    groups: list[_Group]


_SHAPE = TypeAdapter(_Answer)


class Sentry:
    """Fulfils :class:`defib.monitor.Signal`; a session that is not healthy is errored, crashed or abnormal."""

    def __init__(self, name: str, organization: str, project: int, environment: str, token: str, api: str) -> None:
        self._name, self._organization, self._project, self._environment = name, organization, project, environment
        where = f"Sentry, project {project} of {organization}"
        self._api = HostApi(api, token, "Sentry", where, _read_refusal, f"organization and project of {name}")

    @property
    def name(self) -> str:
        return self._name

    def sessions(self, window: timedelta, *, within: Deadline) -> Sessions:
        now = within.clock.now()
        step = _MINUTE if window >= 2 * _MINUTE else _SHORTEST
        query = {
            "project": str(self._project),
            "field": _COUNT,
            "groupBy": "session.status",
            "interval": f"{step.total_seconds():.0f}s" if step < _MINUTE else "1m",
            "statsPeriod": f"{(window + step).total_seconds():.0f}s",
            **({"environment": self._environment} if self._environment else {}),
        }
        body = self._api.ask("GET", f"/organizations/{self._organization}/sessions/", within, query=query)
        try:
            told = _SHAPE.validate_json(body)
            return _counted(told, now - window, step, now)
        except (ValidationError, ValueError) as error:
            raise Unavailable("not the answer that Sentry documents", where=self._api.where, seen=str(body[:200])) from error


def _counted(told: _Answer, since: datetime, step: timedelta, now: datetime) -> Sessions:
    """The steps that are not over before `since`: Sentry rounds what it was asked for to more."""
    steps = [number for number, start in enumerate(told.intervals) if start + step > since]
    counts = [(group.by.get("session.status", ""), group.series[_COUNT]) for group in told.groups if _COUNT in group.series]
    if not steps or any(len(series) != len(told.intervals) for _, series in counts):
        raise ValueError("series of another length than their intervals")
    sums = [(status, sum(series[number] for number in steps)) for status, series in counts]
    whole = sum(count for _, count in sums)
    return Sessions(told.intervals[steps[0]], now, whole, whole - sum(count for status, count in sums if status == _HEALTHY))


def _read_refusal(answer: httpx.Response, now: datetime) -> Told:
    reset = answer.headers.get("X-Sentry-Rate-Limit-Reset", "")
    moment = datetime.fromtimestamp(int(reset), UTC) if re.fullmatch(r"[0-9]{1,10}", reset) else None
    return Told(quoted(answer), until(moment, now) if answer.status_code == httpx.codes.TOO_MANY_REQUESTS else None)
