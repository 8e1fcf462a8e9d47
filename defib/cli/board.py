"""``board``: every site at a glance, as a table, a page, JSON, or served on this machine."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from defib.board.lookout import Lookout
from defib.board.model import Board
from defib.board.server import BoardServer, Fresh
from defib.cli.desk import runbooks_folder, signals_interrupt
from defib.cli.say import WIDTH, aside, say, say_json
from defib.clock import Clock, SystemClock
from defib.errors import InputError, Interrupted
from defib.home import Home
from defib.report.as_html import board_as_html
from defib.report.board_figures import board_as_json, board_exit_code
from defib.report.board_now import Alarm
from defib.report.board_page import BoardPage, ProofLine, SiteView, board_page
from defib.report.page import SIGNS, Tone
from defib.report.words import plain
from defib.sites.site import find_site
from defib.wholefile import put

_REFRESH, _REFRESH_AT_WORK = 30, 5
"""Seconds after which a browser asks anew; sooner while something goes on."""

_STYLES = {Tone.GOOD: "green", Tone.WARN: "yellow", Tone.UNKNOWN: "magenta", Tone.BAD: "bold red", Tone.PLAIN: "blue"}


@dataclass(frozen=True)
class Wanted:
    """Of which site (all, where it is ""), and how: into a file, served, as JSON, or as a table."""

    site: str = ""
    html: str = ""
    serve: bool = False
    host: str = "127.0.0.1"
    port: int = 0
    as_json: bool = False


def board(wanted: Wanted) -> int:
    """Make the board from what is on the disk; as a table or JSON it gives 0, 1 or 6, as ``defib ready`` does."""
    clock, home = SystemClock(), Home.open()
    lookout = Lookout(home, runbooks_folder(), clock)
    if wanted.site:
        _must_be_known(wanted.site, home)
    only = (wanted.site,) if wanted.site else ()
    if wanted.serve:
        return _serve(wanted, lookout, only, clock)
    seen = lookout.board(*only)
    if wanted.html:
        path = Path(wanted.html)
        put(path, board_as_html(board_page(seen)).encode("utf-8", "backslashreplace"), "the board")
        if wanted.as_json:
            say_json({"board": str(path.resolve())})
        else:
            say(str(path.resolve()))
        return 0
    say(board_as_json(seen) if wanted.as_json else _shown(board_page(seen)))
    return board_exit_code(seen)


def _must_be_known(site: str, home: Home) -> None:
    """A site is known by its file, or by a folder of its own; :class:`UnknownSite` otherwise."""
    if "/" in site or not home.site(site).is_dir():
        find_site(site, home.path / "lab" / "sites", runbooks_folder() / "sites")


def _serve(wanted: Wanted, lookout: Lookout, only: tuple[str, ...], clock: SystemClock) -> int:
    try:
        ip_address(wanted.host)
    except ValueError as error:
        raise InputError("--host is no address", expected="such as 127.0.0.1 or 0.0.0.0", seen=wanted.host) from error
    server = BoardServer(wanted.host, wanted.port, Fresh(lambda: _pages(lookout.board(*only)), clock))
    threading.Thread(target=server.serve, name="defib-board", daemon=True).start()
    with signals_interrupt(clock):
        if wanted.as_json:
            say_json({"url": server.url})
        else:
            say(f"The board is at {server.url} (stop with Ctrl-C)")
        if not ip_address(wanted.host).is_loopback:
            aside("warning:  whoever reaches this address can read the board; there is no password")
        _until_interrupted(clock)
    server.close()
    return 0


def _until_interrupted(clock: Clock) -> None:
    try:
        while True:
            clock.sleep(timedelta(hours=1))
    except Interrupted:
        return


def _pages(seen: Board) -> tuple[str, str]:
    at_work = any(site.needs_somebody for site in seen.sites)
    return board_as_html(board_page(seen, _REFRESH_AT_WORK if at_work else _REFRESH)), board_as_json(seen) + "\n"


def _shown(page: BoardPage) -> str:
    """What goes on, then a line for each procedure, in the width of the terminal."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH, force_terminal=sys.stdout.isatty(), highlight=False)
    with console.capture() as captured:
        console.print(Text(plain(page.headline), _STYLES[page.tone]))
        console.print(Text(plain(page.lead)))
        for alarm in page.alarms:
            console.print(_alarm(alarm))
        for site in page.sites:
            console.print(_heading(site))
            console.print(_table(site))
        for note in page.notes:
            console.print(Text(plain(note), "dim"))
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _alarm(alarm: Alarm) -> Text:
    text = Text("\n").append(plain(f"{alarm.word.upper()}  {alarm.title}"), _STYLES[alarm.tone])
    for line in (*alarm.lines, *(f"next: {command}" for command in alarm.commands)):
        text.append(f"\n  {plain(line)}")
    return text


def _heading(site: SiteView) -> Text:
    text = Text("\n").append(plain(site.name), "bold").append(plain(f"  {site.title}  ({site.targets})  "))
    text.append(plain(f"{SIGNS[site.ready_tone]} {site.ready_short}"), _STYLES[site.ready_tone])
    return text.append(plain(f"\n{site.problem}"), _STYLES[Tone.BAD]) if site.problem else text


def _table(site: SiteView) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False)
    for heading in ("", "procedure", "state", "RTO", "RPO", "why"):
        table.add_column(heading, overflow="fold", no_wrap=heading in {"", "procedure"})
    for line in site.proofs:
        figures = [gauge.figure if gauge else "" for gauge in (line.rto, line.rpo)]
        why = "; ".join([*([line.short] if line.when else []), *line.says])
        _add(table, line.tone, line.procedure, line.word, *figures, why)
    for copy in site.copies:
        _add(table, copy.tone, copy.kind, copy.word, "", copy.gauge.figure, "; ".join((copy.name, copy.held, *copy.says)))
    if site.unproved:
        _add(table, Tone.UNKNOWN, f"{len(site.unproved)} more", "never proved", "", "", _names(site.unproved))
    return table


def _names(lines: Iterable[ProofLine]) -> str:
    return ", ".join(line.procedure for line in lines)


def _add(table: Table, tone: Tone, name: str, word: str, *rest: str) -> None:
    table.add_row(Text(SIGNS[tone], _STYLES[tone]), _text(name), Text(word, _STYLES[tone]), *map(_text, rest))


def _text(text: str) -> Text:
    """What came from outside, made harmless for a terminal."""
    return Text(plain(text))
