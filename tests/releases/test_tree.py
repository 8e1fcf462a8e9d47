"""Which files a built site has."""

from __future__ import annotations

import hashlib
import os
import random
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Refused
from defib.releases.piece import Piece
from defib.releases.rules import headers_of
from defib.releases.tree import files_of
from tests.releases.site_stage import SITE, write


def found(root: Path) -> tuple[Piece, ...]:
    """The files of a folder."""
    return files_of(root, within=Deadline.after(SystemClock(), timedelta(seconds=30)))


def test_every_file_with_its_content(tmp_path: Path) -> None:
    """Every file is there, hidden ones too, sorted, with size, hash and headers."""
    files = SITE | {".well-known/assetlinks.json": "[]", "empty": ""}
    write(tmp_path, files)
    seen = found(tmp_path)
    assert sorted(files) == [each.path for each in seen]
    for each in seen:
        content = files[each.path].encode()
        expected = Piece(each.path, len(content), hashlib.sha256(content).hexdigest(), headers_of(each.path), tmp_path)
        assert expected == each


def test_many_files(tmp_path: Path) -> None:
    """More files than are read between two looks at the clock keep their order."""
    files = {f"f{number:04}": str(number) for number in range(1200)}
    seen = found(write(tmp_path, files))
    assert list(files) == [each.path for each in seen]
    assert [hashlib.sha256(text.encode()).hexdigest() for text in files.values()] == [each.sha256 for each in seen]


def test_files_of_every_size(tmp_path: Path) -> None:
    """Whether a file is read by one call or piece by piece, its hash is that of all of it, and the order is kept."""
    around = (256 * 1024, 1024 * 1024)
    sizes = {f"f{size:07}": size for each in around for size in (each - 1, each, each + 1)} | {"a": 2_500_000, "z": 3}
    chance = random.Random(1)
    contents = {path: chance.randbytes(size) for path, size in sizes.items()}
    for path, content in contents.items():
        (tmp_path / path).write_bytes(content)
    expected = [(path, sizes[path], hashlib.sha256(contents[path]).hexdigest()) for path in sorted(sizes)]
    assert expected == [(each.path, each.size, each.sha256) for each in found(tmp_path)]


def test_a_build_of_no_files(tmp_path: Path) -> None:
    """An empty folder has none."""
    assert () == found(tmp_path)


def test_a_link_inside(tmp_path: Path) -> None:
    """R14: a link to a file of the build is that file."""
    write(tmp_path, {"a/real.txt": "text"})
    (tmp_path / "a/link.txt").symlink_to("real.txt")
    assert ["a/link.txt", "a/real.txt"] == [each.path for each in found(tmp_path)]


@pytest.mark.parametrize("target", ["/etc/hostname", "../outside", "nowhere", "loop", ".", "a"])
def test_links_that_lead_astray(tmp_path: Path, target: str) -> None:
    """R14: a link that leaves the tree, leads nowhere, in circles, or to a folder is refused by name."""
    root = write(tmp_path / "site", {"a/x": ""})
    (tmp_path / "outside").write_text("secret", encoding="utf-8")
    (root / "loop").symlink_to(target)
    with pytest.raises(Refused) as refused:
        found(root)
    assert "loop" == refused.value.where


def test_what_is_no_file(tmp_path: Path) -> None:
    """A pipe would make a deploy wait for ever, and is refused."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Refused, match="pipe"):
        found(tmp_path)


def test_the_name_of_the_manifest(tmp_path: Path) -> None:
    """A build cannot bring the object that marks it as complete."""
    with pytest.raises(Refused, match="another name"):
        found(write(tmp_path, {".defib-release.json": "{}"}))


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    """A name that is not UTF-8 has no key, and is refused."""
    with (tmp_path / os.fsdecode(b"\xff.js")).open("wb"):
        pass
    with pytest.raises(Refused, match="UTF-8"):
        found(tmp_path)
