"""What a broken, throttling, lying or meddled-with Cloudflare means to its DNS adapter."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from defib.clock import SystemClock
from defib.errors import Conflict, Denied, NotFound, Unavailable
from defib.lab.alone import RunningCloudflare, serve_cloudflare
from defib.lab.faults import Fault, FaultSwitch
from tests.contracts.dns_zone import API6, SEED, WWW, WWW_B, change, record
from tests.providers.dns.cloudflare_stage import (
    Meddler,
    adapter,
    add_zone,
    lose,
    records_of,
    soon,
    wrapped,
)


@pytest.fixture(scope="module")
def cloudflare() -> Iterator[RunningCloudflare]:
    """Cloudflare of the lab, for all tests of this file."""
    with serve_cloudflare() as running:
        yield running


@pytest.fixture(autouse=True)
def healed(cloudflare: RunningCloudflare) -> Iterator[None]:
    """No test leaves the API broken."""
    yield
    cloudflare.api.switch = FaultSwitch()


class TestFailures:
    """What a broken, throttling or lying API means."""

    @pytest.fixture
    def zone_id(self, cloudflare: RunningCloudflare) -> str:
        """A fresh zone."""
        return add_zone(cloudflare, SEED)

    def test_throttling_within_the_budget_is_waited_for(self, cloudflare: RunningCloudflare, zone_id: str) -> None:
        """C10: a Retry-After of a second is honoured, and the change is made."""
        cloudflare.set_fault(Fault("429", {"retry_after": 1, "times": 1}))
        clock = SystemClock()
        started = clock.monotonic()
        wrapped(adapter(cloudflare, zone_id)).replace([change(WWW, WWW_B)], within=soon())
        assert clock.monotonic() - started >= timedelta(seconds=1)
        assert adapter(cloudflare, zone_id).read([WWW.key], within=soon()) == (WWW_B,)

    def test_throttling_beyond_the_budget_fails_at_once(self, cloudflare: RunningCloudflare, zone_id: str) -> None:
        """C10: a Retry-After of 300 s is not waited for; the error says so, and what to do by hand."""
        cloudflare.set_fault(Fault("429", {"retry_after": 300}))
        clock = SystemClock()
        started = clock.monotonic()
        with pytest.raises(Unavailable) as caught:
            wrapped(adapter(cloudflare, zone_id)).replace([change(WWW, WWW_B)], within=soon())
        assert clock.monotonic() - started < timedelta(seconds=60)
        assert caught.value.retry_after == timedelta(seconds=300)
        assert caught.value.then

    def test_success_false_is_no_success(self, cloudflare: RunningCloudflare, zone_id: str) -> None:
        """C11: HTTP 200 with `success: false` is a failure, and nothing is changed."""
        stood = records_of(cloudflare, zone_id)
        cloudflare.set_fault(Fault("lying"))
        with pytest.raises(Unavailable) as caught:
            adapter(cloudflare, zone_id).replace([change(WWW, WWW_B)], within=soon())
        assert "HTTP 200" in caught.value.seen
        assert records_of(cloudflare, zone_id) == stood

    def test_success_that_changed_nothing_is_found_out(self, cloudflare: RunningCloudflare, zone_id: str) -> None:
        """C11: a batch that is called done and is not there is a failure, and is written again while it may be."""
        cloudflare.set_fault(Fault("ignored"))
        with pytest.raises(Unavailable):
            adapter(cloudflare, zone_id).replace([change(WWW, WWW_B)], within=soon())
        cloudflare.set_fault(Fault("ignored", {"times": 2}))
        wrapped(adapter(cloudflare, zone_id)).replace([change(WWW, WWW_B)], within=soon())
        assert adapter(cloudflare, zone_id).read([WWW.key], within=soon()) == (WWW_B,)

    def test_lost_answer_is_found_in_place(self, cloudflare: RunningCloudflare, zone_id: str) -> None:
        """A batch whose answer is lost stands, and trying again finds it and writes nothing."""
        lose(cloudflare, request=2)
        with pytest.raises(Unavailable):
            adapter(cloudflare, zone_id).replace([change(WWW, WWW_B)], within=soon())
        lose(cloudflare, request=2)
        wrapped(adapter(cloudflare, zone_id)).replace([change(WWW_B, WWW)], within=soon())
        assert adapter(cloudflare, zone_id).read([WWW.key], within=soon()) == (WWW,)

    def test_change_that_could_not_be_read_back_is_made_and_not_settled(
        self, cloudflare: RunningCloudflare, zone_id: str
    ) -> None:
        """An API that fails right after it took the batch does not turn a made change into a failure, nor into a proof."""
        lose(cloudflare, request=3)
        zone = adapter(cloudflare, zone_id)
        receipt = zone.replace([change(WWW, WWW_B)], within=soon())
        assert not zone.settled(receipt, within=soon())
        assert zone.read([WWW.key], within=soon()) == (WWW_B,)

    @pytest.mark.parametrize("foreign", [{"comment": "mine"}, {"content": "c.example.net"}])
    def test_change_between_reading_and_reading_back_is_told(
        self, cloudflare: RunningCloudflare, zone_id: str, foreign: dict[str, str]
    ) -> None:
        """D1: what somebody else changes just after our batch, or in another field before it, is a conflict."""
        before = cloudflare.api.switch
        cloudflare.api.switch = Meddler(cloudflare.api, zone_id, foreign, request=2 if "comment" in foreign else 3)
        try:
            with pytest.raises(Conflict) as caught:
                adapter(cloudflare, zone_id).replace([change(WWW, WWW_B)], within=soon())
        finally:
            cloudflare.api.switch = before
        assert next(iter(foreign.values())) in caught.value.seen

    def test_record_removed_meanwhile_does_not_come_back(self, cloudflare: RunningCloudflare, zone_id: str) -> None:
        """A record that went between our read and our batch makes the batch fail as a whole."""
        before = cloudflare.api.switch
        cloudflare.api.switch = Meddler(cloudflare.api, zone_id, None, request=2)
        try:
            with pytest.raises(Conflict) as caught:
                adapter(cloudflare, zone_id).replace([change(WWW, WWW_B), change(API6, None)], within=soon())
        finally:
            cloudflare.api.switch = before
        assert "81044" in caught.value.seen
        assert adapter(cloudflare, zone_id).read([WWW.key, API6.key], within=soon()) == (None, API6)

    @pytest.mark.parametrize(
        ("fault", "expected"), [("500", Unavailable), ("denied", Denied), ("lost-answer", Unavailable), ("429", Unavailable)]
    )
    def test_faults_of_the_api_are_told_apart(
        self, cloudflare: RunningCloudflare, zone_id: str, fault: str, expected: type[Exception]
    ) -> None:
        """D11: a page instead of an answer, or none, may pass; a refused token does not."""
        cloudflare.set_fault(Fault(fault))
        with pytest.raises(expected):
            adapter(cloudflare, zone_id).read([WWW.key], within=soon())

    def test_invalid_value_is_a_matter_of_configuration(self, cloudflare: RunningCloudflare, zone_id: str) -> None:
        """What Cloudflare refuses for another reason than other records is no conflict, and its reason is told."""
        with pytest.raises(NotFound) as caught:
            adapter(cloudflare, zone_id).replace([change(None, record("bad", "A", "not-an-address"))], within=soon())
        assert "9005" in caught.value.seen

    def test_token_stays_out_of_errors(self, cloudflare: RunningCloudflare, zone_id: str) -> None:
        """E13: no error repeats the token."""
        with pytest.raises(Denied) as caught:
            adapter(cloudflare, zone_id, token="very-secret").read([WWW.key], within=soon())
        assert "very-secret" not in f"{caught.value} {caught.value.__cause__!r}"
