"""The pointer at CloudFront moves by compare-and-set, alone, and says when it is everywhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from defib.changes import Changes
from defib.clock import Deadline, SystemClock
from defib.errors import Conflict, Denied, ForeignChange, NotFound, Refused, Unavailable
from defib.journal import FileSink, Journal
from defib.lab.alone import RunningAws, serve_aws
from defib.lab.faults import Fault
from defib.lease import Holder, Lease
from defib.plan import Change
from defib.ports import DnsZone, RecordChange, RecordKey, RecordSet
from defib.providers.open import open_pointer
from defib.providers.pointer.distribution import pointed_origin
from defib.redeploy.pointer import VENDOR, path_of, pointer_key, pointing_at
from defib.sites.vendors import AwsHost
from tests.providers.host.aws_stage import NEW, OLD, AwsStage, fresh_stage, soon

T = TypeVar("T")


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """AWS of the lab, for all tests of this file."""
    with serve_aws(deploys_in=timedelta(milliseconds=50)) as running:
        yield running


@pytest.fixture
def stage(aws: RunningAws) -> AwsStage:
    """A distribution of its own for each test."""
    return fresh_stage(aws)


class Meddling(SystemClock):
    """Time in which somebody else acts right before the calls to AWS of these numbers, the first being 1."""

    def __init__(self, act: Callable[[], None], *before: int) -> None:
        super().__init__()
        self._act, self._before, self._calls = act, before, 0

    def call(self, work: Callable[[], T], within: timedelta) -> T:
        self._calls += 1
        if self._calls in self._before:
            self._act()
        return super().call(work, within)


def meddled(act: Callable[[], None], *before: int) -> Deadline:
    """A deadline that is far enough, with somebody else at work. A flip reads first, and writes with its second call."""
    return Deadline.after(Meddling(act, *before), timedelta(seconds=10))


def flip(stage: AwsStage, to: str = OLD, since: str = NEW) -> RecordChange:
    """The change that lets the pointer name another release."""
    return RecordChange(
        before=pointing_at(stage.distribution, path_of(since)), after=pointing_at(stage.distribution, path_of(to))
    )


def point_at(stage: AwsStage, path: str) -> None:
    """Set the origin path as somebody else does."""
    origins = stage.config()["Origins"]
    origins["Items"][0]["OriginPath"] = path
    stage.change(Origins=origins)


def test_reads_where_it_stands_and_nothing_else(stage: AwsStage) -> None:
    """The pointer in any spelling of its key, None for what a distribution does not hold, and no call for nothing."""
    key = pointer_key(stage.distribution)
    keys = [key, RecordKey("www.site.test.", "A"), RecordKey(key.name.lower(), key.type)]
    stands = pointing_at(stage.distribution, path_of(NEW))
    assert stage.pointer().read(keys, within=soon()) == (stands, None, stands)
    assert stage.pointer(distribution="EGONE").read(keys, within=soon()) == (None, None, None)
    assert (stands.values, stage.pointer().vendor, stage.pointer().zone) == ((path_of(NEW),), VENDOR, stage.distribution)


def test_flip_is_one_write_and_back_is_another(stage: AwsStage) -> None:
    """R17: to the previous release and back: each time one call that writes, and nothing else of the distribution moves."""
    before = stage.config()
    stage.pointer().replace([flip(stage)], within=soon())
    assert stage.commit() == OLD
    stage.pointer().replace([flip(stage).reversed()], within=soon())
    assert before == stage.config()


def test_flip_asks_twice(stage: AwsStage) -> None:
    """R17: a read for the version and a write, whatever the size of the release."""
    calls: list[int] = []
    stage.pointer().replace([flip(stage)], within=meddled(lambda: calls.append(1), *range(1, 10)))
    assert (len(calls), stage.commit()) == (2, OLD)


def test_two_flips_at_once_have_one_winner(stage: AwsStage) -> None:
    """R15: from the same release to two others at the same moment: one stands, the other is told what stands instead."""
    others = ("1" * 40, "2" * 40)
    start = threading.Barrier(2)

    def run(to: str) -> str:
        pointer = stage.pointer()
        start.wait()
        pointer.replace([flip(stage, to)], within=soon())
        return to

    with ThreadPoolExecutor() as pool:
        results = [pool.submit(run, to) for to in others]
    failures = [error for each in results if (error := each.exception()) is not None]
    winners = [each.result() for each in results if each.exception() is None]
    assert [stage.commit()] == winners
    (conflict,) = failures
    assert isinstance(conflict, Conflict)
    assert stage.commit() in conflict.seen


def test_flip_that_comes_between_is_never_overwritten(stage: AwsStage) -> None:
    """R15: another deploy lands between our look and our write: ours is refused and says what stands."""
    other = "3" * 40
    with pytest.raises(Conflict) as caught:
        stage.pointer().replace([flip(stage)], within=meddled(lambda: point_at(stage, path_of(other)), 2))
    assert stage.commit() == other
    assert NEW in caught.value.expected
    assert other in caught.value.seen


def test_change_of_something_else_is_kept(stage: AwsStage) -> None:
    """C12: a name added between our look and our write makes the ETag stale: read again, once, and both changes stand."""
    names = (*stage.names(), f"added.{stage.zone}")

    def add() -> None:
        stage.change(Aliases={"Quantity": len(names), "Items": list(names)})

    stage.pointer().replace([flip(stage)], within=meddled(add, 2))
    assert (stage.commit(), stage.names()) == (OLD, names)


def test_who_goes_on_changing_is_not_raced(stage: AwsStage) -> None:
    """C12: one retry, not more: where the distribution changes again meanwhile, the change is refused."""
    count = iter(range(10))
    with pytest.raises(Conflict) as caught:
        stage.pointer().replace([flip(stage)], within=meddled(lambda: stage.change(Comment=f"changed {next(count)}"), 2, 4))
    assert "PreconditionFailed" in caught.value.seen
    assert stage.commit() == NEW


@pytest.mark.parametrize("what", ["disabled", "another bucket"])
def test_change_of_what_users_get_is_foreign(stage: AwsStage, what: str) -> None:
    """C12: who switches the distribution off, or gives it another bucket, meanwhile, is not overruled by a retry."""

    def meddle() -> None:
        origins = stage.config()["Origins"]
        origins["Items"][0]["DomainName"] = "elsewhere.s3.us-east-1.amazonaws.com"
        stage.change(**({"Enabled": False} if what == "disabled" else {"Origins": origins}))

    with pytest.raises(Conflict) as caught:
        stage.pointer().replace([flip(stage)], within=meddled(meddle, 2))
    assert caught.value.seen != caught.value.expected
    assert stage.commit() == NEW


@pytest.mark.parametrize("stale", [path_of("9" * 40), "/"])
def test_stale_before_conflicts(stage: AwsStage, stale: str) -> None:
    """D1: where the pointer stands elsewhere than the plan says, nothing is changed."""
    before = pointing_at(stage.distribution, stale)
    with pytest.raises(Conflict):
        stage.pointer().replace([replace(flip(stage), before=before)], within=soon())
    assert stage.commit() == NEW


def test_change_to_what_stands_writes_nothing(stage: AwsStage) -> None:
    """D2: a pointer that names the release already costs a read."""
    etag = stage.cloudfront.get_distribution_config(Id=stage.distribution)["ETag"]
    stands = pointing_at(stage.distribution, path_of(NEW))
    receipt = stage.pointer().replace([RecordChange(stands, stands)], within=soon())
    assert receipt.id == ""
    assert stage.pointer().settled(receipt, within=soon())
    assert etag == stage.cloudfront.get_distribution_config(Id=stage.distribution)["ETag"]


def test_what_stood_before_defib_came_is_put_back(stage: AwsStage) -> None:
    """D19: an empty path, or somebody's own, is a value like others, there and back."""
    for own, value in (("", "/"), ("/maintenance", "/maintenance")):
        point_at(stage, own)
        (before,) = stage.pointer().read([pointer_key(stage.distribution)], within=soon())
        assert before == pointing_at(stage.distribution, own)
        assert before.values == (value,)
        there = replace(flip(stage), before=before)
        stage.pointer().replace([there], within=soon())
        stage.pointer().replace([there.reversed()], within=soon())
        assert stage.path() == own


