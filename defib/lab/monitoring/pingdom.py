"""The part of Pingdom's API that is asked: one HTTP check (https://docs.pingdom.com/api/, section Checks)."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from defib.lab.hosting.api import RefusalError, json_response
from defib.lab.monitoring.looking import Schedule
from defib.lab.monitoring.states import DOWN, LOOKS_DOWN, UP, standing
from defib.lab.web import Request, Response

CHECK = 85975
BASE = "/api/3.1"
_STATUS = {UP: "up", LOOKS_DOWN: "unconfirmed_down", DOWN: "down"}


class PingdomDialect:
    """One check; `watches`, `paused` and `resolution` (minutes, what it says of itself) may be set."""

    def __init__(self, watches: str, schedule: Schedule) -> None:
        self.watches = watches
        self.paused = False
        self.resolution = 1
        self._schedule = schedule

    @property
    def schedules(self) -> Sequence[Schedule]:
        return (self._schedule,)

    async def answer(self, request: Request, *, lying: bool) -> object:
        if request.method != "GET" or request.path != f"{BASE}/checks/{CHECK}":
            raise RefusalError(404, "not_found", "Check not found")
        stands, url = standing(self._schedule.seen, lying=lying), urlsplit(self.watches)
        last = self._schedule.seen[-1] if self._schedule.seen else None
        check: dict[str, Any] = {
            "id": CHECK,
            "name": "Pulse Trading",
            "hostname": url.hostname,
            "status": "paused" if self.paused else _STATUS[stands.state],
            "resolution": self.resolution,
            "lasttesttime": int(stands.tested.timestamp()) if stands.tested else None,
            "lastresponsetime": round(last.took.total_seconds() * 1000) if last else None,
            "created": 1300977363,
            "ipv6": False,
            "tags": [],
            "type": {
                "http": {
                    "url": url.path or "/",
                    "encryption": url.scheme == "https",
                    "port": url.port or 443,
                    "shouldcontain": "<title>Pulse Trading</title>",
                    "verify_certificate": True,
                }
            },
        }
        return {"check": check}

    def refused(self, refusal: RefusalError) -> Response:
        phrase = HTTPStatus(refusal.status).phrase
        error = {"statuscode": refusal.status, "statusdesc": phrase, "errormessage": refusal.message}
        return json_response(refusal.status, {"error": error}, *refusal.headers)
