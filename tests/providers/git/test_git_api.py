"""Pages, limits of calls, places that moved and refusals of a Git vendor's API, over a server that answers as it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from pydantic import TypeAdapter

from defib.clock import Deadline, SystemClock
from defib.errors import Denied, NotFound, ProviderError, Unavailable
from defib.lab.web import Request, Response
from defib.mirror.settings import Unknown
from defib.providers.git.api import MOST_PAGES, Asking, GitApi
from defib.providers.git.refusal import Forbidden
from tests.providers.git.forge_stage import answering

CLOCK = SystemClock()
NUMBERS = TypeAdapter(list[int])


def soon(seconds: float = 10) -> Deadline:
    """A deadline."""
    return Deadline.after(CLOCK, timedelta(seconds=seconds))


@contextmanager
def asking(*answers: Response, within: float = 10) -> Iterator[tuple[Asking, list[Request]]]:
    """Questions to a server that gives these answers, and what it was asked."""
    with answering(*answers) as (url, asked):
        api = GitApi(f"{url}/v4", "Vendor", "Vendor, repository a/b", {"Authorization": "Bearer very-secret"})
        with api.opened(soon(within)) as open_:
            yield open_, asked


def page(*numbers: int, **headers: str) -> Response:
    """A page of numbers."""
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Response(200, pairs, json.dumps(numbers).encode())


def all_of(ask: Asking) -> list[int]:
    """Every number of every page."""
    return [number for page in ask.pages(NUMBERS, "/list?per_page=2") for number in page]


class TestPages:
    """Lists come in pages, and end."""

    def test_next_page_by_link(self) -> None:
        """The path of the link is taken, below whatever host it names: the token goes to nobody else."""
        link = '<https://elsewhere.test/v4/ids/7/list?per_page=2&page=2>; rel="next", <https://elsewhere.test/x>; rel="last"'
        with asking(page(1, 2, Link=link), page(3)) as (ask, asked):
            assert all_of(ask) == [1, 2, 3]
        assert [request.target for request in asked] == ["/v4/list?per_page=2", "/v4/ids/7/list?per_page=2&page=2"]

    def test_next_page_by_number(self) -> None:
        """GitLab's header, where a proxy took the link away; empty after the last page."""
        with asking(page(1, X_Next_Page="2"), page(2, X_Next_Page="3"), page(3, X_Next_Page="")) as (ask, asked):
            assert all_of(ask) == [1, 2, 3]
        assert [request.query.get("page") for request in asked] == [None, "2", "3"]

    def test_list_without_end_is_given_up(self) -> None:
        """A vendor that always names another page is not followed for ever."""
        with asking(page(1, X_Next_Page="2")) as (ask, asked), pytest.raises(Unavailable, match="does not end"):
            all_of(ask)
        assert len(asked) == MOST_PAGES


class TestLimits:
    """A vendor that asks to wait is waited for, where that fits into the deadline."""

    @pytest.mark.parametrize(
        "limit",
        [
            Response(429, (("Retry-After", "1"),), b"{}"),
            Response(403, (("Retry-After", "1"),), b'{"message": "You have exceeded a secondary rate limit"}'),
            Response(403, (("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1")), b"{}"),
        ],
    )
    def test_short_wait_is_waited_for(self, limit: Response) -> None:
        """Then the same is asked again."""
        started = CLOCK.monotonic()
        with asking(limit, page(1)) as (ask, asked):
            assert all_of(ask) == [1]
        assert timedelta(seconds=1) <= CLOCK.monotonic() - started
        assert [request.target for request in asked] == ["/v4/list?per_page=2"] * 2

    @pytest.mark.parametrize(
        ("limit", "wish"),
        [
            (Response(429, (("Retry-After", "300"),), b"{}"), 300),
            (Response(403, (("Retry-After", "300"),), b"{}"), 300),
            (Response(403, (), b'{"message": "You have exceeded a secondary rate limit."}'), 60),
            (Response(429, (), b"<html>"), 60),
        ],
    )
    def test_long_wait_fails_at_once(self, limit: Response, wish: int) -> None:
        """What does not fit into the deadline is not waited for, and the wish is told."""
        started = CLOCK.monotonic()
        with asking(limit) as (ask, asked), pytest.raises(Unavailable, match="limits our calls") as caught:
            all_of(ask)
        assert CLOCK.monotonic() - started < timedelta(seconds=wish)
        assert caught.value.retry_after == timedelta(seconds=wish)
        assert len(asked) == 1

    @pytest.mark.parametrize(("status", "prefix"), [(403, "x-ratelimit"), (429, "RateLimit")])
    def test_moment_from_which_calls_are_free_is_the_wish(self, status: int, prefix: str) -> None:
        """GitHub and GitLab name it in seconds since 1970."""
        reset = str(int(CLOCK.now().timestamp()) + 600)
        limit = Response(status, ((f"{prefix}-remaining", "0"), (f"{prefix}-reset", reset)), b"{}")
        with asking(limit) as (ask, _), pytest.raises(Unavailable, match="limits our calls") as caught:
            all_of(ask)
        assert caught.value.retry_after is not None
        assert timedelta(seconds=570) < caught.value.retry_after <= timedelta(seconds=600)

    def test_forbidden_is_no_limit(self) -> None:
        """A 403 of calls that are left is about the token."""
        remaining = (("x-ratelimit-remaining", "4999"), ("x-ratelimit-reset", "4102444800"))
        with asking(Response(403, remaining, b'{"message": "no"}')) as (ask, _), pytest.raises(Forbidden):
            all_of(ask)


