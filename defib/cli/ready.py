"""``ready``: what would stop a recovery now, as a table or as one JSON object."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from defib.cli.desk import desk
from defib.cli.say import WIDTH, aside, say_json, show
from defib.clock import SystemClock
from defib.ready.check import Check, Readiness, State
from defib.ready.inspect import inspect
from defib.ready.kept import keep
from defib.redact import Redactor
from defib.report import words

_STYLES = {State.OK: "green", State.WARN: "yellow", State.UNKNOWN: "magenta", State.FAIL: "bold red"}
_HEADLINES = {
    State.OK: "ready",
    State.WARN: "ready, with warnings",
    State.UNKNOWN: "nobody can tell whether a recovery would work",
    State.FAIL: "NOT READY",
}


def ready(redact: Redactor, site: str, *, as_json: bool) -> int:
    """Check everything, print it, and give the exit code."""
    at = desk(SystemClock(), redact)
    found = inspect(at, site)
    if trouble := keep(at.home, found):
        aside(f"warning:  the board will not know of this: {trouble}")
    if as_json:
        say_json(
            {
                "site": found.site,
                "at": found.at.isoformat(timespec="milliseconds"),
                "state": found.state.value,
                "exit_code": found.exit_code,
                "checks": [_plain(check) for check in found.checks],
            }
        )
    else:
        show(_shown(found))
    return found.exit_code


def _plain(check: Check) -> dict[str, str]:
    return {
        "name": check.name,
        "about": check.about,
        "state": check.state.value,
        "text": check.text,
        "next": check.then,
    }


def _shown(found: Readiness) -> str:
    console = Console(width=None if sys.stdout.isatty() else WIDTH, force_terminal=sys.stdout.isatty())
    with console.capture() as captured:
        console.print(_table(found.checks))
        console.print(Text(f"{found.site}: {_HEADLINES[found.state]} ({_counted(found.checks)})", _STYLES[found.state]))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _table(checks: Iterable[Check]) -> Table:
    """The checks of one name under each other, in the order in which the names first come."""
    table = Table(box=None, pad_edge=False, show_edge=False)
    for heading in ("check", "of", "state", "found"):
        table.add_column(heading, overflow="fold")
    for name, group in groupby(_grouped(checks), key=lambda check: check.name):
        for number, check in enumerate(group):
            state = Text(check.state.value, _STYLES[check.state])
            table.add_row(Text("" if number else name), _text(check.about), state, _text(_found(check)))
    return table


def _grouped(checks: Iterable[Check]) -> list[Check]:
    checks = list(checks)
    order = {name: number for number, name in enumerate(dict.fromkeys(check.name for check in checks))}
    return sorted(checks, key=lambda check: order[check.name])


def _found(check: Check) -> str:
    return f"{check.text}\nnext: {check.then}" if check.then and check.state is not State.OK else check.text


def _text(text: str) -> Text:
    """What vendors and servers said, made harmless for a terminal."""
    return Text(words.plain(text))


def _counted(checks: Iterable[Check]) -> str:
    states = [check.state for check in checks]
    return ", ".join(f"{states.count(state)} {state.value}" for state in reversed(State) if state in states)
