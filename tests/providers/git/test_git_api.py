"""Pages, limits of calls, places that moved and refusals of a Git vendor's API, over a server that answers as it is told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter

from defib.clock import Deadline, SystemClock
from defib.errors import Denied, NotFound, ProviderError, Unavailable
from defib.lab.faults import Fault
from defib.lab.forge import furniture
from defib.lab.forge.alone import RunningForge, serve_github, serve_gitlab
from defib.lab.web import Request, Response
from defib.mirror.settings import HostedRepository, Unknown
from defib.providers.git.api import MOST_PAGES, Asking, GitApi
from defib.providers.git.github import GitHubRepository
from defib.providers.git.gitlab import GitLabProject
from defib.providers.git.refusal import Forbidden
from tests.providers.git.forge_stage import answering

CLOCK = SystemClock()
NUMBERS = TypeAdapter(list[int])
IN_TEN_MINUTES = str(int(time.time()) + 600)


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
        assert timedelta(seconds=1) <= CLOCK.monotonic() - started < timedelta(seconds=5)
        assert [request.target for request in asked] == ["/v4/list?per_page=2"] * 2

    @pytest.mark.parametrize(
        ("limit", "wish"),
        [
            (Response(429, (("Retry-After", "300"),), b"{}"), 300),
            (Response(403, (("Retry-After", "300"),), b"{}"), 300),
            (Response(403, (), b'{"message": "You have exceeded a secondary rate limit."}'), 60),
            (Response(429, (), b"<html>"), 60),
            (
                Response(403, (("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", IN_TEN_MINUTES)), b"{}"),
                600,
            ),
            (Response(429, (("RateLimit-Remaining", "0"), ("RateLimit-Reset", IN_TEN_MINUTES)), b"{}"), 600),
        ],
    )
    def test_long_wait_fails_at_once(self, limit: Response, wish: int) -> None:
        """What does not fit into the deadline is not waited for, and the wish is told."""
        started = CLOCK.monotonic()
        with asking(limit) as (ask, asked), pytest.raises(Unavailable, match="limits our calls") as caught:
            all_of(ask)
        assert CLOCK.monotonic() - started < timedelta(seconds=3)
        assert caught.value.retry_after is not None
        assert abs(caught.value.retry_after - timedelta(seconds=wish)) < timedelta(seconds=30)
        assert len(asked) == 1

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


@pytest.fixture(params=["github", "gitlab"])
def running(request: pytest.FixtureRequest) -> Iterator[RunningForge]:
    """The lab's API of each vendor."""
    with serve_github() if request.param == "github" else serve_gitlab() as running:
        yield running


def repository(running: RunningForge, token: str = "") -> HostedRepository:
    """The adapter for the vendor that runs."""
    made = GitHubRepository if running.repository.path == furniture.GITHUB_PROJECT else GitLabProject
    return made(running.repository.path, token or running.token, running.endpoint)


class TestFaults:
    """What the lab's APIs do when they are broken, and what becomes of it."""

    @pytest.mark.parametrize(("fault", "expected"), [("500", Unavailable), ("denied", Denied)])
    def test_faults_are_told_apart(self, running: RunningForge, fault: str, expected: type[Exception]) -> None:
        """What may pass, and what does not."""
        running.set_fault(Fault(fault))
        with pytest.raises(expected):
            repository(running).settings(within=soon())

    def test_token_that_dies_on_the_way_is_denied(self, running: RunningForge) -> None:
        """G6: 401 in the middle is no part that may not be seen."""
        running.set_fault(Fault("denied", {"every": 4}))
        with pytest.raises(Denied):
            repository(running).settings(within=soon())

    def test_limit_is_waited_for(self, running: RunningForge) -> None:
        """One request of many is throttled for a second."""
        running.set_fault(Fault("429", {"every": 3, "times": 1}))
        assert not isinstance(repository(running).settings(within=soon()).webhooks, Unknown)

    def test_limit_beyond_the_deadline_fails_at_once(self, running: RunningForge) -> None:
        """With the vendor's wish."""
        running.set_fault(Fault("429", {"retry_after": 600}))
        started = CLOCK.monotonic()
        with pytest.raises(Unavailable) as caught:
            repository(running).settings(within=soon())
        assert CLOCK.monotonic() - started < timedelta(seconds=3)
        assert caught.value.retry_after is not None
        assert timedelta(seconds=590) < caught.value.retry_after <= timedelta(seconds=601)

    def test_everything_but_the_repository_itself_may_be_hidden(self, running: RunningForge) -> None:
        """A token for reading code alone."""
        running.set_fault(Fault("forbidden"))
        told = repository(running).settings(within=soon())
        assert told.default_branch == "main"
        parts = (told.protections, told.deploy_keys, told.secrets, told.variables, told.webhooks)
        assert all(isinstance(part, Unknown) for part in parts)

    def test_renamed(self, running: RunningForge) -> None:
        """G7: the fault, and its end."""
        running.set_fault(Fault("renamed"))
        name = running.repository.path
        assert repository(running).settings(within=soon()).moved_to == f"{name}-renamed"
        running.set_fault(None)
        assert repository(running).settings(within=soon()).moved_to == ""

    @pytest.mark.parametrize("fault", [Fault("hang"), Fault("slow", {"delay": 9})])
    def test_late_answer_is_unavailable_by_the_deadline(self, running: RunningForge, fault: Fault) -> None:
        """A vendor that says nothing costs the deadline, not more."""
        running.set_fault(fault)
        started = CLOCK.monotonic()
        with pytest.raises(Unavailable):
            repository(running).settings(within=soon(0.3))
        assert CLOCK.monotonic() - started < timedelta(seconds=5)

    def test_token_stays_out_of_errors(self, running: RunningForge) -> None:
        """E13: no error repeats the token."""
        with pytest.raises(Denied) as caught:
            repository(running, "very-secret").settings(within=soon())
        assert "very-secret" not in f"{caught.value} {caught.value.__cause__!r}"


def test_moment_of_asking_is_the_clocks() -> None:
    """Settings say of when they are."""
    with serve_github() as running:
        assert datetime.now(UTC) - repository(running).settings(within=soon()).asked < timedelta(seconds=5)
