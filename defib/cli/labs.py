"""``lab``: the small internet on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from defib.cli.desk import runbooks_folder
from defib.cli.say import say, say_json, table
from defib.clock import Clock
from defib.drills.order import GONE
from defib.errors import InputError, LabDown
from defib.home import Home
from defib.lab import process
from defib.lab.control import LabStatus
from defib.lab.plan import DEFAULT_NET
from defib.lab.state import LabState
from defib.sites.site import load_site

LOOK = timedelta(seconds=1)


def start(home: Home, net: str, *, parent: int | None = None) -> LabState:
    """Bring the lab up, with the site files of the lab as they read on its network."""
    state = process.up(home.path, net, parent=parent)
    sites = home.path / "lab" / "sites"
    sites.mkdir(exist_ok=True)
    for path in (runbooks_folder() / "sites").glob("*.yaml"):
        if load_site(path).lab:
            text = path.read_text(encoding="utf-8").replace(f"{DEFAULT_NET}.", f"{state.net}.")
            (sites / path.name).write_text(text, encoding="utf-8")
    return state


def stop(home: Home) -> bool:
    """Stop the lab; False if it was not up."""
    was_up = is_up(home)
    process.down(home.path)
    shutil.rmtree(home.path / "lab" / "sites", ignore_errors=True)
    return was_up


def is_up(home: Home) -> bool:
    """Whether the lab of this home runs and answers."""
    try:
        process.status(home.path)
    except LabDown:
        return False
    return True


def end_with(home: Home, clock: Clock) -> Callable[[], None]:
    """Interrupt what is under way once the lab of this home is gone, until the returned function is called.

    Nothing answers any more then, and each step would wait for its whole budget before it said so.
    """
    state = LabState.read(home.path.resolve() / "lab")
    if state is None:
        raise LabDown("the lab is not up", where=str(home.path), then="defib lab up")

    def look() -> None:
        if not state.alive():
            enough()
            clock.interrupt(GONE)

    enough = clock.every(LOOK, look)
    return enough


def up(net: str, *, as_json: bool) -> int:
    """Start the lab in the background; one that is up is left alone."""
    home = Home.open()
    state = start(home, net)
    if as_json:
        say_json({"net": state.net, "control": state.control_url, "pid": state.process.pid})
    else:
        say(f"The lab is up on {state.net}.0.0/16; its site files: {_sites(home)}")
        say("Look at it with:     defib lab status")
        say("Break something:     defib lab break cloudfront refuse")
        say("Rehearse a recovery: defib drill cdn-failover --site lab")
    return 0


def down(*, as_json: bool) -> int:
    """Stop the lab and everything it started."""
    stopped = stop(Home.open())
    if as_json:
        say_json({"stopped": stopped})
    else:
        say("The lab is down." if stopped else "The lab was not up.")
    return 0


def status(*, as_json: bool) -> int:
    """What can be broken, and what is."""
    found = process.status(Home.open().path)
    if as_json:
        say_json(
            {
                "net": found.net,
                "build": found.build,
                "targets": {target: list(faults) for target, faults in found.targets.items()},
                "faults": {target: fault.name for target, fault in found.faults.items()},
            }
        )
    else:
        say(f"The lab is up on {found.net}.0.0/16 and serves build {found.build[:12]}.\n")
        say(table(("target", "now", "faults it can take"), _rows(found)))
    return 0


def break_(target: str, fault: str, options: Sequence[str] = (), *, as_json: bool) -> int:
    """Break one part of the lab."""
    process.break_(Home.open().path, target, fault, dict(map(_option, options)))
    if as_json:
        say_json({"target": target, "fault": fault})
    else:
        say(f"{target}: {fault}. Heal it with: defib lab heal {target}")
    return 0


def _option(told: str) -> tuple[str, float]:
    name, _, number = told.partition("=")
    try:
        return name, float(number)
    except ValueError as error:
        raise InputError(
            f"not an option of a fault: {told!r}", expected="NAME=NUMBER, as in seconds=30", seen=told
        ) from error


def heal(target: str, *, as_json: bool) -> int:
    """Heal one part of the lab, or all of it."""
    process.heal(Home.open().path, target or None)
    if as_json:
        say_json({"healed": target or "all"})
    else:
        say(f"Healed: {target or 'everything'}.")
    return 0


def inbox(*, as_json: bool) -> int:
    """The alerts that arrived."""
    messages = process.client(Home.open().path).inbox()
    if as_json:
        say_json({"messages": [asdict(message) for message in messages]})
    elif not messages:
        say("Nothing has arrived.")
    for message in () if as_json else messages:
        head = " ".join(filter(None, (message.at[11:19], message.via, message.to, message.title)))
        say("\n".join([head, *(f"    {line}" for line in message.text.splitlines())]))
    return 0


def _rows(found: LabStatus) -> list[tuple[str, str, str]]:
    now = {target: f"BROKEN: {fault.name}" for target, fault in found.faults.items()}
    return [(target, now.get(target, "well"), ", ".join(faults)) for target, faults in found.targets.items()]


def _sites(home: Home) -> str:
    return ", ".join(sorted(path.stem for path in Path(home.path / "lab" / "sites").glob("*.yaml")))
