"""One request of Git's smart protocol over HTTP, of our own: it costs no process, and no question before it.

Over HTTP the protocol keeps nothing between two requests (https://git-scm.com/docs/gitprotocol-http), so what is known
already need not be asked for first. Only a whole answer is an answer: whatever else comes back, be it a refusal, a redirect
or an older protocol, is left to `git`, which asks anew, and whose words people know.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus

import httpx

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

_AUTHORITIES = ("GIT_SSL_CAINFO", "GIT_SSL_CAPATH")
_LEFT_TO_GIT = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, ValueError, ImportError)
"""Besides what goes wrong on the way: authorities that cannot be read, and proxies of a kind that only `git` knows."""


@dataclass(frozen=True)
class SmartHttp:
    """A repository at `url`; `login` is the value of ``Authorization``, sent to that host alone, "" where nobody logs in."""

    url: str
    login: str = field(default="", repr=False)

    def ask(self, service: str, question: bytes, most: int, within: Deadline) -> bytes | None:
        """The whole answer of `service` to `question`, None where it is none, or of more than `most` bytes.

        :class:`Unavailable` where the time is over, or nothing comes for long.
        """

        def work() -> bytes | None:
            try:
                return self._ask(service, question, most, within)
            except (httpx.ReadTimeout, httpx.WriteTimeout) as error:
                raise Unavailable(f"{service}: no answer in time", where=self.url) from error
            except _LEFT_TO_GIT:
                return None

        return bounded(work, within, service, self.url)

    def _ask(self, service: str, question: bytes, most: int, within: Deadline) -> bytes | None:
        kind = f"application/x-{service}"
        headers = {"User-Agent": _AGENT, "Git-Protocol": "version=2", "Content-Type": f"{kind}-request"}
        headers |= {"Authorization": self.login} if self.login else {}
        left = max(within.remaining().total_seconds(), 0.001)
        timeout = httpx.Timeout(min(left, _SILENT), connect=min(left, _CONNECT_WITHIN))
        by_environment, url = not on_loopback(self.url), f"{self.url.rstrip('/')}/{service}"
        with (
            httpx.Client(
                verify=_trust_for(url), trust_env=by_environment, follow_redirects=False, timeout=timeout
            ) as client,
            client.stream("POST", url, headers=headers, content=question) as answer,
        ):
            if answer.status_code != HTTPStatus.OK or answer.headers.get("Content-Type") != f"{kind}-result":
                return None
            told = bytearray()
            for piece in answer.iter_bytes():
                told += piece
                if len(told) > most or within.expired():
                    return None
            return bytes(told)


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


def _trust_for(url: str) -> ssl.SSLContext:
    if url.startswith("https://"):
        return _trust(*map(os.environ.get, _AUTHORITIES))
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it trusts nobody


@cache
def _trust(file: str | None, folder: str | None) -> ssl.SSLContext:
    """Whom `git` trusts: the system's authorities, or those that it is told of. Made once, for they take long to read."""
    return ssl.create_default_context(cafile=file, capath=folder)
