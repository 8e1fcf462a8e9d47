"""A restore of as many objects as a plan may have stays small: what one object costs is what a hundred thousand cost."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from defib.journal import read_journal
from defib.objectives import Status
from defib.replication.rewinding import MOST
from defib.report.write import write_run
from defib.timeline import timeline
from tests.flows.restore_stage import RestoreStage

OBJECTS = 3_000
"""Enough that what does not grow with them hardly counts."""

LIMIT = 320 * 1024 * 1024
"""What the largest plan may cost, beside what holds the objects."""


@pytest.fixture
def stage(tmp_path: Path) -> RestoreStage:
    """Every object was written over."""
    return RestoreStage(tmp_path)


def spoilt(stage: RestoreStage) -> datetime:
    """Objects that were all written over; gives the moment before."""
    buckets, good = stage.buckets, stage.clock.now()
    for what in (b"good", b"spoilt"):
        for number in range(OBJECTS):
            buckets.source.put(f"images/some/folder/object-{number:07}.webp", what, within=buckets.within)
        stage.clock.sleep(timedelta(minutes=1))
        good = stage.clock.now() if what == b"good" else good
        stage.clock.sleep(timedelta(minutes=1))
    return good


@contextmanager
def small(what: str) -> Iterator[None]:
    """What it takes at its height is within the limit, if it were of as many objects as a plan may have."""
    tracemalloc.start()
    try:
        yield
        height = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert height / OBJECTS * MOST < LIMIT, f"{what}: {height / OBJECTS:.0f} bytes an object"


def test_what_an_object_costs(stage: RestoreStage) -> None:
    """Planned, made, proved, reported, and read again by whoever takes it up."""
    good = spoilt(stage)
    with small("the run"):
        run, outcome = stage.restore(good)
    assert outcome.status is Status.RECOVERED
    with small("its report"):
        write_run(stage.desk.home.run(run.id), timeline(run.journal.records))
    with small("its journal, read again"):
        records, _ = read_journal(stage.desk.home.run(run.id) / "journal.jsonl")
    assert records == run.journal.records
    with small("its rollback"):
        assert stage.rollback(run.id).status is Status.ROLLED_BACK
    assert set(stage.holds().values()) == {b"spoilt"}
