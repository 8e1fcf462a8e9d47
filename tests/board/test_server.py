"""The board over HTTP: on this machine alone, a few at a time, made anew at most once a second."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from defib.board.server import AT_ONCE, BoardServer, Fresh
from defib.clock import Deadline, SimulatedClock, SystemClock
from defib.errors import PortTaken
from tests.stage import START

HOST = "127.166.40.1"


class Maker:
    """Makes pages and counts them."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> tuple[str, str]:
        """The next pages."""
        self.made += 1
        return f"<p>page {self.made}</p>", '{"page": 1}\n'


@pytest.fixture
def clock() -> SimulatedClock:
    """A clock that only goes where it is set."""
    return SimulatedClock(START)


@pytest.fixture
def maker() -> Maker:
    """What makes the pages."""
    return Maker()


@pytest.fixture
def server(maker: Maker, clock: SimulatedClock) -> Iterator[BoardServer]:
    """A server on a free port of loopback."""
    running = BoardServer(HOST, 0, Fresh(maker, clock))
    thread = threading.Thread(target=running.serve, daemon=True)
    thread.start()
    yield running
    running.close()
    thread.join(60)


def ask(server: BoardServer, path: str = "/", method: str = "GET", host: str = "") -> tuple[int, str, dict[str, str]]:
    """Status, body and headers."""
    there = urlsplit(server.url)
    connection = http.client.HTTPConnection(str(there.hostname), there.port, timeout=60)
    connection.request(method, path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    found = answer.status, answer.read().decode(), dict(answer.getheaders())
    connection.close()
    return found


def test_page_and_json_are_served_and_nothing_else(server: BoardServer) -> None:
    """Two paths, two methods; whatever else is asked for is not there."""
    status, body, headers = ask(server)
    assert (status, body) == (200, "<p>page 1</p>")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")
    assert ask(server, "/board.json")[1] == '{"page": 1}\n'
    assert ask(server, "/?again", "HEAD")[:2] == (200, "")
    assert ask(server, "/../../etc/passwd")[0] == 404
    assert ask(server, "/", "POST")[0] == 501


def test_page_is_made_at_most_once_a_second(server: BoardServer, maker: Maker, clock: SimulatedClock) -> None:
    """A crowd of browsers costs no more than one."""
    assert {ask(server)[1] for _ in range(20)} == {"<p>page 1</p>"}
    clock.sleep(timedelta(seconds=1))
    assert ask(server)[1] == "<p>page 2</p>"
    assert maker.made == 2


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8808", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:80", 200),
        ("evil.example", 421),
        ("x:1", 421),
    ],
)
def test_only_the_names_of_this_machine_are_answered(server: BoardServer, host: str, status: int) -> None:
    """A page of somebody else's whose name was made to lead here reads nothing in a visitor's browser."""
    assert ask(server, host=host)[0] == status


def test_more_than_a_few_at_once_are_sent_away(server: BoardServer) -> None:
    """Whoever holds every place keeps the others out, and not the machine down; places that are given back are free."""
    there = urlsplit(server.url)
    with ExitStack() as stack:
        held = [stack.enter_context(socket.create_connection((there.hostname, there.port), 5)) for _ in range(AT_ONCE)]
        for each in held:
            each.sendall(b"GET / HTTP/1.1\r\n")
        with pytest.raises((ConnectionError, http.client.HTTPException)):
            ask(server)  # comes after them, in the order in which they are accepted
    assert _in_the_end(server) == 200


def _in_the_end(server: BoardServer) -> int:
    within = Deadline.after(SystemClock(), timedelta(seconds=60))
    while True:
        try:
            return ask(server)[0]
        except (ConnectionError, http.client.HTTPException):
            assert not within.expired(), "no place was given back"


def test_a_port_that_is_taken_is_said(server: BoardServer, maker: Maker, clock: SimulatedClock) -> None:
    """With the way out."""
    port = urlsplit(server.url).port or 0
    with pytest.raises(PortTaken, match="cannot listen"):
        BoardServer(HOST, port, Fresh(maker, clock))
