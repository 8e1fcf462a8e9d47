"""What the APIs of both hosting platforms have in common: a token, faults, and one write at a time."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from defib.clock import Clock
from defib.lab.faults import Fault, FaultSwitch
from defib.lab.hosting.project import HostedProject
from defib.lab.web import Request, Response, WebServer

_SPOILING = ("429", "500", "denied")


class RefusalError(Exception):
    """A refusal: HTTP status, the vendor's code and message, and what else its body or its headers tell."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        extra: Mapping[str, Any] | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.extra = extra or {}
        self.headers = headers


Answered = tuple[HostedProject, Response]
"""The project after a request, and the answer to it."""


class Dialect(Protocol):
    """The part of a hosting API that differs between vendors. All but :meth:`refused` raise :class:`RefusalError`."""

    async def answer(self, project: HostedProject, request: Request) -> Answered:
        """The answer to a request that was let in."""
        ...

    def spoiled(self, fault: Fault) -> RefusalError:
        """How the vendor throttles (``429``), fails (``500``) and turns a token down (``denied``)."""
        ...

    def refused(self, refusal: RefusalError) -> Response:
        """A refusal in the vendor's shape."""
        ...


class HostingApi:
    """One project behind one bearer token; `switch` breaks the API. `lying` takes a write, says so and does not make it."""

    def __init__(self, address: str, port: int, token: str, dialect: Dialect, project: HostedProject, clock: Clock) -> None:
        self.server = WebServer(address, port, self._answer)
        self.switch = FaultSwitch()
        self._token = token
        self._dialect = dialect
        self._project = project
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    @property
    def project(self) -> HostedProject:
        """The project as it stands now."""
        return self._project.as_of(self._clock.monotonic())

    @project.setter
    def project(self, project: HostedProject) -> None:
        self._project = project

    async def start(self) -> None:
        """Listen."""
        await self.server.start()

    async def stop(self) -> None:
        """Stop listening."""
        await self.server.stop()

    async def _answer(self, request: Request) -> Response | None:
        fault = self.switch.spend() or Fault("none")
        if fault.name == "hang":
            await self.switch.changed()
            return None
        if fault.name == "slow":
            await asyncio.sleep(fault.option("delay", 5))
        try:
            if fault.name in _SPOILING:
                raise self._dialect.spoiled(fault)
            self._authenticate(request)
            response = await self._through(request, fault.name)
        except RefusalError as refusal:
            return self._dialect.refused(refusal)
        return None if fault.name == "lost-answer" else response

    async def _through(self, request: Request, fault: str) -> Response:
        if fault == "read-only":
            if request.method != "GET":
                raise self._dialect.spoiled(Fault("denied"))
            return (await self._dialect.answer(replace(self.project, reads_only=True), request))[1]
        async with self._one_at_a_time:
            after, response = await self._dialect.answer(self.project, request)
            if fault != "lying":
                self._project = after
        return response

    def _authenticate(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            raise self._dialect.spoiled(Fault("denied"))


def json_body(request: Request) -> Mapping[str, Any]:
    """The JSON object that a request carries, an empty one where it has no body; ValueError for anything else."""
    body = json.loads(request.body) if request.body else {}
    if not isinstance(body, dict):
        raise ValueError("not an object")  # noqa: TRY004 - for the caller it is one more way in which the body is wrong
    return body


def json_response(status: int, body: object, *headers: tuple[str, str]) -> Response:
    """An answer in JSON."""
    return Response(status, (("Content-Type", "application/json; charset=utf-8"), *headers), json.dumps(body).encode())