def test_what_no_pointer_can_be_is_refused(stage: AwsStage) -> None:
    """It is never removed, has one value, and is alone in its zone."""
    stands, www = pointing_at(stage.distribution, path_of(NEW)), RecordKey("www.site.test.", "A")
    address = RecordSet(www, timedelta(0), ("192.0.2.1",))
    for changes in (
        [RecordChange(stands, None)],
        [RecordChange(stands, replace(stands, values=("releases/x",)))],
        [RecordChange(stands, replace(stands, values=(path_of(OLD), path_of(NEW))))],
        [RecordChange(None, address)],
        [flip(stage), RecordChange(None, address)],
    ):
        with pytest.raises(NotFound):
            stage.pointer().replace(changes, within=soon())
    assert stage.commit() == NEW


def test_origin_group_has_no_one_path(stage: AwsStage) -> None:
    """A distribution whose default behaviour leads to several origins is refused by name, not guessed at."""
    grouped = {"DefaultCacheBehavior": {"TargetOriginId": "both"}, "Origins": {"Items": [{"Id": "one"}, {"Id": "two"}]}}
    config: Any = grouped
    with pytest.raises(NotFound) as caught:
        pointed_origin(config)
    assert "both" in caught.value.seen
    assert stage.commit() == NEW


def test_write_that_lied_is_found_by_reading(aws: RunningAws, stage: AwsStage) -> None:
    """CloudFront says yes and does nothing: the next read tells."""
    aws.set_fault("cloudfront", Fault("lying"))
    try:
        stage.pointer().replace([flip(stage)], within=soon())
    finally:
        aws.set_fault("cloudfront", None)
    (stands,) = stage.pointer().read([pointer_key(stage.distribution)], within=soon())
    assert stands == flip(stage).before


