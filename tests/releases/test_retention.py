"""Which releases a bucket holds, and which may go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from defib.errors import Refused, StepFailed
from defib.providers.releases.memory import MemoryReleases
from defib.releases.retention import GRACE, Release, State, may_go, previous_of, releases, remove
from defib.releases.rules import key_of, manifest_key
from tests.releases.site_stage import BUILT, FIRST, SECOND, SITE, THIRD, Around, Stage, upload, write

NOW = datetime(2026, 6, 1, tzinfo=UTC)
MONTH = timedelta(days=30)


def release(commit: str, days: float, *, live: bool = False, complete: bool = True) -> Release:
    """A release that was deployed so many days ago."""
    when = NOW - timedelta(days=days)
    deployed = when if complete else None
    return Release(commit * 40, complete, live, deployed, deployed, when, 10, 100)


def gone(*found: Release, keep: tuple[str, ...] = ()) -> list[str]:
    """Which of them may go, by the first letter."""
    return [each.commit[0] for each in may_go(found, MONTH, NOW, [each * 40 for each in keep])]


def test_the_live_one_and_the_one_before_it_never_go() -> None:
    """However old they are."""
    assert [] == gone(release("a", 900, live=True))
    assert [] == gone(release("b", 400), release("a", 900, live=True))
    assert ["a"] == gone(release("c", 400, live=True), release("b", 500), release("a", 900))


def test_the_retention_begins_when_a_release_is_replaced() -> None:
    """Users hold the pages of a release until the next one, however old it was by then."""
    found = (release("d", 1, live=True), release("c", 29), release("b", 31), release("a", 900))
    assert ["a"] == gone(*found)
    assert ["a", "b"] == gone(release("d", 1, live=True), release("c", 30), release("b", 31), release("a", 900))


def test_after_a_rollback() -> None:
    """The release that was rolled back from stays, and so does the one before the live one."""
    found = (release("c", 40), release("b", 50, live=True), release("a", 60))
    assert "a" * 40 == previous_of(found, "b" * 40)
    assert [] == gone(*found)


def test_who_knows_better_keeps_more() -> None:
    """What a caller names stays as well."""
    found = (release("d", 40, live=True), release("c", 50), release("b", 60), release("a", 70))
    assert ["a", "b"] == gone(*found)
    assert ["b"] == gone(*found, keep=("a",))


def test_incomplete_ones() -> None:
    """A half uploaded release stays for a day, because somebody may be at it; then it goes, whatever the retention."""
    found = (release("c", 5, live=True), release("b", 0.9, complete=False), release("a", 1.1, complete=False))
    assert ["a"] == gone(*found)


@pytest.mark.parametrize("found", [(), (release("a", 900), release("b", 1))])
def test_nothing_goes_while_the_live_one_is_unknown(found: tuple[Release, ...]) -> None:
    """Where nobody can tell what users are on, nothing is removed."""
    with pytest.raises(Refused, match="live"):
        may_go(found, MONTH, NOW)


def test_previous() -> None:
    """The one deployed last before the live one; without one, the newest other; without any, none."""
    found = (release("c", 1), release("b", 2, live=True), release("a", 3), release("x", 2.5, complete=False))
    assert "a" * 40 == previous_of(found, "b" * 40)
    assert "c" * 40 == previous_of(found[:2], "b" * 40)
    assert "" == previous_of(found[1:2], "b" * 40)


@pytest.fixture
def stage() -> Stage:
    """An empty store."""
    return Stage()


def test_what_is_listed(stage: Stage, tmp_path: Path) -> None:
    """The newest first, with what each is; folders that are no commits are left out."""
    site = write(tmp_path, SITE)
    stage.deploy(site, FIRST)
    stage.clock.sleep(timedelta(hours=1))
    stage.deploy(site, SECOND)
    stage.clock.sleep(timedelta(hours=1))
    stage.memory.put(upload(key_of(THIRD, "main.dart.js"), b"half"), within=stage.soon())
    stage.memory.put(upload("releases/drafts/index.html"), within=stage.soon())
    found = releases(stage.memory, FIRST, within=stage.soon(), crowd=stage.crowd)
    assert [(THIRD, State.INCOMPLETE), (SECOND, State.COMPLETE), (FIRST, State.LIVE)] == [
        (each.commit, each.state) for each in found
    ]
    assert [(1, 4, None), (len(SITE), sum(map(len, SITE.values())), BUILT)] == [
        (each.count, each.total, each.built) for each in found[:2]
    ]


def test_a_live_release_that_is_not_complete(stage: Stage) -> None:
    """What users are on is live even where its manifest is gone."""
    stage.memory.put(upload(key_of(FIRST, "index.html")), within=stage.soon())
    (found,) = releases(stage.memory, FIRST, within=stage.soon(), crowd=stage.crowd)
    assert (State.LIVE, False) == (found.state, found.complete)
    stage.clock.sleep(GRACE * 2)
    assert () == may_go((found,), MONTH, stage.clock.now())


def test_removing(stage: Stage, tmp_path: Path) -> None:
    """All of a release goes, more than 1,000 objects too, and nothing of another; again costs nothing."""
    stage.deploy(write(tmp_path / "many", {f"f{number}": "" for number in range(1200)}), FIRST)
    stage.deploy(write(tmp_path / "site", SITE), SECOND)
    others = stage.paths(SECOND)
    assert 1200 == remove(stage.memory, FIRST, within=stage.soon())
    assert set() == stage.paths(FIRST)
    assert others == stage.paths(SECOND)
    assert 0 == remove(stage.memory, FIRST, within=stage.soon())


class Refusing(Around):
    """Deletes manifests and nothing else, and says so to nobody."""

    def delete(self, keys: object, *, within: object) -> None:
        assert isinstance(self.inner, MemoryReleases)
        assert isinstance(keys, list)
        self.inner.delete([key for key in keys if key == manifest_key(FIRST)], within=Stage(self.inner._clock).soon())


def test_half_removed(stage: Stage, tmp_path: Path) -> None:
    """What is half removed is named, and does not count as complete."""
    stage.deploy(write(tmp_path, SITE), FIRST)
    with pytest.raises(StepFailed, match="still there"):
        remove(Refusing(stage.memory), FIRST, within=stage.soon())
    assert [False] == [each.complete for each in releases(stage.memory, "", within=stage.soon(), crowd=stage.crowd)]
