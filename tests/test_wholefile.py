"""Files that stand whole or not at all."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from defib.errors import HomeUnwritable
from defib.wholefile import PRIVATE, put, put_once


def test_put_replaces(tmp_path: Path) -> None:
    """The last one stands, and nothing else is left in the folder."""
    for content in (b"one", b"two"):
        put(tmp_path / "a" / "file", content, "it")
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "a").iterdir()] == [("file", b"two")]


def test_only_one_of_many_is_put_once(tmp_path: Path) -> None:
    """However close the race: one stands, whole, and all others are told."""

    def compete(number: int) -> bool:
        try:
            put_once(tmp_path / "file", b"%d" % number * 1000, "it")
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = [number for number, mine in enumerate(pool.map(compete, range(32))) if mine]
    assert len(won) == 1
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"%d" % won[0] * 1000)]


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    """What, where and why."""
    (tmp_path / "a").write_text("no folder")
    for way in (put, put_once):
        with pytest.raises(HomeUnwritable, match="cannot write the answer") as caught:
            way(tmp_path / "a" / "file", b"", "the answer")
        assert caught.value.where == str(tmp_path / "a" / "file")


def test_private_from_the_first_moment(tmp_path: Path) -> None:
    """Others read nothing of it, whatever whoever was killed here left behind."""
    (tmp_path / "file.new").write_text("left behind")
    (tmp_path / "file.new").chmod(0o644)
    put(tmp_path / "file", b"secret", "it", mode=PRIVATE)
    put_once(tmp_path / "other", b"secret", "it", mode=PRIVATE)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("file", "other")] == [0o600, 0o600]
