"""The world that readiness is asked in: each test breaks what it is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ready.ready_scene import SECRETS
from tests.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A world in which all is well, with a home that has every secret of its alerts."""
    stage = Stage(tmp_path / "home")
    folder = stage.desk.home.path / "lab" / "secrets"
    folder.mkdir(parents=True)
    for name in SECRETS:
        (folder / name).write_text("json://127.0.0.1/x\n", encoding="utf-8")
    return stage
