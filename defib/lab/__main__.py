"""``python -m defib.lab --home DIR [--net 127.77]``: one lab in the foreground, with its eyewitness, until told to stop."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import signal
import sys
from pathlib import Path

from defib.clock import SystemClock
from defib.errors import DefibError, PortTaken
from defib.lab import furniture
from defib.lab.controlserver import Control
from defib.lab.eyewitness import log_name
from defib.lab.plan import DEFAULT_NET, WEB_PORT, AddressPlan
from defib.lab.state import LabState, port_taken
from defib.lab.toolchain import write_toolchain
from defib.lab.world import Secrets, World
from defib.processid import ProcessId

_WATCH = 0.2
_GRACE = 3.0


def main() -> None:
    """Run until SIGTERM, SIGINT, ``POST /stop`` or the death of `--parent`; exit code of the error otherwise."""
    parser = argparse.ArgumentParser(prog="python -m defib.lab")
    parser.add_argument("--home", required=True, type=Path)
    parser.add_argument("--net", default=DEFAULT_NET)
    parser.add_argument("--parent", type=int, help="end when this process ends")
    parser.add_argument("--ready-fd", type=int, help="tell here, in one line of JSON, when it is up or why not")
    given = parser.parse_args()
    try:
        folder = _folder(given.home)
        asyncio.run(_run(folder, AddressPlan(given.net), given.parent, given.ready_fd))
    except DefibError as error:
        _tell(given.ready_fd, {"kind": type(error).__name__, "parts": error.parts()})
        sys.stderr.write(f"{error}\n")
        raise SystemExit(error.exit_code) from error


def _folder(home: Path) -> Path:
    folder = home.resolve() / "lab"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    running = LabState.read(folder)
    if running is not None and running.alive():
        raise PortTaken("the lab of this home is up already", seen=running.net, then="defib lab down")
    return folder


def _prepare(folder: Path, keys: Secrets, world: World) -> None:
    for old in folder.glob(log_name("*")):
        old.unlink()  # an earlier lab's outages are not this one's
    for what in ("mirrors", "replicas"):  # nor are its repositories and its buckets
        shutil.rmtree(folder / what, ignore_errors=True)
    keys.write(folder / "secrets", world.inbox.urls)
    (folder / "ca.pem").write_bytes(world.authority.pem)
    write_toolchain(folder / "bin", world.registry.url)


async def _run(folder: Path, plan: AddressPlan, parent: int | None, ready: int | None) -> None:
    guardian = ProcessId.of(parent) if parent is not None else None
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    keys = Secrets.random()
    world = World(plan, keys, folder=folder / "git")
    control = Control(world, stopped.set)
    try:
        # The control address first: it is the one that another lab on this network surely holds.
        await _listen(control, world)
        _prepare(folder, keys, world)
        witness = await _eyewitness(folder, plan)
        try:
            _state(plan, witness, world).write(folder)
            _tell(ready, {"kind": "ready"})
            await _until_over(stopped, guardian, witness)
        finally:
            await _end(witness)
            LabState.remove(folder)
    finally:
        await control.server.stop()
        await world.stop()


async def _listen(control: Control, world: World) -> None:
    try:
        await control.server.start()
        await world.start()
    except OSError as error:
        raise port_taken(error) from error


async def _eyewitness(folder: Path, plan: AddressPlan) -> asyncio.subprocess.Process:
    urls = [f"https://{name}:{WEB_PORT}/" for name in furniture.PUBLIC_NAMES]
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "defib.lab.eyewitness"),
        *("--resolvers", ",".join(f"{address}:{port}" for address, port in plan.eyewitness_resolvers)),
        *("--ca", str(folder / "ca.pem")),
        *("--log-dir", str(folder)),
        *("--parent", str(os.getpid())),
        *urls,
    )


def _state(plan: AddressPlan, witness: asyncio.subprocess.Process, world: World) -> LabState:
    return LabState(
        net=plan.net,
        process=ProcessId.of(os.getpid()),
        eyewitness=ProcessId.of(witness.pid),
        control_url=plan.control_url,
        started=SystemClock().now(),
        build=world.build.id,
    )


async def _until_over(stopped: asyncio.Event, guardian: ProcessId | None, witness: asyncio.subprocess.Process) -> None:
    """Wait for the end; an eyewitness that died is the end too, for without it nothing here proves anything."""
    while not stopped.is_set() and witness.returncode is None:
        if guardian is not None and not guardian.alive():
            return
        try:
            await asyncio.wait_for(stopped.wait(), _WATCH)
        except TimeoutError:
            continue


async def _end(witness: asyncio.subprocess.Process) -> None:
    if witness.returncode is None:
        witness.terminate()
        try:
            await asyncio.wait_for(witness.wait(), _GRACE)
        except TimeoutError:
            witness.kill()
            await witness.wait()


def _tell(ready: int | None, what: dict[str, object]) -> None:
    if ready is not None:
        with os.fdopen(ready, "w", encoding="utf-8", closefd=False) as pipe:
            pipe.write(json.dumps(what) + "\n")


if __name__ == "__main__":
    main()
