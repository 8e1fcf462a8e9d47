"""What a remote holds, asked over HTTP in one request of our own, which costs no process.

It is ``ls-refs`` of Git's protocol version 2 (https://git-scm.com/docs/protocol-v2#_ls_refs). Over HTTP that protocol keeps
nothing between two requests, so the question is put without asking first what the server can do. Only a whole answer is an
answer. Whatever else comes back, be it a refusal, a redirect or an older protocol, is left to `git`, which asks anew, and
whose words people know.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Sequence
from functools import cache
from http import HTTPStatus

import httpx

from defib.clock import Deadline
from defib.providers.bounded import bounded
from defib.providers.proxy import on_loopback

_KIND = "application/x-git-upload-pack"
_AGENT = "git/2.0 (defib)"
"""There are hosts that take nobody for a client of Git who does not begin with its name; libgit2 does the same."""

_CONNECT_WITHIN = 3.0
"""Seconds for each address of a host; after that `git` tries, which tries several addresses at once."""

_MOST = 1 << 28
"""Bytes of a listing, which are some three million refs; what is larger is left to `git`, which keeps it on the disk."""

_AUTHORITIES = ("GIT_SSL_CAINFO", "GIT_SSL_CAPATH")
_LEFT_TO_GIT = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, ValueError, ImportError)
"""Besides what goes wrong on the way: authorities that cannot be read, and proxies of a kind that only `git` knows."""

_END = "0000"
_LINE = re.compile(r"[0-9a-f]{4}([0-9a-f]{40}) ([^\x00-\x20\x7f~^:?*\[\\]+)\n")
_AROUND_NAME = 4 + 40 + 2
_IN_NO_NAME = ("..", "@{", "//", "/.", "/\n", ".\n", ".lock")
"""What git allows in no name (https://git-scm.com/docs/git-check-ref-format); it is asked which refs to pass over then."""


def list_refs(url: str, under: Sequence[str], login: str, within: Deadline) -> dict[str, str] | None:
    """The refs of the repository at `url` that begin with one of `under`, or all; None where `git` must ask.

    `login` is the value of ``Authorization``, which is sent to that host alone, "" where nobody logs in.
    :class:`Unavailable` where the time is over.
    """
    headers = {"User-Agent": _AGENT, "Git-Protocol": "version=2", "Content-Type": f"{_KIND}-request"}
    headers |= {"Authorization": login} if login else {}

    def work() -> bytes | None:
        try:
            return _ask(f"{url.rstrip('/')}/git-upload-pack", headers, _question(under), within)
        except _LEFT_TO_GIT:
            return None

    told = bounded(work, within, "ls-refs of Git", url)
    return None if told is None else _refs(told.decode(errors="replace"), under)


def _question(under: Sequence[str]) -> bytes:
    prefixes = b"".join(_packet(f"ref-prefix {each}\n") for each in under)
    return _packet("command=ls-refs\n") + _packet("object-format=sha1") + b"0001" + prefixes + _END.encode()


def _packet(text: str) -> bytes:
    """A line with its length before it (https://git-scm.com/docs/gitprotocol-common#_pkt_line_format)."""
    line = text.encode()
    return f"{len(line) + 4:04x}".encode() + line


def _ask(url: str, headers: dict[str, str], question: bytes, within: Deadline) -> bytes | None:
    """The answer, None where it is none to that question."""
    left = max(within.remaining().total_seconds(), 0.001)
    timeout = httpx.Timeout(left, connect=min(left, _CONNECT_WITHIN))
    with (
        httpx.Client(
            verify=_trust_for(url), trust_env=not on_loopback(url), follow_redirects=False, timeout=timeout
        ) as client,
        client.stream("POST", url, headers=headers, content=question) as answer,
    ):
        if answer.status_code != HTTPStatus.OK or answer.headers.get("Content-Type") != f"{_KIND}-result":
            return None
        told = bytearray()
        for piece in answer.iter_bytes():
            told += piece
            if len(told) > _MOST or within.expired():
                return None
        return bytes(told)


def _trust_for(url: str) -> ssl.SSLContext:
    if url.startswith("https://"):
        return _trust(*map(os.environ.get, _AUTHORITIES))
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # it trusts nobody


@cache
def _trust(file: str | None, folder: str | None) -> ssl.SSLContext:
    """Whom `git` trusts: the system's authorities, or those that it is told of. Made once, for they take long to read."""
    return ssl.create_default_context(cafile=file, capath=folder)


def _refs(told: str, under: Sequence[str]) -> dict[str, str] | None:
    """The refs of an answer; None where it is not whole, or something in it is no ref."""
    lines = _LINE.findall(told)
    whole = sum(_AROUND_NAME + len(name) for _, name in lines) + len(_END) == len(told) and told.endswith(_END)
    if not whole or any(part in told for part in _IN_NO_NAME):
        return None
    wanted = tuple(under) or "refs/"
    return {name: commit for commit, name in lines if name.startswith(wanted)}
