"""The lab's HTTP is HTTP: what is well-formed is read as it was sent, what is not is refused."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defib.errors import InputError
from defib.lab.background import BackgroundLoop
from defib.lab.edgecache import freshness
from defib.lab.faults import AWS_FAULTS, Fault, FaultSwitch, check
from defib.lab.web import Request, Response, WebServer, encode, fetch, read_request


async def echo(request: Request) -> Response:
    """Answer with what was asked."""
    told = f"{request.method} {request.path} {sorted(request.query.items())} {request.host} "
    return Response(200, (("X-Seen", "yes"),), told.encode() + request.body)


@pytest.fixture(scope="module")
def server() -> Iterator[WebServer]:
    """An echo server."""
    with BackgroundLoop() as loop:
        made = WebServer("127.0.0.1", 0, echo)
        loop.run(made.start())
        yield made
        loop.run(made.stop())


def raw(server: WebServer, *parts: bytes) -> bytes:
    """Send bytes and read until the server hangs up."""
    with closing(socket.create_connection((server.address, server.port), timeout=30)) as connection:
        for part in parts:
            connection.sendall(part)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def test_requests_on_one_connection_are_answered_in_order(server: WebServer) -> None:
    """Keep-alive, a body by length, a body in chunks, then the end."""
    answer = raw(
        server,
        b"GET /a?x=1&y= HTTP/1.1\r\nHost: A.example:80\r\n\r\n",
        b"POST /b HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\n\r\nabc",
        b"POST /c HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        b"2\r\nde\r\n1;x=y\r\nf\r\n0\r\n\r\n",
    )
    assert answer.count(b"HTTP/1.1 200 OK") == 3
    for body in (b"GET /a [('x', '1'), ('y', '')] a.example ", b"POST /b [] b abc", b"POST /c [] c def"):
        assert body in answer


@pytest.mark.parametrize(
    "message",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(server: WebServer, message: bytes) -> None:
    """The answer is 400 and the end of the connection."""
    assert raw(server, message).startswith(b"HTTP/1.1 400 ")


def test_a_head_answer_has_the_length_and_no_body(server: WebServer) -> None:
    """As RFC 9110 wants it."""
    answer = raw(server, b"HEAD /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert (b"Content-Length: 13" in head, body) == (True, b"")


def test_a_cut_answer_is_an_error_to_the_client() -> None:
    """The full length is announced, half of it comes, and nobody takes that for an answer."""

    async def cut(_request: Request) -> Response:
        return Response(200, (), b"0123456789", cut=5)

    async def run() -> None:
        server = WebServer("127.0.0.1", 0, cut)
        await server.start()
        try:
            await fetch(server.address, server.port, Request("GET", "/", {}), None, name="", within=2)
        finally:
            await server.stop()

    with pytest.raises(ConnectionResetError, match="cut short"):
        asyncio.run(run())


@given(
    method=st.sampled_from(["GET", "POST", "PUT"]),
    body=st.binary(max_size=200),
    value=st.text(alphabet=st.characters(codec="latin-1", exclude_categories=("C", "Z")), max_size=20),
)
def test_what_was_sent_is_what_is_read(method: str, body: bytes, value: str) -> None:
    """A request survives the wire whatever it carries."""

    async def read() -> Request | None:
        reader = asyncio.StreamReader()
        head = f"{method} /x HTTP/1.1\r\nX-Value: {value}\r\nContent-Length: {len(body)}\r\n\r\n"
        reader.feed_data(head.encode("latin-1") + body)
        reader.feed_eof()
        return await read_request(reader)

    request = asyncio.run(read())
    assert request is not None
    assert (request.method, request.body, request.headers["x-value"]) == (method, body, value)


def test_statuses_of_one_vendor_have_a_phrase() -> None:
    """521 is in no registry, and is sent all the same."""
    assert encode(Response(521)).startswith(b"HTTP/1.1 521 Vendor Specific\r\n")


@pytest.mark.parametrize(
    ("status", "cache_control", "seconds"),
    [
        (200, "public, max-age=60", 60),
        (200, "max-age=60, s-maxage=5", 5),
        (200, "no-cache, max-age=60", 0),
        (200, "", 0),
        (200, "max-age=soon", 0),
        (200, "no-store", None),
        (200, "private, max-age=60", None),
        (404, "max-age=60", None),
    ],
)
def test_freshness_is_read_from_cache_control(status: int, cache_control: str, seconds: int | None) -> None:
    """A shared cache keeps what it may, for as long as it may."""
    lifetime = freshness(Response(status, (("Cache-Control", cache_control),)))
    assert (None if lifetime is None else lifetime.total_seconds()) == seconds


def test_a_counted_fault_is_over_after_its_requests() -> None:
    """Two requests are spoiled, the third is not."""
    switch = FaultSwitch()
    switch.set(Fault("500", {"times": 2}))
    assert [fault.name if fault else "" for fault in (switch.spend() for _ in range(3))] == ["500", "500", ""]


def test_options_belong_to_faults() -> None:
    """An option that would be ignored is refused, and so is an unknown word, each with the nearest valid one."""
    targets = {"route53-api": AWS_FAULTS}
    check(targets, "route53-api", Fault("429", {"retry_after": 1, "times": 2}))
    with pytest.raises(InputError, match="no option of slow 'retry_after'"):
        check(targets, "route53-api", Fault("slow", {"retry_after": 1}))
    with pytest.raises(InputError, match="no option of hang 'times'"):
        check(targets, "route53-api", Fault("hang", {"times": 1}))
    with pytest.raises(InputError, match="did you mean 'denied'"):
        check(targets, "route53-api", Fault("deny"))
    with pytest.raises(InputError, match="did you mean 'route53-api'"):
        check(targets, "route-53", Fault("denied"))
