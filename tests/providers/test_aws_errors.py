"""AWS's error codes become the error that says what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from defib.clock import Deadline, SimulatedClock
from defib.errors import Denied, NotFound, ProviderError, Unavailable
from defib.providers.aws_errors import asked

NOW = datetime(2026, 3, 1, 12, 16, 0, tzinfo=UTC)


def refused(code: str, status: int, message: str = "words", **headers: str) -> ClientError:
    """What botocore raises for an error of AWS."""
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {
                "HTTPStatusCode": status,
                "HTTPHeaders": headers,
                "RequestId": "",
                "RetryAttempts": 0,
                "HostId": "",
            },
        },
        "Operation",
    )


def translated(error: Exception) -> ProviderError:
    """The error of ours for `error`."""

    def work() -> None:
        raise error

    deadline = Deadline.after(SimulatedClock(NOW), timedelta(seconds=5))
    with pytest.raises(ProviderError) as caught:
        asked(work, deadline, "Operation", "Route 53")
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize(
    ("code", "status", "expected"),
    [
        ("Throttling", 400, Unavailable),
        ("PriorRequestNotComplete", 400, Unavailable),
        ("TooManyInvalidationsInProgress", 400, Unavailable),
        ("SlowDown", 503, Unavailable),
        ("AnythingElse", 502, Unavailable),
        ("AnythingElse", 429, Unavailable),
        ("AccessDenied", 403, Denied),
        ("InvalidClientTokenId", 403, Denied),
        ("SignatureDoesNotMatch", 403, Denied),
        ("ExpiredToken", 400, Denied),
        ("Unheard", 403, Denied),
        ("NoSuchHostedZone", 404, NotFound),
        ("NoSuchDistribution", 404, NotFound),
        ("InvalidInput", 400, NotFound),
        ("NotImplemented", 501, NotFound),
    ],
)
def test_code_decides(code: str, status: int, expected: type[ProviderError]) -> None:
    """What may pass is unavailable, what credentials cause is denied, the rest is configuration; the code is shown."""
    error = translated(refused(code, status))
    assert type(error) is expected
    assert code in error.seen


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EndpointConnectionError(endpoint_url="http://x"), Unavailable),
        (ConnectTimeoutError(endpoint_url="http://x"), Unavailable),
        (ReadTimeoutError(endpoint_url="http://x"), Unavailable),
        (ResponseParserError("a page of a proxy"), Unavailable),
        (NoCredentialsError(), Denied),
        (ParamValidationError(report="too long"), NotFound),
    ],
)
def test_without_an_answer_the_failure_decides(error: Exception, expected: type[ProviderError]) -> None:
    """No answer may pass, no credentials do not."""
    assert type(translated(error)) is expected


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("RequestTimeTooSkewed", "The difference between the request time and the current time is too large."),
        ("SignatureDoesNotMatch", "Signature expired: 20260301T121600Z is now earlier than 20260301T124500Z"),
    ],
)
def test_wrong_clock_is_named(code: str, message: str) -> None:
    """S17: a clock that is minutes off is called that, with both times and what to do."""
    error = translated(refused(code, 403, message, Date="Sun, 01 Mar 2026 12:00:00 GMT"))
    assert type(error) is Denied
    assert "clock" in error.what
    assert error.expected == "the time at AWS, Sun, 01 Mar 2026 12:00:00 GMT"
    assert error.seen == "Sun, 01 Mar 2026 12:16:00 UTC on this machine"
    assert "timedatectl" in error.then


def test_throttling_may_say_how_long() -> None:
    """The vendor's own wish is kept."""
    error = translated(refused("Throttling", 400, **{"retry-after": "7"}))
    assert isinstance(error, Unavailable)
    assert error.retry_after == timedelta(seconds=7)


def test_endless_message_is_cut() -> None:
    """A page that came as a message does not flood the terminal."""
    assert len(translated(refused("InvalidInput", 400, "x" * 10_000)).seen) == 400


def test_spent_deadline_asks_nothing() -> None:
    """Work that has no time left is not begun."""
    asked_for: list[str] = []
    with pytest.raises(Unavailable):
        asked(lambda: asked_for.append("asked"), Deadline.after(SimulatedClock(), timedelta(0)), "x", "y")
    assert asked_for == []
