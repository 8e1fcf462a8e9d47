"""The run as it happens in plain lines, for logs, pipes and terminals that can do no more."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from defib import entries
from defib.cli.say import fold
from defib.journal import Record
from defib.question import ApprovalAwaited
from defib.report import outlook, words
from defib.report.changed import blocks

_INDENT = " " * 10
"""Up to the texts: a time of day and two blanks."""


class Lines:
    """Plain lines, one for each thing that happens; what was said before and has not changed is not said again."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._engine = ""

    def __call__(self, record: Record) -> None:
        text = describe(record.entry)
        if isinstance(record.entry, entries.EngineChosen):
            text, self._engine = ("" if text == self._engine else text), text
        if text:
            self._write(fold(f"{record.at:%H:%M:%S}  ", text))

    def stopping(self) -> None:
        """Say that a signal was heard."""
        self._write(STOPPING)


STOPPING = "stopping; what is under way may take 3 s to end"


def is_terminal() -> bool:
    """Whether somebody watches who can be shown a table that changes."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def describe(entry: entries.Entry) -> str:  # noqa: C901, PLR0911, PLR0912 - one text a kind
    """What an entry of a journal says to somebody who watches; "" where it says nothing to them."""
    match entry:
        case entries.StepStarted():
            return f"{entry.phase.value:<9} {entry.step}  (budget {words.duration(entry.budget)})"
        case entries.StepEnded(outcome="done"):
            return f"{_INDENT}{entry.step}  done in {words.duration(entry.took)}"
        case entries.StepEnded():
            error = dict(entry.error).get("error", "")
            return f"{_INDENT}{entry.step}  {entry.outcome.upper()} after {words.duration(entry.took)}: {error}"
        case entries.Noted():
            return f"{_INDENT}{'! ' if entry.warning else ''}{entry.text}"
        case entries.Planned():
            told = (line for block in blocks(entry.changes) for line in (f"at {block.place}", *block.lines))
            changes = [f"{_INDENT}  {line}" for line in told]
            return "\n".join([f"{_INDENT}plan {entry.digest[:12]}{'' if changes else ': nothing to change'}", *changes])
        case entries.Forecast():
            return f"{_INDENT}forecast: {outlook.headline(entry)}"
        case ApprovalAwaited():
            until = f"{entry.until:%H:%M:%S} UTC"
            return f"{_INDENT}waits until {until} for: defib approve RUN --digest {entry.digest[:12]}"
        case entries.Approved():
            return f"{_INDENT}plan {entry.digest[:12]} approved ({entry.how}): {entry.by}"
        case entries.ChangeIntended():
            return f"{_INDENT}{'putting back' if entry.undo else 'changing'} {entry.change.target}"
        case entries.ChangeNotUndone():
            return f"{_INDENT}NOT put back: {entry.target}: {entry.why}"
        case entries.EngineChosen():
            return f"{_INDENT}Prefect is {'used' if entry.prefect else 'not used'}: {entry.why}"
        case entries.FaultSet():
            return f"breaking  {entry.target}: {entry.fault}" if entry.fault else f"healing   {entry.target}"
        case entries.Told() if entry.outcome != "sent":
            return f"{_INDENT}! {entry.kind} over {entry.channel}: {entry.outcome}: {entry.why}"
        case _:
            return ""
