"""Random histories: what is restored is what a naive model says of any moment, and put back it is what was before."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defib.errors import Refused
from defib.objectives import Status
from defib.replication.moment import aligned, held_at, untold
from defib.replication.port import Version
from defib.replication.rewinding import Rewinder
from defib.replication.rules import Expiry
from tests.flows.restore_stage import RestoreStage
from tests.stage import START

KEYS = ["a", "a/", "a/b", "a/b/c", "a//e", "a0", "b", "b/x", "ä/ö", "z z", "z+z", "%41", "\U0001f600"]
EVENT = st.tuples(
    st.sampled_from(["put", "put", "put", "same", "delete", "headers", "tags", "parts"]),
    st.sampled_from(KEYS),
    st.sampled_from([0, 0, 1, 30]),
)
Held = dict[str, tuple[bytes, str, str]]
"""Of each key its bytes, a header and a tag."""


@dataclass
class History:
    """What was written when, beside a bucket to which the same was done."""

    stage: RestoreStage
    markers: bool
    """Whether deletions are replicated."""
    told: list[tuple[datetime, str, tuple[bytes, str, str] | None]] = field(default_factory=list)

    def do(self, number: int, what: str, key: str, seconds: int) -> None:
        """One event; the same bytes again are a version as well, and so is a deletion of what is not there."""
        self.stage.clock.sleep(timedelta(seconds=seconds))
        now = self.stage.clock.now().replace(microsecond=0)
        if what == "delete":
            marker = self.stage.buckets.source.kept(key, self.stage.buckets.delete(key))
            if self.markers and marker is not None:
                self.stage.buckets.replica.keep(marker)
            self.told.append((now, key, None))
            return
        content = b"the same" if what == "same" else f"{number}".encode()
        header = f"max-age={number}" if what == "headers" else ""
        tag = f"{number}" if what == "tags" else ""
        parts = {
            "headers": {"Cache-Control": header} if header else {},
            "tags": {"t": tag} if tag else {},
            "plain": what != "parts",
        }
        self.stage.buckets.written(key, content, **parts)
        self.told.append((now, key, (content, header, tag)))

    def model(self, at: datetime, prefix: str = "") -> Held:
        """What every key held at that moment."""
        held: dict[str, tuple[bytes, str, str] | None] = {key: what for when, key, what in self.told if when <= at}
        return {key: what for key, what in held.items() if what is not None and key.startswith(prefix)}


def holds(stage: RestoreStage, name: str = "source", prefix: str = "") -> Held:
    """What every key of a bucket holds now."""
    found: Held = {}
    bucket = getattr(stage.buckets, name)
    for key in stage.holds(name):
        kept = bucket.kept(key)
        if key.startswith(prefix):
            found[key] = (kept.content, kept.headers.get("Cache-Control", ""), kept.tags.get("t", ""))
    return found


@dataclass
class Place:
    """A world in a folder of its own, which is gone afterwards."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp()))

    def __enter__(self) -> RestoreStage:
        return RestoreStage(self.folder)

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.folder)


@settings(max_examples=60, deadline=None)
@given(
    events=st.lists(EVENT, min_size=1, max_size=25),
    choose=st.randoms(use_true_random=False),
    into=st.sampled_from(["source", "source", "laboratory", "replica"]),
    side=st.sampled_from(["source", "source", "replica"]),
    prefix=st.sampled_from(["", "", "a", "a/", "ä"]),
)
def test_any_moment_of_any_history(
    events: list[tuple[str, str, int]], choose: object, into: str, side: str, prefix: str
) -> None:
    """Into the bucket itself, from its replica or into another: as the model says, and back again version by version."""
    with Place() as stage:
        history = History(stage, markers=side == "replica")
        for number, event in enumerate(events):
            history.do(number, *event)
        stage.clock.sleep(timedelta(seconds=5))
        moments = [when + timedelta(seconds=late) for when, _, _ in history.told for late in (0, 0.5)]
        at = choose.choice(moments)  # type: ignore[attr-defined]
        before = stage.versions(into)
        untouched = holds(stage, into)
        buckets = {"source": "assets", "laboratory": "assets-laboratory", "replica": "assets-replica"}
        run, outcome = stage.restore(at, side=side, into=buckets[into], prefix=prefix)
        if outcome.status is Status.REFUSED:
            assert "held nothing" in outcome.reason or "holds nothing" in outcome.reason, outcome
            assert history.model(at, prefix) == {}
            return
        assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
        others = {key: held for key, held in untouched.items() if not key.startswith(prefix)}
        assert holds(stage, into) == {**others, **history.model(at, prefix)}
        assert set(before) <= set(stage.versions(into))
        assert stage.rollback(run.id).status is Status.ROLLED_BACK
        assert stage.versions(into) == before


