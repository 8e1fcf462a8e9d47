"""Where a command works: its folders, its clock, who approves, who is interrupted by a signal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType

from defib.approval import Approver, AskOnTerminal, Automatic, ByDigest, Nobody
from defib.cli.say import aside
from defib.clock import Clock, SystemClock
from defib.errors import InputError
from defib.home import Home
from defib.lease import operator
from defib.objectives import Mode
from defib.outside import open_outside
from defib.plan import Plan
from defib.redact import Redactor
from defib.start import Desk, Listener


def runbooks_folder() -> Path:
    """``$DEFIB_RUNBOOKS``, else ``runbooks`` beside the package."""
    chosen = os.environ.get("DEFIB_RUNBOOKS")
    return Path(chosen) if chosen else Path(__file__).parents[2] / "runbooks"


def desk(clock: Clock, redact: Redactor, listen: Listener = lambda _: None) -> Desk:
    """The desk of this process, at the real outside."""
    return Desk(Home.open(), runbooks_folder(), clock, open_outside, listen, redact)


def approver(mode: Mode, digest: str, do: str, automatic: str = "") -> Approver:
    """Who approves: detection where the runbook lets it, a rehearsal itself, else a person beforehand or now."""
    if digest:
        return ByDigest(digest, operator(), do)
    if automatic:
        return Automatic(automatic)
    if mode is Mode.REHEARSAL:
        return Automatic(f"{mode.value} of {operator()}")
    return AskOnTerminal(operator(), do, _ask) if sys.stdin.isatty() else Nobody(do)


def parse_time(option: str, text: str, now: datetime) -> datetime | None:
    """An aware time from ISO 8601, not after `now`; None for "". A guess would be evidence: :class:`InputError`."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{option} is not a time", expected="ISO 8601, such as 2026-01-31T02:45:00Z", seen=text) from error
    if at.tzinfo is None:
        raise InputError(f"{option} has no time zone", expected="such as 2026-01-31T02:45:00Z", seen=text)
    if at > now:
        raise InputError(f"{option} is in the future", expected=f"no later than {now:%Y-%m-%dT%H:%M:%SZ}", seen=text)
    return at


@contextmanager
def signals_interrupt(clock: SystemClock) -> Iterator[None]:
    """SIGTERM and SIGINT stop the run in good order; SIGHUP, a closed terminal, stops nothing."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        clock.interrupt()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ask(plan: Plan) -> str:
    aside(f"\n{describe(plan)}\n\nType the first digits of the digest to approve it, anything else to refuse.")
    return input(f"{plan.short_digest}? ")


def describe(plan: Plan) -> str:
    """A plan for people: every change before and after, and the digest to approve."""
    lines = [f"Plan of {plan.procedure} on {plan.site}, digest {plan.short_digest}"]
    for number, change in enumerate(plan.changes, start=1):
        lines += [
            f"  {number}. {change.purpose}  [{change.vendor}/{change.zone}]",
            *(f"     - {r.before or 'nothing'}\n     + {r.after or 'nothing'}" for r in change.records),
        ]
    if not plan.changes:
        lines.append("  Nothing to change: it is already as wanted.")
    return "\n".join(lines)
