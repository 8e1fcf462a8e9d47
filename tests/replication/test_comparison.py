"""Two buckets compared range by range: the same answer however they are cut, cut off, or asked for."""

from __future__ import annotations

import random
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defib.clock import Deadline
from defib.errors import Unavailable
from defib.providers.bucket.retrying import RetryingBucket
from defib.replication.findings import AT_RISK, SHOWN, Finding, Kind, Tally, total
from defib.replication.listing import ranges, versions
from defib.replication.port import Cursor, Details, Page, Status, Version
from defib.replication.progress import Progress
from tests.replication.buckets import Buckets
from tests.replication.edits import EDITS, KEYS, edit

NOON, HOUR = datetime(2026, 1, 1, 12, tzinfo=UTC), timedelta(hours=1)


@settings(max_examples=200, deadline=None)
@given(edits=EDITS, page_size=st.integers(1, 7))
def test_what_is_at_risk_is_what_a_naive_model_says(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, str]], page_size: int
) -> None:
    """Whatever was done to both sides, and however the listings come in pages."""
    buckets, lost = Buckets(tmp_path_factory.mktemp("pair"), page_size=page_size), set[tuple[str, str]]()
    for number, (what, key) in enumerate(edits):
        edit(buckets, lost, what, key, number)
        buckets.clock.sleep(timedelta(seconds=1))
    found = buckets.compare().findings
    assert {(each.key, each.version) for each in found if each.kind in AT_RISK} == lost
    assert not [each for each in found if each.kind is Kind.UNKNOWN]


@settings(max_examples=100, deadline=None)
@given(keys=st.sets(KEYS), most=st.integers(1, 5), page_size=st.integers(1, 4))
def test_ranges_hold_every_key_once(
    tmp_path_factory: pytest.TempPathFactory, keys: set[str], most: int, page_size: int
) -> None:
    """However the keys are cut, no key is in two parts, and none is in no part."""
    buckets = Buckets(tmp_path_factory.mktemp("pair"), page_size=page_size)
    for key in keys:
        buckets.write(key)
    parts = ranges(buckets.source, "", most, buckets.within)
    listed = [key for part in parts for key, _ in versions(buckets.source, part, buckets.within)]
    assert listed == sorted(keys)
    assert len(parts) <= most


def test_a_comparison_goes_on_where_it_was_cut_off(buckets: Buckets) -> None:
    """S14: ranges that were compared before a kill -9 are not compared again, and count all the same."""
    for folder in "abcd":
        buckets.write(f"{folder}/lacking")
    cut_off = buckets.progress()
    listed = buckets.source.page

    def fails_at_c(cursor: Cursor, *, within: Deadline) -> Page:
        if cursor.after >= "c":
            raise Unavailable("cut off", where="here")
        return listed(cursor, within=within)

    buckets.source.page = fails_at_c  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        buckets.compare(cut_off)
    done = buckets.progress().done
    assert done
    asked: list[Cursor] = []

    def counted(cursor: Cursor, *, within: Deadline) -> Page:
        asked.append(cursor)
        return listed(cursor, within=within)

    buckets.source.page = counted  # type: ignore[method-assign]
    tally = buckets.compare(buckets.progress())
    assert tally.counts == {Kind.PENDING: 4}
    assert not {(cursor.after, cursor.until) for cursor in asked} & {(part.after, part.until) for part in done}


def test_what_was_cut_otherwise_before_does_not_count(buckets: Buckets) -> None:
    """Folders came while nobody compared: other ranges hold the same keys, which count once."""
    buckets.write("a/lacking")
    buckets.written("b/there")
    progress = buckets.progress()
    progress.tell(Cursor(), Tally(source=1, counts={Kind.PENDING: 1}, oldest={Kind.PENDING: buckets.clock.now()}))
    tally = buckets.compare(progress)
    assert (tally.source, tally.counts) == (2, {Kind.PENDING: 1})


def test_a_comparison_of_many_ranges_ends_with_its_first_error(buckets: Buckets) -> None:
    """Ranges that wait for their turn are not waited for."""
    for number in range(30):
        buckets.written(f"{number:02}/a")
    buckets.source.page = lambda *_, **__: _fail()  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match="cut off"):
        buckets.compare()


