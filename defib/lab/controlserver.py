"""The lab's control API.

=======  ==============  =====================================================================
POST     /break          ``{"target", "fault", "options"}``; 400 names the nearest valid word
POST     /heal           ``{"target"}``, or nothing for everything
GET      /status         what runs, what can be broken, what is broken
GET      /fingerprint    canonical JSON of all outside state that a recovery could change
GET      /inbox          the alerts that arrived, oldest first
POST     /stop           end the lab
=======  ==============  =====================================================================
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from defib.errors import InputError
from defib.lab.faults import Fault
from defib.lab.plan import CONTROL_PORT
from defib.lab.web import Request, Response, WebServer
from defib.lab.world import World


class Control:
    """The server; `stop` is called when somebody asks for the end."""

    def __init__(self, world: World, stop: Callable[[], None]) -> None:
        self.server = WebServer(world.plan.at("0.1"), CONTROL_PORT, self._answer)
        self._world = world
        self._stop = stop

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._route(request)
        except InputError as error:
            return _json(400, {"error": error.parts()})

    async def _route(self, request: Request) -> Response:  # noqa: PLR0911 - one answer an address
        world = self._world
        match request.method, request.path:
            case "GET", "/status":
                return _json(200, self._status())
            case "GET", "/fingerprint":
                return Response(200, (("Content-Type", "application/json"),), world.fingerprint().encode())
            case "GET", "/inbox":
                return _json(200, {"messages": [asdict(message) for message in world.inbox.messages]})
            case "POST", "/break":
                body = _body(request)
                await world.break_(_word(body, "target"), Fault(_word(body, "fault"), _options(body)))
                return _json(200, self._status())
            case "POST", "/heal":
                body = _body(request)
                await world.heal(_word(body, "target") if body.get("target") is not None else None)
                return _json(200, self._status())
            case "POST", "/stop":
                self._stop()
                return _json(202, {"stopping": True})
        return _json(404, {"error": {"error": f"the lab has no {request.method} {request.path}"}})

    def _status(self) -> dict[str, Any]:
        return {
            "net": self._world.plan.net,
            "build": self._world.build.id,
            "targets": {target: list(faults) for target, faults in self._world.targets.items()},
            "faults": self._world.active_plain(),
        }


def _body(request: Request) -> Mapping[str, Any]:
    try:
        body = json.loads(request.body or b"{}")
    except ValueError as error:
        raise InputError("the request is not JSON", seen=str(error)) from error
    if not isinstance(body, dict):
        raise InputError("the request is not a JSON object")
    return body


def _word(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise InputError(f"{name} is missing", expected=f"a JSON object with {name!r}")
    return value


def _options(body: Mapping[str, Any]) -> dict[str, float]:
    options = body.get("options") or {}
    if not isinstance(options, dict):
        raise InputError("options is not a JSON object")
    for name, value in options.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise InputError(f"option {name!r} is not a number from 0 up", seen=str(value))
    return options


def _json(status: int, plain: object) -> Response:
    return Response(status, (("Content-Type", "application/json"),), json.dumps(plain).encode())
