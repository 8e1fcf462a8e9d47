"""Judging a fetched page: nothing that is not as the site file says passes for good."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta

import pytest

from defib.observe.page import Fetched, Judgement, judge
from defib.ports import Build, Health
from defib.sites.site import Page

PAGE = Page(
    url="https://www.pulse.test/",
    contains="<title>Pulse</title>",
    build=r'content="(?P<id>[0-9a-f]+) (?P<built>[^"]*)"',
    headers={"X-Frame-Options": "DENY", "Content-Security-Policy": "default-src 'self'; img-src data:;"},
)
BODY = b'<title>Pulse</title><meta content="abc 2026-01-01T10:00:00Z">'
HEADERS = (("x-frame-options", "DENY"), ("content-security-policy", "default-src  'self';\timg-src data:; font-src x"))


def fetched(
    body: bytes = BODY,
    headers: tuple[tuple[str, str], ...] = HEADERS,
    status: int = 200,
    took: float = 1,
    promised: int | None = None,
    complete: bool = True,
) -> Fetched:
    """A page that is good unless told otherwise."""
    return Fetched(status, headers, body, timedelta(seconds=took), promised, complete)


def test_good() -> None:
    """A page as expected is good; header names match in any case and white space is folded."""
    build = Build("abc", datetime(2026, 1, 1, 10, tzinfo=UTC))
    assert Judgement(Health.GOOD, "", build) == judge(fetched(promised=len(BODY)), PAGE)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (fetched(status=503), "HTTP 503"),
        (fetched(status=204), "HTTP 204"),
        (fetched(status=301), "HTTP 301"),
        (fetched(promised=2048), f"page cut off after {len(BODY)} of 2048 bytes"),
        (fetched(complete=False), f"page cut off after {len(BODY)} bytes"),
        (fetched(b""), "expected text missing"),
        (fetched(b"<title>Parked</title>"), "expected text missing"),
        (fetched(b"<title>Pulse</title>"), "build marker missing"),
        (fetched(BODY.replace(b"2026-01-01T10:00:00Z", b"")), "build marker missing"),
        (fetched(BODY.replace(b"2026-01-01T10:00:00Z", b"lately")), "build marker has no date: 'lately'"),
        (fetched(BODY.replace(b"00Z", b"00")), "build marker has no time zone: '2026-01-01T10:00:00'"),
        (fetched(headers=HEADERS[:1]), "header Content-Security-Policy missing"),
        (fetched(headers=(("X-Frame-Options", "SAMEORIGIN"), HEADERS[1])), "header X-Frame-Options is not as expected"),
        (fetched(took=3.5), "took 3.5 s to load, more than 3 s"),
        (fetched(headers=(*HEADERS, ("Content-Encoding", "gzip"))), "page cannot be decompressed"),
        (
            fetched(gzip.compress(BODY)[:-12], (*HEADERS, ("Content-Encoding", "gzip"))),
            "page cannot be decompressed to its end",
        ),
        (fetched(headers=(*HEADERS, ("Content-Encoding", "br"))), "page compressed with br, which was not asked for"),
    ],
)
def test_bad(page: Fetched, reason: str) -> None:
    """C3: each departure from the site file is bad, for a reason that a person understands."""
    assert (Health.BAD, reason) == (judge(page, PAGE).health, judge(page, PAGE).reason)


def test_load_time_up_to_the_limit() -> None:
    """A page that takes exactly as long as allowed is good."""
    assert judge(fetched(took=3), PAGE).health is Health.GOOD


def test_build_is_told_with_other_faults() -> None:
    """A page whose headers are wrong still says which build it is."""
    build = judge(fetched(headers=()), PAGE).build
    assert build is not None
    assert build.id == "abc"


def test_header_in_several_lines() -> None:
    """A header that is sent in several lines counts as their list."""
    split = (
        HEADERS[0],
        ("Content-Security-Policy", "a"),
        ("Content-Security-Policy", PAGE.headers["Content-Security-Policy"]),
    )
    assert judge(fetched(headers=split), PAGE).health is Health.GOOD
