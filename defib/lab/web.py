"""HTTP/1.1 for the lab's servers: small enough to break on purpose, real enough that clients cannot tell.

One :class:`WebServer` is one listening address. Its connection-level faults are real ones: `refuse` closes the listener and
resets what is connected, `hang` goes on accepting and reading and never answers.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

_MAX_HEAD = 64 * 1024
_MAX_BODY = 32 * 1024 * 1024
_END_OF_CONNECTION = (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, TimeoutError)


class BadMessage(ValueError):
    """What came over the wire is not HTTP/1.1."""


@dataclass(frozen=True)
class Request:
    """One request; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The first value of each query parameter."""
        pairs = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[0] for name, values in pairs.items()}

    @property
    def host(self) -> str:
        """The ``Host`` without its port, in lower case."""
        return self.headers.get("host", "").lower().rsplit(":", 1)[0].rstrip(".")


@dataclass(frozen=True)
class Response:
    """One answer. `cut` sends only that many bytes of the body, under the full ``Content-Length``, and hangs up."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    cut: int | None = None

    def header(self, name: str) -> str:
        """The first header of that name, ignoring case; "" where there is none."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), "")

    def with_headers(self, *pairs: tuple[str, str]) -> Response:
        """The same answer with `pairs` in place of any headers of those names."""
        kept = self.without_headers(*(name for name, _ in pairs)).headers
        return Response(self.status, kept + pairs, self.body, self.cut)

    def without_headers(self, *names: str) -> Response:
        """The same answer without any headers of these names."""
        unwanted = {name.lower() for name in names}
        kept = tuple(pair for pair in self.headers if pair[0].lower() not in unwanted)
        return Response(self.status, kept, self.body, self.cut)


Handler = Callable[[Request], Awaitable[Response | None]]
"""Answers a request; None resets the connection without an answer."""


class WebServer:
    """One HTTP(S) server on one address; port 0 takes a free one, which it keeps while it refuses."""

    def __init__(self, address: str, port: int, handler: Handler, tls: ssl.SSLContext | None = None) -> None:
        self.address = address
        self.port = port
        self._handler = handler
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._hanging = False

    @property
    def url(self) -> str:
        """Where it listens, without a path."""
        return f"{'https' if self._tls else 'http'}://{self.address}:{self.port}"

    async def start(self) -> None:
        """Listen; OSError where the address is taken. Idempotent."""
        if self._server is None:
            self._server = await asyncio.start_server(
                self._connected, self.address, self.port, ssl=self._tls, limit=_MAX_HEAD, backlog=256
            )
            self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the listener and reset every connection. Idempotent."""
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._connections)
        self._reset()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def hang(self, hanging: bool) -> None:
        """Accept and read but answer nothing from now on, or end that; connections that waited are reset."""
        if self._hanging and not hanging:
            self._reset()
        self._hanging = hanging

    def _reset(self) -> None:
        for task, writer in list(self._connections.items()):
            _reset(writer)
            task.cancel()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio runs connection callbacks as tasks"
        self._connections[task] = writer
        try:
            while await self._exchange(reader, writer):
                pass
        except _END_OF_CONNECTION:
            _reset(writer)  # the client went away: nobody is left to tell
        except asyncio.CancelledError:
            _reset(writer)  # by stop() or hang(); asyncio 3.11 logs a connection's task that ends cancelled as a defect
        finally:
            self._connections.pop(task, None)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection is over."""
        try:
            request = await read_request(reader, writer)
        except BadMessage as error:
            writer.write(encode(Response(400, (("Content-Type", "text/plain"),), str(error).encode())))
            await writer.drain()
            return False
        if request is None:
            return False
        if self._hanging:
            while await reader.read(_MAX_HEAD):
                pass  # until the client gives up; a connection that nobody holds any more must not be kept
            return False
        response = await self._handler(request)
        if response is None:
            _reset(writer)
            return False
        return await _answer(writer, request, response)


async def _answer(writer: asyncio.StreamWriter, request: Request, response: Response) -> bool:
    keep = request.headers.get("connection", "").lower() != "close"
    head_only = request.method == "HEAD"
    writer.write(encode(response, keep=keep, head_only=head_only))
    await writer.drain()
    if response.cut is not None and not head_only:
        return False
    return keep


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter | None = None) -> Request | None:
    """The next request of a connection, None at its end; :class:`BadMessage` for anything that is not HTTP/1.1.

    Over `writer` a client that asks before it sends its body is told to go on, as botocore asks for every upload to S3.
    """
    head = await _head(reader)
    if head is None:
        return None
    first, headers = head
    match = re.fullmatch(r"([A-Z]+) (\S+) HTTP/1\.[01]", first)
    if match is None:
        raise BadMessage(f"not a request line: {first[:80]!r}")
    if writer is not None and headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await writer.drain()
    return Request(match[1], match[2], headers, await _body(reader, headers, to_the_end=False))


async def fetch(
    address: str, port: int, request: Request, tls: ssl.SSLContext | None, *, name: str, within: float
) -> Response:
    """Ask the server at `address` as `name` (SNI and verification); OSError or TimeoutError after `within` seconds."""
    async with asyncio.timeout(within):
        reader, writer = await asyncio.open_connection(
            address, port, ssl=tls, server_hostname=name if tls else None, limit=_MAX_HEAD
        )
        try:
            lines = [f"{request.method} {request.target} HTTP/1.1", "connection: close"]
            lines += [f"{key}: {value}" for key, value in request.headers.items()]
            writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + request.body)
            await writer.drain()
            return await _read_response(reader, request.method)
        finally:
            writer.transport.abort()


async def _read_response(reader: asyncio.StreamReader, method: str) -> Response:
    head = await _head(reader)
    if head is None:
        raise ConnectionResetError("the server closed the connection without an answer")
    first, headers = head
    try:
        status = int(first.split(" ")[1])
    except (IndexError, ValueError) as error:
        raise BadMessage(f"not a status line: {first[:80]!r}") from error
    bodiless = method == "HEAD" or status in (204, 304)
    try:
        body = b"" if bodiless else await _body(reader, headers, to_the_end=True)
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError("the answer was cut short") from error
    return Response(status, tuple(headers.items()), body)


async def _head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]] | None:
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise BadMessage("the head of the message is not complete") from error
    except asyncio.LimitOverrunError as error:
        raise BadMessage(f"the head of the message is longer than {_MAX_HEAD} bytes") from error
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadMessage(f"not a header: {line[:80]!r}")
        headers[name.strip().lower()] = value.strip()
    return first, headers


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str], *, to_the_end: bool) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _chunked(reader)
    if "content-length" not in headers:
        return await reader.read() if to_the_end else b""
    try:
        length = int(headers["content-length"])
    except ValueError as error:
        raise BadMessage("Content-Length is not a number") from error
    if not 0 <= length <= _MAX_BODY:
        raise BadMessage(f"a body of {length} bytes, at most {_MAX_BODY} are taken")
    return await reader.readexactly(length)


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while len(body) <= _MAX_BODY:
        line = await reader.readuntil(b"\r\n")
        try:
            size = int(line.split(b";")[0], 16)
        except ValueError as error:
            raise BadMessage("not the size of a chunk") from error
        body += (await reader.readexactly(size + 2))[:-2]
        if size == 0:
            return body
    raise BadMessage(f"a body longer than {_MAX_BODY} bytes")


def encode(response: Response, *, keep: bool = False, head_only: bool = False) -> bytes:
    """The answer as it goes over the wire."""
    keep = keep and response.cut is None
    lines = [f"HTTP/1.1 {response.status} {_phrase(response.status)}"]
    lines += [f"{name}: {value}" for name, value in response.headers if name.lower() not in _OURS]
    lines.append(f"Connection: {'keep-alive' if keep else 'close'}")
    if response.status not in (204, 304):
        # HEAD is answered with the fields of GET: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.2
        told = response.header("Content-Length") if head_only and not response.body else ""
        lines.append(f"Content-Length: {told or len(response.body)}")
    sent = b"" if head_only or response.status in (204, 304) else response.body[: response.cut]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + sent


_OURS = {"connection", "content-length", "transfer-encoding", "keep-alive"}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Vendor Specific"  # Cloudflare answers 520 to 530, which no registry knows


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST, as a crashed machine's successor does."""
    connected = writer.get_extra_info("socket")
    if connected is not None and not writer.transport.is_closing():
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
