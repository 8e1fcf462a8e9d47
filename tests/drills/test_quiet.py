"""A drill that no user is to notice, whatever happens in it: it is healed, compared, and has an end."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest

from defib.conduct import Outcome
from defib.drills.drill import Stage
from defib.drills.drilled import Witnessed
from defib.drills.order import GONE
from defib.drills.quiet import QuietDrill
from defib.errors import LabDown, Unavailable
from defib.objectives import Status
from defib.run import Run
from tests.drills.drill_stage import DrillStage


@dataclass
class Bench:
    """A lab in memory: what is broken in it, and whether it is still there."""

    broken: dict[str, str] = field(default_factory=dict)
    is_there: bool = True

    def break_(self, target: str, fault: str) -> None:
        self.broken[target] = fault

    def heal(self) -> None:
        if not self.is_there:
            raise LabDown("the lab is not up")
        self.broken.clear()

    def fingerprint(self) -> tuple[str, ...]:
        return tuple(self.broken)

    def witnessed(self, since: datetime, until: datetime) -> Witnessed:
        raise AssertionError("nobody watches")


def no_run(run: Run) -> Outcome:
    """No drill here comes to a run."""
    raise AssertionError(run.id)


@pytest.fixture
def bench() -> Bench:
    """A lab that is up."""
    return Bench()


@pytest.fixture
def quiet(tmp_path: Path, bench: Bench) -> QuietDrill:
    """A drill of git-mirror that has not begun."""
    stage = DrillStage(tmp_path)
    return QuietDrill(Stage(stage.desk, bench, no_run), "git-mirror", str(stage.stage.site_path), "emptied")


def test_a_defect_of_ours_is_its_end(quiet: QuietDrill, bench: Bench) -> None:
    """It failed, with the reason, and not for ever under way; and nothing stays broken."""

    def there_and_back() -> None:
        quiet.break_()
        raise KeyError("a slip")

    told = quiet.play(there_and_back)
    assert (told.status, told.reason, bench.broken) == (Status.FAILED, "KeyError: 'a slip'", {})


def test_nothing_is_cleared_away_where_the_lab_is_gone(quiet: QuietDrill, bench: Bench) -> None:
    """Nobody answers there: what would be asked would only be waited for."""

    def there_and_back() -> None:
        bench.is_there = False
        raise Unavailable("S3 does not answer")

    def clean_up() -> None:
        raise AssertionError("nobody is there")

    told = quiet.play(there_and_back, clean_up)
    assert (told.status, told.residue, told.reason) == (Status.INTERRUPTED, None, f"{GONE}: S3 does not answer")
