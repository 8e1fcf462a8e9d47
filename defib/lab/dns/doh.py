"""DNS over HTTPS (RFC 8484) for a resolver: GET and POST of ``application/dns-message`` over HTTP/1.1."""

from __future__ import annotations

import asyncio
import base64
import binascii
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import dns.message

from defib.errors import InputError
from defib.lab.dns.endpoint import bound

PATH = "/dns-query"
MEDIA_TYPE = "application/dns-message"

_LARGEST = 65535
_IDLE = 30.0
"""Seconds for the next request on an open connection, and for the answer to it."""


@dataclass(frozen=True)
class _Request:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class _BadRequest(Exception):
    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class DohServer:
    """An HTTPS listener that hands DNS messages to `answer`; without a context it speaks plain HTTP."""

    def __init__(self, answer: Callable[[bytes], Awaitable[bytes]]) -> None:
        self.port = 0
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, address: str, port: int, ssl_context: ssl.SSLContext | None) -> None:
        """Listen; raises :class:`defib.errors.PortTaken`. With port 0 `port` tells which one it became."""
        listener = bound(socket.SOCK_STREAM, address, port)
        self.port = listener.getsockname()[1]
        self._server = await asyncio.start_server(self._converse, sock=listener, ssl=ssl_context)

    async def stop(self) -> None:
        """Stop listening and drop open connections. Safe to repeat."""
        if self._server is not None:
            self._server.close()
        self._server = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio runs connections as tasks"
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError, ssl.SSLError):
            return  # The client has gone or fallen silent: the normal end of a connection.
        finally:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        keep = True
        while keep:
            try:
                async with asyncio.timeout(_IDLE):
                    request = await _read(reader)
                async with asyncio.timeout(_IDLE):
                    reply = await self._reply(request)
                keep = request.headers.get("connection", "").lower() != "close"
            except _BadRequest as error:
                # What follows on this connection cannot be told from the body of the bad request.
                reply, keep = _rendered(error.status, keep=False), False
            writer.write(reply)
            await writer.drain()

    async def _reply(self, request: _Request) -> bytes:
        keep = request.headers.get("connection", "").lower() != "close"
        try:
            answer = await self._answer(_message_of(request))
        except InputError as error:
            raise _BadRequest(HTTPStatus.BAD_REQUEST) from error
        extra = f"Content-Type: {MEDIA_TYPE}\r\nCache-Control: max-age={_freshness(answer)}\r\n"
        return _rendered(HTTPStatus.OK, answer, extra, keep=keep)


async def _read(reader: asyncio.StreamReader) -> _Request:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.LimitOverrunError as error:
        raise _BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE) from error
    first, *lines = head.rstrip("\r\n").split("\r\n")
    match first.split(" "):
        case [method, target, version] if version.startswith("HTTP/1."):
            pass
        case _:
            raise _BadRequest(HTTPStatus.BAD_REQUEST)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not length.isdecimal():
        raise _BadRequest(HTTPStatus.LENGTH_REQUIRED)
    if int(length) > _LARGEST:
        raise _BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return _Request(method, target, headers, await reader.readexactly(int(length)))


def _message_of(request: _Request) -> bytes:
    """The DNS message that the request carries (RFC 8484, section 4.1)."""
    url = urlsplit(request.target)
    if url.path != PATH:
        raise _BadRequest(HTTPStatus.NOT_FOUND)
    if request.method == "POST":
        if request.headers.get("content-type", "").split(";")[0].strip().lower() != MEDIA_TYPE:
            raise _BadRequest(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        return request.body
    if request.method != "GET":
        raise _BadRequest(HTTPStatus.METHOD_NOT_ALLOWED)
    values = parse_qs(url.query).get("dns", [])
    if len(values) != 1:
        raise _BadRequest(HTTPStatus.BAD_REQUEST)
    return _decoded(values[0])


def _decoded(text: str) -> bytes:
    # base64url without padding; Python wants the padding back.
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise _BadRequest(HTTPStatus.BAD_REQUEST) from error


def _freshness(answer: bytes) -> int:
    """The smallest TTL of the answer, so that no HTTP cache keeps it longer (RFC 8484, section 5.1)."""
    message = dns.message.from_wire(answer)
    return min((rrset.ttl for rrset in [*message.answer, *message.authority]), default=0)


def _rendered(status: HTTPStatus, body: bytes = b"", extra: str = "", *, keep: bool) -> bytes:
    connection = "keep-alive" if keep else "close"
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\n{extra}Content-Length: {len(body)}\r\n"
    return f"{head}Connection: {connection}\r\n\r\n".encode("latin-1") + body
