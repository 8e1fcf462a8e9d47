"""An S3 that remembers of each object what a deploy asks for, and forgets its content: for sites larger than the memory.

Real enough that a client cannot tell: PUT, uploads in parts, HEAD, GET of what is small, listings of one page.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from defib.clock import SystemClock

_SMALL = 1024 * 1024
_CHUNK = 256 * 1024
_XML = (("Content-Type", "application/xml"),)
_KEPT = ("content-type", "cache-control", "x-amz-meta-sha256")


@dataclass
class _Object:
    size: int
    etag: str
    headers: tuple[tuple[str, str], ...]
    content: bytes | None = None


@dataclass
class _Shelf:
    """What is there, and the uploads in parts that are on their way."""

    objects: dict[str, _Object] = field(default_factory=dict)
    coming: dict[str, _Object] = field(default_factory=dict)
    chance: random.Random = field(default_factory=random.Random)
    share: float = 0
    refused: int = 0
    received: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def refuses(self) -> bool:
        """Whether this PUT is one of those that are refused."""
        with self.lock:
            no = self.chance.random() < self.share
            self.refused += no
            return no

    def etag(self) -> str:
        """Another one each time."""
        self.received += 1
        return f"{self.received:032x}"


@dataclass(frozen=True)
class Sink:
    """A running server, and what it has seen."""

    endpoint: str
    shelf: _Shelf

    @property
    def keys(self) -> frozenset[str]:
        """What is there."""
        return frozenset(self.shelf.objects)

    @property
    def refused(self) -> int:
        """How many PUTs were answered with 503."""
        return self.shelf.refused


@contextmanager
def sink(share: float = 0, seed: int = 0) -> Iterator[Sink]:
    """The server, until the context ends; it answers a `share` of all PUTs with 503 SlowDown."""
    shelf = _Shelf(chance=random.Random(seed), share=share)

    class Handler(_Handler):
        held = shelf

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Sink(f"http://127.0.0.1:{server.server_port}", shelf)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    held: _Shelf

    def do_PUT(self) -> None:
        size, content = self._body()
        if self.held.refuses():
            self._say(503, _XML, b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>")
            return
        with self.held.lock:
            etag = self.held.etag()
            if "uploadId" in self._query:
                self.held.coming[self._query["uploadId"]].size += size
            else:
                self.held.objects[self._key] = _Object(size, etag, self._kept(), content)
        self._say(200, (("ETag", f'"{etag}"'),))

    def do_POST(self) -> None:
        self._body()
        with self.held.lock:
            etag = self.held.etag()
            if "uploads" in self._query:
                self.held.coming[etag] = _Object(0, etag, self._kept())
                told = f"<InitiateMultipartUploadResult><UploadId>{etag}</UploadId></InitiateMultipartUploadResult>"
            elif "uploadId" in self._query:
                self.held.objects[self._key] = done = self.held.coming.pop(self._query["uploadId"])
                told = f'<CompleteMultipartUploadResult><ETag>"{done.etag}"</ETag></CompleteMultipartUploadResult>'
            else:
                told = "<DeleteResult></DeleteResult>"
        self._say(200, _XML, told.encode())

    def do_HEAD(self) -> None:
        self._give(with_content=False)

    def do_GET(self) -> None:
        if "list-type" in self._query:
            self._say(200, _XML, self._listing().encode())
        else:
            self._give(with_content=True)

    def _give(self, *, with_content: bool) -> None:
        found = self.held.objects.get(self._key)
        if found is None:
            self._say(404, _XML, b"" if not with_content else b"<Error><Code>NoSuchKey</Code></Error>")
            return
        headers = (*found.headers, ("ETag", f'"{found.etag}"'), ("Last-Modified", _WHEN_HTTP))
        self._say(200, headers, found.content or b"", length=found.size, with_content=with_content)

    def _listing(self) -> str:
        prefix = self._query.get("prefix", "")
        rows = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>{_WHEN_ISO}</LastModified>"
            f'<ETag>"{each.etag}"</ETag><Size>{each.size}</Size></Contents>'
            for key, each in sorted(self.held.objects.items())
            if key.startswith(prefix)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>"

    @property
    def _query(self) -> dict[str, str]:
        pairs = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        return {name: values[0] for name, values in pairs.items()}

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]

    def _kept(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, value) for name, value in self.headers.items() if name.lower() in _KEPT)

    def _body(self) -> tuple[int, bytes | None]:
        """The size of what comes, and itself where it is small."""
        size = left = int(self.headers.get("Content-Length", 0))
        kept = bytearray()
        while left:
            chunk = self.rfile.read(min(left, _CHUNK))
            left -= len(chunk)
            if size <= _SMALL:
                kept += chunk
        return size, bytes(kept) if size <= _SMALL else None

    def _say(
        self,
        status: int,
        headers: tuple[tuple[str, str], ...] = (),
        body: bytes = b"",
        *,
        length: int | None = None,
        with_content: bool = True,
    ) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if with_content:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is written: a benchmark has its own words."""


_WHEN = SystemClock().now().replace(microsecond=0)
_WHEN_ISO = _WHEN.strftime("%Y-%m-%dT%H:%M:%S.000Z")
_WHEN_HTTP = format_datetime(_WHEN, usegmt=True)
