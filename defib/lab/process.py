"""The lab as a background process: up, down, status, break and heal, for a home folder."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import defib
from defib import errors
from defib.clock import Deadline, SystemClock
from defib.errors import DefibError, LabDown, PortTaken
from defib.lab.control import ControlClient, LabStatus
from defib.lab.faults import Fault
from defib.lab.plan import DEFAULT_NET, AddressPlan
from defib.lab.state import LabState
from defib.processid import ProcessId

START = timedelta(seconds=30)
"""The time a lab may take to come up; it takes about one second."""

GRACE = timedelta(seconds=5)
"""Between SIGTERM and SIGKILL."""

_POLL = timedelta(milliseconds=10)
_started: dict[int, subprocess.Popen[bytes]] = {}


def up(home: Path, net: str = DEFAULT_NET, *, parent: int | None = None) -> LabState:
    """Start the lab of `home` and wait until it is ready; when it is up already, give its state.

    `parent` ends the lab when that process ends. :class:`PortTaken` where an address is in use, also by this home's own
    lab on another network; :class:`LabDown` where it does not come up.
    """
    plan = AddressPlan(net)
    folder = home.resolve() / "lab"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(folder):
        _reap()
        running = LabState.read(folder)
        if running is not None and running.alive():
            return _same_net(running, plan)
        return _start(home.resolve(), folder, plan, parent)


def down(home: Path) -> None:
    """End the lab of `home` and its eyewitness for sure. Idempotent; a reused pid is never signalled."""
    folder = home.resolve() / "lab"
    if not folder.is_dir():
        return
    with _alone(folder):
        _reap()
        state = LabState.read(folder)
        if state is not None:
            _end((state.process, state.eyewitness))
            LabState.remove(folder)


def status(home: Path) -> LabStatus:
    """What the lab of `home` says of itself; :class:`LabDown` when it is not up."""
    return client(home).status()


def break_(home: Path, target: str, fault: str, options: Mapping[str, float] | None = None) -> LabStatus:
    """Break `target`; in force when this returns. An unknown word is refused with the nearest valid one."""
    return client(home).break_(target, Fault(fault, options or {}))


def heal(home: Path, target: str | None = None) -> LabStatus:
    """Heal `target`, or everything. Idempotent."""
    return client(home).heal(target)


def client(home: Path) -> ControlClient:
    """A client for the lab of `home`; :class:`LabDown` when it is not up."""
    state = LabState.read(home.resolve() / "lab")
    if state is None or not state.alive():
        raise LabDown("the lab is not up", where=str(home), then="defib lab up")
    return ControlClient(state.control_url)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One start or stop at a time for a home."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _same_net(running: LabState, plan: AddressPlan) -> LabState:
    if running.net != plan.net:
        raise PortTaken(
            "the lab of this home is up on another network",
            expected=plan.net,
            seen=running.net,
            then="defib lab down",
        )
    return running


def _start(home: Path, folder: Path, plan: AddressPlan, parent: int | None) -> LabState:
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "defib.lab", "--home", str(home), "--net", plan.net]
    command += ["--ready-fd", str(writing)] + (["--parent", str(parent)] if parent is not None else [])
    root = str(Path(defib.__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    try:
        with (folder / "lab.log").open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter, our own module
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": path},
                pass_fds=(writing,),
                start_new_session=True,
            )
        os.close(writing)
        writing = -1
        told = _wait_for_word(reading)
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    return _judge(told, process, folder)


def _judge(told: Mapping[str, Any] | None, process: subprocess.Popen[bytes], folder: Path) -> LabState:
    if told is not None and told["kind"] == "ready":
        state = LabState.read(folder)
        if state is not None:
            _started[process.pid] = process
            return state
    process.terminate()
    try:
        process.wait(GRACE.total_seconds())
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if told is not None and told["kind"] != "ready":
        raise _error(told)
    raise LabDown("the lab did not come up", where=str(folder / "lab.log"), then=f"cat {folder / 'lab.log'}")


def _wait_for_word(reading: int) -> Mapping[str, Any] | None:
    """The line that the lab sends when it is up or has failed; None when it ended or hung without one."""
    deadline = Deadline.after(SystemClock(), START)
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([reading], [], [], deadline.remaining().total_seconds())
        chunk = os.read(reading, 65536) if ready else b""
        if not chunk:
            return None
        line += chunk
    plain: Mapping[str, Any] = json.loads(line)
    return plain


def _error(told: Mapping[str, Any]) -> DefibError:
    kind = getattr(errors, str(told["kind"]), LabDown)
    parts = told["parts"]
    error: DefibError = kind(
        parts["error"],
        where=parts.get("where", ""),
        expected=parts.get("expected", ""),
        seen=parts.get("seen", ""),
        then=parts.get("next", ""),
    )
    return error


def _reap() -> None:
    """Forget labs of ours that have ended by themselves."""
    for pid, process in list(_started.items()):
        if process.poll() is not None:
            del _started[pid]


def _end(processes: tuple[ProcessId, ...]) -> None:
    clock = SystemClock()
    for number in (signal.SIGTERM, signal.SIGKILL):
        for each in processes:
            each.send(number)
        deadline = Deadline.after(clock, GRACE)
        while any(each.alive() for each in processes) and not deadline.expired():
            clock.sleep(_POLL)
    for each in processes:
        ours = _started.pop(each.pid, None)
        if ours is not None:
            ours.wait()
    left = [each.pid for each in processes if each.alive()]
    if left:
        raise LabDown("the lab does not end", seen=f"processes {left} survive SIGKILL", then="ps -fp " + str(left[0]))
