"""The run as it happens on a terminal: a table of its steps that changes in place."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from defib import entries
from defib.cli.held import Held
from defib.cli.live import STOPPING, describe
from defib.cli.say import aside
from defib.clock import Clock
from defib.journal import Record
from defib.objectives import Phase
from defib.report import words
from defib.run import Run
from defib.runbook import RunbookStep
from defib.users.looking import USERS

if TYPE_CHECKING:
    from rich.console import Group, JustifyMethod
    from rich.live import Live
    from rich.table import Table

_REFRESH = timedelta(milliseconds=250)
_WARNINGS = 2
"""How many of the last warnings stay below the table; all are in the report."""

_WAITED_FOR = (entries.Noted, entries.ChangeIntended, entries.ChangeNotUndone, entries.Told)
"""Entries that say what goes on in a step."""


class StepTable:
    """What is recovered and for how long users have been out; the steps with their times; what is waited for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._scene: Scene | None = None
        self._live: Live | None = None
        self._over = False
        self._stop: Callable[[], None] = lambda: None

    def show(self, run: Run) -> None:
        """Show this run from now on, with what its journal already says."""
        scene = Scene(run)
        for record in run.journal.records:
            scene.take(record)
        with self._lock:
            self._scene = scene

    def __enter__(self) -> Self:
        self._start()
        self._stop = self._clock.every(_REFRESH, self._refresh)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        with self._lock:
            if self._scene is not None:
                self._scene.stopping = False
            self._over = True
        self._refresh()
        self._hide(transient=False)

    def __call__(self, record: Record) -> None:
        with self._lock:
            if self._scene is not None:
                self._scene.take(record)
        if not isinstance(record.entry, entries.Observed):
            self._refresh()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Take the table off the terminal, for a question, and bring it back."""
        shown = self._hide(transient=True)
        try:
            yield
        finally:
            if shown:
                self._start()

    def stopping(self) -> None:
        """Say that a signal was heard."""
        with self._lock:
            hidden = self._live is None or self._scene is None
            if self._scene is not None:
                self._scene.stopping = True
        if hidden:
            aside(f"\n{STOPPING}")
        self._refresh()

    def _start(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - rich costs a tenth of a second
        from rich.live import Live  # noqa: PLC0415

        with self._lock, suppress(OSError):
            if not self._over and self._live is None:
                live = Live(self._picture(), console=Console(stderr=True, highlight=False), auto_refresh=False)
                live.start()
                self._live = live

    def _hide(self, *, transient: bool) -> bool:
        with self._lock, suppress(OSError):
            if self._live is not None:
                self._live.transient = transient
                self._live.stop()
                self._live = None
                return True
        return False

    def _refresh(self) -> None:
        try:
            with self._lock:
                if self._live is not None:
                    self._live.update(self._picture(), refresh=True)
        except OSError:
            self._live = None  # the terminal is gone; the run is not

    def _picture(self) -> Group:
        from rich.console import Group  # noqa: PLC0415

        return self._scene.picture(self._clock.now()) if self._scene is not None else Group()


class Scene:
    """One run as far as it is."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._held = Held(run.site.detection.quorum)
        self._stable: Held | None = None
        self._rows = {step.name: _Row(step) for step in run.runbook.steps}
        self._opened: entries.Opened | None = None
        self._served: datetime | None = None
        self._waiting = ""
        self._warnings: list[str] = []
        self._error = ""
        self.stopping = False

    def take(self, record: Record) -> None:
        """Take in one entry of the journal."""
        self._follow_looks(record)
        match entry := record.entry:
            case entries.Opened():
                self._opened = entry
            case entries.Reopened():
                self._error = ""
                for row in self._rows.values():
                    row.forget_unless_done()
            case entries.StepStarted() if entry.step in self._rows:
                self._rows[entry.step].begin(record.at)
                self._waiting = ""
            case entries.StepEnded() if entry.step in self._rows:
                self._rows[entry.step].end(entry)
                self._waiting = ""
                self._error = self._error if entry.outcome == "done" else _what_went_wrong(entry)
            case entries.UsersServed():
                self._served = entry.since
            case entries.Noted(warning=True):
                self._warnings.append(words.plain(describe(entry)).strip())
            case _ if isinstance(entry, _WAITED_FOR) and (text := describe(entry)):
                self._waiting = words.plain(text).strip()

    def _follow_looks(self, record: Record) -> None:
        entry = record.entry
        if self._stable is None and isinstance(entry, entries.Observed) and entry.step == "prove-stability":
            self._stable = Held(self._run.site.detection.quorum, entry.aim) if entry.aim != USERS else None
        for held in filter(None, (self._held, self._stable)):
            held.follow(record)

    def picture(self, now: datetime) -> Group:
        """Headings, steps, and below them an error and what is waited for."""
        from rich.console import Group  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        heading = [Text(words.plain(line), style="bold") for line in self._heading(now)]
        below = [Text(warning, style="yellow") for warning in self._warnings[-_WARNINGS:]]
        below += [Text(self._error, style="red")] if self._error else []
        below.append(Text(STOPPING, style="bold") if self.stopping else Text(self._waited_for(now) or " "))
        return Group(*heading, self._table(now), *below)

    def _heading(self, now: datetime) -> list[str]:
        run = self._run
        lines = [run.runbook.title, f"site {run.site.site}, run {run.id}, {run.mode.value}"]
        return [*lines, outage] if (outage := self._outage(now)) else lines

    def _outage(self, now: datetime) -> str:
        if self._opened is None or self._opened.moves_served_users:
            return ""
        of = words.duration(self._opened.rto)
        if self._opened.since is None:
            return f"users out: unknown since when, of {of}"
        if self._served is not None:
            return f"users were out for {words.duration(self._served - self._opened.since)} of {of}"
        if self._is_in(Phase.VERIFY) and (again := self._held.since()) is not None:
            return f"users out for {_whole(again - self._opened.since)} of {of}, served again"
        return f"users out for {_whole(now - self._opened.since)} of {of}"

    def _is_in(self, phase: Phase) -> bool:
        return any(row.is_running and row.step.phase is phase for row in self._rows.values())

    def _waited_for(self, now: datetime) -> str:
        held, limits = "", self._run.site.verification
        if self._is_in(Phase.VERIFY):
            held = self._held.line(now, limits.hold)
        elif self._is_in(Phase.DETECT) and self._stable is not None:
            held = self._stable.line(now, limits.stable_for)
        return held or self._waiting

    def _table(self, now: datetime) -> Table:
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        table = Table(box=None, pad_edge=False)
        for name in ("", "phase", "step", "elapsed", "budget"):
            justify: JustifyMethod = "right" if name in {"elapsed", "budget"} else "left"
            # What may wrap gives way on a narrow terminal; a name is one word, so it is cut and not wrapped.
            table.add_column(name, justify=justify, no_wrap=name not in {"phase", "step"})
        for row in self._rows.values():
            table.add_row(*map(Text, row.cells(now)), style=row.style)  # a bare string would be read as markup
        return table


