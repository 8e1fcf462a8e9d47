"""How much would be lost: the age of the oldest version that the replica does not hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from defib.replication.exposure import exposure
from defib.replication.findings import AT_RISK, Finding, Kind, Tally

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def found(*kinds: tuple[Kind, timedelta]) -> Tally:
    """One version of each kind, of that age."""
    tally = Tally(source=len(kinds))
    for kind, age in kinds:
        tally.add(Finding(kind, kind.value, "1", NOW - age, 1))
    return tally


def test_a_replica_that_holds_everything_loses_nothing() -> None:
    """Zero is a figure, and known."""
    assert exposure(Tally(source=5, same=5), NOW, HOUR).lag == timedelta(0)


@pytest.mark.parametrize("kind", sorted(AT_RISK))
def test_whatever_the_replica_does_not_hold_counts(kind: Kind) -> None:
    """S7: PENDING for 70 minutes is 70 minutes, though nothing has failed."""
    seen = exposure(found((kind, timedelta(minutes=70))), NOW, HOUR)
    assert seen.lag == timedelta(minutes=70)
    assert kind.value in seen.why


def test_the_oldest_counts() -> None:
    """Not the newest, and not how many there are."""
    seen = exposure(found((Kind.PENDING, timedelta(minutes=5)), (Kind.FAILED, timedelta(minutes=50))), NOW, HOUR)
    assert seen.lag == timedelta(minutes=50)
    assert "1 failed, 1 pending" in seen.why


@pytest.mark.parametrize("kind", [Kind.EXTRA, Kind.EXPECTED, Kind.UNLIKE, Kind.HIDDEN])
def test_what_the_replica_holds_does_not_count(kind: Kind) -> None:
    """It may be wrong, and would not be lost."""
    assert exposure(found((kind, timedelta(days=9))), NOW, HOUR).lag == timedelta(0)


def test_what_nobody_can_tell_makes_it_unknown() -> None:
    """Unknown is never success."""
    seen = exposure(found((Kind.UNKNOWN, timedelta(days=9)), (Kind.PENDING, timedelta(minutes=5))), NOW, HOUR)
    assert seen.lag is None
    assert "nobody can tell" in seen.why


def test_beyond_the_objective_it_is_missed_whatever_else_is_unknown() -> None:
    """What is known to be missing is enough."""
    seen = exposure(found((Kind.UNKNOWN, timedelta(days=9)), (Kind.PENDING, timedelta(minutes=61))), NOW, HOUR)
    assert seen.lag == timedelta(minutes=61)


def test_what_could_not_be_compared_is_unknown() -> None:
    """S15: an unreachable region says nothing of what it holds."""
    assert exposure(None, NOW, HOUR).lag is None


def test_a_clock_that_is_behind_makes_no_negative_age() -> None:
    """S3's clock and this machine's are not the same."""
    assert exposure(found((Kind.PENDING, -timedelta(seconds=2))), NOW, HOUR).lag == timedelta(0)
