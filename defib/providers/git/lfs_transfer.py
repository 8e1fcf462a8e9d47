"""One object of Git LFS, from or to the place that the server names for it.

https://github.com/git-lfs/git-lfs/blob/main/docs/api/basic-transfers.md
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from http import HTTPStatus

import httpx

from defib.clock import Deadline
from defib.providers.git.lfs_batch import MEDIA_TYPE, Action, Answer, Operation, ask_batch, insist
from defib.providers.git.lfs_http import Broken, LfsHttp, ObjectTrouble, insist_on_privacy, shown
from defib.providers.git.lfs_patience import patiently
from defib.providers.git.lfs_pointers import Pointer
from defib.providers.git.lfs_store import PIECE, Incoming, LfsStore, go_on

_HOPS = 3
"""Redirects in a row that are followed."""

_NOT_THEIRS = {"host", "content-length", "connection", "expect", "range", "accept-encoding", "transfer-encoding"}
"""What a server may not say of our requests: they are ours to frame."""


def download(http: LfsHttp, pointer: Pointer, answer: Answer, store: LfsStore, within: Deadline) -> None:
    """Bring one object into the store, going on where an answer broke off; it has its name there only where it is right.

    :class:`ObjectTrouble` where it cannot be had; :class:`Denied` and :class:`Unavailable` are the server's.
    """
    with store.incoming(pointer) as coming:
        # Whoever runs out of time here leaves a thread that may still write into `coming`. Each try has all the time that
        # is left, so that no other try follows one that ran out of it.
        def fetch() -> None:
            _fetch(http, _fresh(http, "download", pointer, answer, within), coming, within)

        _persistently(fetch, within)
        if coming.problem:
            raise ObjectTrouble(coming.problem)


def upload(http: LfsHttp, pointer: Pointer, answer: Answer, store: LfsStore, within: Deadline) -> None:
    """Send one object from the store, and let the server verify it where it asks for that.

    Raises what :func:`download` raises. Sending twice does no harm.
    """

    def put() -> None:
        action = _fresh(http, "upload", pointer, answer, within)
        headers = _headers(http, action)
        if "chunked" not in httpx.Headers(dict(action.header)).get("Transfer-Encoding", ""):  # GitLab asks for that
            headers["Content-Length"] = str(pointer.size)
        headers.setdefault("Content-Type", "application/octet-stream")
        _tell(http, "PUT", action.href, headers, store.read(pointer, within), within)

    _persistently(put, within)
    verify = answer.actions.get("verify")
    if verify is not None:
        insist_on_privacy(verify.href)
        headers = _headers(http, verify)
        headers.update({"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE})
        body = json.dumps({"oid": pointer.oid, "size": pointer.size}).encode()
        _persistently(lambda: _tell(http, "POST", verify.href, headers, body, within), within)


def _persistently(work: Callable[[], None], within: Deadline) -> None:
    try:
        patiently(work, within)
    except Broken as error:
        raise ObjectTrouble(error.what, where=error.where, seen=error.seen) from error


def _fresh(http: LfsHttp, operation: Operation, pointer: Pointer, answer: Answer, within: Deadline) -> Action:
    """What to do, asked for anew where what the server said is no longer good: it may be an hour old."""
    action = insist(answer, operation)
    if action.expires is not None and action.expires <= within.clock.monotonic():
        action = insist(ask_batch(http, operation, (pointer,), within)[pointer.oid], operation)
    insist_on_privacy(action.href)
    return action


def _headers(http: LfsHttp, action: Action) -> httpx.Headers:
    """Our login where the place is at the server itself, and what the server says to send to exactly this place."""
    headers = httpx.Headers(http.login_for(action.href))
    headers.update({name: value for name, value in action.header.items() if name.lower() not in _NOT_THEIRS})
    return headers


def _fetch(http: LfsHttp, action: Action, coming: Incoming, within: Deadline) -> None:
    url, headers = action.href, _headers(http, action)
    for _ in range(_HOPS + 1):
        onward = _get(http, url, headers, coming, within)
        if not onward:
            return
        # GitLab sends us on to where it keeps its objects; what it said of us is for nobody else.
        url, headers = onward, httpx.Headers()
        insist_on_privacy(url)
    raise ObjectTrouble(f"the server sends us on more than {_HOPS} times", where=shown(action.href))


def _get(http: LfsHttp, url: str, headers: httpx.Headers, coming: Incoming, within: Deadline) -> str:
    """Take what is there; gives where to ask instead, empty where that is nowhere."""
    held = coming.received
    asked = {**headers, "Accept-Encoding": "identity"} | ({"Range": f"bytes={held}-"} if held else {})

    def read(answer: httpx.Response) -> str:
        if answer.has_redirect_location:
            return str(answer.url.join(answer.headers["Location"]))
        resumed = answer.status_code == HTTPStatus.PARTIAL_CONTENT
        if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise _torn(coming, url)
        if not answer.is_success:
            raise http.refusal(answer, "download of an LFS object", within)
        if resumed and not answer.headers.get("Content-Range", "").startswith(f"bytes {held}-"):
            raise _torn(coming, url)
        if held and not resumed:
            coming.begin_anew()
        for piece in answer.iter_bytes(PIECE):
            go_on(within)
            coming.write(piece)
            if coming.excess:
                break
        if resumed and coming.problem:
            raise _torn(coming, url)
        return ""

    return http.exchange("GET", url, asked, read, within)


def _torn(coming: Incoming, url: str) -> Broken:
    """What came in pieces is no object: begin again."""
    coming.begin_anew()
    return Broken("download of an LFS object: its pieces do not fit", where=shown(url))


def _tell(
    http: LfsHttp, method: str, url: str, headers: httpx.Headers, content: bytes | Iterator[bytes], within: Deadline
) -> None:
    def read(answer: httpx.Response) -> None:
        if not answer.is_success:
            raise http.refusal(answer, "upload of an LFS object", within)

    http.exchange(method, url, headers, read, within, content)
