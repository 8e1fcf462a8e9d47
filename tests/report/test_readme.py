"""What README says of ``--json`` is what is printed."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest

from defib.report.drillfigures import DrillFigures
from defib.report.figures import RunFigures
from tests.stage import ROOT


@pytest.mark.parametrize(("printed", "ending"), [(RunFigures, "`report` of a run"), (DrillFigures, "`report` of a drill")])
def test_every_key_is_told(printed: type, ending: str) -> None:
    """Who reads the table knows of every key that runs and drills have."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (row,) = [line for line in readme.splitlines() if line.startswith("| ") and f"{ending} |" in line]
    told = set(re.findall(r"`(\w+)`", row.split(f"{ending} |")[1]))
    assert {field.name for field in fields(printed)} - told == set()