class TestMoved:
    """A redirect is followed once, within the API, and only where that was asked for."""

    def test_new_place_within_the_api(self) -> None:
        """By its path."""
        moved = Response(301, (("Location", "/v4/repositories/7"),), b"{}")
        with asking(moved, page(1)) as (ask, asked):
            assert ask.one(NUMBERS, "/repos/a/b", follow=True) == [1]
        assert [request.target for request in asked] == ["/v4/repos/a/b", "/v4/repositories/7"]

    @pytest.mark.parametrize(
        "place", ["https://user:pass@elsewhere.test/v4/x?token=never-told", "/login", "//elsewhere.test/v4/x"]
    )
    def test_place_elsewhere_is_told_and_not_asked(self, place: str) -> None:
        """G7: the token stays, the new place is said without what may be secret in it."""
        with asking(Response(301, (("Location", place),), b"{}")) as (ask, asked), pytest.raises(NotFound) as caught:
            ask.one(NUMBERS, "/repos/a/b", follow=True)
        assert len(asked) == 1
        assert "elsewhere.test/v4/x" in caught.value.seen or "/login" in caught.value.seen
        assert "never-told" not in str(caught.value)
        assert "pass" not in caught.value.seen

    def test_moving_on_and_on_is_not_followed(self) -> None:
        """One step, then it is a matter of configuration."""
        with asking(Response(302, (("Location", "/v4/again"),))) as (ask, asked), pytest.raises(NotFound, match="moved"):
            ask.one(NUMBERS, "/repos/a/b", follow=True)
        assert len(asked) == 2

    def test_list_is_not_followed(self) -> None:
        """Parts are asked under the name that the repository has."""
        with asking(Response(301, (("Location", "/v4/again"),))) as (ask, _), pytest.raises(NotFound, match="moved"):
            all_of(ask)


@pytest.mark.parametrize(
    ("answer", "expected", "words"),
    [
        (Response(401, (), b'{"message": "Bad credentials"}'), Denied, "Bad credentials"),
        (
            Response(403, (), b'{"error": "insufficient_scope", "error_description": ""}'),
            Forbidden,
            "insufficient_scope",
        ),
        (Response(404, (), b'{"message": "404 Project Not Found"}'), NotFound, "404 Project Not Found"),
        (Response(410, (), b"[]"), NotFound, "HTTP 410"),
        (Response(408, (), b"{}"), Unavailable, "HTTP 408"),
        (Response(500, (), b'{"message": {"base": ["broken"]}}'), Unavailable, "broken"),
        (Response(503, (("Retry-After", "7"), ("Content-Type", "text/html")), b"<html>down"), Unavailable, "text/html"),
        (Response(200, (), b"<html>a captive portal"), Unavailable, "json_invalid"),
        (Response(200, (), b'{"message": "no list"}'), Unavailable, "list_type"),
        (Response(200, (), b'[1, "two"]'), Unavailable, "1: "),
    ],
)
def test_every_answer_that_is_not_as_described_is_an_error(
    answer: Response, expected: type[ProviderError], words: str
) -> None:
    """In the vendor's words where it has some, with what was asked and of whom."""
    with asking(answer) as (ask, _), pytest.raises(ProviderError) as caught:
        all_of(ask)
    assert type(caught.value) is expected
    assert words in caught.value.seen
    assert caught.value.where == "Vendor, repository a/b"
    assert "GET /list" in caught.value.what
    assert "very-secret" not in f"{caught.value} {caught.value.__cause__!r}"


def test_wish_of_a_vendor_that_is_down_is_kept() -> None:
    """Whoever tries again knows when."""
    with asking(Response(503, (("Retry-After", "7"),))) as (ask, _), pytest.raises(Unavailable) as caught:
        all_of(ask)
    assert caught.value.retry_after == timedelta(seconds=7)


def test_server_that_is_not_there_is_unavailable() -> None:
    """Nobody listens."""
    api = GitApi("http://127.0.0.1:9", "Vendor", "Vendor, repository a/b", {})
    with api.opened(soon()) as ask, pytest.raises(Unavailable, match="no answer"):
        all_of(ask)


def test_loopback_is_reached_past_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy of the network cannot reach this machine."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with asking(page(1)) as (ask, _):
        assert all_of(ask) == [1]


class TestParts:
    """One part that the token may not see does not take the others with it."""

    @pytest.mark.parametrize("status", [403, 404])
    def test_hidden_part_is_unknown(self, status: int) -> None:
        """With the vendor's word, and what it takes."""
        with asking(Response(status, (), b'{"message": "no"}')) as (ask, _):
            part = ask.part(lambda: all_of(ask), "Secrets: read")
        assert part == Unknown(f"Vendor does not show it (HTTP {status}: no); the token needs Secrets: read")

    @pytest.mark.parametrize(("status", "expected"), [(401, Denied), (500, Unavailable)])
    def test_failure_is_no_unknown_part(self, status: int, expected: type[Exception]) -> None:
        """What may pass, or concerns all of them, is not told as a right that is missing."""
        with asking(Response(status, (), b"{}")) as (ask, _), pytest.raises(expected):
            ask.part(lambda: all_of(ask), "Secrets: read")
