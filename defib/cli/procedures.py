"""The procedures as code, found by name.

The layer rule is that defib never imports flows: a recovery must be readable, testable and runnable without them, and
without Prefect. Somebody has to bring the two together, and that is here, by name, when a command asks for it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Protocol, cast

from defib import entries
from defib.alarms.alarm import Alarm
from defib.alerts.herald import Outlet
from defib.conduct import Outcome
from defib.errors import InputError
from defib.run import Run


class Procedure(Protocol):
    """What the command line needs to know of a procedure."""

    @property
    def name(self) -> str: ...

    @property
    def steps(self) -> tuple[str, ...]: ...

    @property
    def play(self) -> Callable[[Run], None]: ...


class Engine(Protocol):
    """What the command line needs of whatever runs procedures."""

    def prepare(self, wanted: bool) -> None: ...

    def choose(self, wanted: bool) -> entries.EngineChosen: ...

    def perform(self, procedure: Procedure, run: Run, chosen: entries.EngineChosen) -> Outcome: ...


class Events(Protocol):
    """What the command line needs of Prefect's event stream."""

    def emit_alarm(self, site: str, heard: Alarm) -> str: ...

    def outlets(self, run: Run) -> tuple[Outlet, ...]: ...


def procedure(name: str) -> Procedure:
    """The procedure of that name; a runbook without a flow is refused."""
    module = f"flows.{name.replace('-', '_')}"
    try:
        return cast("Procedure", importlib.import_module(module).PROCEDURE)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise InputError(f"{name!r} is a runbook without a flow", where=module, then="defib --help") from error


def engine() -> Engine:
    """Runs procedures, as Prefect flows where it can."""
    return cast("Engine", importlib.import_module("flows.engine"))


def events() -> Events:
    """Tells Prefect's event stream what automations may act upon."""
    return cast("Events", importlib.import_module("flows.events"))