def test_credentials_and_ids_are_told_apart(stage: AwsStage) -> None:
    """D11: what is denied is not what is unknown, and a spent deadline asks nobody."""
    key = pointer_key(stage.distribution)
    with pytest.raises(Denied):
        stage.pointer(secret_key="wrong").read([key], within=soon())
    gone = stage.pointer(distribution="EGONE")
    with pytest.raises(NotFound):
        gone.read([pointer_key("EGONE")], within=soon())
    with pytest.raises(Unavailable):
        stage.pointer().replace([flip(stage)], within=soon(0))
    assert stage.commit() == NEW


def test_runs_make_and_undo_it_as_any_change(stage: AwsStage, tmp_path: Path) -> None:
    """The journal, the fence and the undo of a run work on a pointer unchanged; somebody else's change is refused."""
    clock = SystemClock()
    lease = Lease.take(tmp_path, clock, Holder.me("run"))
    made = Changes(Journal(FileSink(tmp_path / "journal"), clock, str), clock, [opened(stage, lease.check)], lease)
    change = Change(VENDOR, stage.distribution, (flip(stage),), "users get the previous release")
    made.make(1, change, soon())
    assert stage.commit() == OLD
    made.make(1, change, soon())
    assert made.undo()
    assert stage.commit() == NEW
    point_at(stage, path_of("4" * 40))
    with pytest.raises(ForeignChange):
        made.make(2, change, soon())
    lease.release()


def test_closed_fence_lets_no_flip_through(stage: AwsStage) -> None:
    """What the site file opens writes only where a run may."""

    def shut() -> None:
        raise Refused("nothing is written without a lease")

    with pytest.raises(Refused):
        opened(stage, shut).replace([flip(stage)], within=soon())
    assert stage.commit() == NEW


def opened(stage: AwsStage, before_write: Callable[[], None]) -> DnsZone:
    """The pointer as a site file opens it."""
    keys = stage.aws.credentials
    values = {"env:KEY": keys.access_key, "env:SECRET": keys.secret_key}
    config = AwsHost.model_validate(
        {
            "name": "aws",
            "provider": "s3-cloudfront",
            "role": "backup",
            "bucket": stage.bucket,
            "distribution": stage.distribution,
            "hostname": "d1.cloudfront.net",
            "records": [{"name": "www.site.test", "type": "CNAME", "values": ["d1.cloudfront.net"]}],
            "aws": {"endpoint": stage.aws.endpoint, "access_key": "env:KEY", "secret_key": "env:SECRET"},
        }
    )
    return open_pointer(config, values.__getitem__, before_write)
