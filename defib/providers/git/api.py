"""Reading from the API of a vendor that hosts Git: pages, limits of calls, repositories that moved.

What comes back may hold secrets (GitLab tells the values of CI variables), so no body of a success is ever quoted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from defib.clock import Deadline
from defib.errors import NotFound, Unavailable
from defib.mirror.settings import Unknown
from defib.providers.bounded import bounded
from defib.providers.git.refusal import Forbidden, refused, throttled
from defib.providers.proxy import on_loopback

T = TypeVar("T")

PAGE = 100
"""Entries of a page; neither vendor gives more."""

MOST_PAGES = 50
"""A list that goes on after so many pages is not believed."""

_SHORTEST_WAIT = timedelta(seconds=1)


@dataclass(frozen=True)
class GitApi:
    """The API at `base`, which ends without a slash. `where` names the repository in messages."""

    base: str
    vendor: str
    where: str
    headers: Mapping[str, str] = field(repr=False)  # the token is among them

    @contextmanager
    def opened(self, within: Deadline) -> Iterator[Asking]:
        """A connection for everything that is asked within one deadline."""
        with httpx.Client(
            headers={**self.headers, "User-Agent": "defib"},
            trust_env=not on_loopback(self.base),
            follow_redirects=False,  # the token goes nowhere else
        ) as client:
            yield Asking(self, client, within)


@dataclass(frozen=True)
class Asking:
    """Questions to one API, all within one deadline; paths are relative to its base.

    A limit of calls is waited for here and not by a wrapper, which would ask everything anew and run into the limit again.
    """

    api: GitApi
    client: httpx.Client
    within: Deadline

    def one(self, shape: TypeAdapter[T], path: str, *, follow: bool = False) -> T:
        """What stands at `path`, or with `follow` where the vendor says that it went."""
        return self._read(shape, self._get(path, follow=follow), path)

    def pages(self, shape: TypeAdapter[T], path: str) -> Iterator[T]:
        """Every page of the list at `path`, which has a query."""
        following = path
        for _ in range(MOST_PAGES):
            answer = self._get(following)
            yield self._read(shape, answer, path)
            following = self._next(answer, following)
            if not following:
                return
        raise Unavailable(
            f"GET {path}: the list does not end",
            where=self.api.where,
            expected=f"at most {MOST_PAGES} pages of {PAGE}",
            seen="yet another page",
        )

    def part(self, work: Callable[[], T], needs: str) -> T | Unknown:
        """What `work` reads; why not, where the token may not see it. `needs` is the permission for it.

        Both vendors answer 404 as well as 403 for what they do not show.
        """
        try:
            return work()
        except (Forbidden, NotFound) as error:
            return Unknown(f"{self.api.vendor} does not show it ({error.seen}); the token needs {needs}")

    def _get(self, path: str, *, follow: bool = False) -> httpx.Response:
        what = f"GET {path}"
        answer = self._answer(path, what)
        if follow and answer.has_redirect_location:
            answer = self._answer(self._place(answer, what), what)
        if answer.is_success:
            return answer
        if answer.has_redirect_location:
            raise self._moved(answer, what)
        raise refused(answer, what, self.api.vendor, self.api.where, self.within.clock.now())

    def _answer(self, path: str, what: str) -> httpx.Response:
        """The first answer that is no limit of calls."""
        while True:
            answer = bounded(lambda: self._send(path, what), self.within, what, self.api.where)
            wish = throttled(answer, self.within.clock.now())
            if wish is None:
                return answer
            self._wait(wish, what, f"HTTP {answer.status_code}")

    def _send(self, path: str, what: str) -> httpx.Response:
        remaining = max(self.within.remaining().total_seconds(), 0.001)
        try:
            return self.client.get(self.api.base + path, timeout=remaining)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            seen = f"{type(error).__name__}: {error}"
            raise Unavailable(f"{what}: no answer", where=self.api.where, seen=seen) from error

    def _wait(self, wish: timedelta, what: str, seen: str) -> None:
        pause = max(wish, _SHORTEST_WAIT)
        remaining = self.within.remaining()
        if pause >= remaining:
            raise Unavailable(
                f"{what}: {self.api.vendor} limits our calls",
                where=self.api.where,
                expected=f"to go on within the {remaining.total_seconds():.3g} s that are left",
                seen=f"{seen}, and the wish to wait {wish.total_seconds():.3g} s",
                retry_after=wish,
            )
        self.within.clock.sleep(pause)

    def _place(self, answer: httpx.Response, what: str) -> str:
        """The path that a redirect leads to, at the same API; anywhere else nobody is given the token."""
        base = httpx.URL(self.api.base)
        place = answer.url.join(answer.headers["Location"])
        path = place.raw_path.decode("ascii")
        if place.host == base.host and path.startswith(f"{base.path.rstrip('/')}/"):
            return path.removeprefix(base.path.rstrip("/"))
        raise self._moved(answer, what)

    def _moved(self, answer: httpx.Response, what: str) -> NotFound:
        place = answer.url.join(answer.headers["Location"]).copy_with(userinfo=b"", query=None, fragment=None)
        return NotFound(
            f"{what}: it has moved",
            where=self.api.where,
            seen=f"HTTP {answer.status_code} to {place}",
            then="write the new place into api.url and api.project of the remote in the site file",
        )

    def _next(self, answer: httpx.Response, path: str) -> str:
        """The path of the next page, "" after the last: by ``Link`` (RFC 8288), else by GitLab's ``X-Next-Page``."""
        link = answer.links.get("next", {}).get("url", "")
        if link:
            base = httpx.URL(self.api.base)
            return answer.url.join(link).raw_path.decode("ascii").removeprefix(base.path.rstrip("/"))
        number = answer.headers.get("X-Next-Page", "").strip()
        return str(httpx.URL(path).copy_set_param("page", number)) if number else ""

    def _read(self, shape: TypeAdapter[T], answer: httpx.Response, path: str) -> T:
        try:
            return shape.validate_json(answer.content)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False, include_context=False)[0]
            place = ".".join(map(str, first["loc"]))
            seen = f"{place}: {first['msg']}" if place else first["type"]
        # Outside of the handler: what was read may hold secrets, and the error that is left behind quotes it.
        raise Unavailable(f"GET {path}: not the answer that {self.api.vendor} documents", where=self.api.where, seen=seen)
