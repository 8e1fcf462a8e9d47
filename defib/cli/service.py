"""``up`` and ``down``: Prefect's server, a worker and the deployments, left running on this machine."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Protocol, cast

import typer

from defib.cli.options import REDACT, AsJson
from defib.home import Home
from defib.service import Wish

Host = Annotated[str, typer.Option(help="Where Prefect listens; beyond this machine it asks for a password.")]
Port = Annotated[int, typer.Option(help="The port of Prefect's pages and API.")]
Sites = Annotated[
    list[str] | None, typer.Option("--site", "-s", help="Deploy for this site, or these; the lab's where there is none yet.")
]
Auth = Annotated[
    bool | None, typer.Option("--auth/--no-auth", help="Ask for a password, or for none, whoever can reach it.")
]


_LAB = "lab"
"""The site that is deployed where none is named and none was before: whoever has just come can rehearse."""


class Up(Protocol):
    """What the command line tells of what is up."""

    @property
    def url(self) -> str: ...

    @property
    def api(self) -> str: ...

    @property
    def elsewhere(self) -> str: ...

    @property
    def home(self) -> Path: ...

    @property
    def password_file(self) -> Path | None: ...

    @property
    def processes(self) -> Mapping[str, int]: ...

    @property
    def fresh(self) -> tuple[str, ...]: ...

    @property
    def deployments(self) -> int: ...


class Service(Protocol):
    """What the command line needs of whatever starts and stops Prefect."""

    def up(self, home: Home, wish: Wish, again: str, tell: Callable[[str], object]) -> Up: ...

    def down(self, home: Home) -> Mapping[str, int]: ...


def up(sites: Sites = None, host: Host = "127.0.0.1", port: Port = 4200, auth: Auth = None, as_json: AsJson = False) -> int:
    """Start Prefect's server, a worker and the deployments.

    They are left running. Everything of it is in $DEFIB_HOME/prefect. What runs already is left alone; what has died is
    started anew.
    """
    from defib.cli.say import aside, say, say_json  # noqa: PLC0415

    home = Home.open()
    named, lab = _known(sites or ())
    found = _service().up(home, Wish(host, port, auth, named, lab), _said("up"), lambda text: aside(f"{text} …"))
    if as_json:
        say_json(_as_json(found))
    else:
        say("\n".join(_lines(found)))
    return 0


def down(as_json: AsJson = False) -> int:
    """Stop what `up` started; a recovery that is under way goes on."""
    from defib.cli.say import say, say_json  # noqa: PLC0415
    from defib.history import is_alive  # noqa: PLC0415

    home = Home.open()
    stopped = _service().down(home)
    alive = [folder.name for folder in home.runs() if is_alive(folder)]
    if as_json:
        say_json({"stopped": dict(stopped), "under_way": alive})
        return 0
    if stopped:
        say(f"Stopped {' and '.join(f'the {what} (process {pid})' for what, pid in stopped.items())}.")
    else:
        say("Prefect was not up.")
    for run in alive:
        say(f"Run {run} is under way and goes on; defib stop {run} stops it.")
    return 0


def _known(sites: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The sites, once each has a file that can be read, as nothing is started for a slip of the pen; and the lab's."""
    from defib.cli.desk import desk  # noqa: PLC0415
    from defib.clock import SystemClock  # noqa: PLC0415
    from defib.sites.site import load_site  # noqa: PLC0415

    at = desk(SystemClock(), REDACT)
    for site in sites:
        load_site(at.site_path(site))
    return sites, [site for site in at.site_names() if site == _LAB]


def _service() -> Service:
    """By name, as every flow: what Defib is does not import how Prefect runs it."""
    return cast("Service", importlib.import_module("flows.service.up"))


def _said(command: str) -> str:
    """The command as it was given: make says of itself that it is there."""
    return f"make {command}" if "MAKELEVEL" in os.environ else f"defib {command}"


def _as_json(found: Up) -> dict[str, Any]:
    return {
        "address": found.url,
        "api": found.api,
        "prefect_home": str(found.home),
        "auth_file": None if found.password_file is None else str(found.password_file),
        "processes": dict(found.processes),
        "started": list(found.fresh),
        "deployments": found.deployments,
    }


def _lines(found: Up) -> list[str]:
    parts = ", ".join(f"{what} {pid}" for what, pid in found.processes.items())
    fresh = f"started: {', '.join(found.fresh)}" if found.fresh else "it was up already"
    lines = [
        f"Prefect is up at {found.url} ({fresh}).",
        f"  processes  {parts}; {found.deployments} deployments",
        *([] if found.deployments else [f"  next       {_said('up')} for a site of yours: nothing is deployed"]),
        f"  find it    export PREFECT_HOME={found.home}",
    ]
    if found.password_file is not None:
        lines.append(f"  password   the line in {found.password_file}, typed into the pages once")
    if found.elsewhere:
        secret = ", and that line as PREFECT_API_AUTH_STRING" if found.password_file is not None else ""
        lines.append(f"  elsewhere  PREFECT_API_URL={found.elsewhere}{secret}")
    return [*lines, f"  stop it    {_said('down')}"]
