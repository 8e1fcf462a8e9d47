"""Commands of other people: bounded, and gone when their time is over."""

from __future__ import annotations

import os
import signal
import subprocess
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
trap '' TERM
sleep 600 &
echo "$$ $!" > "$0.new"
mv "$0.new" "$0"
wait
"""
"""Writes the numbers of both processes into the file that it is called by. A shell's children ignore what it ignores, and
it needs milliseconds to come up, so that it has come up when its time is over, however busy the machine is."""


@pytest.fixture
def clock() -> SystemClock:
    """The real one: processes do not know of another."""
    return SystemClock()


def within(clock: SystemClock, seconds: float = 120) -> Deadline:
    """A deadline."""
    return Deadline.after(clock, timedelta(seconds=seconds))


def eventually(clock: SystemClock, true: Callable[[], bool]) -> bool:
    """Whether it becomes true within a minute."""
    deadline = within(clock, 60)
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
    command = ["sh", "-c", STUBBORN, str(tmp_path / "pids")]
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
        return run_command(["sh", "-c", STUBBORN, str(tmp_path / "pids")], {}, step.within).status

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
        run_command(["sh", "-c", STUBBORN, str(path)], {}, within(clock, 60))
    clock.resume()
    assert not [pid for pid in pids(path, clock) if not eventually(clock, lambda: not is_alive(pid))]  # noqa: B023


# Starts one process for each way to leave the group, and writes their numbers. The last has an environment of its own and
# left the session, but still has its parent.
LEAVERS = """
import os, subprocess, sys, time
sleeper = "import os, signal as s, time; s.signal(s.SIGTERM, s.SIG_IGN); print(os.getpid(), flush=True); time.sleep(600)"
def start(*before, **how):
    child = subprocess.Popen([*before, sys.executable, "-S", "-c", sleeper], stdout=subprocess.PIPE, **how)
    return child.stdout.readline().decode().strip()
orphan = "import subprocess, sys; subprocess.Popen(sys.argv[1:], "
pids = [
    start(process_group=0),
    start(start_new_session=True),
    start(sys.executable, "-c", orphan + "start_new_session=True)"),
    start(sys.executable, "-c", orphan + "process_group=0, env={})"),
    start("env", "-i"),
    start("env", "-i", start_new_session=True),
]
print("pids", *pids, flush=True)
time.sleep(float(sys.argv[1]))
"""


@pytest.mark.parametrize(("lasts", "found"), [(0, 5), (3, 6), (600, 6)])
def test_those_that_left_the_group(clock: SystemClock, lasts: int, found: int) -> None:
    """E6: children that left the group, or the session, or their parent, are found and dead, whichever way it ends."""
    lines: list[str] = []

    def line(text: str) -> None:
        lines.append(text)
        if lasts == 600:
            clock.interrupt()

    try:
        run_command([sys.executable, "-c", LEAVERS, str(lasts)], {}, within(clock, 60), line=line)
    except Interrupted:
        clock.resume()
    pids = [int(text) for text in lines[0].split()[1:]]
    try:
        # Of a command that ended at once, the one with neither mark, session nor parent may never have been seen.
        assert [pid for pid in pids[:found] if is_alive(pid)] == []
    finally:
        for pid in filter(is_alive, pids):
            os.kill(pid, signal.SIGKILL)


def test_nothing_is_started_without_time(clock: SystemClock, tmp_path: Path) -> None:
    """A command that would be over before anybody looks whether its time is does nothing either."""
    with pytest.raises(BudgetSpent, match="touch was not started: no time was left"):
        run_command(["touch", str(tmp_path / "done")], {}, within(clock, 0))
    assert not (tmp_path / "done").exists()


def test_others_are_left_alone(clock: SystemClock) -> None:
    """E6: a process of ours that has nothing to do with the command lives on."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as other:
        with pytest.raises(BudgetSpent):
            run_command(["sleep", "600"], {}, within(clock, 0.2))
        assert other.poll() is None
        other.kill()


