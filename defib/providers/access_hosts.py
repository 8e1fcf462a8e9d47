"""What tokens may do at hosting platforms, as far as these tell."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeVar

import httpx
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from defib.clock import Deadline
from defib.errors import NotFound, Unavailable
from defib.providers.host.api import HostApi, Told, quoted
from defib.ready.access import Grant

T = TypeVar("T")

_WRITING = {"create", "update"}
NEEDED = {"projectDomain": "attach names", "deploymentPromote": "publish a deployment"}
"""Vercel's words for what a recovery does there, in ``permissions`` of ``GET /v9/projects/{id}`` (OpenAPI description)."""


class _Project(BaseModel):
    permissions: dict[str, list[str]] | None = None


class _Metadata(BaseModel):
    name: str = ""
    expires_at: int | None = Field(default=None, alias="expiresAt")


class _Token(BaseModel):
    token: _Metadata


class _User(BaseModel):
    id: str
    email: str = ""


_PROJECT, _TOKEN, _USER = TypeAdapter(_Project), TypeAdapter(_Token), TypeAdapter(_User)


class VercelAccess:
    """Fulfils :class:`defib.ready.access.Access` for one project.

    ``GET /v5/user/tokens/current`` tells name and end of the token that asks
    (https://vercel.com/docs/rest-api/authentication/get-auth-token-metadata); the project lists what who asks may do there.
    """

    def __init__(self, project: str, team: str, token: str, api: str) -> None:
        self._project = project
        self._query = {"teamId": team} if team else {}
        self._api = HostApi(api, token, "Vercel", f"Vercel, project {project}", _read_refusal)

    @property
    def about(self) -> str:
        """The project."""
        return f"vercel {self._project}"

    def granted(self, *, within: Deadline) -> Grant:
        """What project and token say."""
        path = f"/v9/projects/{self._project}"
        project = _parsed(_PROJECT, self._api.ask("GET", path, within, query=self._query), self._api.where)
        until, who = self._token(within)
        if project.permissions is None:
            return Grant(may_edit=None, who=who, until=until, why="Vercel did not list what the token may do in the project")
        missing = [
            f"{words} ({name})" for name, words in NEEDED.items() if not _WRITING & set(project.permissions.get(name, ()))
        ]
        if missing:
            return Grant(may_edit=False, who=who, until=until, why=f"it may not {', '.join(missing)}")
        return Grant(may_edit=True, who=who, until=until)

    def _token(self, within: Deadline) -> tuple[datetime | None, str]:
        try:
            told = _parsed(_TOKEN, self._api.ask("GET", "/v5/user/tokens/current", within), self._api.where).token
        except NotFound:
            return None, "a token that Vercel keeps no account of"
        ends = told.expires_at
        return (datetime.fromtimestamp(ends / 1000, UTC) if ends else None), f"token {told.name!r}"


class NetlifyAccess:
    """Fulfils :class:`defib.ready.access.Access` for one site, as far as Netlify tells.

    A personal access token does all that its user may, and Netlify's API tells neither the user's role in the site's team
    nor the token's end: whether it may edit stays unknown (``GET /user``, ``GET /sites/{id}`` in its OpenAPI description).
    """

    def __init__(self, project: str, token: str, api: str) -> None:
        self._project = project
        self._api = HostApi(api, token, "Netlify", f"Netlify, site {project}", _read_refusal)

    @property
    def about(self) -> str:
        """The site."""
        return f"netlify {self._project}"

    def granted(self, *, within: Deadline) -> Grant:
        """Whether the token is taken and reaches the site; more Netlify does not tell."""
        user = _parsed(_USER, self._api.ask("GET", "/user", within), self._api.where)
        self._api.ask("GET", f"/sites/{self._project}", within)
        why = "the token reads the site; Netlify tells neither whether it may edit nor until when it is valid"
        return Grant(may_edit=None, who=f"user {user.email or user.id}", why=why)


def _read_refusal(answer: httpx.Response, now: datetime) -> Told:
    del now
    return Told(quoted(answer))


def _parsed(shape: TypeAdapter[T], body: bytes, where: str) -> T:
    try:
        return shape.validate_json(body)
    except ValidationError as error:
        raise Unavailable("not the answer that the vendor documents", where=where, seen=str(body[:200])) from error
