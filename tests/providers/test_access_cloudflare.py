"""What Cloudflare says of a token."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Denied, Unavailable
from defib.providers.access_cloudflare import DNS_EDIT, PURGE, CloudflareAccess
from defib.providers.access_hosts import NetlifyAccess, VercelAccess
from defib.ready.access import Access

ZONE = "372e67954025e0ba6aaa6d586b9e0b59"
Answers = dict[str, tuple[int, Any]]


@contextmanager
def answering(answers: Answers) -> Iterator[str]:
    """A server that gives these answers by path, and 404 otherwise; gives its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers.get(self.path.partition("?")[0], (404, envelope(None, 7000)))
            sent = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the standard library
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def envelope(result: object, code: int = 0) -> dict[str, object]:
    """Cloudflare's, of a success or of a refusal."""
    errors = [{"code": code, "message": "no"}] if code else []
    return {"success": not code, "errors": errors, "messages": [], "result": result}


def zone(*permissions: str) -> dict[str, object]:
    """The zone as the API tells it."""
    told: dict[str, object] = {"id": ZONE, "status": "active", "account": {"id": "acc"}}
    return told | ({"permissions": list(permissions)} if permissions else {})


def token(**more: object) -> dict[str, object]:
    """A token as it is verified."""
    return {"id": "tok", "status": "active", **more}


def soon() -> Deadline:
    """Enough for a few calls."""
    return Deadline.after(SystemClock(), timedelta(seconds=10))


def answers(told: object, verified: object) -> Answers:
    """The two that are read."""
    return {f"/zones/{ZONE}": (200, envelope(told)), "/user/tokens/verify": (200, envelope(verified))}


@pytest.mark.parametrize(
    ("permissions", "wanted", "may"),
    [
        (("#dns_records:edit", "#dns_records:read", "#zone:read"), DNS_EDIT, True),
        (("#dns_records:read", "#zone:read"), DNS_EDIT, False),
        (("#dns_records:edit", "#zone:read"), PURGE, False),
        (("#cache_purge:edit",), PURGE, True),
        ((), DNS_EDIT, None),
    ],
)
def test_what_a_token_may_do_in_a_zone(permissions: tuple[str, ...], wanted: str, may: bool | None) -> None:
    """D11: a token that may read and not edit is told apart; where nothing is listed, nobody can tell."""
    with answering(answers(zone(*permissions), token())) as api:
        grant = CloudflareAccess(ZONE, wanted, "secret", api).granted(within=soon())
    assert (grant.may_edit, grant.until, grant.who) == (may, None, "token tok")


def test_until_when_a_token_is_valid() -> None:
    """Its end is told with whatever it may do."""
    with answering(answers(zone(DNS_EDIT), token(expires_on="2026-03-01T00:00:00Z"))) as api:
        grant = CloudflareAccess(ZONE, DNS_EDIT, "secret", api).granted(within=soon())
    assert (grant.may_edit, grant.until) == (True, datetime(2026, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize("told", [{"status": "disabled"}, {"status": "expired"}, {"not_before": "2999-01-01T00:00:00Z"}])
def test_a_token_that_is_not_valid_now(told: dict[str, object]) -> None:
    """It may edit nothing, whatever the zone lists."""
    with answering(answers(zone(DNS_EDIT), token(**told))) as api:
        assert CloudflareAccess(ZONE, DNS_EDIT, "secret", api).granted(within=soon()).may_edit is False


def test_a_token_that_an_account_owns() -> None:
    """It is not known as a user's, and is verified as the account's."""
    given: Answers = {
        f"/zones/{ZONE}": (200, envelope(zone(DNS_EDIT))),
        "/user/tokens/verify": (401, envelope(None, 1000)),
        "/accounts/acc/tokens/verify": (200, envelope(token(id="of-the-account"))),
    }
    with answering(given) as api:
        grant = CloudflareAccess(ZONE, DNS_EDIT, "secret", api).granted(within=soon())
    assert (grant.may_edit, grant.who) == (True, "token of-the-account")


def test_a_token_that_is_turned_down() -> None:
    """It is denied, which is a failure and nothing unknown."""
    with answering({f"/zones/{ZONE}": (403, envelope(None, 9109))}) as api, pytest.raises(Denied):
        CloudflareAccess(ZONE, DNS_EDIT, "secret", api).granted(within=soon())


def test_answers_of_another_shape() -> None:
    """They prove nothing."""
    with answering(answers({"permissions": "all"}, token())) as api, pytest.raises(Unavailable):
        CloudflareAccess(ZONE, DNS_EDIT, "secret", api).granted(within=soon())


def vercel_project(**permissions: list[str]) -> Answers:
    """A project, and a token that ends on the first of March 2026."""
    until = int(datetime(2026, 3, 1, tzinfo=UTC).timestamp() * 1000)
    told = {"id": "prj", "permissions": permissions} if permissions else {"id": "prj"}
    return {
        "/v9/projects/prj": (200, told),
        "/v5/user/tokens/current": (200, {"token": {"id": "x", "name": "defib", "expiresAt": until}}),
    }


@pytest.mark.parametrize(
    ("permissions", "may"),
    [
        ({"projectDomain": ["create", "read"], "deploymentPromote": ["create"]}, True),
        ({"projectDomain": ["read"], "deploymentPromote": ["create"]}, False),
        ({"projectDomain": ["create"]}, False),
        ({}, None),
    ],
)
def test_what_a_token_may_do_at_vercel(permissions: dict[str, list[str]], may: bool | None) -> None:
    """D11: the project lists what who asks may do; it has to attach names and to publish."""
    with answering(vercel_project(**permissions)) as api:
        grant = VercelAccess("prj", "", "secret", api).granted(within=soon())
    assert (grant.may_edit, grant.until) == (may, datetime(2026, 3, 1, tzinfo=UTC))


def test_netlify_does_not_tell() -> None:
    """Whether the token may edit stays unknown, and is no success."""
    with answering({"/user": (200, {"id": "u", "email": "ops@example.org"}), "/sites/s": (200, {"id": "s"})}) as api:
        grant = NetlifyAccess("s", "secret", api).granted(within=soon())
    assert (grant.may_edit, grant.until, "ops@example.org" in grant.who) == (None, None, True)


@pytest.mark.parametrize(
    "make",
    [lambda api: VercelAccess("prj", "", "secret", api), lambda api: NetlifyAccess("s", "secret", api)],
    ids=["vercel", "netlify"],
)
def test_hosts_that_turn_the_token_down(make: Callable[[str], Access]) -> None:
    """It is denied, which is a failure and nothing unknown."""
    refusing: Answers = dict.fromkeys(("/v9/projects/prj", "/user", "/sites/s"), (403, {"error": {"code": "forbidden"}}))
    with answering(refusing) as api, pytest.raises(Denied):
        make(api).granted(within=soon())
