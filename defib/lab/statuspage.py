"""The part of Atlassian Statuspage's API that a recovery uses, with state: one page, its components, its incidents.

Shapes and statuses as in the vendor's description (https://developer.statuspage.io); impacts as it documents them: the
worst component decides where nothing overrides it.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from typing import Any

from defib.clock import Clock, SystemClock
from defib.lab.faults import Fault, FaultSwitch
from defib.lab.faulty import FaultyServer
from defib.lab.web import Request, Response

PAGE = "pulsetradingpg"
COMPONENT = "webapplicatn"
_BASE = "/v1"
_REALTIME = ("investigating", "identified", "monitoring", "resolved")
_COMPONENT = ("operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage", "")
_IMPACTS = ("none", "maintenance", "minor", "major", "critical")
_OF_COMPONENT = {"degraded_performance": "minor", "partial_outage": "major", "major_outage": "critical"}
_LONGEST_NAME = 255
_LONGEST_BODY = 25_000


class _RefusalError(Exception):
    """An answer that is not what was asked for."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class StatuspageApi:
    """One page behind one token; `set_fault` breaks it."""

    def __init__(self, address: str, port: int, token: str, clock: Clock | None = None) -> None:
        self._token = token
        self._clock = clock or SystemClock()
        began = self._now()
        self._component: dict[str, Any] = {
            "id": COMPONENT,
            "page_id": PAGE,
            "created_at": began,
            "updated_at": began,
            "name": "Web application",
            "description": "What users open",
            "group": False,
            "position": 1,
            "status": "operational",
            "showcase": True,
        }
        self._incidents: list[dict[str, Any]] = []
        self.http = FaultyServer(address, port, self._answer, _json(500, {"message": "Internal error"}))

    @property
    def switch(self) -> FaultSwitch:
        """The fault in force."""
        return self.http.switch

    @property
    def api(self) -> str:
        """The address that clients are given."""
        return f"{self.http.web.url}{_BASE}"

    @property
    def incidents(self) -> tuple[dict[str, Any], ...]:
        """Every incident as it is shown, the newest first."""
        return tuple(map(self._shown, reversed(self._incidents)))

    @property
    def unresolved(self) -> tuple[str, ...]:
        """The names of the incidents that are open."""
        return tuple(each["name"] for each in self._incidents if each["status"] != "resolved")

    @property
    def component_status(self) -> str:
        """How the one component stands."""
        return str(self._component["status"])

    async def start(self) -> None:
        """Listen."""
        await self.http.start()

    async def stop(self) -> None:
        """Stop listening."""
        await self.http.stop()

    async def set_fault(self, fault: Fault | None) -> None:
        """Put `fault` in force in place of any other; None heals."""
        await self.http.set_fault(fault)

    async def _answer(self, request: Request) -> Response:
        try:
            return self._route(request)
        except _RefusalError as refusal:
            return _json(refusal.status, {"message": str(refusal), "error": str(refusal)})

    def _route(self, request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("OAuth ") or request.query.get("api_key", "")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            raise _RefusalError(401, "Could not authenticate")
        match = re.fullmatch(rf"{_BASE}/pages/([^/]+)(/.*)?", request.path)
        if match is None or match[1] != PAGE:
            raise _RefusalError(404, "The requested resource could not be found.")
        rest = match[2] or ""
        incident = re.fullmatch(r"/incidents/([^/]+)", rest)
        match request.method, rest:
            case "GET", "/incidents/unresolved":
                open_ones = [each for each in self.incidents if each["status"] != "resolved"]
                return _json(200, open_ones)
            case "GET", "/incidents":
                return _json(200, list(self.incidents))
            case "POST", "/incidents":
                return _json(201, self._create(_part(request, "incident")))
            case "GET", _ if rest == f"/components/{COMPONENT}":
                return _json(200, self._component)
            case "PATCH", _ if rest == f"/components/{COMPONENT}":
                return _json(200, self._set_component(_part(request, "component").get("status")))
        if incident is not None and request.method in {"GET", "PATCH", "PUT"}:
            found = self._find(incident[1])
            if request.method != "GET":
                self._update(found, _part(request, "incident"))
            return _json(200, self._shown(found))
        raise _RefusalError(404, "The requested resource could not be found.")

    def _create(self, given: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(given.get("name"), str) or not given["name"]:
            raise _RefusalError(422, "name can't be blank")
        now = self._now()
        made: dict[str, Any] = {
            "id": secrets.token_hex(6),
            "page_id": PAGE,
            "created_at": now,
            "updated_at": now,
            "name": "",
            "status": "investigating",
            "impact": "none",
            "components": [],
            "incident_updates": [],
            "metadata": {},
            "shortlink": "https://stspg.test/lab",
        }
        self._update(made, {"status": "investigating", **given})
        self._incidents.append(made)
        return self._shown(made)

    def _update(self, incident: dict[str, Any], given: dict[str, Any]) -> None:
        _check(given)
        now = self._now()
        for component, status in given.get("components", {}).items():
            if component != COMPONENT:
                raise _RefusalError(422, f"components: {component} is not on this page")
            self._set_component(status)
        if COMPONENT in given.get("component_ids", []):
            incident["components"] = [self._component]
        if incident["components"] and incident["impact"] == "none":
            incident["impact"] = _OF_COMPONENT.get(self.component_status, "none")
        incident["impact"] = given.get("impact_override", incident["impact"])
        incident |= {key: given[key] for key in ("name", "status", "impact_override", "metadata") if key in given}
        incident["updated_at"] = now
        if incident["status"] in {"monitoring", "resolved"}:
            incident[f"{incident['status']}_at"] = now
        said = {
            "id": secrets.token_hex(6),
            "incident_id": incident["id"],
            "status": incident["status"],
            "body": given.get("body", ""),
            "created_at": now,
            "display_at": now,
            "updated_at": now,
        }
        incident["incident_updates"] = [said, *incident["incident_updates"]]

    def _set_component(self, status: object) -> dict[str, Any]:
        if status not in _COMPONENT:
            raise _RefusalError(422, "status does not have a valid value")
        self._component |= {"status": status, "updated_at": self._now()}
        return self._component

    def _find(self, incident_id: str) -> dict[str, Any]:
        for each in self._incidents:
            if each["id"] == incident_id:
                return each
        raise _RefusalError(404, "The requested resource could not be found.")

    def _shown(self, incident: dict[str, Any]) -> dict[str, Any]:
        return {**incident, "components": [dict(each) for each in incident["components"]]}

    def _now(self) -> str:
        return self._clock.now().isoformat()


def _check(given: dict[str, Any]) -> None:
    if len(given.get("name", "")) > _LONGEST_NAME:
        raise _RefusalError(422, f"name is too long (maximum is {_LONGEST_NAME} characters)")
    if len(given.get("body", "")) > _LONGEST_BODY:
        raise _RefusalError(422, f"body is too long (maximum is {_LONGEST_BODY} characters)")
    if given.get("status", "investigating") not in _REALTIME:
        raise _RefusalError(422, "status does not have a valid value")
    if given.get("impact_override", "none") not in _IMPACTS:
        raise _RefusalError(422, "impact_override does not have a valid value")
    metadata = given.get("metadata", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, dict) for value in metadata.values()):
        raise _RefusalError(422, "metadata: all top-level values must be objects")


def _part(request: Request, name: str) -> dict[str, Any]:
    try:
        body = json.loads(request.body)
    except ValueError as error:
        raise _RefusalError(400, "Bad request") from error
    if not isinstance(body, dict) or not isinstance(body.get(name), dict):
        raise _RefusalError(400, f"{name} is missing")
    part: dict[str, Any] = body[name]
    return part


def _json(status: int, plain: object) -> Response:
    return Response(status, (("Content-Type", "application/json"),), json.dumps(plain).encode())
