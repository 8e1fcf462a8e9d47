"""Processes that outlive whoever started them: watched while they come up, and ended for sure."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from defib.clock import SystemClock
from defib.errors import DefibError
from flows.service.process import Started, words_of
from tests.service.stage import wait_until


def python(program: str, folder: Path) -> Started:
    """A process that runs a program of Python."""
    return Started("worker", [sys.executable, "-c", program], {}, folder)


def test_one_that_dies_at_once(tmp_path: Path) -> None:
    """What it said last is told, and where the rest is."""
    started = python("import sys; sys.exit('it cannot be')", tmp_path)
    wait_until(lambda: not started.id.alive())
    with pytest.raises(DefibError) as told:
        started.must_live()
    assert ("exit code 1: it cannot be", str(tmp_path / "worker.log")) == (told.value.seen, told.value.where)


def test_one_that_lives_is_ended(tmp_path: Path) -> None:
    """It is in a session of its own until then, so that no signal to ours reaches it."""
    started = python("import os, time; print(os.getsid(0) == os.getpid(), flush=True); time.sleep(600)", tmp_path)
    wait_until(started.log.read_text)
    started.must_live()
    started.end(SystemClock())
    assert (False, "True\n") == (started.id.alive(), started.log.read_text())


def test_the_log_of_the_one_before_is_kept(tmp_path: Path) -> None:
    """Who asks why the last one died finds what it said, and no more than that."""
    for number in range(3):
        started = python(f"print({number})", tmp_path)
        wait_until(lambda started=started: not started.id.alive())  # type: ignore[misc]
    assert ("2\n", "1\n") == (started.log.read_text(), (tmp_path / "worker.log.before").read_text())


def test_the_last_words_are_on_one_line() -> None:
    """The end of a long story, without its blank lines."""
    assert "b / c" == words_of("\n\n  b\n\nc  \n")
    assert "nothing" == words_of("\n")
