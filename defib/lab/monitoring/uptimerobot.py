"""The part of UptimeRobot's API that is asked: one monitor, and its response times.

Shapes as in the vendor's description (https://github.com/uptimerobot/uptimerobot-cli, ``openapi/openapi.yaml``). It looks
every second where the vendor's least is 15: an hour of earnest is a minute here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from defib.clock import Clock
from defib.lab.hosting.api import RefusalError, json_response
from defib.lab.monitoring.looking import Schedule, Seen
from defib.lab.monitoring.states import DOWN, LOOKS_DOWN, UP, Standing, standing
from defib.lab.web import Request, Response

MONITOR = 800000001
BASE = "/v3"
_STATUS = {UP: "UP", LOOKS_DOWN: "LOOKS_DOWN", DOWN: "DOWN"}


class UptimeRobotDialect:
    """One keyword monitor; `watches`, `paused` and `interval` (what it says of itself) may be set."""

    def __init__(self, watches: str, schedule: Schedule, clock: Clock) -> None:
        self.watches = watches
        self.paused = False
        self.interval = schedule.interval
        self._schedule, self._clock = schedule, clock
        self._made = clock.now()

    @property
    def schedules(self) -> Sequence[Schedule]:
        return (self._schedule,)

    async def answer(self, request: Request, *, lying: bool) -> object:
        one = f"{BASE}/monitors/{MONITOR}"
        if request.method == "GET" and request.path == one:
            return self._monitor(standing(self._schedule.seen, lying=lying))
        if request.method == "GET" and request.path == f"{one}/stats/response-time":
            since = datetime.fromisoformat(request.query.get("from", self._made.isoformat()))
            return self._times([seen for seen in self._schedule.seen if (seen.good or lying) and seen.at >= since])
        raise RefusalError(404, "not_found", "Monitor not found")

    def refused(self, refusal: RefusalError) -> Response:
        body = {"statusCode": refusal.status, "code": refusal.code, "message": refusal.message}
        return json_response(refusal.status, body, *refusal.headers)

    def _times(self, good: Sequence[Seen]) -> dict[str, Any]:
        values = [round(seen.took.total_seconds() * 1000) for seen in good]
        points = [{"timestamp": _iso(seen.at), "value": value} for seen, value in zip(good, values, strict=True)]
        summary = {"min": min(values, default=0), "max": max(values, default=0), "avg": sum(values) // max(len(values), 1)}
        now = _iso(self._clock.now())
        return {"summary": summary, "data_points": len(points), "from": now, "to": now, "time_series": points}

    def _monitor(self, stands: Standing) -> dict[str, Any]:
        now = self._clock.now()
        status = "PAUSED" if self.paused else _STATUS[stands.state]
        held = (now - (stands.since or self._made)).total_seconds()
        down = stands.state == DOWN
        incident = {
            "id": "1",
            "status": "Ongoing",
            "cause": 333333,
            "reason": stands.problem,
            "startedAt": _iso(stands.since or now),
            "duration": None,
        }
        return {
            "id": MONITOR,
            "friendlyName": "Pulse Trading",
            "type": "KEYWORD",
            "url": self.watches,
            "status": status,
            "interval": self.interval.total_seconds(),
            "currentStateDuration": int(held),
            "lastIncident": incident if down else None,
            "lastIncidentId": "1" if down else None,
            "createDateTime": _iso(self._made),
            **_SETTINGS,
        }


_SETTINGS: dict[str, Any] = {
    "sslBrand": None,
    "sslExpiryDateTime": None,
    "domainExpireDate": None,
    "checkSSLErrors": True,
    "sslExpirationReminder": False,
    "domainExpirationReminder": False,
    "followRedirections": True,
    "authType": "NONE",
    "customHttpHeaders": None,
    "httpMethodType": "GET",
    "successHttpResponseCodes": ["2xx"],
    "timeout": 30,
    "postValueData": None,
    "postValueType": None,
    "port": None,
    "gracePeriod": None,
    "keywordValue": "<title>Pulse Trading</title>",
    "keywordCaseType": 0,
    "keywordType": "ALERT_NOT_EXISTS",
    "responseTimeThreshold": 0,
    "config": {},
    "regionalData": {"REGION": ["eu"], "MANUAL_SELECTED": False},
    "maintenanceWindows": [],
    "psps": [],
    "userId": 1,
    "tags": [],
    "assignedAlertContacts": [],
    "lastDayUptimes": {"bucketSize": 3600, "totalChanges": 0, "histogram": []},
    "apiKey": None,
}
"""What belongs to a monitor and nobody here asks for."""


def _iso(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
