"""One HTTP request over one fresh TLS connection to one address.

The public name stays in SNI, certificate check and ``Host`` wherever the connection goes. Nothing follows redirects, keeps
connections or reads proxy settings. Deadlines are the caller's: every function here may be cancelled at any instant and
then leaves no socket behind. That is why this stands on asyncio and h11 rather than on httpx, whose TLS handshake leaves
its socket to the garbage collector when it is cancelled (httpcore 1.0.9, ``AnyIOStream.start_tls``).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import h11
from cryptography import x509

from defib.errors import SiteInvalid
from defib.observe.failure import NoAnswer
from defib.observe.page import LONGEST_PAGE

_CHUNK = 64 * 1024
_LONGEST_HEAD = 64 * 1024
_HTTPS = 443


@dataclass(frozen=True)
class Place:
    """What a URL says: the host whose name the certificate must bear, the port, and the target of the request line."""

    host: str
    port: int
    target: str

    @classmethod
    def of(cls, url: str) -> Place:
        """The parts of an ``https://`` URL."""
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls((parts.hostname or "").rstrip("."), parts.port or _HTTPS, target)

    @property
    def authority(self) -> str:
        """The ``Host`` header: the port is there where it is not 443."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _HTTPS else f"{host}:{self.port}"


@dataclass(frozen=True)
class Answered:
    """What the server sent; `complete` is False when it stopped before the end of the body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    promised: int | None
    complete: bool


@dataclass
class Progress:
    """How far a request has come, for whoever cuts it off: `stage` is a sentence without its end."""

    stage: str = "no answer"
    received: int = 0
    promised: int | None = None
    address: str = ""

    def text(self) -> str:
        """What was not done, such as ``page not complete (312 of 2048 bytes)``."""
        if self.stage != "page not complete":
            return self.stage
        whole = f" of {self.promised}" if self.promised is not None else ""
        return f"{self.stage} ({self.received}{whole} bytes)"


@dataclass
class Connection:
    """An open TLS connection; :meth:`close` ends it at once, whatever the other side does."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    place: Place
    progress: Progress = field(default_factory=Progress)

    def close(self) -> None:
        """End it without a farewell: a server that hangs would never answer one."""
        self.writer.transport.abort()


def is_address(text: str) -> bool:
    """Whether `text` is an IP address rather than a name."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def trust_of(trust: str, home: Path) -> ssl.SSLContext:
    """Whom to believe: the authorities in the site's PEM file (relative to `home`), or the system's where it is empty."""
    if not trust:
        context = ssl.create_default_context()
    else:
        path = home / trust
        try:
            context = ssl.create_default_context(cafile=path)
        except OSError as error:  # ssl.SSLError, for a file that is no PEM, is one
            raise SiteInvalid(f"cannot read the certificate authorities: {error}", where=str(path)) from error
    context.set_alpn_protocols(["http/1.1"])
    return context


async def connect(address: str, place: Place, trust: ssl.SSLContext, progress: Progress) -> Connection:
    """A TLS connection to `address`, verified for the name of `place`."""
    progress.address = address
    reader, writer = await asyncio.open_connection(
        address, place.port, ssl=trust, server_hostname=place.host, limit=_LONGEST_HEAD
    )
    return Connection(reader, writer, place, progress)


async def shown_certificate(address: str, place: Place) -> x509.Certificate | None:
    """The certificate that a server shows, unverified and only to be talked about; None if it shows none now."""
    careless = ssl.create_default_context()
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    try:
        connection = await connect(address, place, careless, Progress())
    except OSError:
        return None  # it was there a moment ago: the reason is then told without it
    try:
        der = connection.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(der) if der else None
    except ValueError:
        return None  # not a certificate that can be read, let alone named
    finally:
        connection.close()


async def request(
    connection: Connection,
    *,
    method: str = "GET",
    headers: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
    only_head: bool = False,
) -> Answered:
    """Send one request and read its answer, or only its head. :class:`NoAnswer` if none came that is HTTP."""
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LONGEST_HEAD)
    always = [("Host", connection.place.authority), ("Connection", "close")]
    length = [("Content-Length", str(len(body)))] if body else []
    asked = h11.Request(method=method, target=connection.place.target, headers=[*always, *length, *headers])
    return await _exchange(connection, http, asked, body, only_head=only_head)


async def _exchange(
    connection: Connection, http: h11.Connection, asked: h11.Request, body: bytes, *, only_head: bool
) -> Answered:
    wire = (http.send(asked) or b"") + (http.send(h11.Data(data=body)) or b"")
    connection.writer.write(wire + (http.send(h11.EndOfMessage()) or b""))
    await connection.writer.drain()
    head = await _head(connection, http)
    fields = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
    promised = next((int(value) for name, value in fields if name.lower() == "content-length"), None)
    connection.progress.promised = promised
    if only_head:
        return Answered(head.status_code, fields, b"", promised, complete=False)
    connection.progress.stage = "page not complete"
    content, complete = await _body(connection, http)
    return Answered(head.status_code, fields, content, promised, complete)


async def _head(connection: Connection, http: h11.Connection) -> h11.Response:
    try:
        while True:
            event = await _next(connection, http)
            if isinstance(event, h11.Response):
                return event
            if isinstance(event, h11.ConnectionClosed):
                raise NoAnswer("connection closed without an answer")
    except h11.RemoteProtocolError as error:
        if connection.reader.at_eof():
            raise NoAnswer("connection closed without an answer") from error
        raise NoAnswer(f"not an HTTP answer: {error}") from error


async def _body(connection: Connection, http: h11.Connection) -> tuple[bytes, bool]:
    """The body, and whether it came whole."""
    content = bytearray()
    try:
        while not isinstance(event := await _next(connection, http), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                content += event.data
                connection.progress.received = len(content)
            if len(content) > LONGEST_PAGE:
                raise NoAnswer(f"page longer than {LONGEST_PAGE} bytes")
    except (h11.RemoteProtocolError, OSError):
        return bytes(content), False
    return bytes(content), True


async def _next(connection: Connection, http: h11.Connection) -> h11.Event:
    while True:
        event = http.next_event()
        if event is not h11.NEED_DATA:
            assert not isinstance(event, type)  # PAUSED comes only after a body, which nobody reads past
            return event
        http.receive_data(await connection.reader.read(_CHUNK))
