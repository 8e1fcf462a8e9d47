"""What a Cloudflare token may do in one zone, and until when."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from pydantic import AwareDatetime, BaseModel, TypeAdapter, ValidationError

from defib.clock import Deadline
from defib.errors import Denied, Unavailable
from defib.providers.cdn.cloudflare_api import CloudflareApi
from defib.ready.access import Grant

T = TypeVar("T")

DNS_EDIT = "#dns_records:edit"
PURGE = "#cache_purge:edit"
"""Permissions as the API names them (``x-cfPermissionsRequired`` in https://github.com/cloudflare/api-schemas)."""

GROUPS = {DNS_EDIT: "Zone: DNS: Edit", PURGE: "Zone: Cache Purge: Purge"}
"""The same as whoever makes a token chooses them."""


class _Account(BaseModel):
    id: str = ""


class _Zone(BaseModel):
    status: str = ""
    account: _Account = _Account()
    permissions: list[str] | None = None


class _Token(BaseModel):
    id: str = ""
    status: str
    expires_on: AwareDatetime | None = None
    not_before: AwareDatetime | None = None


_ZONE, _TOKEN = TypeAdapter(_Zone), TypeAdapter(_Token)


class CloudflareAccess:
    """Fulfils :class:`defib.ready.access.Access` by two reads.

    ``GET /zones/{id}`` lists what the asking token may do there in ``permissions``; where it does not, nobody can tell.
    ``GET /user/tokens/verify`` tells its status and its end; a token that an account owns is turned down there, and
    verified at ``/accounts/{id}/tokens/verify`` (https://developers.cloudflare.com/api/resources/accounts/subresources/tokens/).
    """

    def __init__(self, zone_id: str, permission: str, token: str, api: str) -> None:
        self._zone_id = zone_id
        self._permission = permission
        self._api = CloudflareApi(api, token, f"Cloudflare, zone {zone_id}")

    @property
    def about(self) -> str:
        """The zone, and what is wanted there."""
        return f"cloudflare {self._zone_id} {self._permission}"

    def granted(self, *, within: Deadline) -> Grant:
        """What the zone and the token say."""
        zone = self._parsed(_ZONE, self._api.get(f"/zones/{self._zone_id}", {}, within))
        token = self._verified(zone.account.id, within)
        who = f"token {token.id}" if token.id else "token"
        if token.status != "active":
            return Grant(may_edit=False, who=who, until=token.expires_on, why=f"the token is {token.status}")
        if token.not_before is not None and token.not_before > within.clock.now():
            return Grant(
                may_edit=False, who=who, until=token.expires_on, why=f"it is valid from {_day(token.not_before)} on"
            )
        if not zone.permissions:
            why = "Cloudflare did not list the token's permissions with the zone"
            return Grant(may_edit=None, who=who, until=token.expires_on, why=why)
        allowed = self._permission in zone.permissions
        why = self._permission if allowed else f"it lacks {self._permission}, and has {', '.join(sorted(zone.permissions))}"
        return Grant(may_edit=allowed, who=who, until=token.expires_on, why=why)

    def _verified(self, account: str, within: Deadline) -> _Token:
        try:
            return self._parsed(_TOKEN, self._api.get("/user/tokens/verify", {}, within))
        except Denied:
            if not account:
                raise
            return self._parsed(_TOKEN, self._api.get(f"/accounts/{account}/tokens/verify", {}, within))

    def _parsed(self, shape: TypeAdapter[T], result: object) -> T:
        try:
            return shape.validate_python(result)
        except ValidationError as error:
            raise Unavailable(
                "not the answer that Cloudflare documents", where=self._api.where, seen=str(result)[:200]
            ) from error


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
