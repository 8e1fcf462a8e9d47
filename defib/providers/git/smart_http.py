"""One request of Git's smart protocol over HTTP, of our own: it costs no process, and no question before it.

Over HTTP the protocol keeps nothing between two requests (https://git-scm.com/docs/gitprotocol-http), so what is known
already need not be asked for first. Only a whole answer is an answer: whatever else comes back, be it a refusal, a redirect
or an older protocol, is left to `git`, which asks anew, and whose words people know.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from defib.clock import Deadline
from defib.errors import Unavailable
from defib.providers.bounded import bounded
from defib.providers.proxy import on_loopback

END = b"0000"
_SIZE = 4
_AGENT = "git/2.0 (defib)"
"""There are hosts that take nobody for a client of Git who does not begin with its name; libgit2 does the same."""

_CONNECT_WITHIN = 3.0
"""Seconds for each address of a host; after that `git` tries, which tries several addresses at once."""

_SILENT = 20.0
"""Seconds without a byte after which nobody is waited for any more; `git` does the same (http.lowSpeedTime)."""

_PIECE = 1 << 16
_AUTHORITIES = ("GIT_SSL_CAINFO", "GIT_SSL_CAPATH")
_LEFT_TO_GIT = (HTTPException, OSError, ValueError)
"""What goes wrong on the way, authorities that cannot be read, and answers that are none."""


@dataclass(frozen=True)
class SmartHttp:
    """A repository at `url`; `login` is the value of ``Authorization``, sent to that host alone, "" where nobody logs in.

    Hosts that are reached through a proxy are left to `git`, which speaks with proxies of every kind.
    """

    url: str
    login: str = field(default="", repr=False)

    def ask(self, service: str, question: bytes, most: int, within: Deadline) -> bytes | None:
        """The whole answer of `service` to `question`, None where it is none, or of more than `most` bytes.

        :class:`Unavailable` where the time is over, or nothing comes for long.
        """
        kind = f"application/x-{service}"
        headers = {"User-Agent": _AGENT, "Git-Protocol": "version=2", "Content-Type": f"{kind}-request"}
        headers |= {"Authorization": self.login} if self.login else {}

        def work() -> bytes | None:
            try:
                connection = _connected(self.url, within)
                if connection is None:
                    return None
                with closing(connection):
                    connection.request("POST", f"{urlsplit(self.url).path.rstrip('/')}/{service}", question, headers)
                    return _answer(connection, f"{kind}-result", most, within)
            except _LEFT_TO_GIT:
                return None

        return bounded(work, within, service, self.url)


def _connected(url: str, within: Deadline) -> HTTPConnection | None:
    """A connection to the host of `url`, None where it is reached through a proxy."""
    parts = urlsplit(url)
    host, left = parts.hostname or "", max(within.remaining().total_seconds(), 0.001)
    if not on_loopback(url) and _is_proxied(parts.scheme, host):
        return None
    soon = min(left, _CONNECT_WITHIN)
    if parts.scheme == "https":
        tls = _trust(*map(os.environ.get, _AUTHORITIES))
        connection: HTTPConnection = HTTPSConnection(host, parts.port, timeout=soon, context=tls)
    else:
        connection = HTTPConnection(host, parts.port, timeout=soon)
    connection.connect()
    connection.sock.settimeout(min(left, _SILENT))
    return connection


def _is_proxied(scheme: str, host: str) -> bool:
    proxies = getproxies()
    return (scheme in proxies or "all" in proxies) and not proxy_bypass(host)


def _answer(connection: HTTPConnection, kind: str, most: int, within: Deadline) -> bytes | None:
    try:
        answer = connection.getresponse()
        if answer.status != HTTPStatus.OK or answer.headers.get("Content-Type") != kind:
            return None
        told = bytearray()
        while piece := answer.read1(_PIECE):  # as it comes: whole pieces may never come
            told += piece
            if len(told) > most or within.expired():
                return None
        return bytes(told)
    except TimeoutError as error:
        raise Unavailable(f"{kind}: no answer in time") from error


def packet(line: bytes) -> bytes:
    """A line with its length before it (https://git-scm.com/docs/gitprotocol-common#_pkt_line_format)."""
    return f"{len(line) + _SIZE:04x}".encode() + line


def packets(told: bytes) -> Iterator[bytes]:
    """The lines of an answer up to its end; ValueError where it breaks off before."""
    at = 0
    while (length := int(told[at : at + _SIZE], 16)) >= _SIZE:
        if at + length > len(told):
            break
        yield told[at + _SIZE : at + length]
        at += length
    if told[at:] != END:
        raise ValueError("no whole answer")


def question(command: str, lines: Sequence[str]) -> bytes:
    """A command of protocol version 2 (https://git-scm.com/docs/gitprotocol-v2)."""
    told = b"".join(packet(f"{line}\n".encode()) for line in lines)
    return packet(f"command={command}\n".encode()) + packet(b"object-format=sha1") + b"0001" + told + END


@cache
def _trust(file: str | None, folder: str | None) -> ssl.SSLContext:
    """Whom `git` trusts: the system's authorities, or those that it is told of. Made once, for they take long to read."""
    return ssl.create_default_context(cafile=file, capath=folder)
