"""Whether a fetched page is the site as it should be served: pure judgement, no I/O."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from defib.ports import Build, Expect, Health
from defib.sites.site import Page

_HTTP_OK = 200
_SERVER_ERROR = 500
_GZIP = 16 + zlib.MAX_WBITS
LONGEST_PAGE = 16 * 1024 * 1024
"""A page that a browser starts with is far below this; whatever is above is not read to its end."""


@dataclass(frozen=True)
class Fetched:
    """What came back for one request.

    `body` is as it was on the wire, still compressed where ``Content-Encoding`` says so. `promised` is the announced
    ``Content-Length``, None where the server announced none. `complete` is False when the connection ended before the
    body did. `took` is from the start of the look to the last byte.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    took: timedelta
    promised: int | None = None
    complete: bool = True

    def header(self, name: str) -> str | None:
        """The value of a header, several lines of one name joined with commas; None where absent."""
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None


@dataclass(frozen=True)
class Judgement:
    """What one page is worth; `reason` is "" when it is good, and `build` is kept where it could be read."""

    health: Health
    reason: str = ""
    build: Build | None = None
    server: str = ""


class _Unfit(Exception):
    """Why a page is not the one expected."""


def judge(fetched: Fetched, page: Page, expect: Expect = Expect.PAGE) -> Judgement:
    """Good if everything that is expected of the page holds; otherwise bad with the first thing that does not."""
    build: Build | None = None
    try:
        if expect is Expect.REACHABLE:
            return _reachable(fetched)
        _check_transfer(fetched)
        if expect is Expect.ASSET:
            return Judgement(Health.GOOD)
        text = _text(fetched)
        if page.contains not in text:
            return Judgement(Health.BAD, "expected text missing", _build_or_none(text, page))
        build = _read_build(text, page)
        if expect is Expect.PAGE:
            _check_headers(fetched, page)
        _check_speed(fetched, page)
    except _Unfit as unfit:
        return Judgement(Health.BAD, str(unfit), build)
    return Judgement(Health.GOOD, "", build, fetched.header("Server") or "")


def _reachable(fetched: Fetched) -> Judgement:
    if fetched.status >= _SERVER_ERROR:
        raise _Unfit(f"HTTP {fetched.status}")
    return Judgement(Health.GOOD)


def _check_transfer(fetched: Fetched) -> None:
    if fetched.status != _HTTP_OK:
        raise _Unfit(f"HTTP {fetched.status}")
    received = len(fetched.body)
    if not fetched.complete or (fetched.promised is not None and received != fetched.promised):
        whole = f" of {fetched.promised}" if fetched.promised is not None else ""
        raise _Unfit(f"page cut off after {received}{whole} bytes")


def _text(fetched: Fetched) -> str:
    encoding = (fetched.header("Content-Encoding") or "identity").strip().lower()
    if encoding in {"gzip", "x-gzip"}:
        return _unzipped(fetched.body).decode("utf-8", errors="replace")
    if encoding != "identity":
        raise _Unfit(f"page compressed with {encoding}, which was not asked for")
    return fetched.body.decode("utf-8", errors="replace")


def _unzipped(body: bytes) -> bytes:
    inflate = zlib.decompressobj(_GZIP)
    try:
        plain = inflate.decompress(body, LONGEST_PAGE)
    except zlib.error as error:
        raise _Unfit("page cannot be decompressed") from error
    if not inflate.eof:
        raise _Unfit("page cannot be decompressed to its end")
    return plain


def _build_or_none(text: str, page: Page) -> Build | None:
    try:
        return _read_build(text, page)
    except _Unfit:
        return None  # the caller already has a reason; a build is a courtesy here


def _read_build(text: str, page: Page) -> Build:
    found = re.search(page.build, text)
    if found is None or not found["id"] or not found["built"]:
        raise _Unfit("build marker missing")
    try:
        built = datetime.fromisoformat(found["built"])
    except ValueError as error:
        raise _Unfit(f"build marker has no date: {found['built'][:40]!r}") from error
    if built.tzinfo is None:
        raise _Unfit(f"build marker has no time zone: {found['built'][:40]!r}")
    return Build(found["id"], built)


def _check_headers(fetched: Fetched, page: Page) -> None:
    for name, expected in page.headers.items():
        served = fetched.header(name)
        if served is None:
            raise _Unfit(f"header {name} missing")
        if _folded(expected) not in _folded(served):
            raise _Unfit(f"header {name} is not as expected")


def _folded(value: str) -> str:
    return " ".join(value.split())


def _check_speed(fetched: Fetched, page: Page) -> None:
    if fetched.took > page.load_within:
        took, limit = fetched.took.total_seconds(), page.load_within.total_seconds()
        raise _Unfit(f"took {took:.1f} s to load, more than {limit:g} s")
