"""What goes wrong at the switch in S3 is told apart, costs no more than the deadline, and gives nothing away."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import pytest

from defib.clock import Deadline
from defib.errors import Conflict, Denied, NotFound, ProviderError, Unavailable
from defib.lab.alone import RunningAws, serve_aws
from defib.lab.background import BackgroundLoop
from defib.lab.faults import Fault
from defib.lab.strict import xml
from defib.lab.strict.xml import AwsError
from defib.lab.web import Request, Response, WebServer
from defib.ports import Receipt, RecordChange
from defib.providers.aws import AwsAccess
from defib.providers.dns.s3_switch import S3Switch
from defib.providers.wrappers import RetryingZone
from defib.providers.wrappers.around import ZoneAround
from tests.providers.dns.s3_switch_stage import (
    BACK,
    CLOCK,
    KEY,
    KEYS,
    NAMES,
    OVER,
    PRIMARY,
    World,
    fresh_switch,
    soon,
)


class Losing(ZoneAround):
    """A switch whose first write is made and never answered."""

    writes = 0

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Write; the answer gets lost on its way the first time."""
        receipt = self._inner.replace(changes, within=within)
        self.writes += 1
        if self.writes == 1:
            raise Unavailable("PutObject: no answer")
        return receipt


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """AWS of the lab, for all tests of this file."""
    with serve_aws() as running:
        yield running


@pytest.fixture
def world(aws: RunningAws) -> Iterator[World]:
    """A switch that stands at its primary."""
    with fresh_switch(aws) as made:
        yield made


@contextmanager
def scripted(*answers: Response) -> Iterator[S3Switch]:
    """A switch at an S3 that gives these answers, one after the other."""
    left = list(answers)

    async def answer(_: Request) -> Response:
        return left.pop(0)

    with BackgroundLoop() as loop:
        server = WebServer("127.0.0.1", 0, answer)
        loop.run(server.start())
        try:
            yield S3Switch(NAMES, "bucket", KEY, AwsAccess("us-east-1", server.url, "AKIA0", "secret"))
        finally:
            loop.run(server.stop())
    assert left == []


def refused(status: int, code: str) -> Response:
    """An error as S3 words it."""
    return xml.refuse(AwsError(status, code, "At least one of the pre-conditions you specified did not hold."), "")


THERE = Response(200, (("ETag", '"d41d8cd98f00b204e9800998ecf8427e"'),))


class TestOthersBetween:
    """What S3 answers when another writer came between the look and the write."""

    @pytest.mark.parametrize(
        ("status", "code", "seen"), [(412, "PreconditionFailed", "another object"), (404, "NoSuchKey", str(PRIMARY[0]))]
    )
    def test_object_that_changed_or_went_is_left_alone(self, status: int, code: str, seen: str) -> None:
        """An object that is no longer the one that was read is not taken away, and the error says what stands there."""
        with scripted(THERE, refused(status, code)) as switch, pytest.raises(Conflict) as caught:
            switch.replace(BACK, within=soon())
        assert str(KEYS[0]) in str(caught.value)
        assert seen in caught.value.seen

    @pytest.mark.parametrize(("batch", "before"), [(OVER, ()), (BACK, (THERE,))], ids=["over", "back"])
    @pytest.mark.parametrize("code", ["ConditionalRequestConflict", "OperationAborted"])
    def test_crossed_requests_are_tried_again(
        self, batch: list[RecordChange], before: tuple[Response, ...], code: str
    ) -> None:
        """Of two requests at the same moment S3 refuses one with 409 without saying what stands: reading will tell."""
        with scripted(*before, refused(409, code)) as switch, pytest.raises(Unavailable) as caught:
            switch.replace(batch, within=soon())
        assert code in caught.value.seen

    def test_crossed_request_ends_well_where_nothing_was_changed(self) -> None:
        """Whoever retries reads that `before` still holds, and writes once more."""
        absent = refused(404, "NoSuchKey")
        with scripted(refused(409, "ConditionalRequestConflict"), absent, Response(200, THERE.headers)) as switch:
            RetryingZone(switch, random.Random(1)).replace(OVER, within=soon())


