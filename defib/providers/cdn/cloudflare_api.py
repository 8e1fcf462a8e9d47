"""One request to Cloudflare's API, and its refusals as our errors.

Every answer is an envelope of ``success``, ``errors`` and ``result``; an error has its own code, and the HTTP status
does not always tell: a refusal may come with status 200. Codes: https://developers.cloudflare.com/api/,
https://developers.cloudflare.com/fundamentals/api/troubleshooting/ and, for DNS records,
https://developers.cloudflare.com/dns/manage-dns-records/troubleshooting/records-with-same-name/.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from defib.clock import Deadline
from defib.errors import Conflict, Denied, NotFound, ProviderError, Unavailable
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
_OTHER_RECORDS = {
    81044,  # record does not exist: it was there when its id was read
    81053,  # an A, AAAA or CNAME record with that host already exists
    81054,  # a CNAME record with that host already exists
    81055,  # another kind of record with that host already exists
    81056,  # NS records with that host already exist
    81057,  # the record already exists
    81058,  # an identical record already exists
}
_BUSY = {
    971,  # please wait and consider throttling your request speed
    10429,  # rate limited
}


class _Error(BaseModel):
    code: int = 0
    message: str = ""
    error_chain: list[_Error] | None = None

    def __str__(self) -> str:
        reasons = "".join(f" ({reason})" for reason in self.error_chain or ())
        return f"{self.code} {self.message}{reasons}"


class _PageInfo(BaseModel):
    per_page: int | None = None


class _Envelope(BaseModel):
    model_config = ConfigDict(strict=True)

    success: bool
    errors: list[_Error] | None = Field(default_factory=list)
    result: object = None
    result_info: _PageInfo | None = None


@dataclass(frozen=True)
class Page:
    """One page of a list; `last` where no further one follows it."""

    items: tuple[object, ...]
    last: bool


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
        return self._ask("GET", path, within, query=query).result

    def page(self, path: str, query: dict[str, str], number: int, size: int, within: Deadline) -> Page:
        """Page `number`, from 1 up, of a list; the vendor may make its pages smaller than `size`, and tells."""
        envelope = self._ask("GET", path, within, query=query | {"page": str(number), "per_page": str(size)})
        if not isinstance(envelope.result, list):
            raise Unavailable(
                f"GET {path}: not the list that Cloudflare documents", where=self.where, seen=str(envelope.result)[:200]
            )
        made = envelope.result_info.per_page if envelope.result_info else None
        return Page(tuple(envelope.result), last=len(envelope.result) < (made or size))

    def post(self, path: str, body: dict[str, object], within: Deadline) -> object:
        """The ``result`` of a POST; one that timed out may have been carried out."""
        return self._ask("POST", path, within, body=body).result

    def _ask(
        self,
        method: str,
        path: str,
        within: Deadline,
        *,
        query: dict[str, str] | None = None,
        body: dict[str, object] | None = None,
    ) -> _Envelope:
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
            return envelope
        raise self._refused(answer, envelope.errors or [], what, within.clock.now())

    def _refused(self, answer: httpx.Response, errors: list[_Error], what: str, now: datetime) -> ProviderError:
        codes = {error.code for error in errors}
        status = answer.status_code
        told = "; ".join(map(str, errors)) or "no error that can be read"
        seen = f"HTTP {status}: {told}"
        if status == HTTPStatus.TOO_MANY_REQUESTS or codes & _BUSY:
            wish = parse_retry_after(answer.headers.get("Retry-After"), now)
            return Unavailable(f"{what}: Cloudflare wants us to wait", where=self.where, seen=seen, retry_after=wish)
        if codes & _CREDENTIALS or status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return Denied(f"{what}: Cloudflare refuses the token", where=self.where, seen=seen)
        if codes & _OTHER_RECORDS:
            return Conflict(f"{what}: other records stand there", where=self.where, seen=seen, then="make a new plan")
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