class TestAMoment:
    """What one key held."""

    def version(self, number: int, *, marker: bool = False, name: str = "") -> Version:
        """Written so many seconds after the start."""
        return Version("k", name or f"{number}", 1, "e", START + timedelta(seconds=number), marker, latest=False)

    @pytest.mark.parametrize(("at", "held"), [(0, None), (1, "1"), (2, "1"), (3, "3"), (9, "5")])
    def test_the_newest_by_then(self, at: int, held: str | None) -> None:
        """A version counts from the second that it is stamped with."""
        versions = [self.version(5, marker=True), self.version(3), self.version(1)]
        found = held_at(versions, START + timedelta(seconds=at))
        assert (found.id if found else None) == held

    def test_of_the_same_second_the_newest(self) -> None:
        """Listings are in the order of writing."""
        found = held_at([self.version(3, name="later"), self.version(3, name="sooner")], START + timedelta(seconds=3))
        assert found is not None
        assert found.id == "later"

    @pytest.mark.parametrize(
        ("rules", "told"),
        [
            ((), False),
            ((Expiry("r", superseded=timedelta(days=9)),), True),
            ((Expiry("r", superseded=timedelta(days=11)),), False),
            ((Expiry("r", prefix="other/", superseded=timedelta(days=9)),), False),
            ((Expiry("r", superseded=timedelta(days=9), kept=1),), True),
            ((Expiry("r", superseded=timedelta(days=9), kept=2),), False),
            ((Expiry("r", current=timedelta(days=1)),), False),
        ],
    )
    def test_what_a_lifecycle_may_have_removed(self, rules: tuple[Expiry, ...], told: bool) -> None:
        """Only what would be old enough, below its prefix, and not among those that are kept."""
        versions = [self.version(7), self.version(5)]
        at, now = START, START + timedelta(days=10)
        assert bool(untold(versions, at, now, rules)) == told
        assert untold([*versions, self.version(0)], at, now, rules) == ""

    def test_listings_side_by_side(self) -> None:
        """Every key once, with what each listing has of it."""
        one, other = iter([("a", [self.version(1)]), ("c", [])]), iter([("b", []), ("c", [self.version(2)])])
        found = [(key, [len(each) for each in versions]) for key, versions in aligned(one, other)]
        assert found == [("a", [1, 0]), ("b", [0, 0]), ("c", [0, 1])]


@pytest.fixture
def stage(tmp_path: Path) -> RestoreStage:
    """An empty world."""
    return RestoreStage(tmp_path)


def rewinder(stage: RestoreStage, at: datetime, most: int) -> Rewinder:
    """Reads the source's past, to be put into its place."""
    buckets = stage.buckets
    zone = buckets.pair.zone(buckets.source, buckets.source)
    return Rewinder(zone, buckets.source, buckets.source, None, True, at, stage.clock.now(), most=most)


class TestMany:
    """A plan has an end."""

    def test_more_than_fit_into_one_plan(self, stage: RestoreStage) -> None:
        """They are refused as soon as there are too many, and not after all were read."""
        at = stage.clock.now()
        stage.clock.sleep(timedelta(minutes=1))
        for number in range(12):
            stage.buckets.written(f"{number:03}", b"x")
        stage.clock.sleep(timedelta(minutes=1))
        with pytest.raises(Refused, match="more than 10 objects"):
            rewinder(stage, at, most=10).read([""], stage.buckets.within)
        assert len(rewinder(stage, at, most=12).read([""], stage.buckets.within).apart) == 12