class TestFailures:
    """What goes wrong is told apart, costs no more than the deadline, and gives nothing away."""

    @pytest.mark.parametrize(
        ("fault", "expected"),
        [("429", Unavailable), ("500", Unavailable), ("denied", Denied), ("lost-answer", Unavailable)],
    )
    def test_faults_of_s3_are_told_apart(self, world: World, fault: str, expected: type[ProviderError]) -> None:
        """SlowDown, a failure of the service and a lost answer may pass; a refusal does not."""
        world.aws.set_fault("s3", Fault(fault))
        calls: list[Callable[[], object]] = [
            lambda: world.switch.read(KEYS, within=soon()),
            lambda: world.switch.replace(BACK, within=soon()),
            lambda: world.switch.replace(OVER, within=soon()),
        ]
        for call in calls:
            with pytest.raises(expected):
                call()

    def test_slow_down_carries_the_wish_of_s3(self, world: World) -> None:
        """The wait that S3 asks for reaches whoever retries, and nothing was written."""
        world.aws.set_fault("s3", Fault("429", {"retry_after": 3}))
        with pytest.raises(Unavailable) as caught:
            world.switch.replace(OVER, within=soon())
        assert caught.value.retry_after == timedelta(seconds=3)
        assert "SlowDown" in caught.value.seen
        assert world.found is None

    def test_a_refusal_says_which_permissions_are_needed(self, world: World) -> None:
        """D11: S3 answers for an absent object with 403 to who may not list, so the message says what to allow."""
        world.aws.set_fault("s3", Fault("denied"))
        with pytest.raises(Denied) as caught:
            world.switch.read(KEYS, within=soon())
        assert "s3:ListBucket" in caught.value.then

    def test_wrong_credentials_are_denied_and_not_repeated(self, world: World) -> None:
        """Who may not, learns so by reading and writing; no secret stands in the error or its causes."""
        secret = "wrong-secret-of-somebody"
        for call in (
            lambda: world.other(secret).read(KEYS, within=soon()),
            lambda: world.other(secret).replace(OVER, within=soon()),
        ):
            with pytest.raises(Denied) as caught:
                call()
            shown = f"{caught.value} {caught.value.__cause__!r}"
            assert secret not in shown
            assert world.aws.credentials.secret_key not in shown
        assert world.found is None

    def test_missing_bucket_is_not_the_primary(self, world: World) -> None:
        """A bucket that does not exist is told as such: absence of the object in it would be a comfortable lie."""
        lost = world.other(bucket="no-such-bucket")
        for call in (
            lambda: lost.read(KEYS, within=soon()),
            lambda: lost.replace(OVER, within=soon()),
            lambda: lost.replace(BACK, within=soon()),
        ):
            with pytest.raises(NotFound) as caught:
                call()
            assert "NoSuchBucket" in caught.value.seen

    def test_spent_deadline_is_unavailable_at_once(self, world: World) -> None:
        """A call without time left neither asks nor writes."""
        for call in (
            lambda: world.switch.read(KEYS, within=soon(0)),
            lambda: world.switch.replace(OVER, within=soon(0)),
        ):
            with pytest.raises(Unavailable):
                call()
        assert world.found is None

    def test_hanging_s3_is_unavailable_by_the_deadline(self, world: World) -> None:
        """An endpoint that accepts and then says nothing costs the deadline, not more."""
        world.aws.set_fault("s3", Fault("hang"))
        started = CLOCK.monotonic()
        with pytest.raises(Unavailable):
            world.switch.replace(OVER, within=soon(0.3))
        assert CLOCK.monotonic() - started < timedelta(seconds=20)

    def test_refused_connection_is_unavailable(self) -> None:
        """An endpoint that nobody listens on may come back."""
        nobody = S3Switch(NAMES, "b", "k", AwsAccess("us-east-1", "http://127.0.0.1:9", "AKIA0", "s"))
        with pytest.raises(Unavailable):
            nobody.read(KEYS, within=soon())

    @pytest.mark.parametrize("batch", [OVER, BACK], ids=["over", "back"])
    def test_lost_answer_of_a_write_is_found_by_reading(self, world: World, batch: list[RecordChange]) -> None:
        """A write whose answer is lost stands, and whoever retries finds it in place instead of failing."""
        if batch is BACK:
            world.put_by_hand(b"")
        losing = Losing(world.switch)
        RetryingZone(losing, random.Random(1)).replace(batch, within=soon())
        assert losing.writes == 1
        assert (world.found is not None) == (batch is OVER)

    def test_write_that_landed_while_its_answer_was_lost(self, world: World) -> None:
        """The same over the wire: S3 takes the object, resets the connection, and is not asked to take it again."""
        world.aws.set_fault("s3", Fault("lost-answer", {"times": 1}))
        world.retrying().replace(OVER, within=soon())
        assert world.found is not None

    def test_slow_down_is_waited_out(self, world: World) -> None:
        """A few refusals cost time and not the recovery."""
        world.aws.set_fault("s3", Fault("429", {"retry_after": 0.1, "times": 2}))
        world.retrying().replace(OVER, within=soon())
        assert world.found is not None

    def test_success_that_was_none_is_seen_by_reading(self, world: World) -> None:
        """Where S3 says yes and did nothing, the next read says so."""
        world.aws.set_fault("s3", Fault("lying", {"times": 1}))
        world.switch.replace(OVER, within=soon())
        assert world.switch.read(KEYS, within=soon()) == PRIMARY
