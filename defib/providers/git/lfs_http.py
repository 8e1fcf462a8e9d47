"""HTTP to an LFS server, and to the hosts that it keeps its objects at: who is told our login, how long, how often.

Only the server itself is told our login. A host that the server sends us to is told what the server says for it, and whoever
that one sends us on to is told nothing. Everybody is asked over HTTPS, or on this machine.
"""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from types import TracebackType
from typing import Self, TypeVar

import httpx

from defib.clock import Deadline
from defib.errors import Denied, ProviderError, Unavailable
from defib.lines import plain
from defib.providers.bounded import bounded
from defib.providers.proxy import on_loopback
from defib.providers.retry_after import parse_retry_after
from defib.redact import Redactor

T = TypeVar("T")
Headers = Mapping[str, str]

STALLED = timedelta(seconds=20)
"""Without a byte for so long a connection is given up."""

_WORDS = 200
"""Characters of the other side's own words that people are shown."""

_WANTS_US_TO_WAIT = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


class ObjectTrouble(ProviderError):
    """What is wrong with one object alone; the others go on."""


class Broken(Unavailable):
    """An answer that broke off, or a server that failed over what it was asked: perhaps for this one object alone."""


@dataclass(frozen=True)
class Login:
    """What an LFS server is told of us, as git tells it: `password` is the token."""

    user: str
    password: str = field(repr=False)

    @property
    def header(self) -> str:
        """The value of ``Authorization`` (RFC 7617)."""
        return f"Basic {base64.b64encode(f'{self.user}:{self.password}'.encode()).decode()}"


class LfsHttp:
    """Connections to the LFS server at `endpoint` and to whoever it names; `tls` is made once, for it takes long to read.

    Safe to use from several threads.
    """

    def __init__(self, endpoint: str, login: Login | None, tls: ssl.SSLContext) -> None:
        self.endpoint = endpoint
        self._login = login
        self.redact = Redactor()
        if login is not None:
            self.redact.learn(login.password)
            self.redact.learn(login.header.partition(" ")[2])
        # Redirects are followed by hand, where at all: httpx would send an action's headers on to wherever they lead.
        self._direct, self._by_proxy = (
            httpx.Client(verify=tls, trust_env=by_environment, follow_redirects=False) for by_environment in (False, True)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._direct.close()
        self._by_proxy.close()

    def login_for(self, url: str) -> Headers:
        """The headers with our login, none where `url` is another host's."""
        if self._login is None or not self.is_ours(url):
            return {}
        return {"Authorization": self._login.header}

    def is_ours(self, url: str) -> bool:
        """Whether `url` is at the LFS server itself: same scheme, host and port."""
        return origin(url) == origin(self.endpoint)

    def exchange(
        self,
        method: str,
        url: str,
        headers: Headers,
        read: Callable[[httpx.Response], T],
        within: Deadline,
        content: bytes | Iterable[bytes] | None = None,
    ) -> T:
        """Ask once, and give what `read` makes of the answer, whose body is not read before.

        :class:`Unavailable` without an answer or in time, :class:`Broken` where it breaks off.
        """
        what, where = f"{method} of Git LFS", shown(url)
        answered: list[httpx.Response] = []
        client = self._direct if on_loopback(url) else self._by_proxy
        stalled = within.sooner(STALLED).remaining().total_seconds()

        def work() -> T:
            request = client.build_request(method, url, headers=headers, content=content, timeout=max(stalled, 0.001))
            answer = client.send(request, stream=True)
            answered.append(answer)
            try:
                return read(answer)
            finally:
                answer.close()

        try:
            return bounded(work, within, what, where)
        except (httpx.HTTPError, httpx.StreamError) as error:
            kind = Broken if answered else Unavailable
            why = "the answer broke off" if answered else "no answer"
            seen = self.redact(f"{type(error).__name__}: {error}")
            raise kind(f"{what}: {why}", where=where, seen=seen) from error

    def words(self, answer: httpx.Response) -> str:
        """The status of a refusal, and the beginning of what the server says of it."""
        body = next(answer.iter_bytes(64 * 1024), b"")
        try:
            told = json.loads(body)
            text = str(told["message"]) if isinstance(told, dict) and "message" in told else ""
        except ValueError:
            text = body.decode(errors="replace")
        return self.quoted(f"HTTP {answer.status_code}: {text.strip() or 'no word of why'}")

    def quoted(self, text: str) -> str:
        """The other side's words as they may be shown."""
        return plain(self.redact(" ".join(text.split())))[:_WORDS]

    def refusal(
        self,
        answer: httpx.Response,
        what: str,
        within: Deadline,
        otherwise: Callable[[str], ProviderError] = ObjectTrouble,
    ) -> ProviderError:
        """The error that an answer means; `otherwise` makes it of the words where that depends on the request."""
        url, status = str(answer.url), answer.status_code
        where, seen = shown(url), self.words(answer)
        told = self._login is None or "Authorization" in answer.request.headers  # not where a redirect led back here
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} and told and self.is_ours(url):
            return Denied(f"{what}: the token is missing, expired, or not allowed to", where=where, seen=seen)
        if status in _WANTS_US_TO_WAIT:
            wish = parse_retry_after(answer.headers.get("Retry-After"), within.clock.now())
            return Unavailable(f"{what}: the server wants us to wait", where=where, seen=seen, retry_after=wish)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Broken(f"{what}: the server did not do it", where=where, seen=seen)
        return otherwise(seen)


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port; :class:`ObjectTrouble` for what is no URL."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ObjectTrouble("the LFS server names no URL that can be asked", seen=str(error)) from error
    return parsed.scheme, parsed.host, parsed.port or {"http": 80, "https": 443}.get(parsed.scheme)


def shown(url: str) -> str:
    """A URL as people may read it: without its query, which often is a key to the object."""
    scheme, _, _ = origin(url)
    parsed = httpx.URL(url)
    port = f":{parsed.port}" if parsed.port else ""
    return f"{scheme}://{parsed.host}{port}{parsed.path}"


def is_private(url: str) -> bool:
    """Whether what is sent to `url` cannot be read on the way."""
    scheme, _, _ = origin(url)
    return scheme == "https" or (scheme == "http" and on_loopback(url))


def insist_on_privacy(url: str) -> None:
    """:class:`ObjectTrouble` where what is sent to `url` could be read on the way."""
    if not is_private(url):
        raise ObjectTrouble("the LFS server sends us on without TLS", where=shown(url), expected="https://")
