"""One JSON request to a hosting platform's API, and its refusals as our errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

import httpx

from defib.clock import Deadline
from defib.errors import Conflict, Denied, NotFound, ProviderError, Unavailable
from defib.providers.bounded import bounded
from defib.providers.proxy import on_loopback
from defib.providers.retry_after import parse_retry_after

_DENIED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN}
_NOT_AS_IT_STANDS = {HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


@dataclass(frozen=True)
class Told:
    """What the body of a refusal says: in the vendor's own words, and how long it asks us to wait."""

    words: str
    wish: timedelta | None = None


Reader = Callable[[httpx.Response, datetime], Told]
"""Reads a vendor's refusal; what it cannot read it quotes."""


class HostApi:
    """The API at `base`, asked with the bearer `token`; follows no redirect, so the token goes nowhere else.

    401, 402 (the account is blocked for non-payment) and 403 are :class:`Denied`, 404 is :class:`NotFound`, 429 and 5xx are
    :class:`Unavailable`. 400, 409 and 422 of a write are :class:`Conflict`: the vendor understood, and refuses as things
    stand. Whatever else a vendor refuses is a matter of configuration, as if it were not found.
    """

    def __init__(
        self, base: str, token: str, vendor: str, where: str, reader: Reader, names: str = "the host's project and team"
    ) -> None:
        self.where = where
        self._names = names
        self._vendor = vendor
        self._reader = reader
        self._base = base.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._past_proxies = on_loopback(base)
        # Made once: it reads the machine's certificate authorities, which takes longer than a request.
        self._tls = httpx.create_ssl_context()

    def ask(
        self,
        method: str,
        path: str,
        within: Deadline,
        *,
        query: dict[str, str] | None = None,
        body: dict[str, object] | None = None,
    ) -> bytes:
        """The body of a success, "" where it has none; a write that timed out may have been carried out."""
        what = f"{method} {path}"

        def send() -> httpx.Response:
            # A connection of its own for each of the few calls: none is kept that dies while a run waits. Each of httpx's
            # time-outs is for one operation; `bounded` keeps the sum.
            with httpx.Client(
                headers=self._headers,
                timeout=max(within.remaining().total_seconds(), 0.001),
                verify=self._tls,
                trust_env=not self._past_proxies,
                follow_redirects=False,
            ) as client:
                return client.request(method, self._base + path, params=query, json=body)

        try:
            answer = bounded(send, within, what, self.where)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"{what}: no answer", where=self.where, seen=f"{type(error).__name__}: {error}") from error
        if answer.is_success:
            return answer.content
        raise self._refused(answer, what, within.clock.now())

    def _refused(self, answer: httpx.Response, what: str, now: datetime) -> ProviderError:
        told = self._reader(answer, now)
        status = answer.status_code
        seen = f"HTTP {status}: {told.words}"
        if status in _DENIED:
            why = "the account is blocked or owes" if status == HTTPStatus.PAYMENT_REQUIRED else "refuses the token"
            return Denied(f"{what}: {self._vendor} {why}", where=self.where, seen=seen)
        if status in _NOT_AS_IT_STANDS and answer.request.method != "GET":
            return Conflict(f"{what}: {self._vendor} refuses, as things stand", where=self.where, seen=seen)
        if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _PASSING:
            return NotFound(
                f"{what}: {self._vendor} does not know it",
                where=self.where,
                seen=seen,
                then=f"check {self._names} in the site file",
            )
        wish = told.wish or parse_retry_after(answer.headers.get("Retry-After"), now)
        why = "wants us to wait" if status == HTTPStatus.TOO_MANY_REQUESTS else "did not do it"
        return Unavailable(f"{what}: {self._vendor} {why}", where=self.where, seen=seen, retry_after=wish)


def quoted(answer: httpx.Response) -> str:
    """The beginning of a body that does not have the shape that the vendor documents."""
    return answer.text[:200] or "no word of why"


def until(moment: datetime | None, now: datetime) -> timedelta | None:
    """How long it is until `moment`, never negative."""
    return None if moment is None else max(moment - now, timedelta(0))


def host_name(name: str) -> str:
    """A name as these vendors write it: in lower case, without the trailing dot."""
    return name.lower().rstrip(".")
