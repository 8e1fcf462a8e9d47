"""The batch API of Git LFS: which objects a server has, and where to put or fetch them.

https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Literal

import httpx
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints, ValidationError

from defib.clock import Deadline
from defib.errors import NotFound, Unavailable
from defib.providers.git.lfs_http import LfsHttp, ObjectTrouble, shown
from defib.providers.git.lfs_patience import patiently
from defib.providers.git.lfs_pointers import Pointer

MEDIA_TYPE = "application/vnd.git-lfs+json"

AT_ONCE = 100
"""Objects in one request; the vendors take no more."""

ANSWER_WITHIN = timedelta(seconds=30)
"""A server that has not said by then what it has is asked again."""

_LONGEST = 4 * 1024 * 1024
"""Bytes of an answer; a hundred objects with their headers are far fewer."""

Operation = Literal["download", "upload"]
_Name = Annotated[str, StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
_Value = Annotated[str, StringConstraints(pattern=r"^[\x20-\x7e]*$")]


class _Action(BaseModel):
    href: str
    header: dict[_Name, _Value] | None = None
    expires_in: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None
    expires_at: AwareDatetime | None = None


class _Error(BaseModel):
    code: int = 0
    message: str = ""


class _Object(BaseModel):
    oid: str
    actions: dict[str, _Action] | None = None
    error: _Error | None = None


class _Batch(BaseModel):
    transfer: str | None = None
    objects: list[_Object]


@dataclass(frozen=True)
class Action:
    """Something to ask of `href`, with `header`, which may hold secrets, and until `expires` on the monotonic clock."""

    href: str
    header: Mapping[str, str] = field(default_factory=dict, repr=False)
    expires: timedelta | None = None


@dataclass(frozen=True)
class Answer:
    """What the server says of one object: what to do, by name (``download``, ``upload``, ``verify``), or the `problem`."""

    actions: Mapping[str, Action] = field(default_factory=dict)
    problem: str = ""

    @property
    def is_held(self) -> bool:
        """Of an answer to an upload: whether the server has the object, so that nothing is to be done."""
        return not self.problem and "upload" not in self.actions


def ask_batch(http: LfsHttp, operation: Operation, wanted: Sequence[Pointer], within: Deadline) -> dict[str, Answer]:
    """What the server says of each object, by its id; at most :data:`AT_ONCE`, no id twice. An upload is not begun by it.

    A batch that is refused as a whole (413, 422) is asked for in halves, so that one bad object does not keep the others.
    :class:`Denied`, :class:`NotFound` where no LFS server is there, :class:`Unavailable`.
    """
    return dict(_ask(http, operation, wanted, within))


def _ask(http: LfsHttp, operation: Operation, wanted: Sequence[Pointer], within: Deadline) -> Iterator[tuple[str, Answer]]:
    told = patiently(lambda: _ask_once(http, operation, wanted, within.sooner(ANSWER_WITHIN)), within) if wanted else {}
    if not isinstance(told, str):
        yield from told.items()
    elif len(wanted) == 1:
        yield wanted[0].oid, Answer(problem=told)
    else:
        half = len(wanted) // 2
        yield from _ask(http, operation, wanted[:half], within)
        yield from _ask(http, operation, wanted[half:], within)


def _ask_once(http: LfsHttp, operation: Operation, wanted: Sequence[Pointer], within: Deadline) -> dict[str, Answer] | str:
    """The answers, or why the batch is refused as a whole."""
    url = f"{http.endpoint}/objects/batch"
    body = {
        "operation": operation,
        "transfers": ["basic"],
        "objects": [{"oid": each.oid, "size": each.size} for each in wanted],
        "hash_algo": "sha256",
    }
    headers = {"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE, **http.login_for(url)}

    def read(answer: httpx.Response) -> dict[str, Answer] | str:
        if answer.is_success:
            return _answers(http, _parsed(answer), wanted, within)
        if answer.status_code in {HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}:
            return http.words(answer)
        moved = answer.has_redirect_location
        raise http.refusal(answer, f"{operation} of Git LFS", within, lambda seen: _no_server(http, seen, moved=moved))

    return http.exchange("POST", url, headers, read, within, json.dumps(body).encode())


def _no_server(http: LfsHttp, seen: str, *, moved: bool) -> NotFound:
    return NotFound(
        "no LFS server is there, or it does not know the repository",
        where=http.endpoint,
        seen=seen,
        then="write its new URL into the site file" if moved else "switch Git LFS on for this repository at the vendor",
    )


def _parsed(answer: httpx.Response) -> _Batch:
    body = b""
    for piece in answer.iter_bytes():
        body += piece
        if len(body) > _LONGEST:
            break
    try:
        batch = _Batch.model_validate_json(body)
    except ValidationError as error:
        raise Unavailable(
            "the LFS server gives no answer of the batch API",
            where=shown(str(answer.url)),
            seen="; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:3]),
        ) from error
    if batch.transfer not in {None, "", "basic"}:
        where = shown(str(answer.url))
        raise NotFound(
            "the LFS server insists on its own way to transfer", where=where, expected="basic", seen=batch.transfer
        )
    return batch


def _answers(http: LfsHttp, batch: _Batch, wanted: Sequence[Pointer], within: Deadline) -> dict[str, Answer]:
    told = {each.oid: _answer(http, each, within) for each in batch.objects}
    silent = Answer(problem="the server says nothing of it")
    return {each.oid: told.get(each.oid, silent) for each in wanted}


def _answer(http: LfsHttp, told: _Object, within: Deadline) -> Answer:
    if told.error is not None:
        return Answer(problem=http.quoted(f"{told.error.code}: {told.error.message or 'no word of why'}"))
    return Answer({name: _action(each, within) for name, each in (told.actions or {}).items()})


def _action(told: _Action, within: Deadline) -> Action:
    expires: timedelta | None = None
    if told.expires_in:  # preferred to the other; 0 is how some say that it does not expire
        expires = within.clock.monotonic() + timedelta(seconds=told.expires_in)
    elif told.expires_at is not None and told.expires_at.year > 1:  # Go's date of nothing
        expires = within.clock.monotonic() + (told.expires_at - within.clock.now())
    return Action(told.href, told.header or {}, expires)


def insist(answer: Answer, name: str) -> Action:
    """The action of that name; :class:`ObjectTrouble` with the server's words where it gives none."""
    if answer.problem or name not in answer.actions:
        raise ObjectTrouble(answer.problem or f"the server names no place to {name} it")
    return answer.actions[name]
