"""Cloudflare's adapter keeps the contract against the lab's API, and believes no success that is none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Denied, NotFound, ProviderError, Unavailable
from defib.lab.alone import RunningCloudflare, serve_cloudflare
from defib.lab.background import BackgroundLoop
from defib.lab.faults import Fault
from defib.lab.furniture import CLOUDFLARE_ZONES, ORIGIN
from defib.lab.web import Request, Response, WebServer
from defib.providers.cdn.cloudflare import Cloudflare
from tests.contracts.cdn import CdnContract, CdnWorld

ZONE_ID, ZONE = next(iter(CLOUDFLARE_ZONES.items()))
NAME = f"www.{ZONE}"


@pytest.fixture
def running() -> Iterator[RunningCloudflare]:
    """A fresh API of the lab."""
    with serve_cloudflare() as running:
        yield running


def adapter(running: RunningCloudflare, name: str = NAME, zone_id: str = ZONE_ID, token: str = "") -> Cloudflare:
    """The adapter for the lab's first zone."""
    return Cloudflare(name, zone_id, token or running.token, running.endpoint)


def soon(seconds: float = 10) -> Deadline:
    """A deadline."""
    return Deadline.after(SystemClock(), timedelta(seconds=seconds))


class TestCloudflare(CdnContract):
    """The contract over the lab's Cloudflare."""

    @pytest.fixture
    def world(self, running: RunningCloudflare) -> CdnWorld:
        """A fresh zone."""

        def pause() -> None:
            httpx.patch(
                f"{running.endpoint}/zones/{ZONE_ID}",
                json={"paused": True},
                headers={"Authorization": f"Bearer {running.token}"},
                trust_env=False,
            ).raise_for_status()

        return CdnWorld(
            cdn=adapter(running),
            name=f"{NAME}.",
            origin=ORIGIN,
            disable=pause,
            purged=lambda: tuple(path for purge in running.api.purges(ZONE_ID) for path in purge.paths),
            denied=adapter(running, token="wrong"),
            unknown=adapter(running, zone_id="0" * 32),
        )


class TestCloudflareAlone:
    """What only Cloudflare does."""

    def test_name_that_is_not_proxied_is_not_enabled(self, running: RunningCloudflare) -> None:
        """D5: a zone that is active but does not proxy the public name would not serve it."""
        status = adapter(running, name=f"shop.{ZONE}").status(within=soon())
        assert (status.enabled, status.names, status.origin) == (False, (), "")

    def test_port_of_the_page_is_part_of_the_purged_url(self, running: RunningCloudflare) -> None:
        """A page on another port is asked for under its whole URL, and its record is found by host alone."""
        cdn = adapter(running, name=f"{NAME}:8443")
        assert cdn.status(within=soon()).names == (f"{NAME}.",)
        cdn.purge(["/index.html"], within=soon())
        assert [purge.host for purge in running.api.purges(ZONE_ID)] == [NAME]

    def test_star_purges_the_public_name_alone(self, running: RunningCloudflare) -> None:
        """`/*` forgets all of the name, and nothing of the zone's other names."""
        adapter(running).purge(["/*", "/index.html"], within=soon())
        assert [(purge.host, purge.paths) for purge in running.api.purges(ZONE_ID)] == [(NAME, ("*",))]

    def test_star_after_a_folder_purges_the_folder(self, running: RunningCloudflare) -> None:
        """A final star stands for anything below."""
        adapter(running).purge(["/assets/*", "/index.html"], within=soon())
        purges = [(purge.host, purge.paths) for purge in running.api.purges(ZONE_ID)]
        assert purges == [(NAME, ("/assets/*",)), (NAME, ("/index.html",))]

    def test_throttling_carries_the_wish_of_the_vendor(self, running: RunningCloudflare) -> None:
        """C10: 429 is unavailable, with the wait that Cloudflare asks for."""
        running.set_fault(Fault("429", {"retry_after": 300}))
        with pytest.raises(Unavailable) as caught:
            adapter(running).purge(["/index.html"], within=soon())
        assert caught.value.retry_after == timedelta(seconds=300)

    def test_success_false_is_no_success(self, running: RunningCloudflare) -> None:
        """C11: HTTP 200 with `success: false` is a failure, with Cloudflare's own words."""
        running.set_fault(Fault("lying"))
        with pytest.raises(Unavailable) as caught:
            adapter(running).purge(["/index.html"], within=soon())
        assert "HTTP 200" in caught.value.seen
        assert "10013" in caught.value.seen
        assert running.api.purges(ZONE_ID) == ()

    @pytest.mark.parametrize(("fault", "expected"), [("500", Unavailable), ("denied", Denied), ("lost-answer", Unavailable)])
    def test_faults_of_the_api_are_told_apart(
        self, running: RunningCloudflare, fault: str, expected: type[Exception]
    ) -> None:
        """A page instead of an answer, or none, may pass; a refused token does not."""
        running.set_fault(Fault(fault))
        with pytest.raises(expected):
            adapter(running).status(within=soon())

    def test_hanging_api_is_unavailable_by_the_deadline(self, running: RunningCloudflare) -> None:
        """C5: a vendor that accepts and then says nothing costs the deadline, not more."""
        running.set_fault(Fault("hang"))
        clock = SystemClock()
        started = clock.monotonic()
        with pytest.raises(Unavailable):
            adapter(running).status(within=soon(0.3))
        assert clock.monotonic() - started < timedelta(seconds=20)

    def test_refused_connection_is_unavailable(self) -> None:
        """An API that nobody listens on may come back."""
        with pytest.raises(Unavailable):
            Cloudflare(NAME, ZONE_ID, "token", "http://127.0.0.1:9/client/v4").status(within=soon())

    def test_token_stays_out_of_errors(self, running: RunningCloudflare) -> None:
        """E13: no error repeats the token."""
        with pytest.raises(Denied) as caught:
            adapter(running, token="very-secret").status(within=soon())
        assert "very-secret" not in f"{caught.value} {caught.value.__cause__!r}"


