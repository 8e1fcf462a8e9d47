"""Netlify's adapter keeps the contract against the lab's API, and takes nothing for told that was not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Conflict, Denied, NotFound, ProviderError, Unavailable
from defib.lab.background import BackgroundLoop
from defib.lab.faults import Fault
from defib.lab.hosting import furniture
from defib.lab.hosting.alone import RunningHosting, serve_netlify
from defib.lab.hosting.project import HostedProject
from defib.lab.web import Request, Response, WebServer
from defib.providers.host.netlify import Netlify
from tests.contracts.described import NETLIFY, compared, recording
from tests.contracts.host import HostContract, HostWorld

HELD, FREE = f"{furniture.HELD_NAMES[0]}.", "new.pulse-trading.test."
CLOCK = SystemClock()


@pytest.fixture
def running() -> Iterator[RunningHosting]:
    """A fresh API of the lab; what goes over the wire is compared with the vendor's own description."""
    with serve_netlify() as running, compared(running.endpoint, NETLIFY) as endpoint:
        yield replace(running, endpoint=endpoint)


def adapter(running: RunningHosting, *, site_id: str = furniture.NETLIFY_SITE, token: str = "") -> Netlify:
    """The adapter for the lab's site."""
    return Netlify(site_id, token or running.token, running.endpoint)


def soon(seconds: float = 10) -> Deadline:
    """A deadline."""
    return Deadline.after(CLOCK, timedelta(seconds=seconds))


def netlify_world(running: RunningHosting) -> HostWorld:
    """The lab's site, and a free name that leads to Netlify."""
    running.dns.lead(FREE.rstrip("."))
    return HostWorld(
        host=adapter(running),
        live=furniture.NETLIFY_LIVE,
        older=furniture.NETLIFY_OLDER,
        held=HELD,
        free=FREE,
        taken=f"{furniture.TAKEN}.",
        stands=lambda: running.project.live,
        names=lambda: tuple(each.name for each in running.project.names),
        suspend=None,
        denied=adapter(running, token="wrong"),
        unknown=adapter(running, site_id="00000000-0000-0000-0000-000000000000"),
        clock=CLOCK,
    )


def bare(project: HostedProject) -> HostedProject:
    """The site without any certificate."""
    return replace(project, names=tuple(replace(each, certificate_until=None) for each in project.names))


class TestNetlify(HostContract):
    """The contract over the lab's Netlify."""

    @pytest.fixture
    def world(self, running: RunningHosting) -> HostWorld:
        """A fresh site."""
        return netlify_world(running)


class TestNetlifyAlone:
    """What only Netlify does."""

    def test_first_name_becomes_the_sites_own(self, running: RunningHosting) -> None:
        """A site without names gets its custom domain, and a certificate."""
        running.change(lambda project: replace(project, names=()))
        running.dns.lead(FREE.rstrip("."))
        assert adapter(running).attach(FREE, within=soon()).ready
        assert [each.name for each in running.project.names] == [FREE.rstrip(".")]

    def test_name_that_is_there_costs_no_write(self, running: RunningHosting) -> None:
        """Attaching what is attached and certified reads, and writes nothing."""
        with recording(running.endpoint) as recorder:
            Netlify(furniture.NETLIFY_SITE, running.token, recorder.url).attach(HELD, within=soon())
        assert [request.method for request, _ in recorder.exchanges] == ["GET", "GET"]

    def test_name_that_does_not_lead_there_gets_no_certificate(self, running: RunningHosting) -> None:
        """D14: Netlify attaches the name, cannot certify it, and its own words say why."""
        running.change(bare)
        running.dns.records.clear()
        found = adapter(running).attach(FREE, within=soon())
        assert (found.attached, found.certificate_until, found.ready) == (True, None, False)
        assert "bad dns for custom domain" in found.problem
        assert adapter(running).attachment(FREE, within=soon()).problem == "no certificate"

    def test_certificate_for_other_names_is_not_ones_own(self, running: RunningHosting) -> None:
        """D14: the site has a certificate, but not for this name: not ready, and it says for which."""
        found = adapter(running).attach(FREE, within=soon())
        assert (found.attached, found.certificate_until, found.ready) == (True, None, False)
        assert HELD.rstrip(".") in found.problem

    def test_caa_that_excludes_netlifys_authority_leaves_no_certificate(self, running: RunningHosting) -> None:
        """D13: Let's Encrypt may not issue for the name, so it is not certified however often it is asked."""
        running.dns.lead(FREE.rstrip("."))
        running.dns.records["pulse-trading.test", "CAA"] = ('0 issue "digicert.com"',)
        assert not adapter(running).attach(FREE, within=soon()).ready

    def test_attachment_that_was_only_pretended_is_no_success(self, running: RunningHosting) -> None:
        """C11: Netlify says so and the names stay: what counts is what stands when it is read."""
        running.set_fault(Fault("lying"))
        adapter(running).attach(FREE, within=soon())
        running.set_fault(None)
        assert not adapter(running).attachment(FREE, within=soon()).attached

    def test_throttling_carries_the_wish_of_the_vendor(self, running: RunningHosting) -> None:
        """C10: 429 is unavailable, until the moment that Netlify names in its headers."""
        running.set_fault(Fault("429", {"retry_after": 300}))
        with pytest.raises(Unavailable) as caught:
            adapter(running).live(within=soon())
        assert caught.value.retry_after is not None
        assert timedelta(seconds=298) < caught.value.retry_after <= timedelta(seconds=301)

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
            adapter(running).publish(furniture.NETLIFY_OLDER, within=soon(0.3))
        assert CLOCK.monotonic() - started < timedelta(seconds=20)
        assert running.project.live == furniture.NETLIFY_LIVE

    def test_token_stays_out_of_errors(self, running: RunningHosting) -> None:
        """E13: no error repeats the token."""
        with pytest.raises(Denied) as caught:
            adapter(running, token="very-secret").live(within=soon())
        assert "very-secret" not in f"{caught.value} {caught.value.__cause__!r}"


