"""What is asked of Prefect's server while it comes up: whether it can be used, not whether it merely answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import httpx

from flows.service.place import Place

_PATIENCE = 5.0
_UNAUTHORIZED = 401


class Api:
    """The API of one server, as somebody with its password sees it."""

    def __init__(self, place: Place, password: str) -> None:
        self._asks = bool(password)
        user, _, secret = password.partition(":")
        self._client = httpx.Client(
            base_url=place.api, trust_env=False, timeout=_PATIENCE, auth=(user, secret) if password else None
        )
        self._stranger = httpx.Client(base_url=place.url, trust_env=False, timeout=_PATIENCE, follow_redirects=True)

    def trouble(self) -> str:
        """Why the server cannot be used, in a few words; "" when it can: ready, with its pages, closed to strangers."""
        try:
            ready = self._client.get("/ready")
            if not ready.is_success:
                return f"it answers {ready.status_code} when asked whether it is ready"
            if not (known := self._client.get("/admin/version")).is_success:
                return f"it answers {known.status_code} to its own password"
            if self._asks and (open_to := self._stranger.get("/api/admin/version")).status_code != _UNAUTHORIZED:
                return f"it answers {open_to.status_code} to whoever has no password"
            pages = self._stranger.get("/", headers={"Accept": "text/html"})
        except httpx.HTTPError as error:
            return f"it does not answer ({type(error).__name__})"
        return "" if pages.is_success else f"it answers {pages.status_code} when asked for its pages"

    def worker_seen(self, pool: str, worker: str) -> datetime | None:
        """When the worker last gave a sign of life; None when it never did."""
        answer = self._ask(f"/work_pools/{pool}/workers/filter")
        seen = [
            each["last_heartbeat_time"] for each in answer or () if each["name"] == worker and each["last_heartbeat_time"]
        ]
        return max(map(datetime.fromisoformat, seen), default=None)

    def deployments(self) -> int | None:
        """How many deployments there are; None when the server does not say."""
        found = self._ask("/deployments/count")
        return found if isinstance(found, int) else None

    def _ask(self, path: str) -> Any:
        """What the API answers; None where it does not, or there is no such thing yet."""
        try:
            answer = self._client.post(path, json={})
            return answer.json() if answer.is_success else None
        except (httpx.HTTPError, ValueError):
            return None
