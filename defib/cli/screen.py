"""What a person who carries out a run is shown of it, and asked."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

from defib.cli.briefing import briefing, outage_of
from defib.cli.live import Lines
from defib.cli.say import aside, prompt
from defib.cli.steptable import StepTable
from defib.clock import Clock, Deadline
from defib.errors import BudgetSpent, StepFailed
from defib.journal import Record
from defib.plan import Plan
from defib.question import Answer, ApprovalAwaited, new_question, wait_for_answer
from defib.run import Run

_BLINK = timedelta(milliseconds=100)
"""How often a question that waits for its answer looks whether the run was stopped."""


class Screen:
    """A table that changes, or plain lines; a question takes the table away until it is answered."""

    def __init__(self, clock: Clock, *, board: bool) -> None:
        self._clock = clock
        self._board = StepTable(clock) if board else None
        self._lines = Lines(aside)
        self._run: Run | None = None
        self._folder: Path | None = None

    def __call__(self, record: Record) -> None:
        (self._board or self._lines)(record)

    @contextmanager
    def showing(self, run: Run, folder: Path) -> Iterator[None]:
        """Show the run, whose files are in `folder`, for as long as it lasts."""
        self._run, self._folder = run, folder
        if self._board is None:
            yield
            return
        self._board.show(run)
        with self._board:
            yield

    def stopping(self) -> None:
        """Say that a signal was heard, at once."""
        (self._board or self._lines).stopping()

    def ask(self, plan: Plan, wrong: str, within: Deadline) -> str:
        """What is wrong and what would change, and what was typed to that; without the first after a `wrong` answer."""
        with self._cleared():
            if wrong:
                aside(f"{wrong!r} is not it.")
            elif self._run is not None:
                aside(f"\n{_told(self._run, plan)}\n")
            return self._answer(f"Type {plan.short_digest[:4]} to do this, or Enter to stop: ", within)

    def ask_elsewhere(self, plan: Plan, within: Deadline) -> Answer | None:
        """The same question put into the run's folder; what somebody elsewhere said to it, None where nobody did in time."""
        run, folder = self._run, self._folder
        if run is None or folder is None:
            raise StepFailed("nothing is shown yet, so nobody can be asked")
        question = new_question(run.id, plan, run.journal.redact(_told(run, plan)), self._clock, within)
        run.journal.append(ApprovalAwaited(question.digest, question.until))
        return wait_for_answer(folder, question, self._clock)

    def yes(self, question: str, within: Deadline) -> bool:
        """Whether a person said yes in full."""
        with self._cleared():
            return self._answer(f"{question} Type yes, or Enter to stop: ", within).strip().lower() == "yes"

    def _cleared(self) -> AbstractContextManager[None]:
        return self._board.paused() if self._board else nullcontext()

    def _answer(self, question: str, within: Deadline) -> str:
        """One line from the terminal; a signal or the end of the time ends the wait for it."""
        prompt(question)
        terminal = sys.stdin.fileno()
        while not select.select([terminal], [], [], 0)[0]:
            if within.expired():
                raise BudgetSpent("nobody answered in time")
            self._clock.sleep(_BLINK)
        return os.read(terminal, 4096).decode(errors="replace").strip()


def _told(run: Run, plan: Plan) -> str:
    since, by_watch = outage_of(run)
    return briefing(run, plan, since, by_watch=by_watch)


def somebody_is_there() -> bool:
    """Whether a question would be seen, and could be answered."""
    return sys.stdin.isatty() and sys.stderr.isatty()
