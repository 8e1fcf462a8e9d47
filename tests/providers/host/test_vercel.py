"""Vercel's adapter keeps the contract against the lab's API, and takes nothing for told that was not."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Conflict, Denied, NotFound, ProviderError, Unavailable
from defib.lab.background import BackgroundLoop
from defib.lab.faults import Fault
from defib.lab.hosting import furniture
from defib.lab.hosting.alone import RunningHosting, serve_vercel
from defib.lab.hosting.project import HeldName
from defib.lab.web import Request, Response, WebServer
from defib.providers.host.vercel import Vercel
from defib.providers.wrappers import RetryingHost
from tests.contracts.described import VERCEL, compared
from tests.contracts.host import HostContract, HostWorld

HELD, FREE = f"{furniture.HELD_NAMES[0]}.", "new.pulse-trading.test."
CLOCK = SystemClock()


@pytest.fixture
def running() -> Iterator[RunningHosting]:
    """A fresh API of the lab; what goes over the wire is compared with the vendor's own description."""
    with serve_vercel() as running, compared(running.endpoint, VERCEL) as endpoint:
        yield replace(running, endpoint=endpoint)


def adapter(running: RunningHosting, *, project: str = furniture.VERCEL_PROJECT, token: str = "", team: str = "") -> Vercel:
    """The adapter for the lab's project."""
    return Vercel(project, team, token or running.token, running.endpoint)


def soon(seconds: float = 10) -> Deadline:
    """A deadline."""
    return Deadline.after(CLOCK, timedelta(seconds=seconds))


def vercel_world(running: RunningHosting) -> HostWorld:
    """The lab's project, and a free name that leads to Vercel."""
    running.dns.lead(FREE.rstrip("."))
    return HostWorld(
        host=adapter(running),
        live=furniture.VERCEL_LIVE,
        older=furniture.VERCEL_OLDER,
        held=HELD,
        free=FREE,
        taken=f"{furniture.TAKEN}.",
        stands=lambda: running.project.live,
        names=lambda: tuple(each.name for each in running.project.names),
        suspend=lambda: running.change(lambda project: replace(project, paused=True)),
        denied=adapter(running, token="wrong"),
        unknown=adapter(running, project="prj_unknown"),
        clock=CLOCK,
    )


class TestVercel(HostContract):
    """The contract over the lab's Vercel."""

    @pytest.fixture
    def world(self, running: RunningHosting) -> HostWorld:
        """A fresh project."""
        return vercel_world(running)


class TestVercelOfATeam(HostContract):
    """The contract where a team owns the project: every request names it."""

    @pytest.fixture
    def world(self) -> Iterator[HostWorld]:
        """A fresh project of a team; whether a team is blocked, Vercel does not tell."""
        with serve_vercel(team="team_pulse") as running:
            world = vercel_world(running)
            yield replace(
                world,
                host=adapter(running, team="team_pulse"),
                unknown=adapter(running, team="team_pulse", project="prj_unknown"),
                suspend=None,
            )


