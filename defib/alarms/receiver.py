"""The webhooks of outside monitors: a small HTTP application that takes their alarms, and hands on those that it believes.

::

    POST /SITE/uptimerobot/SECRET    UptimeRobot's alert contact "Web-Hook"
    POST /SITE/pingdom/SECRET        Pingdom's state change webhook
    POST /SITE/cloudwatch/SECRET     an SNS topic that CloudWatch's alarms go to; also signed by Amazon
    POST /tell/SECRET                an automation of Prefect's that has something to say to people
    GET  /alive                      whether somebody listens

The secret is in the path because that is the one thing that every vendor can be told. Whoever does not know it is told
nothing, not even which sites there are. An answer never repeats what was sent.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from defib.alarms.alarm import Alarm
from defib.clock import Clock
from defib.errors import DefibError, Denied, HomeUnwritable, InputError, Unavailable
from defib.providers.alarm import cloudwatch, pingdom, uptimerobot
from defib.providers.alarm.message import Message, read_message
from defib.providers.alarm.sns import CONFIRMATION, NOTIFICATION, Sns

MOST_BYTES = 128 * 1024
"""Alarms are of some kilobytes; SNS would carry 256."""

BODY_WITHIN = timedelta(seconds=5)
"""How long a sender may take over its body."""

_READERS = {uptimerobot.VENDOR: uptimerobot.read, pingdom.VENDOR: pingdom.read}
VENDORS = (*_READERS, cloudwatch.VENDOR)

_STATUS: tuple[tuple[type[DefibError], int], ...] = (
    (InputError, 400),
    (Denied, 403),
    (Unavailable, 503),
    (HomeUnwritable, 503),
)


class Taker(Protocol):
    """What is done about what comes in; called from any thread."""

    def take(self, site: str, heard: Alarm) -> str:
        """Answer an alarm, in the background; gives in a word what became of it. Durable when this returns."""
        ...

    def tell(self, message: Message) -> str:
        """Hand a message on to the people of its site."""
        ...

    def say(self, text: str) -> None:
        """Write a line for whoever looks after this machine."""
        ...


@dataclass(frozen=True)
class Receiver:
    """The application: for these sites, for whoever knows the secret."""

    sites: Collection[str]
    secret: str
    sns: Sns
    clock: Clock
    taker: Taker

    def application(self) -> Starlette:
        """As an ASGI server runs it."""
        return Starlette(
            routes=[
                Route("/alive", _alive, methods=["GET"]),
                Route("/tell/{secret}", self._telling, methods=["POST"]),
                Route("/{site}/{vendor}/{secret}", self._alarm, methods=["POST"]),
            ]
        )

    async def _alarm(self, request: Request) -> Response:
        site, vendor = request.path_params["site"], request.path_params["vendor"]
        if not self._may(request) or site not in self.sites or vendor not in VENDORS:
            return _nothing()
        kind = request.headers.get("content-type", "")
        return await self._answered(request, f"{vendor} on {site}", lambda body: self._take(site, vendor, body, kind))

    async def _telling(self, request: Request) -> Response:
        if not self._may(request):
            return _nothing()
        return await self._answered(request, "tell", lambda body: self.taker.tell(read_message(body)))

    def _may(self, request: Request) -> bool:
        given: str = request.path_params["secret"]
        return hmac.compare_digest(given.encode(), self.secret.encode())

    def _take(self, site: str, vendor: str, body: bytes, kind: str) -> str:
        if vendor in _READERS:
            return self.taker.take(site, _READERS[vendor](body, kind))
        sent = self.sns.read(body, self.clock.now())
        if sent.Type == CONFIRMATION:
            self.sns.confirm(sent)
            self.taker.say(f"the subscription of {site} to {sent.TopicArn} is confirmed")
            return "confirmed"
        if sent.Type != NOTIFICATION:
            self.taker.say(f"warning: somebody ended the subscription of {site} to {sent.TopicArn}")
            return "noted"
        return self.taker.take(site, cloudwatch.read(sent.Message))

    async def _answered(self, request: Request, what: str, work: Callable[[bytes], str]) -> Response:
        try:
            async with asyncio.timeout(BODY_WITHIN.total_seconds()):
                body = await _body(request)
        except TimeoutError:
            return JSONResponse({"error": "the body did not come in time"}, 408)
        except ClientDisconnect:
            return Response(status_code=400)
        if body is None:
            self.taker.say(f"{what}: a body of more than {MOST_BYTES} bytes was not read")
            return JSONResponse({"error": "the body is too large"}, 413, {"Connection": "close"})
        try:
            said = await run_in_threadpool(work, body)
        except DefibError as error:
            self.taker.say(f"{what}: {error}")
            return JSONResponse({"error": error.what}, _status(error))
        return JSONResponse({"outcome": said}, 202)


async def _body(request: Request) -> bytes | None:
    """All of it; None as soon as it is too much."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            return None
    return bytes(body)


async def _alive(_request: Request) -> Response:
    return JSONResponse({"alive": True})


def _nothing() -> Response:
    return JSONResponse({"error": "there is nothing here"}, 404)


def _status(error: DefibError) -> int:
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