def envelope(status: int, body: bytes, *headers: tuple[str, str]) -> Response:
    """An answer of the vendor, word for word."""
    return Response(status, headers, body)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (envelope(200, b'{"success": false, "errors": [{"code": 10000, "message": "Authentication error"}]}'), Denied),
        (envelope(200, b'{"success": false, "errors": [{"code": 7003, "message": "Could not route"}]}'), NotFound),
        (envelope(400, b'{"success": false, "errors": [{"code": 1001, "message": "Invalid zone"}]}'), NotFound),
        (envelope(400, b'{"success": false, "errors": [{"code": 6003, "message": "Invalid headers"}]}'), Denied),
        (envelope(400, b'{"success": false, "errors": [{"code": 1012, "message": "Bad body"}]}'), NotFound),
        (envelope(200, b'{"success": false, "errors": [{"code": 971, "message": "Please wait"}]}'), Unavailable),
        (envelope(200, b'{"success": false, "errors": null}'), Unavailable),
        (envelope(200, b'{"success": "true", "result": {}}'), Unavailable),
        (envelope(200, b'{"result": {"status": "active"}}'), Unavailable),
        (envelope(200, b'{"success": true, "result": {"state": "odd"}}'), Unavailable),
        (envelope(200, b'{"success": true, "result": null}'), Unavailable),
        (envelope(200, b"<html>a captive portal</html>"), Unavailable),
        (envelope(200, b""), Unavailable),
        (envelope(302, b"", ("Location", "http://127.0.0.1:9/")), Unavailable),
        (envelope(500, b'{"success": true, "result": {"status": "active"}}'), Unavailable),
        (envelope(403, b"<html>blocked</html>"), Denied),
        (envelope(404, b"not found"), NotFound),
    ],
)
def test_every_answer_that_is_not_success_is_an_error(answer: Response, expected: type[ProviderError]) -> None:
    """C11: whatever is not a well-formed success becomes the error that says what to do, by Cloudflare's codes first."""

    async def handler(_: Request) -> Response:
        return answer

    with BackgroundLoop() as loop:
        server = WebServer("127.0.0.1", 0, handler)
        loop.run(server.start())
        try:
            with pytest.raises(ProviderError) as caught:
                Cloudflare(NAME, ZONE_ID, "token", server.url).status(within=soon())
        finally:
            loop.run(server.stop())
    assert type(caught.value) is expected
