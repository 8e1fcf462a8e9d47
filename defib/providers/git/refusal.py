"""What a Git vendor's API says when it does not do as asked, as our errors, and how long it wants us to wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import httpx
from pydantic import BaseModel, ValidationError

from defib.errors import Denied, NotFound, ProviderError, Unavailable
from defib.providers.retry_after import parse_retry_after

_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
_LIMITING = {HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}

UNSAID = timedelta(minutes=1)
""""Otherwise, wait for at least one minute before retrying", of limits that name no moment:
https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
"""


class Forbidden(Denied):
    """The token is taken, and may not see this."""


class _Words(BaseModel):
    """``{"message": …}`` at both vendors; GitLab tells of scopes as ``{"error", "error_description"}`` (RFC 6750)."""

    message: object = ""
    error: str = ""
    error_description: str = ""


def words_of(answer: httpx.Response) -> str:
    """What the vendor says of why, in its own words; the kind of answer where it says nothing that we understand."""
    try:
        told = _Words.model_validate_json(answer.content)
    except ValidationError:
        return answer.headers.get("Content-Type", "") or "no word of why"
    return ": ".join(filter(None, (str(told.message or ""), told.error, told.error_description)))[:200] or "no word of why"


def throttled(answer: httpx.Response, now: datetime) -> timedelta | None:
    """How long the vendor wants us to wait before the next call; None where this is no limit of calls.

    GitHub limits with 403 as well as 429, and names the moment in ``x-ratelimit-reset``; GitLab in ``RateLimit-Reset``:
    https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/#response-headers.
    """
    if answer.status_code not in _LIMITING:
        return None
    wish = parse_retry_after(answer.headers.get("Retry-After"), now)
    if wish is not None:
        return wish
    prefix = "x-ratelimit" if "x-ratelimit-remaining" in answer.headers else "ratelimit"
    reset = answer.headers.get(f"{prefix}-reset", "")
    if answer.headers.get(f"{prefix}-remaining", "").strip() == "0" and reset.isdecimal():
        return max(datetime.fromtimestamp(int(reset), UTC) - now, timedelta(0))
    limited = answer.status_code == HTTPStatus.TOO_MANY_REQUESTS or "rate limit" in words_of(answer)
    return UNSAID if limited else None


def refused(answer: httpx.Response, what: str, vendor: str, where: str, now: datetime) -> ProviderError:
    """The refusal of `what` as one of our errors."""
    status = answer.status_code
    seen = f"HTTP {status}: {words_of(answer)}"
    if status == HTTPStatus.UNAUTHORIZED:
        then = "give the remote's api a token that is valid and not expired"
        return Denied(f"{what}: {vendor} does not take the token", where=where, seen=seen, then=then)
    if status == HTTPStatus.FORBIDDEN:
        return Forbidden(f"{what}: {vendor} takes the token and does not let it see this", where=where, seen=seen)
    if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _PASSING:
        then = "check api.project and api.url in the site file, and what the token may see"
        return NotFound(f"{what}: {vendor} does not have it, or does not show it", where=where, seen=seen, then=then)
    wish = parse_retry_after(answer.headers.get("Retry-After"), now)
    return Unavailable(f"{what}: {vendor} did not answer it", where=where, seen=seen, retry_after=wish)