def test_closed_environment_and_folder(clock: SystemClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed command sees what it is given and its family's mark, and starts where it is told to."""
    monkeypatch.setenv("GITHUB_TOKEN", "of-ours")
    code = "import os; print(sorted(os.environ), os.getcwd())"
    finished = run_command(
        [sys.executable, "-c", code], {"A": "1", "LANG": "C.UTF-8"}, within(clock), folder=tmp_path, closed=True
    )
    assert finished.output == f"['A', 'DEFIB_FAMILY', 'LANG'] {tmp_path}\n"


def test_lines_as_they_come(clock: SystemClock, tmp_path: Path) -> None:
    """A line is given while the command runs, which here waits until it was."""
    lines: list[str] = []

    def line(text: str) -> None:
        lines.append(text)
        (tmp_path / "seen").write_text(text)

    code = "import os, sys, time\nprint('one', flush=True)\nwhile not os.path.exists('seen'): time.sleep(.01)\nprint('two')"
    assert run_command([sys.executable, "-c", code], {}, within(clock), folder=tmp_path, line=line).status == 0
    assert lines == ["one", "two"]


def test_error_in_a_line_ends_the_command(clock: SystemClock) -> None:
    """Whoever takes the lines and fails does not leave the command behind."""
    seen: list[int] = []

    def line(text: str) -> None:
        seen.append(int(text))
        raise StepFailed("the journal is full")

    with pytest.raises(StepFailed, match="the journal is full"):
        run_command(["sh", "-c", "echo $$; exec sleep 600"], {}, within(clock), line=line)
    assert not is_alive(seen[0])


def test_time_out_tells_the_last_words(clock: SystemClock) -> None:
    """What a command said before its time was over, and while it was ended, is told."""
    # the child before the trap: until it is another program, a child of a shell does what the shell's trap says
    script = "sleep 600 & trap 'echo cleaning up; exit 1' TERM; echo waiting for the registry; wait"
    with pytest.raises(BudgetSpent) as caught:
        run_command(["sh", "-c", script], {}, within(clock, 2))
    assert caught.value.seen == "waiting for the registry\ncleaning up\n"


def test_a_gigabyte(clock: SystemClock) -> None:
    """A command that prints a gigabyte costs some megabytes, gives no more lines than it may, and is heard to its end."""
    code = f"""if True:
        import resource
        from defib.process import *
        def used():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        given, before = 0, used()
        def line(text):
            global given
            given += len(text) + 1
        finished = run_command(
            ["sh", "-c", "yes 0123456789 | head -c {2**30}; echo the end"],
            {{}},
            Deadline.after(SystemClock(), timedelta(seconds=600)),
            line=line,
        )
        print(finished.output.endswith("the end\\n"), given, used() - before)
        """
    finished = run_command([sys.executable, "-c", code], {}, within(clock, 600))
    told, given, kilobytes = finished.output.split()
    assert (told, int(given) < 17 * 2**20, int(kilobytes) < 8 * 1024) == ("True", True, True)


def test_nul_in_a_command(clock: SystemClock) -> None:
    """A command that no kernel takes is named as one that cannot be started."""
    with pytest.raises(StepFailed, match="cannot start sh"):
        run_command(["sh", "a\0b"], {}, within(clock))


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


def test_files_in_and_out(clock: SystemClock, tmp_path: Path) -> None:
    """What is given is read from where it stands, stdout goes to its file byte for byte, and stderr is what is told."""
    whole = b"left out\n" + bytes(range(256)) * 40_000  # longer than what is shown of lines, and than any pipe
    (tmp_path / "in").write_bytes(whole)
    with (tmp_path / "in").open("rb") as given, (tmp_path / "out").open("wb") as into:
        given.seek(9)
        finished = run_command(["sh", "-c", "cat; echo told >&2"], {}, within(clock), given=given, into=into)
    assert (0, "told\n") == (finished.status, finished.output)
    assert whole[9:] == (tmp_path / "out").read_bytes()
