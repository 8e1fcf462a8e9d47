"""Atlassian Statuspage: one incident of ours on one page, found again by its metadata (https://developer.statuspage.io).

The API takes one request a second for a token and answers 420 or 429 beyond it. An update may name no more than 25,000
characters, a title 255.
"""

from __future__ import annotations

from http import HTTPStatus

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from defib.alerts.alert import Notice, Stage
from defib.clock import Deadline
from defib.errors import Denied, NotFound, ProviderError, Unavailable
from defib.providers.bounded import bounded
from defib.providers.proxy import on_loopback
from defib.providers.retry_after import parse_retry_after

_LONGEST_TITLE = 255
_LONGEST_TEXT = 25_000
_BUSY = {420, HTTPStatus.TOO_MANY_REQUESTS}
_COMPONENT = {
    Stage.INVESTIGATING: "major_outage",
    Stage.IDENTIFIED: "major_outage",
    Stage.MONITORING: "degraded_performance",
}
_IMPACT = "critical"


class _Incident(BaseModel):
    id: str
    metadata: dict[str, dict[str, object]] | None = None


_INCIDENTS = TypeAdapter(list[_Incident])


class Statuspage:
    """Fulfils :class:`defib.alerts.alert.StatusPage` for `site`; `components` go down and come up with it."""

    def __init__(self, name: str, site: str, page: str, components: tuple[str, ...], token: str, api: str) -> None:
        self._name, self._site, self._page, self._components = name, site, page, components
        self._base = api.rstrip("/")
        self._headers = {"Authorization": f"OAuth {token}"}
        self._past_proxies = on_loopback(api)
        self._tls = httpx.create_ssl_context()

    @property
    def name(self) -> str:
        return self._name

    def say(self, notice: Notice, *, within: Deadline) -> None:
        said: dict[str, object] = {
            "name": notice.title[:_LONGEST_TITLE],
            "status": notice.stage.value,
            "body": notice.text[:_LONGEST_TEXT],
            "impact_override": _IMPACT,
            **self._with_components(_COMPONENT[notice.stage]),
        }
        ours = self._unresolved(within)
        if ours:
            self._update(ours[0], said, within)
        else:
            body: dict[str, object] = {"incident": {**said, "metadata": {"defib": {"site": self._site}}}}
            self._ask("POST", "/incidents", within, body)

    def resolve(self, text: str, *, within: Deadline) -> None:
        said: dict[str, object] = {
            "status": "resolved",
            "body": text[:_LONGEST_TEXT],
            **self._with_components("operational"),
        }
        # A first request that timed out and landed all the same may have left a second incident.
        for incident in self._unresolved(within):
            self._update(incident, said, within)

    def _with_components(self, status: str) -> dict[str, object]:
        if not self._components:
            return {}
        return {"components": dict.fromkeys(self._components, status), "component_ids": list(self._components)}

    def _unresolved(self, within: Deadline) -> list[_Incident]:
        """Our open incidents; the page may hold others, of other people."""
        answer = self._ask("GET", "/incidents/unresolved", within)
        try:
            found = _INCIDENTS.validate_json(answer.content)
        except ValidationError as error:
            seen = f"HTTP {answer.status_code}: no list of incidents"
            raise Unavailable("GET /incidents/unresolved: not understood", where=self._where, seen=seen) from error
        return [each for each in found if (each.metadata or {}).get("defib", {}).get("site") == self._site]

    def _update(self, incident: _Incident, said: dict[str, object], within: Deadline) -> None:
        self._ask("PATCH", f"/incidents/{incident.id}", within, {"incident": said})

    @property
    def _where(self) -> str:
        return f"page {self._page} of {self._name}"

    def _ask(self, method: str, path: str, within: Deadline, body: dict[str, object] | None = None) -> httpx.Response:
        what = f"{method} {path}"

        def send() -> httpx.Response:
            with httpx.Client(
                headers=self._headers,
                timeout=max(within.remaining().total_seconds(), 0.001),
                verify=self._tls,
                trust_env=not self._past_proxies,
                follow_redirects=False,
            ) as client:
                return client.request(method, f"{self._base}/pages/{self._page}{path}", json=body)

        try:
            answer = bounded(send, within, what, self._where)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unavailable(f"{what}: no answer", where=self._where, seen=f"{type(error).__name__}: {error}") from error
        if answer.is_success:
            return answer
        raise self._refused(what, answer, within)

    def _refused(self, what: str, answer: httpx.Response, within: Deadline) -> ProviderError:
        status, seen = answer.status_code, f"HTTP {answer.status_code}: {answer.text[:200]}"
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return Denied(f"{what}: Statuspage refuses the token", where=self._where, seen=seen)
        if status in _BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            wish = parse_retry_after(answer.headers.get("Retry-After"), within.clock.now())
            return Unavailable(f"{what}: Statuspage cannot answer now", where=self._where, seen=seen, retry_after=wish)
        return NotFound(f"{what}: Statuspage refuses the request", where=self._where, seen=seen)
