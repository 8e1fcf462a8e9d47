"""Which versions of the replica a lifecycle rule of the source explains, and which it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from defib.providers.bucket.memory import Kept
from defib.replication.findings import Kind
from defib.replication.rules import Expiry
from tests.replication.buckets import RULE, Buckets, settings

HOUR = timedelta(hours=1)


def test_what_lifecycle_has_removed_at_the_source_is_expected(buckets: Buckets) -> None:
    """S5: a marker without versions, and an old version, that the source's own rules remove."""
    expiry = Expiry("tidy", "logs/", superseded=timedelta(days=1), lone_markers=True)
    buckets.source.configure(replace(settings(RULE), expiries=(expiry,)))
    version = buckets.written("logs/a")
    held = buckets.replica.kept("logs/a", version)
    assert held is not None
    buckets.source.remove("logs/a", version, within=buckets.within)
    marker = held.version._replace(key="logs/b", id="m1", marker=True, etag="", size=0)
    buckets.replica.keep(Kept(marker))
    buckets.clock.sleep(timedelta(days=2))
    assert buckets.kinds() == {"logs/a": Kind.EXPECTED, "logs/b": Kind.EXPECTED}


@pytest.mark.parametrize(
    "expiry",
    [
        Expiry("hides", "logs/", current=timedelta(days=1)),
        Expiry("large", "logs/", superseded=timedelta(days=1), above=1000),
        Expiry("small", "logs/", superseded=timedelta(days=1), below=7),
        Expiry("tagged", "logs/", superseded=timedelta(days=1), tags=(("kind", "log"),)),
        Expiry("keeping", "logs/", superseded=timedelta(days=1), kept=1),
        Expiry("by-day", "logs/", date=datetime(2025, 1, 1, tzinfo=UTC)),
    ],
    ids=lambda expiry: expiry.id,
)
def test_a_rule_that_removes_no_such_version_explains_nothing(buckets: Buckets, expiry: Expiry) -> None:
    """What expires in a bucket with versions gets a marker and stays; and rules are about some sizes alone."""
    buckets.source.configure(replace(settings(RULE), expiries=(expiry,)))
    buckets.replica.put("logs/a", b"content", within=buckets.within)
    buckets.clock.sleep(timedelta(days=2))
    assert buckets.kinds() == {"logs/a": Kind.EXTRA}


@pytest.mark.parametrize(("kept", "gone"), [(0, 2), (1, 1), (2, 0)])
def test_what_a_rule_keeps_it_has_not_removed(buckets: Buckets, kept: int, gone: int) -> None:
    """Of what was superseded long ago so many stay: those that the source lacks all the same are extra."""
    expiry = Expiry("tidy", superseded=timedelta(days=1), kept=kept)
    buckets.source.configure(replace(settings(RULE), expiries=(expiry,)))
    versions = []
    for content in (b"oldest", b"older", b"newest"):
        versions.append(buckets.written("a", content))
        buckets.clock.sleep(timedelta(days=2))
    for version in versions[:2]:
        buckets.source.remove("a", version, within=buckets.within)
    counts = buckets.compare().counts
    assert (counts.get(Kind.EXPECTED, 0), counts.get(Kind.EXTRA, 0)) == (gone, 2 - gone)


def test_time_counts_from_when_a_version_was_superseded(buckets: Buckets) -> None:
    """An old version that was written over an hour ago is not one that a rule of a day has removed."""
    buckets.source.configure(replace(settings(RULE), expiries=(Expiry("tidy", superseded=timedelta(days=1)),)))
    older = buckets.written("a", b"older")
    buckets.clock.sleep(timedelta(days=9))
    buckets.written("a", b"newer")
    buckets.clock.sleep(HOUR)
    buckets.source.remove("a", older, within=buckets.within)
    assert buckets.kinds() == {"a": Kind.EXTRA}


def test_a_rule_about_tags_explains_what_has_them(buckets: Buckets) -> None:
    """The replica is asked for its tags; beyond what may be asked nothing is explained."""
    expiry = Expiry("tidy", superseded=timedelta(days=1), tags=(("kind", "log"),))
    buckets.source.configure(replace(settings(RULE), expiries=(expiry,)))
    version = buckets.written("a", tags={"kind": "log", "of": "today"})
    buckets.source.remove("a", version, within=buckets.within)
    buckets.clock.sleep(timedelta(days=2))
    assert buckets.kinds() == {"a": Kind.EXPECTED}
    buckets.configure(ask_at_most=0)
    assert buckets.kinds() == {"a": Kind.EXTRA}
