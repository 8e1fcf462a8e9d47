"""A process that is killed at any entry of aws-redeploy leaves a run that can be brought to an end, either way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from defib.objectives import Status
from tests.flows.redeploy_stage import OLD, ON_AWS, USERS_HAD, RedeployStage, redeploy_stage
from tests.flows.test_killed import HOW, kill, left, whole


def killed(home: Path) -> Iterator[tuple[int, str, RedeployStage]]:
    """One world for each line that a run in it writes, with the run killed there, by turns in the line and after it."""
    for at in range(1, 2000):
        folder = home / f"{at}"
        folder.mkdir(parents=True)
        stage = redeploy_stage(folder, _coarse)
        if not kill(stage, at, HOW[at % len(HOW)], lambda: stage.recover("aws-redeploy")):  # noqa: B023
            assert at > 60
            return
        run_id = left(stage)
        if run_id:
            yield at, run_id, stage


def _coarse(text: str) -> str:
    return text.replace("interval: 200ms", "interval: 1s").replace("hold: 3s", "hold: 2s")


def test_resume_recovers(tmp_path: Path) -> None:
    """E1, R6: resumed, users are on the release of what they had; the pointer and the names were written once."""
    for at, run_id, stage in killed(tmp_path):
        _, outcome = stage.resume(run_id)
        assert (at, outcome.status, outcome.reason) == (at, Status.RECOVERED, "")
        assert (at, stage.stands(), stage.serves()) == (at, ON_AWS, USERS_HAD)
        assert (at, len(stage.pointer.applied), len(stage.memory.applied)) == (at, 1, 1)
        assert whole(stage.desk.home, run_id)[-1] == "Closed"


def test_rollback_puts_back(tmp_path: Path) -> None:
    """E1, R6: rolled back, names and pointer stand as they did, and the release that was live is whole."""
    for at, run_id, stage in killed(tmp_path):
        before = {(record.key.name, record.key.type): record.values for record in stage.start}
        _, outcome = stage.rollback(run_id)
        assert (at, outcome.status) == (at, Status.ROLLED_BACK)
        assert (at, stage.stands(), stage.serves()) == (at, before, OLD)
        assert whole(stage.desk.home, run_id)[-1] == "Closed"