def test_a_replica_that_has_nothing(buckets: Buckets) -> None:
    """S14: all is missing and counted; what is asked and what is in memory is bounded all the same."""
    number, asked = 20_000, 300
    for each in range(number):
        buckets.write(f"{each % 40:02}/{each}", status=Status.COMPLETED)
    buckets.configure(ask_at_most=asked)
    questions: list[str] = []
    details = buckets.replica.details

    def counted(key: str, version: str, *, within: Deadline) -> Details | None:
        questions.append(key)
        return details(key, version, within=within)

    buckets.replica.details = counted  # type: ignore[method-assign]
    tracemalloc.start()
    try:
        tally = buckets.compare()
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert tally.counts == {Kind.MISSING: asked // 2, Kind.NOT_ASKED: number - asked // 2}
    assert len(questions) == asked // 2
    assert len(tally.findings) == asked // 2 + SHOWN
    assert most < 20_000_000, "about what eight ranges have on their way"


def _fail() -> Page:
    raise Unavailable("cut off", where="here")


def test_a_line_that_was_cut_off_is_compared_again(tmp_path: Path) -> None:
    """A kill -9 in the middle of a line loses that range alone."""
    path = tmp_path / "run.jsonl"
    progress = Progress(path, NOON, HOUR)
    progress.tell(Cursor("a/"), Tally(source=1))
    progress.tell(Cursor("b/"), Tally(source=2))
    path.write_bytes(path.read_bytes()[:-10])
    assert Progress(path, NOON, HOUR).done == {Cursor("a/"): Tally(source=1)}


def test_what_was_compared_longer_ago_than_the_rpo_is_compared_again(buckets: Buckets) -> None:
    """A run that is taken up hours later does not call a replica whole by what it was hours ago."""
    progress = buckets.progress()
    progress.tell(Cursor(), Tally())
    buckets.write("a.bin")
    buckets.clock.sleep(timedelta(minutes=59))
    assert buckets.progress().done == {Cursor(): Tally()}
    buckets.clock.sleep(timedelta(minutes=2))
    assert buckets.compare(buckets.progress()).counts == {Kind.PENDING: 1}


def test_a_listing_that_slows_down_is_asked_again(buckets: Buckets) -> None:
    """S16: 503 SlowDown, and the result is right."""
    for number in range(30):
        buckets.written(f"{number:02}")
    chance = random.Random(1)
    listed = buckets.source.page

    def slow(cursor: Cursor, *, within: Deadline) -> Page:
        if chance.random() < 0.5:
            raise Unavailable("ListObjectVersions: AWS cannot answer now", seen="SlowDown")
        return listed(cursor, within=within)

    buckets.source.page = slow  # type: ignore[method-assign]
    patient = RetryingBucket(buckets.source, lambda: None, random.Random(2))
    told = [key for key, _ in versions(patient, Cursor(), Deadline.after(buckets.clock, timedelta(minutes=10)))]
    assert len(told) == 30


def test_an_unreachable_replica_ends_the_comparison(buckets: Buckets) -> None:
    """S15: a side that refuses all calls gives no result, and never that all is missing."""
    buckets.written("a")
    buckets.replica.failing = Unavailable("ListObjectVersions: no answer", where="eu-west-1")
    with pytest.raises(Unavailable):
        buckets.compare()


def test_an_unsorted_listing_is_refused(buckets: Buckets) -> None:
    """A merge of what is not sorted would be wrong without a word."""
    page = Page([_version("b"), _version("a")], None)
    buckets.source.page = lambda *_, **__: page  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match="not sorted"):
        list(versions(buckets.source, Cursor(), buckets.within))


def _version(key: str) -> Version:
    return Version(key, "1", 1, "e", datetime(2026, 1, 1, tzinfo=UTC), marker=False, latest=True)


def test_findings_are_counted_without_limit_and_told_up_to_one(buckets: Buckets) -> None:
    """S14: a replica that has nothing does not fill the memory."""
    part = Tally()
    for number in range(SHOWN + 50):
        part.add(Finding(Kind.PENDING, str(number), "1", buckets.clock.now(), 1))
    whole = total([part, part])
    assert whole.counts == {Kind.PENDING: 2 * (SHOWN + 50)}
    assert len(whole.findings) == SHOWN
