"""Which of the versions that a listing shows to be the same are asked for more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from defib.replication.allowance import Allowance
from defib.replication.findings import Kind
from defib.replication.port import Version
from defib.replication.spotcheck import SpotCheck, turns_for
from tests.replication.buckets import Buckets

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def version(number: int, age: timedelta = timedelta(days=9)) -> Version:
    """One of many."""
    return Version(f"{number:05}.bin", str(number), 1, "e", NOON - age, marker=False, latest=True)


def spot(buckets: Buckets, at: datetime, turns: int) -> SpotCheck:
    """The check of that moment."""
    return SpotCheck(buckets.source, buckets.replica, Allowance(9, 9), at, timedelta(hours=1), turns)


@pytest.mark.parametrize(("versions", "turns"), [(0, 1), (1, 1), (500, 1), (501, 2), (2_000_000, 4000)])
def test_half_of_the_requests_are_enough_for_a_turn(versions: int, turns: int) -> None:
    """A small bucket is compared as a whole each time, a large one in its time; the first time as far as it goes."""
    assert turns_for(versions, 2000) == turns


def test_everything_has_its_turn_once(buckets: Buckets) -> None:
    """However many turns there are, after so many checks every version was chosen, and none twice."""
    chosen = [
        number
        for turn in range(7)
        for number in range(300)
        if spot(buckets, NOON + turn * QUARTER, 7).wants(version(number))
    ]
    assert sorted(chosen) == list(range(300))


def test_what_is_young_is_always_chosen(buckets: Buckets) -> None:
    """It may not have come through yet as it must."""
    young = version(1, timedelta(minutes=59))
    assert all(spot(buckets, NOON + turn * timedelta(seconds=1), 10**6).wants(young) for turn in range(50))


def test_a_marker_has_no_headers(buckets: Buckets) -> None:
    """Nobody can ask for them."""
    marker = version(1)._replace(marker=True)
    assert not spot(buckets, NOON, 1).wants(marker)


def test_what_is_wrong_is_asked_for_before_what_is_young(buckets: Buckets) -> None:
    """Of many young objects half of the requests are left for what the listings show to be apart."""
    for number in range(20):
        buckets.written(f"{number:02}")
    for number in range(3):
        buckets.write(f"late {number}")
    buckets.configure(ask_at_most=20)
    tally = buckets.compare()
    assert (tally.counts, tally.checked) == ({Kind.PENDING: 3}, 5)


def test_whose_tags_were_not_asked_for_is_not_counted(buckets: Buckets) -> None:
    """Headers alone do not make a version checked that has tags."""
    for number in range(3):
        buckets.written(f"{number}", tags={"team": "web"})
    buckets.configure(ask_at_most=9)
    assert buckets.compare().checked == 2
    buckets.configure(ask_at_most=24)
    assert buckets.compare().checked == 3
