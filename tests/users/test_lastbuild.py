"""What is remembered of the build that users had."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from defib.errors import EvidenceBroken, HomeUnwritable
from defib.ports import Build
from defib.users.lastbuild import FILE, last_build, remember

AT = datetime(2026, 1, 1, tzinfo=UTC)
BUILD = Build("4f" * 20, AT - timedelta(minutes=20))


def test_what_was_remembered_is_read_back(tmp_path: Path) -> None:
    """The build and the moment it was seen come back as they were, from a folder that nobody made before."""
    remember(tmp_path / "sites" / "lab", BUILD, AT)
    assert last_build(tmp_path / "sites" / "lab") == (BUILD, AT)


def test_nobody_has_looked_yet(tmp_path: Path) -> None:
    """Without a look there is no build, and no error either."""
    assert last_build(tmp_path) is None


def test_a_later_look_replaces_an_earlier_one(tmp_path: Path) -> None:
    """What users had last counts, also where it is older than what they had before."""
    older = Build("0a" * 20, BUILD.built - timedelta(days=1))
    remember(tmp_path, BUILD, AT)
    remember(tmp_path, older, AT + timedelta(seconds=1))
    assert last_build(tmp_path) == (older, AT + timedelta(seconds=1))


def test_an_earlier_look_that_comes_late_changes_nothing(tmp_path: Path) -> None:
    """Of two checks at once the one that looked later is believed, whichever writes last."""
    remember(tmp_path, BUILD, AT)
    remember(tmp_path, Build("0a" * 20, AT), AT - timedelta(seconds=1))
    assert last_build(tmp_path) == (BUILD, AT)


@pytest.mark.parametrize("text", ["", "{", '{"id": "x"}', '{"id": "x", "built": "2026-01-01", "seen_at": "now"}'])
def test_a_broken_file_is_named_and_mended_by_the_next_look(tmp_path: Path, text: str) -> None:
    """A file that says nothing is no build, and does not stay."""
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(EvidenceBroken) as told:
        last_build(tmp_path)
    assert told.value.where == str(tmp_path / FILE)
    remember(tmp_path, BUILD, AT)
    assert last_build(tmp_path) == (BUILD, AT)


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """Whoever remembers learns that nothing was kept."""
    (tmp_path / "site").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(HomeUnwritable):
        remember(tmp_path / "site", BUILD, AT)


def test_nothing_else_is_left_in_the_folder(tmp_path: Path) -> None:
    """The file that is written beside is gone afterwards."""
    remember(tmp_path, BUILD, AT)
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
