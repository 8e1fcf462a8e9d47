"""One request to Cloudflare's API, and its refusals as our errors.

Every answer is an envelope of ``success``, ``errors`` and ``result``; an error has its own code, and the HTTP status
does not always tell: a refusal may come with status 200. Codes: https://developers.cloudflare.com/api/ and
https://developers.cloudflare.com/fundamentals/api/troubleshooting/.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from defib.clock import Deadline
from defib.errors import Denied, NotFound, ProviderError, Unavailable
from defib.providers.bounded import bounded
from defib.providers.proxy import on_loopback
from defib.providers.retry_after import parse_retry_after

_CREDENTIALS = {
    6003,  # invalid request headers: the token is not even a token
    6111,  # invalid format for the Authorization header
    9103,  # unknown key or e-mail
    9106,  # authentication headers are missing
    9109,  # unauthorized to access the resource
    10000,  # authentication error
}
_UNKNOWN_ZONE = {
    1001,  # invalid zone identifier
    7000,  # no route for that URI
    7003,  # could not route: the identifier is no zone's
}
_BUSY = {
    971,  # please wait and consider throttling your request speed
    10429,  # rate limited
}


class _Error(BaseModel):
    code: int = 0
    message: str = ""


class _Envelope(BaseModel):
    model_config = ConfigDict(strict=True)

    success: bool
    errors: list[_Error] | None = Field(default_factory=list)
    result: object = None


class CloudflareApi:
    """The API at `base`, asked with the bearer `token`; follows no redirect, so the token goes nowhere else."""

    def __init__(self, base: str, token: str, where: str) -> None:
        self.where = where
        self._base = base.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._past_proxies = on_loopback(base)
        # Made once: it reads the machine's certificate authorities, which takes longer than a request.
        self._tls = httpx.create_ssl_context()

    def get(self, path: str, query: dict[str, str], within: Deadline) -> object:
        """The ``result`` of a GET."""
        return self._ask("GET", path, within, query=query)

    def post(self, path: str, body: dict[str, object], within: Deadline) -> object:
        """The ``result`` of a POST; one that timed out may have been carried out."""
        return self._ask("POST", path, within, body=body)

    def _ask(
        self,
        method: str,
        path: str,
        within: Deadline,
        *,
        query: dict[str, str] | None = None,
        body: dict[str, object] | None = None,
    ) -> object:
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
        try:
            envelope = _Envelope.model_validate_json(answer.content)
        except ValidationError as error:
            raise self._refused(answer, [], what, within.clock.now()) from error
        if answer.is_success and envelope.success:
            return envelope.result
        raise self._refused(answer, envelope.errors or [], what, within.clock.now())

    def _refused(self, answer: httpx.Response, errors: list[_Error], what: str, now: datetime) -> ProviderError:
        codes = {error.code for error in errors}
        status = answer.status_code
        told = "; ".join(f"{error.code} {error.message}" for error in errors) or "no error that can be read"
        seen = f"HTTP {status}: {told}"
        if status == HTTPStatus.TOO_MANY_REQUESTS or codes & _BUSY:
            wish = parse_retry_after(answer.headers.get("Retry-After"), now)
            return Unavailable(f"{what}: Cloudflare wants us to wait", where=self.where, seen=seen, retry_after=wish)
        if codes & _CREDENTIALS or status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return Denied(f"{what}: Cloudflare refuses the token", where=self.where, seen=seen)
        if codes & _UNKNOWN_ZONE or status == HTTPStatus.NOT_FOUND:
            return NotFound(
                f"{what}: Cloudflare does not know it", where=self.where, seen=seen, then="check zone_id in the site file"
            )
        if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return NotFound(f"{what}: Cloudflare refuses the request", where=self.where, seen=seen)
        wish = parse_retry_after(answer.headers.get("Retry-After"), now)
        return Unavailable(
            f"{what}: Cloudflare did not do it", where=self.where, expected="success", seen=seen, retry_after=wish
        )
