"""A lab that goes away under what is under way in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from defib.cli import labs
from defib.clock import SystemClock
from defib.drills.order import GONE
from defib.errors import Interrupted, LabDown
from defib.home import Home
from defib.lab.state import LabState
from defib.processid import ProcessId


@contextmanager
def pretended_lab(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is written down as the lab of a home."""
    folder = home.path / "lab"
    folder.mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        known = ProcessId.of(process.pid)
        LabState("127.1", known, ProcessId.of(os.getpid()), "http://127.0.0.1:1", datetime.now(UTC), "0" * 40).write(folder)
        yield process
        process.kill()


def test_what_is_under_way_ends_with_its_lab(tmp_path: Path) -> None:
    """It is interrupted with the reason, once: what is put in order afterwards may wait again."""
    home, clock = Home.open(tmp_path), SystemClock()
    with pretended_lab(home) as process:
        enough = labs.end_with(home, clock)
        clock.sleep(labs.LOOK * 1.5)
        process.kill()
        with pytest.raises(Interrupted) as told:
            clock.sleep(timedelta(seconds=30))
        assert told.value.what == GONE
        clock.resume()
        clock.sleep(labs.LOOK * 1.5)
        enough()


def test_a_lab_that_is_stopped_in_good_order_interrupts_nothing(tmp_path: Path) -> None:
    """Whoever has said that it is enough stops the lab, and nobody is interrupted."""
    home, clock = Home.open(tmp_path), SystemClock()
    with pretended_lab(home) as process:
        labs.end_with(home, clock)()
        process.kill()
        process.wait()
        clock.sleep(labs.LOOK * 1.5)


def test_without_a_lab_there_is_nothing_to_end_with(tmp_path: Path) -> None:
    """It is said, and not waited for."""
    with pytest.raises(LabDown):
        labs.end_with(Home.open(tmp_path), SystemClock())
