"""How a command brings a run to its end when the disk, and not the recovery, fails."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from defib.cli.recover import by_flow, carry_out
from defib.conduct import Outcome
from defib.errors import HomeUnwritable
from defib.lease import current_holder
from defib.run import Run
from tests.stage import REFUSED, PlainFile, Stage


@dataclass
class FullAfter:
    """A sink on a disk that is full once a line with `word` was written."""

    path: Path
    word: bytes
    full: bool = False

    def append(self, line: bytes, *, durable: bool) -> None:
        """Write, or fail."""
        if self.full:
            raise HomeUnwritable("cannot write the journal: no space left on device", where=str(self.path))
        PlainFile(self.path).append(line, durable=durable)
        self.full = self.word in line


@pytest.mark.parametrize(("word", "stands"), [(b'"ChangeIntended"', True), (b'"StepStarted"', False)])
def test_a_full_disk_says_how_to_go_on(tmp_path: Path, word: bytes, stands: bool) -> None:
    """Where a change may stand the error names resume and rollback; the site is free again in any case."""
    stage = Stage(tmp_path)
    stage.edges["cloudfront"] = REFUSED
    stage.sink = lambda path: FullAfter(path, word)
    run = stage.begin()
    with pytest.raises(HomeUnwritable, match="no space left") as caught:
        carry_out(stage.desk, run, by_flow(prefect=False))
    assert (f"defib resume {run.id}, or defib rollback {run.id}" in caught.value.then) is stands
    assert current_holder(stage.desk.home.site("lab")) is None


def test_a_lease_that_cannot_be_given_back_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The run has ended as its journal says; who comes next sees that its process is gone."""
    stage = Stage(tmp_path)
    stage.edges["cloudfront"] = REFUSED
    run = stage.begin()

    def do(opened: Run) -> Outcome:
        outcome = by_flow(prefect=False)(opened)
        held = stage.desk.home.site("lab") / "lease.json"
        held.unlink()
        held.mkdir()
        return outcome

    outcome = carry_out(stage.desk, run, do)
    assert outcome.status == "recovered"
    assert "warning:  the lease could not be given back: " in capsys.readouterr().err
    assert (stage.desk.home.path / "runs" / run.id / "report.html").is_file()