class _Row:
    def __init__(self, step: RunbookStep) -> None:
        self.step = step
        self._started: datetime | None = None
        self._took: timedelta | None = None
        self._outcome = ""

    def begin(self, at: datetime) -> None:
        self._started, self._took, self._outcome = at, None, ""

    def end(self, entry: entries.StepEnded) -> None:
        self._took, self._outcome = entry.took, entry.outcome

    def forget_unless_done(self) -> None:
        if self._outcome != "done":
            self._started, self._took, self._outcome = None, None, ""

    @property
    def is_running(self) -> bool:
        return self._started is not None and not self._outcome

    @property
    def style(self) -> str:
        if self._outcome:
            return "" if self._outcome == "done" else "red"
        return "bold" if self._started else "dim"

    def cells(self, now: datetime) -> tuple[str, ...]:
        mark = {"": "▸" if self._started else " ", "done": "✓"}.get(self._outcome, "✗")
        elapsed = words.duration(self._took) if self._took is not None else ""
        if self.is_running and self._started is not None:
            elapsed = _whole(now - self._started)
        return mark, self.step.phase.value, self.step.name, elapsed, words.duration(self.step.budget)


def _whole(span: timedelta) -> str:
    """In whole seconds: a figure that runs must be readable."""
    return words.duration(timedelta(seconds=max(span, timedelta(0)) // timedelta(seconds=1)))


def _what_went_wrong(entry: entries.StepEnded) -> str:
    parts = dict(entry.error)
    seen = f" ({parts['seen']})" if "seen" in parts else ""
    return words.plain(f"{entry.step} {entry.outcome}: {parts.get('error', '')}{seen}")
