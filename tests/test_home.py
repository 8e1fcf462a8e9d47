"""Where files are kept, and how a run is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from defib.errors import HomeUnwritable, InputError
from defib.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with three runs."""
    for name in ("20260101-000000000-cdn-failover-lab-aaaa", "20260101-000000001-failback-lab-bbbb", "20260201-x-lab-aabb"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "journal.jsonl").touch()
    (tmp_path / "runs" / "20260301-no-journal").mkdir()
    return Home.open(tmp_path)


def test_is_made(tmp_path: Path) -> None:
    """A home that is not there is made, for its owner alone."""
    home = Home.open(tmp_path / "a" / "b")
    assert home.path.is_dir()
    assert home.path.stat().st_mode & 0o077 == 0


def test_cannot_be_written(tmp_path: Path) -> None:
    """A home that cannot be used is told with the way out."""
    (tmp_path / "file").touch()
    with pytest.raises(HomeUnwritable) as caught:
        Home.open(tmp_path / "file")
    assert (caught.value.where, "DEFIB_HOME" in caught.value.then) == (str(tmp_path / "file"), True)


def test_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """$DEFIB_HOME before $XDG_STATE_HOME before the user's own folder."""
    for name, folder in (("HOME", "home"), ("XDG_STATE_HOME", "state"), ("DEFIB_HOME", "defib")):
        monkeypatch.delenv("DEFIB_HOME", raising=False)
        if name == "HOME":
            monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        monkeypatch.setenv(name, str(tmp_path / folder))
        expected = {"home": "home/.local/state/defib", "state": "state/defib", "defib": "defib"}[folder]
        assert Home.open().path == tmp_path / expected


def test_runs_in_order(home: Home) -> None:
    """Folders with a journal, oldest first."""
    assert [folder.name[-4:] for folder in home.runs()] == ["aaaa", "bbbb", "aabb"]


@pytest.mark.parametrize("name", ["20260101-000000001-failback-lab-bbbb", "bbbb", "20260101-000000001"])
def test_unambiguous_part_is_enough(home: Home, name: str) -> None:
    """The whole id, its end, or its beginning."""
    assert home.run(name).name.endswith("bbbb")


@pytest.mark.parametrize(("name", "what"), [("20260101", "the name of 2 runs"), ("cccc", "no run"), ("../lab", "no run")])
def test_anything_else_is_refused(home: Home, name: str, what: str) -> None:
    """An ambiguous name picks no run by chance, and a path is no name."""
    with pytest.raises(InputError, match=what):
        home.run(name)