class TestVercelAlone:
    """What only Vercel does."""

    def test_team_that_is_left_out_is_denied(self) -> None:
        """A project of a team is not shown to a request that does not name the team."""
        with serve_vercel(team="team_pulse") as running, pytest.raises(Denied):
            adapter(running).live(within=soon())

    def test_paused_project_of_a_team_is_suspended(self) -> None:
        """What can be told of a team's project is told."""
        with serve_vercel(team="team_pulse") as running:
            running.change(lambda project: replace(project, paused=True))
            assert adapter(running, team="team_pulse").quota(within=soon()).suspended

    def test_blocked_account_is_suspended_in_vercels_words(self, running: RunningHosting) -> None:
        """An account that Vercel blocks says why."""
        running.change(lambda project: replace(project, blocked="FAIR_USE_LIMITS_EXCEEDED"))
        told = adapter(running).quota(within=soon())
        assert told.suspended
        assert "FAIR_USE_LIMITS_EXCEEDED" in told.details

    def test_name_to_be_verified_says_what_vercel_wants(self, running: RunningHosting) -> None:
        """D14: a name that is not verified is not ready, and the record to add is told; with it, attaching verifies."""
        held = HeldName(FREE.rstrip("."), CLOCK.now(), verified=False)
        running.change(lambda project: project.holding(held))
        running.dns.lead(held.name)
        found = adapter(running).attach(FREE, within=soon())
        assert (found.attached, found.verified, found.ready) == (True, False, False)
        assert "TXT _vercel.pulse-trading.test = vc-domain-verify=" in found.problem
        wanted = found.problem.rpartition(" = ")[2]
        running.dns.records["_vercel.pulse-trading.test", "TXT"] = (f'"{wanted}"',)
        after = adapter(running).attach(FREE, within=soon())
        assert after.ready
        assert after.certificate_until is not None

    def test_name_of_a_branch_is_not_ready(self, running: RunningHosting) -> None:
        """A name that is assigned to a branch would not serve the production deployment, and it says so."""
        held = running.project.held(HELD.rstrip("."))
        assert held is not None
        running.change(lambda project: project.holding(replace(held, branch="next")))
        found = adapter(running).attachment(HELD, within=soon())
        assert (found.attached, found.verified, found.ready) == (True, True, False)
        assert "next" in found.problem

    def test_name_that_leads_elsewhere_keeps_its_certificate(self, running: RunningHosting) -> None:
        """A standby whose name leads to another host is ready while its certificate lasts; without one it is not."""
        running.dns.records.clear()
        assert adapter(running).attachment(HELD, within=soon()).ready
        bare = adapter(running).attach(FREE, within=soon())
        assert (bare.attached, bare.verified, bare.certificate_until, bare.ready) == (True, True, None, False)
        assert "misconfigured" in bare.problem

    def test_caa_that_excludes_vercels_authority_leaves_no_certificate(self, running: RunningHosting) -> None:
        """D13: a name that leads to Vercel, and for which Let's Encrypt may not issue, gets no certificate."""
        running.dns.lead(FREE.rstrip("."))
        running.dns.records["pulse-trading.test", "CAA"] = ('0 issue "digicert.com"',)
        assert not adapter(running).attach(FREE, within=soon()).ready

    def test_moment_of_a_deployment_is_exact(self, running: RunningHosting) -> None:
        """Vercel tells moments in milliseconds; the age of a build is reckoned from them."""
        found = adapter(running).live(within=soon())
        deployed = running.project.deployment(furniture.VERCEL_LIVE)
        assert found is not None
        assert deployed is not None
        assert (found.created, found.commit) == (deployed.created, deployed.build.id)

    def test_throttling_carries_the_wish_of_the_vendor(self, running: RunningHosting) -> None:
        """C10: 429 is unavailable, until the moment that Vercel names in its body."""
        running.set_fault(Fault("429", {"retry_after": 300}))
        with pytest.raises(Unavailable) as caught:
            adapter(running).live(within=soon())
        assert caught.value.retry_after is not None
        assert timedelta(seconds=298) < caught.value.retry_after <= timedelta(seconds=301)
        assert "rate_limited" in caught.value.seen

    def test_promotion_that_was_only_pretended_is_not_live(self) -> None:
        """A vendor's word is not believed: what is live is read."""
        with serve_vercel(promotes_in=timedelta(0)) as running:
            for fault, expected in ((Fault("lying"), furniture.VERCEL_LIVE), (None, furniture.VERCEL_OLDER)):
                running.set_fault(fault)
                adapter(running).publish(furniture.VERCEL_OLDER, within=soon())
                running.set_fault(None)
                found = adapter(running).live(within=soon())
                assert found is not None
                assert expected == found.id

    def test_promotion_under_way_conflicts_with_another(self) -> None:
        """While one deployment is on its way the same one is not asked for twice, and the live one is not safe yet."""
        with serve_vercel(promotes_in=timedelta(minutes=1)) as running:
            host = adapter(running)
            for _ in range(2):
                assert host.publish(furniture.VERCEL_OLDER, within=soon()).id == furniture.VERCEL_OLDER
            assert running.project.live == furniture.VERCEL_LIVE
            with pytest.raises(Unavailable) as caught:
                host.publish(furniture.VERCEL_LIVE, within=soon())
            assert furniture.VERCEL_OLDER in caught.value.seen

    def test_promotion_is_put_back_as_soon_as_it_is_done(self) -> None:
        """To undo at once waits for what is under way, and then wins."""
        with serve_vercel(promotes_in=timedelta(milliseconds=300)) as running:
            host = RetryingHost(adapter(running), random.Random(7))
            for deployment in (furniture.VERCEL_OLDER, furniture.VERCEL_LIVE):
                host.publish(deployment, within=soon())
            deadline = soon()
            while running.project.promotion is None or not running.project.promotion.done:
                assert not deadline.expired()
                CLOCK.sleep(timedelta(milliseconds=20))
            assert running.project.live == furniture.VERCEL_LIVE

    @pytest.mark.parametrize(("fault", "expected"), [("500", Unavailable), ("denied", Denied), ("lost-answer", Unavailable)])
    def test_faults_of_the_api_are_told_apart(self, running: RunningHosting, fault: str, expected: type[Exception]) -> None:
        """What may pass, and what does not."""
        running.set_fault(Fault(fault))
        with pytest.raises(expected):
            adapter(running).attachment(HELD, within=soon())

    def test_hanging_api_is_unavailable_by_the_deadline(self, running: RunningHosting) -> None:
        """C5: a vendor that accepts and then says nothing costs the deadline, not more."""
        running.set_fault(Fault("hang"))
        started = CLOCK.monotonic()
        with pytest.raises(Unavailable):
            adapter(running).live(within=soon(0.3))
        assert CLOCK.monotonic() - started < timedelta(seconds=20)

    def test_token_stays_out_of_errors(self, running: RunningHosting) -> None:
        """E13: no error repeats the token."""
        with pytest.raises(Denied) as caught:
            adapter(running, token="very-secret").live(within=soon())
        assert "very-secret" not in f"{caught.value} {caught.value.__cause__!r}"


