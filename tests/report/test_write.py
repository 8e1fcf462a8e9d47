"""The files of a report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from defib.errors import HomeUnwritable
from defib.report.write import write_drill, write_run
from tests.report import samples

FILES = ["report.html", "report.json", "report.md"]


def test_run_leaves_three_files_and_nothing_else(tmp_path: Path) -> None:
    """Three documents and no temporary file; the path given is the HTML's."""
    path = write_run(tmp_path, samples.recovered())

    assert tmp_path / "report.html" == path
    assert FILES == sorted(file.name for file in tmp_path.iterdir())
    assert "report.html" == json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["report"]


def test_report_can_be_made_again(tmp_path: Path) -> None:
    """The same journal gives the same bytes; an earlier report is replaced as a whole."""
    write_run(tmp_path, samples.unfinished())
    write_run(tmp_path, samples.recovered())
    first = {name: (tmp_path / name).read_bytes() for name in FILES}
    write_run(tmp_path, samples.recovered())

    assert first == {name: (tmp_path / name).read_bytes() for name in FILES}


def test_drill_leaves_three_files(tmp_path: Path) -> None:
    """A drill has the same three documents, and one for people to fill in."""
    write_drill(tmp_path, samples.drilled())

    assert ["after-action.md", *FILES] == sorted(file.name for file in tmp_path.iterdir())


def test_unwritable_folder_is_said(tmp_path: Path) -> None:
    """A report that cannot be written names the file and what to do."""
    with pytest.raises(HomeUnwritable) as caught:
        write_run(tmp_path / "gone", samples.recovered())

    assert str(tmp_path / "gone" / "report.json") == caught.value.where


def test_file_that_cannot_be_replaced_leaves_no_temporary_one(tmp_path: Path) -> None:
    """Where a document cannot take its place, its temporary file goes."""
    (tmp_path / "report.json").mkdir()

    with pytest.raises(HomeUnwritable):
        write_run(tmp_path, samples.recovered())

    assert ["report.json"] == [file.name for file in tmp_path.iterdir()]
