"""Where a command works: its folders, its clock, who approves, who is interrupted by a signal."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType

from defib.approval import Approver, AskElsewhere, AskOnTerminal, Automatic, ByDigest, Nobody
from defib.cli.screen import Screen, somebody_is_there
from defib.clock import Clock, SystemClock
from defib.errors import InputError, Refused
from defib.home import Home
from defib.lease import operator
from defib.objectives import Mode
from defib.outside import open_outside
from defib.redact import Redactor
from defib.start import Desk, Listener

_SIGNAL, _ENOUGH = b"!", b"."
_FAREWELL = timedelta(seconds=1)

LONGEST = timedelta(days=30)
"""An outage that is said to have lasted for longer is a slip of the pen."""


def runbooks_folder() -> Path:
    """``$DEFIB_RUNBOOKS``, else ``runbooks`` beside the package."""
    chosen = os.environ.get("DEFIB_RUNBOOKS")
    return Path(chosen) if chosen else Path(__file__).parents[2] / "runbooks"


def desk(clock: Clock, redact: Redactor, listen: Listener = lambda _: None) -> Desk:
    """The desk of this process, at the real outside."""
    return Desk(Home.open(), runbooks_folder(), clock, open_outside, listen, redact)


def approver(mode: Mode, digest: str, do: str, screen: Screen, automatic: str = "", *, elsewhere: bool = False) -> Approver:
    """Who approves: detection where the runbook lets it, a rehearsal itself, else a person: beforehand, `elsewhere`, now."""
    if digest:
        return ByDigest(digest, operator(), do)
    if automatic:
        return Automatic(automatic)
    if elsewhere:
        return AskElsewhere(do, screen.ask_elsewhere)
    if mode is Mode.REHEARSAL:
        return Automatic(f"{mode.value} of {operator()}")
    return AskOnTerminal(operator(), do, screen.ask) if somebody_is_there() else Nobody(do)


def insist_on_somebody(who: Approver, plan: str, do: str) -> None:
    """Refuse at once what would wait, perhaps for hours, only to find that nobody is there to approve it."""
    if isinstance(who, Nobody):
        raise Refused(
            "the plan needs an approval, and nobody is at the terminal",
            expected="--approve DIGEST, or --await-approval",
            then=f"{plan}, then {do} --approve DIGEST",
        )


def parse_time(option: str, text: str, now: datetime) -> datetime | None:
    """An aware time from ISO 8601, not after `now`; None for "". A guess would be evidence: :class:`InputError`."""
    if not text:
        return None
    at = parse_moment(option, text)
    if at < now - LONGEST:
        earliest = f"no earlier than {now - LONGEST:%Y-%m-%dT%H:%M:%SZ}"
        raise InputError(f"{option} is more than {LONGEST.days} days ago", expected=earliest, seen=text)
    if at > now:
        raise InputError(f"{option} is in the future", expected=f"no later than {now:%Y-%m-%dT%H:%M:%SZ}", seen=text)
    return at


def parse_moment(option: str, text: str) -> datetime:
    """An aware time from ISO 8601, whenever that was or will be; :class:`InputError` for what is none."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"{option} is not a time", expected="ISO 8601, such as 2026-01-31T02:45:00Z", seen=text) from error
    if at.tzinfo is None:
        raise InputError(f"{option} has no time zone", expected="such as 2026-01-31T02:45:00Z", seen=text)
    return at


@contextmanager
def signals_interrupt(clock: SystemClock, heard: Callable[[], object] = lambda: None) -> Iterator[None]:
    """SIGTERM and SIGINT stop the run in good order; SIGHUP, a closed terminal, stops nothing.

    `heard` is called at once. All of it happens in a thread that waits for signals: the handler itself only writes to a
    pipe, because what it breaks into may hold any lock, that of the terminal or the one that starting a thread needs.
    """
    listening, told = os.pipe()

    def listen() -> None:
        while os.read(listening, 1) == _SIGNAL:
            clock.interrupt()
            with suppress(OSError):  # nobody can be told, and the next signal counts all the same
                heard()

    def stop(_number: int, _frame: FrameType | None) -> None:
        os.write(told, _SIGNAL)

    listener = threading.Thread(target=listen, name="defib-signals", daemon=True)
    listener.start()
    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        os.write(told, _ENOUGH)
        listener.join(_FAREWELL.total_seconds())
        if not listener.is_alive():
            os.close(listening)
            os.close(told)