@contextmanager
def answering(told: Mapping[str, Response | Sequence[Response]]) -> Iterator[Vercel]:
    """The adapter in front of a server that gives these answers by path; of several, one after another."""
    coming = {path: [one] if isinstance(one, Response) else list(one) for path, one in told.items()}

    async def handler(request: Request) -> Response:
        answers = coming[request.path]
        return answers.pop(0) if len(answers) > 1 else answers[0]

    with BackgroundLoop() as loop:
        server = WebServer("127.0.0.1", 0, handler)
        loop.run(server.start())
        try:
            yield Vercel("prj_x", "", "token", server.url)
        finally:
            loop.run(server.stop())


PROJECT = Response(200, (), b'{"id": "prj_x", "accountId": "u"}')


def test_attachment_that_landed_meanwhile_is_success() -> None:
    """Vercel refuses to add what an earlier request, whose answer was lost, has added between our look and this one."""
    absent = Response(404, (), b'{"error": {"code": "not_found", "message": "not assigned"}}')
    twice = Response(400, (), b'{"error": {"code": "domain_already_exists", "message": "already assigned"}}')
    told: dict[str, Response | Sequence[Response]] = {
        "/v9/projects/prj_x/domains/www.a.test": (absent, Response(200, (), b'{"name": "www.a.test", "verified": true}')),
        "/v9/projects/prj_x": PROJECT,
        "/v10/projects/prj_x/domains": twice,
        "/v6/domains/www.a.test/config": Response(200, (), b'{"misconfigured": false}'),
        "/v4/now/certs": absent,
    }
    with answering(told) as host:
        assert host.attach("www.a.test.", within=soon()).ready
    with answering({**told, "/v9/projects/prj_x/domains/www.a.test": absent}) as host:
        with pytest.raises(Conflict) as caught:
            host.attach("www.a.test.", within=soon())
        assert "domain_already_exists" in caught.value.seen


def test_project_that_was_never_deployed_has_nothing_live() -> None:
    """A project without a production deployment says so."""
    with answering({"/v9/projects/prj_x": PROJECT}) as host:
        assert host.live(within=soon()) is None


def test_deployment_that_is_not_ready_is_not_promoted() -> None:
    """A deployment that failed is refused, and nothing is asked to publish it."""
    failed = Response(200, (), b'{"id": "a", "createdAt": 1, "readyState": "ERROR"}')
    with answering({"/v9/projects/prj_x": PROJECT, "/v13/deployments/a": failed}) as host:
        with pytest.raises(Conflict) as caught:
            host.publish("a", within=soon())
        assert caught.value.seen == "ERROR"


