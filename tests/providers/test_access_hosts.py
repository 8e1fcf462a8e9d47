"""What hosting platforms say of a token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from defib.errors import Denied
from defib.lab.hosting import furniture
from defib.providers.access_hosts import NetlifyAccess, VercelAccess
from defib.ready.access import Access
from tests.contracts.described import NETLIFY, Described, compared
from tests.lab.lab_stage import Stage, running_world
from tests.providers.access_stage import Answers, answering, soon

VERCEL = Described("vercel.json", "https://api.vercel.com", undescribed="^/v5/user/tokens/current$", errors_in="error")


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


@pytest.fixture(scope="module")
def world() -> Iterator[Stage]:
    """A world for this module."""
    with running_world() as stage:
        yield stage


@pytest.mark.parametrize(("fault", "may"), [("", True), ("read-only", False)])
def test_the_labs_vercel(world: Stage, fault: str, may: bool) -> None:
    """D11: what goes over the wire is as Vercel describes it, for a token that may edit and for one that may not."""
    if fault:
        world.break_("vercel-api", fault)
    hosting = world.world.hosting.vercel.server
    try:
        with compared(hosting.url, VERCEL) as url:
            grant = VercelAccess(furniture.VERCEL_PROJECT, "", world.keys.hosting.vercel, url).granted(within=soon())
    finally:
        world.heal()
    assert (grant.may_edit, grant.who) == (may, "token 'defib'")


def test_the_labs_netlify(world: Stage) -> None:
    """What goes over the wire is as Netlify describes it."""
    with compared(f"{world.world.hosting.netlify.server.url}/api/v1", NETLIFY) as url:
        grant = NetlifyAccess(furniture.NETLIFY_SITE, world.keys.hosting.netlify, url).granted(within=soon())
    assert (grant.may_edit, grant.who) == (None, "user ops@pulse-trading.test")
