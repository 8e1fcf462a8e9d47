"""What the APIs of both vendors have in common: one repository behind a token, its former names, pages, and faults."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from defib.lab.faults import Fault, FaultSwitch
from defib.lab.forge.repository import ForgeRepository
from defib.lab.hosting.api import RefusalError, json_response
from defib.lab.web import Request, Response

_SPOILING = ("429", "500", "denied")
_MOST = 100


@dataclass(frozen=True)
class Found:
    """Where a request leads: the repository that it names, and the part of it; `former` where that is not its name now."""

    part: str
    former: bool = False


class Dialect(Protocol):
    """The part of an API that differs between vendors. All but :meth:`refused` raise :class:`RefusalError`."""

    @property
    def base(self) -> str:
        """The path under which the API is."""
        ...

    def find(self, repository: ForgeRepository, path: str) -> Found:
        """What the path below `base` leads to."""
        ...

    def place(self, repository: ForgeRepository, part: str) -> str:
        """The path below `base` by the repository's id, where a former name leads."""
        ...

    def told(self, repository: ForgeRepository, part: str, request: Request) -> object:
        """The JSON of a part, all of it; a list, or an object that holds one under its last key, goes out in pages."""
        ...

    def page_headers(self, page: Page, links: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """How a page tells of the others; `links` are their URLs by relation."""
        ...

    def spoiled(self, fault: Fault) -> RefusalError:
        """How the vendor throttles (``429``), fails (``500``), turns a token down (``denied``) or hides (``forbidden``)."""
        ...

    def refused(self, refusal: RefusalError) -> Response:
        """A refusal in the vendor's shape."""
        ...

    def check(self, request: Request) -> None:
        """Refuse a request without what the vendor asks of each."""
        ...


@dataclass(frozen=True)
class Page:
    """Page `number` of `size` entries of `total`."""

    number: int
    size: int
    total: int

    @classmethod
    def of(cls, request: Request, total: int) -> Page:
        """The page that a request asks for; what is no number is taken for the default, as both vendors do."""
        asked = {name: int(value) for name, value in request.query.items() if value.isdecimal()}
        return cls(max(1, asked.get("page", 1)), min(_MOST, max(1, asked.get("per_page", 30))), total)

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(1, -(-self.total // self.size))

    def cut(self, entries: Sequence[Any]) -> list[Any]:
        """The entries of this page."""
        return list(entries[(self.number - 1) * self.size : self.number * self.size])

    def links(self, url: str) -> dict[str, str]:
        """The URLs of the other pages by relation, for the request of `url`."""
        numbers = {"prev": self.number - 1, "next": self.number + 1, "last": self.last, "first": 1}
        parts = urlsplit(url)
        kept = [pair for pair in parts.query.split("&") if pair and not pair.startswith("page=")]
        return {
            relation: parts._replace(query="&".join([*kept, urlencode({"page": number})])).geturl()
            for relation, number in numbers.items()
            if 1 <= number <= self.last and not (relation == "first" and self.number == 1)
        }


class ForgeApi:
    """One vendor's API over one repository, which may be replaced at any time; `switch` breaks it."""

    def __init__(self, dialect: Dialect, repository: ForgeRepository, token: str) -> None:
        self.repository = repository
        self.switch = FaultSwitch()
        self._dialect = dialect
        self._token = token

    @property
    def base(self) -> str:
        """The path under which the API is."""
        return self._dialect.base

    async def answer(self, request: Request, root: str) -> Response | None:
        """The answer to a request below `base`; `root` is the URL of the host."""
        fault = self.switch.spend() or Fault("none")
        if fault.name == "hang":
            await self.switch.changed()
            return None
        if fault.name == "slow":
            await asyncio.sleep(fault.option("delay", 5))
        try:
            if fault.name in _SPOILING:
                raise self._dialect.spoiled(fault)
            self._authenticate(request)
            self._dialect.check(request)
            return self._answer(request, root, fault)
        except RefusalError as refusal:
            return self._dialect.refused(refusal)

    def _authenticate(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            raise self._dialect.spoiled(Fault("denied"))

    def _answer(self, request: Request, root: str, fault: Fault) -> Response:
        repository = _renamed(self.repository) if fault.name == "renamed" else self.repository
        found = self._dialect.find(repository, request.path.removeprefix(self.base))
        if found.former:
            place = f"{root}{self.base}{self._dialect.place(repository, found.part)}"
            body = {"message": "Moved Permanently", "url": place, "documentation_url": "https://docs.github.com/rest"}
            return json_response(301, body, ("Location", place))
        hidden = found.part and (fault.name == "forbidden" or found.part.rpartition("/")[2] in repository.unseen)
        if hidden:
            raise self._dialect.spoiled(Fault("forbidden"))
        return self._paged(self._dialect.told(repository, found.part, request), request, root)

    def _paged(self, told: object, request: Request, root: str) -> Response:
        if isinstance(told, list):
            page = Page.of(request, len(told))
            links = page.links(f"{root}{request.target}")
            return json_response(200, page.cut(told), *self._dialect.page_headers(page, links))
        if isinstance(told, dict) and "total_count" in told:
            name = next(each for each in told if each != "total_count")
            page = Page.of(request, len(told[name]))
            links = page.links(f"{root}{request.target}")
            return json_response(200, {**told, name: page.cut(told[name])}, *self._dialect.page_headers(page, links))
        return json_response(200, told)


def _renamed(repository: ForgeRepository) -> ForgeRepository:
    """The repository under another name, to which its own one leads."""
    return replace(repository, path=f"{repository.path}-renamed", former=repository.former | {repository.path})