@contextmanager
def answering(*answers: Response) -> Iterator[Netlify]:
    """The adapter in front of a server that gives these answers, the last one again and again."""
    coming = list(answers)

    async def handler(_: Request) -> Response:
        return coming.pop(0) if len(coming) > 1 else coming[0]

    with BackgroundLoop() as loop:
        server = WebServer("127.0.0.1", 0, handler)
        loop.run(server.start())
        try:
            yield Netlify("s", "token", server.url)
        finally:
            loop.run(server.stop())


def test_twin_of_the_sites_own_domain_is_attached() -> None:
    """Netlify answers for the apex where www is the primary domain, and does not list it; its certificate tells."""
    own = Response(200, (), b'{"id": "s", "custom_domain": "www.a.test"}')
    covering = b'{"state": "issued", "domains": ["www.a.test", "a.test"], "expires_at": "2030-01-01T00:00:00Z"}'
    with answering(own, Response(200, (), covering)) as host:
        assert host.attachment("a.test.", within=soon()).ready
    bare = b'{"state": "issued", "domains": ["www.a.test"], "expires_at": "2030-01-01T00:00:00Z"}'
    with answering(own, Response(200, (), bare)) as host:
        found = host.attachment("a.test.", within=soon())
        assert (found.attached, found.ready, found.certificate_until) == (True, False, None)


def test_wildcard_certificate_covers_one_label() -> None:
    """A wildcard stands for exactly one label, as in browsers."""
    own = Response(200, (), b'{"id": "s", "custom_domain": "www.a.test", "domain_aliases": ["x.y.a.test"]}')
    wild = Response(200, (), b'{"state": "issued", "domains": ["*.a.test"], "expires_at": "2030-01-01T00:00:00Z"}')
    for name, expected in (("www.a.test.", True), ("x.y.a.test.", False)):
        with answering(own, wild) as host:
            assert host.attachment(name, within=soon()).ready is expected


def test_deploy_that_is_not_ready_is_not_restored() -> None:
    """A deploy that failed is refused, and nothing is asked to publish it."""
    live = Response(200, (), b'{"id": "s", "published_deploy": {"id": "b", "created_at": "2026-01-01T00:00:00Z"}}')
    failed = Response(200, (), b'{"id": "a", "state": "error", "created_at": "2026-01-01T00:00:00Z"}')
    with answering(live, failed, Response(500)) as host:
        with pytest.raises(Conflict) as caught:
            host.publish("a", within=soon())
        assert caught.value.seen == "error"


def test_site_that_was_never_published_has_nothing_live() -> None:
    """A site without a published deploy says so; what its state and plan are stands in the quota."""
    with answering(Response(200, (), b'{"id": "s", "state": "uploading", "plan": "nf_team_dev"}')) as host:
        assert host.live(within=soon()) is None
        details = host.quota(within=soon()).details
        assert details.startswith("unknown")
        assert "nf_team_dev" in details
        assert "'uploading'" in details


def test_failure_is_not_a_wish_to_wait_for_the_end_of_the_minute() -> None:
    """Every answer of Netlify names the moment at which its limit starts anew; a failure is retried before that."""
    with answering(Response(500, (("X-RateLimit-Reset", "4102444800"),), b"{}")) as host:
        with pytest.raises(Unavailable) as caught:
            host.live(within=soon())
        assert caught.value.retry_after is None


def test_certificate_that_is_not_issued_yet_is_a_problem() -> None:
    """D14: a certificate in the making is none."""
    own = Response(200, (), b'{"id": "s", "custom_domain": "www.a.test"}')
    made = Response(200, (), b'{"state": "pending", "domains": ["www.a.test"], "expires_at": null}')
    with answering(own, made) as host:
        found = host.attachment("www.a.test.", within=soon())
        assert (found.ready, found.problem) == (False, "the certificate is pending")


def site(names: str) -> bytes:
    """A site with these names."""
    return b'{"id": "s", "custom_domain": "www.a.test", "domain_aliases": %s}' % names.encode()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Response(200, (), site('["old.a.test"]')), Unavailable),
        (Response(200, (), b"<html>a captive portal</html>"), Unavailable),
        (Response(200, (), b'{"name": "no id"}'), Unavailable),
        (Response(301, (("Location", "http://127.0.0.1:9/"),)), Unavailable),
        (Response(401, (), b'{"code": 401, "message": "Access Denied"}'), Denied),
        (Response(404, (), b'{"code": 404, "message": "Not Found"}'), NotFound),
        (Response(503, (("Retry-After", "7"),), b"<html>maintenance</html>"), Unavailable),
    ],
)
def test_every_answer_that_is_not_success_is_an_error(answer: Response, expected: type[ProviderError]) -> None:
    """Whatever is not a success becomes an error, as does a write that was taken and not made."""
    with answering(answer) as host, pytest.raises(ProviderError) as caught:
        host.attach("new.a.test", within=soon())
    assert type(caught.value) is expected
