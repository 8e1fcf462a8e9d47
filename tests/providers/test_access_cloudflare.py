"""What Cloudflare says of a token."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from defib.errors import Denied, Unavailable
from defib.lab import furniture
from defib.lab.plan import API_PORT
from defib.providers.access_cloudflare import DNS_EDIT, PURGE, CloudflareAccess
from tests.contracts.described import Described, compared
from tests.lab.lab_stage import Stage, running_world
from tests.providers.access_stage import Answers, answering, soon

ZONE = "372e67954025e0ba6aaa6d586b9e0b59"


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


@pytest.fixture(scope="module")
def world() -> Iterator[Stage]:
    """A world for this module."""
    with running_world() as stage:
        yield stage


@pytest.mark.parametrize(("fault", "may"), [("", True), ("read-only", False)])
def test_the_labs_cloudflare(world: Stage, fault: str, may: bool) -> None:
    """D11: what goes over the wire is as Cloudflare describes it, for a token that may edit and for one that may not."""
    if fault:
        world.break_("cloudflare-api", fault)
    described = Described("cloudflare.json", "https://api.cloudflare.com/client/v4", undescribed="^$", errors_in="")
    api = f"http://{world.world.plan.at('1.2')}:{API_PORT}/client/v4"
    zone_id = furniture.CLOUDFLARE_DNS_ZONE_ID
    try:
        with compared(api, described) as url:
            grant = CloudflareAccess(zone_id, DNS_EDIT, world.keys.cloudflare_token, url).granted(within=soon())
    finally:
        world.heal()
    assert grant.may_edit is may
