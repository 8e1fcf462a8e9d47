"""Commands of other people: bounded, and gone when their time is over."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from defib import entries
from defib.clock import Deadline, SystemClock
from defib.errors import BudgetSpent, Interrupted, StepFailed
from defib.process import Finished, run_command
from defib.run import Run, Step
from tests.stage import Stage

STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"],
    stdout=subprocess.PIPE)
child.stdout.readline()
open(sys.argv[1] + ".new", "w").write(f"{os.getpid()} {child.pid}")
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""


@pytest.fixture
def clock() -> SystemClock:
    """The real one: processes do not know of another."""
    return SystemClock()


def within(clock: SystemClock, seconds: float = 30) -> Deadline:
    """A deadline."""
    return Deadline.after(clock, timedelta(seconds=seconds))


def eventually(clock: SystemClock, true: Callable[[], bool]) -> bool:
    """Whether it becomes true within ten seconds."""
    deadline = within(clock, 10)
    while not true() and not deadline.expired():
        clock.sleep(timedelta(milliseconds=10))
    return true()


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def pids(path: Path, clock: SystemClock) -> list[int]:
    """The processes that the stubborn command says it consists of."""
    assert eventually(clock, path.exists)
    return [int(text) for text in path.read_text().split()]


def test_gives_status_and_output(clock: SystemClock) -> None:
    """Exit status, both streams, and the environment that was asked for."""
    code = "import os, sys; print(os.environ['DEFIB_URL']); print('oh', file=sys.stderr); sys.exit(3)"
    finished = run_command([sys.executable, "-u", "-c", code], {"DEFIB_URL": "https://x/"}, within(clock))
    assert finished == Finished(3, "https://x/\noh\n")


def test_output_is_kept_by_its_end(clock: SystemClock) -> None:
    """A flood does not fill the memory, bytes that are no text do not hurt, and the last words are kept."""
    code = r"import sys; sys.stdout.buffer.write(b'\xff' * 10**6 + b'the end')"
    output = run_command([sys.executable, "-c", code], {}, within(clock)).output
    assert (len(output), output.endswith("the end")) == (4000, True)


def test_command_that_does_not_exist(clock: SystemClock) -> None:
    """A command that cannot be started is named."""
    with pytest.raises(StepFailed, match="cannot start /no/such/command"):
        run_command(["/no/such/command"], {}, within(clock))


def test_stubborn_group_is_dead_after_its_time(clock: SystemClock, tmp_path: Path) -> None:
    """E6: a command that ignores SIGTERM, and its child that does too, are dead when the budget is over."""
    command = [sys.executable, "-c", STUBBORN, str(tmp_path / "pids")]
    with pytest.raises(BudgetSpent, match="process group was ended"):
        run_command(command, {}, within(clock, 1.5))
    family = pids(tmp_path / "pids", clock)
    assert len(family) == 2
    assert not is_alive(family[0])
    assert eventually(clock, lambda: not is_alive(family[1]))


def test_stubborn_group_in_a_step(clock: SystemClock, tmp_path: Path) -> None:
    """E6: the step that ran it has failed with its budget, by name and with the way to do it by hand."""
    runbooks = tmp_path / "books"
    runbooks.mkdir()
    text = (Stage(tmp_path).runbooks / "cdn-failover.md").read_text(encoding="utf-8")
    (runbooks / "cdn-failover.md").write_text(text.replace("decide · data · 1m", "decide · data · 1.5s"), encoding="utf-8")
    stage = Stage(tmp_path, runbooks=runbooks)
    run = stage.begin()
    real = Run(**{**vars(run), "clock": clock})

    def work(step: Step) -> int:
        return run_command([sys.executable, "-c", STUBBORN, str(tmp_path / "pids")], {}, step.within).status

    with pytest.raises(BudgetSpent, match="prove-the-standby was not done within its budget") as caught:
        real.do("prove-the-standby", work, int)
    assert "by hand" in caught.value.then
    assert [ended.outcome for ended in run.journal.of(entries.StepEnded)] == ["failed"]
    assert not [pid for pid in pids(tmp_path / "pids", clock) if not eventually(clock, lambda: not is_alive(pid))]  # noqa: B023


def test_signal_ends_the_group(clock: SystemClock, tmp_path: Path) -> None:
    """E3, E6: a signal to the run ends the command's whole group before the wait is over."""
    path = tmp_path / "pids"

    def interrupt() -> None:
        if eventually(SystemClock(), path.exists):
            clock.interrupt()

    threading.Thread(target=interrupt).start()
    with pytest.raises(Interrupted):
        run_command([sys.executable, "-c", STUBBORN, str(path)], {}, within(clock, 60))
    clock.resume()
    assert not [pid for pid in pids(path, clock) if not eventually(clock, lambda: not is_alive(pid))]  # noqa: B023


def test_children_that_outlive_a_command_are_ended(clock: SystemClock, tmp_path: Path) -> None:
    """A command that leaves something running in its group leaves nothing behind."""
    code = (
        "import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
        "print(child.pid)"
    )
    finished = run_command([sys.executable, "-c", code], {}, within(clock))
    assert finished.status == 0
    assert eventually(clock, lambda: not is_alive(int(finished.output)))
    assert is_alive(os.getpid())
