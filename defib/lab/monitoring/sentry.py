"""The part of Sentry's API that is asked: the sessions of one project, of users who open the page and what it calls.

https://docs.sentry.io/api/releases/retrieve-release-health-session-statistics/. A session begins when the page is there:
users who get none send nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from defib.clock import Clock
from defib.lab.hosting.api import RefusalError, json_response
from defib.lab.monitoring.looking import Elsewhere, NotServedError, Schedule
from defib.lab.web import Request, Response

ORGANIZATION, PROJECT = "pulse-trading", 4500000000000001
BASE = "/api/0"
_FIELD = "sum(session)"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SHORTEST = 10
_NO_SESSION = "no session: "


class Crowd:
    """Users who open the page and let it call `apis`."""

    def __init__(self, elsewhere: Elsewhere, page: str, apis: Sequence[str]) -> None:
        self._elsewhere, self._page, self._apis = elsewhere, page, tuple(apis)

    async def visit(self) -> None:
        """One user: without a page there is no session, and with an API that fails one with an error."""
        try:
            await self._elsewhere.page(self._page)
        except NotServedError as error:
            raise NotServedError(f"{_NO_SESSION}{error}") from error
        for api in self._apis:
            answer = await self._elsewhere.get(api)
            if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise NotServedError(f"{api}: HTTP {answer.status}")


class SentryDialect:
    """One project of one organization."""

    def __init__(self, schedule: Schedule, clock: Clock) -> None:
        self._schedule, self._clock = schedule, clock

    @property
    def schedules(self) -> Sequence[Schedule]:
        return (self._schedule,)

    async def answer(self, request: Request, *, lying: bool) -> object:
        if request.method != "GET" or request.path != f"{BASE}/organizations/{ORGANIZATION}/sessions/":
            raise RefusalError(404, "not_found", "The requested resource does not exist")
        query = request.query
        if query.get("project") != str(PROJECT):
            raise RefusalError(403, "forbidden", "You do not have permission to perform this action.")
        if query.get("field") != _FIELD or query.get("groupBy") != "session.status":
            raise RefusalError(400, "bad_request", 'Request is missing a "field"')
        step, period = _seconds(query.get("interval", "1h")), _seconds(query.get("statsPeriod", "90d"))
        if step % _SHORTEST or 86400 % step:
            raise RefusalError(
                400, "bad_request", "The interval has to be a multiple of the minimum interval of ten seconds."
            )
        return self._sessions(step, period, lying=lying)

    def refused(self, refusal: RefusalError) -> Response:
        return json_response(refusal.status, {"detail": refusal.message}, *refusal.headers)

    def _sessions(self, step: int, period: int, *, lying: bool) -> dict[str, Any]:
        now = self._clock.now().timestamp()
        first, last = int((now - period) // step), int(now // step)
        starts = [number * step for number in range(first, last + 1)]
        counts = {status: [0] * len(starts) for status in ("healthy", "errored", "crashed", "abnormal")}
        for seen in self._schedule.seen:
            place = int(seen.at.timestamp() // step) - first
            if 0 <= place < len(starts) and not seen.problem.startswith(_NO_SESSION):
                counts["healthy" if seen.good or lying else "errored"][place] += 1
        return {
            "start": _iso(starts[0]),
            "end": _iso(starts[-1] + step),
            "query": "",
            "intervals": [_iso(start) for start in starts],
            "groups": [
                {"by": {"session.status": status}, "totals": {_FIELD: sum(series)}, "series": {_FIELD: series}}
                for status, series in counts.items()
            ],
        }


def _seconds(text: str) -> int:
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if match is None or not int(match[1]):
        raise RefusalError(400, "bad_request", f"Invalid interval: {text!r}")
    return int(match[1]) * _UNITS[match[2]]


def _iso(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
