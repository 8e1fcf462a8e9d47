"""The run as it happens: a table that changes on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from defib import entries
from defib.clock import Clock
from defib.journal import Record
from defib.report import words
from defib.runbook import RunbookStep

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

_REFRESH = timedelta(milliseconds=250)


class Lines:
    """Plain lines, one for each thing that happens; for logs, pipes and terminals that can do no more."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def __call__(self, record: Record) -> None:
        text = _line(record.entry)
        if text:
            self._write(f"{record.at:%H:%M:%S}  {text}")


class Board:
    """A table of the steps that changes in place: phase, step, elapsed, budget, and what is waited for."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._rows: dict[str, _Row] = {}
        self._title = ""
        self._waiting = ""
        self._live: Live | None = None
        self._stop: Callable[[], None] = lambda: None

    def show(self, steps: tuple[RunbookStep, ...], title: str) -> None:
        """Name the steps to come."""
        with self._lock:
            self._title = title
            self._rows = {step.name: _Row(step) for step in steps}

    def __enter__(self) -> Self:
        from rich.console import Console  # noqa: PLC0415 - rich costs a tenth of a second
        from rich.live import Live  # noqa: PLC0415

        self._live = Live(self._table(), console=Console(stderr=True), auto_refresh=False, transient=False)
        self._live.start()
        self._stop = self._clock.every(_REFRESH, self._refresh)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._refresh()
        if self._live is not None:
            self._live.stop()

    def __call__(self, record: Record) -> None:
        with self._lock:
            self._take(record)
        if not isinstance(record.entry, entries.Observed):
            self._refresh()

    def _take(self, record: Record) -> None:
        entry = record.entry
        if isinstance(entry, entries.StepStarted) and entry.step in self._rows:
            self._rows[entry.step].started = record.at
            self._waiting = ""
        elif isinstance(entry, entries.StepEnded) and entry.step in self._rows:
            self._rows[entry.step].took, self._rows[entry.step].outcome = entry.took, entry.outcome
        elif text := _line(entry):
            self._waiting = text

    def _refresh(self) -> None:
        if self._live is None:
            return
        try:
            with self._lock:
                self._live.update(self._table(), refresh=True)
        except OSError:
            self._live = None  # the terminal is gone; the run is not

    def _table(self) -> Table:
        from rich.table import Table  # noqa: PLC0415
        from rich.text import Text  # noqa: PLC0415

        table = Table(title=Text(self._title), title_justify="left", box=None, pad_edge=False, caption_justify="left")
        for heading in ("", "phase", "step", "elapsed", "budget"):
            table.add_column(heading, justify="right" if heading in {"elapsed", "budget"} else "left")
        for row in self._rows.values():
            table.add_row(*row.cells(self._clock.now()), style=row.style)
        table.caption = Text(self._waiting or " ")
        return table


class _Row:
    def __init__(self, step: RunbookStep) -> None:
        self.step = step
        self.started: datetime | None = None
        self.took: timedelta | None = None
        self.outcome = ""

    @property
    def style(self) -> str:
        if self.outcome:
            return "" if self.outcome == "done" else "red"
        return "bold" if self.started else "dim"

    def cells(self, now: datetime) -> tuple[str, ...]:
        mark = {"": "▸" if self.started else " ", "done": "✓"}.get(self.outcome, "✗")
        elapsed = self.took or (now - self.started if self.started else None)
        return (
            mark,
            self.step.phase.value,
            self.step.name,
            words.duration(elapsed) if elapsed is not None else "",
            words.duration(self.step.budget),
        )


def is_terminal() -> bool:
    """Whether somebody watches who can be shown a table that changes."""
    return sys.stderr.isatty()


def _line(entry: entries.Entry) -> str:  # noqa: C901, PLR0911 - one line a kind
    match entry:
        case entries.StepStarted():
            return f"{entry.phase.value:<9} {entry.step}  (budget {words.duration(entry.budget)})"
        case entries.StepEnded(outcome="done"):
            return f"          {entry.step}  done in {words.duration(entry.took)}"
        case entries.StepEnded():
            error = dict(entry.error).get("error", "")
            return f"          {entry.step}  {entry.outcome.upper()} after {words.duration(entry.took)}: {error}"
        case entries.Noted():
            return f"          {'! ' if entry.warning else ''}{entry.text}"
        case entries.Planned():
            changes = "; ".join(f"{r.before} → {r.after}" for change in entry.changes for r in change.records)
            return f"          plan {entry.digest[:12]}: {changes or 'nothing to change'}"
        case entries.Approved():
            return f"          plan {entry.digest[:12]} approved ({entry.how}): {entry.by}"
        case entries.ChangeIntended():
            return f"          {'putting back' if entry.undo else 'changing'} {entry.change.target}"
        case entries.ChangeNotUndone():
            return f"          NOT put back: {entry.target}: {entry.why}"
        case entries.EngineChosen():
            return f"          Prefect is {'used' if entry.prefect else 'not used'}: {entry.why}"
        case entries.FaultSet():
            return f"breaking  {entry.target}: {entry.fault}" if entry.fault else f"healing   {entry.target}"
        case entries.Told() if entry.outcome != "sent":
            return f"          ! {entry.kind} over {entry.channel}: {entry.outcome}: {entry.why}"
        case _:
            return ""