@pytest.mark.parametrize(
    ("user", "suspended", "words"),
    [
        (b'{"user": {"id": "u", "limited": true}}', None, "unknown: the token is too limited"),
        (b'{"user": {"id": "u", "softBlock": null}}', False, "neither paused nor blocked"),
        (b'{"user": {"id": "somebody-else", "softBlock": {"reason": "UNPAID_INVOICE"}}}', None, "unknown: "),
        (
            b'{"user": {"id": "u", "softBlock": {"reason": "UNPAID_INVOICE", "blockedDueToOverageType": "bandwidth"}}}',
            True,
            "UNPAID_INVOICE, bandwidth",
        ),
    ],
)
def test_quota_says_what_is_told_and_what_is_not(user: bytes, suspended: bool | None, words: str) -> None:
    """A block is told of the account that owns the project, and of no other; what is not told is called unknown."""
    with answering({"/v9/projects/prj_x": PROJECT, "/v2/user": Response(200, (), user)}) as host:
        told = host.quota(within=soon())
    assert told.suspended is suspended
    assert words in told.details


@pytest.mark.parametrize(
    "certificates",
    [
        Response(404, (), b'{"error": {"code": "not_found", "message": "gone"}}'),
        Response(403, (), b'{"error": {"code": "forbidden", "message": "Not authorized"}}'),
        Response(200, (), b'{"certificates": "in another shape"}'),
        Response(200, (), b'{"certs": [{"cns": ["www.a.test"], "expiration": "2030-01-01T00:00:00"}]}'),
        Response(200, (), b'{"certs": []}'),
    ],
)
def test_certificate_that_is_not_told_stays_untold(certificates: Response) -> None:
    """What Vercel's undocumented list does not tell is not guessed, and fails nothing that the documented API tells."""
    told = {
        "/v9/projects/prj_x/domains/www.a.test": Response(200, (), b'{"name": "www.a.test", "verified": true}'),
        "/v6/domains/www.a.test/config": Response(200, (), b'{"misconfigured": false}'),
        "/v4/now/certs": certificates,
    }

    with answering(told) as host:
        found = host.attachment("www.a.test.", within=soon())
    assert (found.ready, found.certificate_until) == (True, None)


LIVE = b'{"id": "p", "accountId": "a", "targets": {"production": {"id": "d", "createdAt": 1, "readyState": "BUILDING"}}}'


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Response(200, (), b'{"id": "p"}'), Unavailable),
        (Response(200, (), b"<html>a captive portal</html>"), Unavailable),
        (Response(200, (), b""), Unavailable),
        (Response(200, (), LIVE), Unavailable),
        (Response(302, (("Location", "http://127.0.0.1:9/"),)), Unavailable),
        (Response(402, (), b'{"error": {"code": "payment_required", "message": "Blocked"}}'), Denied),
        (Response(403, (), b"<html>blocked</html>"), Denied),
        (Response(404, (), b"not found"), NotFound),
        (Response(400, (), b'{"error": {"code": "bad_request", "message": "Invalid id"}}'), NotFound),
        (Response(409, (), b'{"error": {"code": "conflict", "message": "In transfer"}}'), NotFound),
        (Response(429, (("Retry-After", "7"),), b"slow down"), Unavailable),
        (Response(500, (), b'{"error": {"code": "internal_server_error"}}'), Unavailable),
    ],
)
def test_every_answer_that_is_not_success_is_an_error(answer: Response, expected: type[ProviderError]) -> None:
    """Whatever is not a well-formed success becomes the error that says what to do."""

    async def handler(_: Request) -> Response:
        return answer

    with BackgroundLoop() as loop:
        server = WebServer("127.0.0.1", 0, handler)
        loop.run(server.start())
        try:
            with pytest.raises(ProviderError) as caught:
                Vercel("prj_x", "", "token", server.url).live(within=soon())
        finally:
            loop.run(server.stop())
    assert type(caught.value) is expected
    if answer.header("Retry-After"):
        assert isinstance(caught.value, Unavailable)
        assert caught.value.retry_after == timedelta(seconds=7)
