"""``defib runs`` and ``defib drills`` beside runs that begin and end while they look."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import pytest

from defib.clock import Deadline, SystemClock
from defib.history import JOURNAL
from tests.board.scene import DAY, Scene
from tests.conftest import Defib

SITE = "pulse-trading"
DRILL = {"trigger": "cdn-failover after cloudfront refuse", "since": None, "down_at": None}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A home with one site."""
    found = Scene.set_in(tmp_path)
    found.site(SITE)
    return found


def at(scene: Scene) -> Defib:
    """``defib`` in that home, with those runbooks."""
    return Defib(scene.home.path, {"DEFIB_RUNBOOKS": str(scene.runbooks)})


def once_it_is_read(pipe: Path) -> BinaryIO:
    """The other end of a pipe, as soon as somebody has opened it for reading, who then waits for what is written."""
    clock = SystemClock()
    limit = Deadline.after(clock, timedelta(seconds=120))
    while True:
        try:
            gate = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert not limit.expired(), "nobody reads it"
            clock.sleep(timedelta(milliseconds=10))
        else:
            os.set_blocking(gate, True)
            return os.fdopen(gate, "wb")


@pytest.mark.parametrize(
    ("procedure", "more", "command", "key"),
    [("cdn-failover", {}, ("runs",), "status"), ("drill", DRILL, ("drills", "--site", SITE), "ending")],
    ids=["runs", "drills"],
)
def test_a_run_that_ends_meanwhile_has_not_crashed(
    scene: Scene, procedure: str, more: dict[str, object], command: tuple[str, ...], key: str
) -> None:
    """Its process lives when it is looked for, and is gone before its journal was read: it was running, and did not die."""
    run = scene.keep(scene.begin(procedure, SITE, DAY, **more), report=False)
    journal = scene.home.path / "runs" / run / JOURNAL
    content = journal.read_bytes()
    journal.unlink()
    os.mkfifo(journal)
    with scene.alive(run):
        looking = at(scene).start(*command, "--json")
        gate = once_it_is_read(journal)
    with gate:
        gate.write(content)
    out, err = looking.communicate(timeout=300)
    assert f'"{key}": "running"' in out, out + err


def test_a_run_that_is_about_to_begin_is_not_broken(scene: Scene) -> None:
    """A journal is there a moment before its first entry: nothing has been done yet, and nothing is wrong."""
    run = scene.recovered("cdn-failover", SITE, DAY)
    begins = scene.home.path / "runs" / "20260307-020000000-cdn-failover-pulse-trading-abcd"
    begins.mkdir()
    (begins / JOURNAL).touch()
    listed = at(scene)("runs", "--json").json["runs"]
    assert [each["run_id"] for each in listed] == [run]
    assert at(scene)("runs", "--site", SITE).code == 0
