"""Requests to hosting platforms keep the token where it belongs, and refusals become the errors that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Conflict, Denied, NotFound, ProviderError, Unavailable
from defib.lab.background import BackgroundLoop
from defib.lab.web import Request, Response, WebServer
from defib.providers.host.api import HostApi, Told, quoted, until

CLOCK = SystemClock()


@contextmanager
def serving(answer: Response) -> Iterator[tuple[str, list[Request]]]:
    """A server that gives one answer; its address, and what it was asked."""
    asked: list[Request] = []

    async def handler(request: Request) -> Response:
        asked.append(request)
        return answer

    with BackgroundLoop() as loop:
        server = WebServer("127.0.0.1", 0, handler)
        loop.run(server.start())
        try:
            yield server.url, asked
        finally:
            loop.run(server.stop())


def soon() -> Deadline:
    """A deadline."""
    return Deadline.after(CLOCK, timedelta(seconds=10))


def api(url: str) -> HostApi:
    """The API of some vendor."""
    return HostApi(f"{url}/", "very-secret", "Vendor", "Vendor, project P", lambda answer, _: Told(quoted(answer)))


def test_token_goes_nowhere_else() -> None:
    """E13: a redirect is not followed: the server it names is not asked, and learns no token."""
    with serving(Response(200, (), b"{}")) as (elsewhere, asked):
        redirect = Response(307, (("Location", f"{elsewhere}/x"),))
        with serving(redirect) as (url, _), pytest.raises(Unavailable):
            api(url).ask("POST", "/x", soon(), body={"name": "a"})
    assert asked == []


def test_request_carries_token_query_and_body() -> None:
    """What is asked goes out as it was meant."""
    with serving(Response(200, (), b'{"a": 1}')) as (url, asked):
        assert api(url).ask("POST", "/x", soon(), query={"teamId": "t"}, body={"name": "a"}) == b'{"a": 1}'
    (request,) = asked
    assert (request.method, request.target, request.body) == ("POST", "/x?teamId=t", b'{"name":"a"}')
    assert request.headers["authorization"] == "Bearer very-secret"


@pytest.mark.parametrize(
    ("method", "status", "expected"),
    [
        ("GET", 400, NotFound),
        ("POST", 400, Conflict),
        ("POST", 401, Denied),
        ("GET", 402, Denied),
        ("GET", 403, Denied),
        ("GET", 404, NotFound),
        ("GET", 408, Unavailable),
        ("POST", 409, Conflict),
        ("GET", 410, NotFound),
        ("PATCH", 422, Conflict),
        ("GET", 429, Unavailable),
        ("GET", 500, Unavailable),
        ("GET", 503, Unavailable),
        ("GET", 304, Unavailable),
    ],
)
def test_statuses_are_told_apart(method: str, status: int, expected: type[ProviderError]) -> None:
    """Each status becomes the error that says what to do, with the vendor's words and where it came from."""
    answer = Response(status, (("Retry-After", "4"),), b"why not")
    with serving(answer) as (url, _), pytest.raises(ProviderError) as caught:
        api(url).ask(method, "/x", soon())
    assert type(caught.value) is expected
    assert caught.value.where == "Vendor, project P"
    if status != 304:
        assert caught.value.seen == f"HTTP {status}: why not"
    if isinstance(caught.value, Unavailable):
        assert caught.value.retry_after == timedelta(seconds=4)


def test_what_is_over_is_no_wait() -> None:
    """A moment that has passed is no reason to wait, nor is one that was not named."""
    now = CLOCK.now()
    assert until(now - timedelta(seconds=9), now) == timedelta(0)
    assert until(now + timedelta(seconds=9), now) == timedelta(seconds=9)
    assert until(None, now) is None
