"""The recovery that ``watch`` or an alarm starts: in a process of its own, one at a time, and what became of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from defib.cli.seen import seen
from defib.clock import Clock
from defib.detached import start_detached
from defib.errors import DefibError, EvidenceBroken
from defib.history import JOURNAL, is_alive, opening_of, run_asked_for, status_of, unfinished
from defib.home import Home
from defib.journal import read_journal
from defib.objectives import Status
from defib.observe.admission import RETRY, admit, withdraw
from defib.observe.detect import Decision
from defib.observe.failure import plain
from defib.observe.outage import KnownOutage
from defib.redact import Redactor
from defib.report import words
from defib.sites.site import Site
from defib.users.looking import USERS

_MOST_OF_A_TRIGGER = 300
"""Of what detection saw goes onto the command line of the run."""


@dataclass(frozen=True)
class What:
    """What is to be started: procedures of a site, the next where one refuses, in which home, with Prefect or without."""

    home: Home
    site: Site
    site_path: Path
    procedures: tuple[str, ...]
    prefect: bool


class Patience(Protocol):
    """Whoever decides to start, and has to know what came of it; :class:`defib.observe.detect.Detector` does."""

    def acted(self, at: datetime) -> None:
        """A recovery was started at `at`."""
        ...

    def came_to_nothing(self, again: datetime) -> None:
        """What was started, or was to be, did nothing; it may be tried again from `again`."""
        ...


@dataclass(frozen=True)
class Ending:
    """What became of a start: the run's folder and status, where one began, and whether the next procedure is due."""

    folder: Path | None
    status: Status | None
    code: int
    another: bool


@dataclass(frozen=True)
class _Started:
    process: subprocess.Popen[bytes]
    at: datetime
    trigger: str
    resumed: Path | None


class Starter:
    """Starts the recovery, which outlives the watching, if nothing holds it back.

    A start of which nothing comes (it fails, the run is refused or dies) is withdrawn, and decided again after
    :data:`RETRY`; a run that was refused makes room for the next procedure at once, unless it saw that users are served. A
    run of detection's own that died half-way is resumed; one of a person's is theirs to bring to an end.
    """

    def __init__(
        self, what: What, detector: Patience, clock: Clock, redact: Redactor, tell: Callable[[str], object]
    ) -> None:
        self._what, self._detector, self._clock, self._redact, self._tell = what, detector, clock, redact, tell
        self._log = what.home.site(what.site.site) / "automatic.log"
        self._running: _Started | None = None
        self._said = ""
        self._turn = 0

    @property
    def _procedure(self) -> str:
        return self._what.procedures[self._turn]

    def start(self, decision: Decision, outage: KnownOutage | None) -> None:
        """Start it once, or say what holds it back; raises nothing, as the next decision can try again."""
        self.begin(f"detection: {'; '.join(decision.reasons)}", outage)

    def begin(self, trigger: str, outage: KnownOutage | None) -> str:
        """The same for whatever `trigger` there is; gives what held it back, "" if nothing did."""
        now = self._clock.now()
        try:
            why = self._start(self._worded(trigger), outage, now)
        except (OSError, ValueError, DefibError) as error:
            why = self._redact(plain(str(error)))
        if why:
            self._detector.came_to_nothing(now + RETRY)
            self._say_once(f"would start {self._procedure} now, but {why}")
        return why

    def check(self) -> Ending | None:
        """Say what became of the started run, once it has ended; None before that."""
        if self._running is None or self._running.process.poll() is None:
            return None
        ended, self._running = self._running, None
        folder = ended.resumed or run_asked_for(self._what.home, self._what.site.site, ended.trigger, ended.at)
        status = None if folder is None else _status(folder)
        self._tell(self._outcome(folder, status, ended.process.returncode))
        another = status is Status.REFUSED and self._turn + 1 < len(self._what.procedures)
        another = another and folder is not None and not _users_are_served(folder, self._what.site)
        self._turn = self._turn + 1 if another else 0
        if status in {None, Status.REFUSED}:
            self._detector.came_to_nothing(self._clock.now() if another else ended.at + RETRY)
            withdraw(self._what.home.path, self._what.site.site, ended.at)
        return Ending(folder, status, ended.process.returncode, another)

    def _start(self, trigger: str, outage: KnownOutage | None, now: datetime) -> str:
        """What holds it back; nothing if it was started."""
        what = self._what
        if self._running is not None:
            return f"process {self._running.process.pid}, which was started before, is still at work"
        left = unfinished(what.home, what.site.site)
        if left is not None and (why := _not_to_be_resumed(left)):
            return why
        # To resume is to go on with the same start, so its cool-down does not count; one try a minute does.
        cool_down = what.site.detection.cool_down if left is None else RETRY
        admission = admit(what.home.path, what.site.site, self._procedure, now, cool_down)
        if not admission.admitted:
            return admission.reason
        try:
            self._running = self._spawn(trigger, outage, left, now)
        except (OSError, ValueError):
            withdraw(what.home.path, what.site.site, now)
            raise
        self._detector.acted(now)
        self._said = ""
        return ""

    def _spawn(self, trigger: str, outage: KnownOutage | None, left: Path | None, now: datetime) -> _Started:
        command = ["resume", left.name] if left else self._run(trigger, outage)
        with ExitStack() as stack:
            try:
                output = stack.enter_context(self._log.open("ab"))
            except OSError as error:
                self._tell(f"warning: its words are lost, because the log cannot be written: {error}")
                output = stack.enter_context(Path(os.devnull).open("ab"))
            without = [] if self._what.prefect else ["--no-prefect"]
            process = start_detached([*command, *without], self._what.home.path, output)
        done = f"resumed run {left.name}" if left else f"started {self._procedure}"
        self._tell(f"{done} as process {process.pid}; its words go to {output.name}")
        return _Started(process, now, trigger, left)

    def _run(self, trigger: str, outage: KnownOutage | None) -> list[str]:
        command = ["run", self._procedure, "--site", str(self._what.site_path), "--automatic", "--trigger", trigger]
        if outage is not None:
            command += ["--since", outage.first_bad.isoformat(), "--down-at", outage.down_at.isoformat()]
        return command

    def _worded(self, trigger: str) -> str:
        """What was seen or heard, as it can stand on a command line of this machine and in the run's journal."""
        text = self._redact(plain(trigger, _MOST_OF_A_TRIGGER))
        encoding = sys.getfilesystemencoding()
        return text.encode(encoding, "replace").decode(encoding)

    def _outcome(self, folder: Path | None, status: Status | None, code: int) -> str:
        if folder is None:
            return f"{self._procedure} ended with exit code {code} before a run began; its words are in {self._log}"
        if status is None:
            return f"run {folder.name} died with exit code {code}; see: defib report {folder.name}"
        outage = words.duration(_outage(folder))
        return f"run {folder.name} ended with exit code {code}: {words.status(status)}, outage {outage}"

    def _say_once(self, text: str) -> None:
        if text != self._said:
            self._tell(text)
        self._said = text


def _not_to_be_resumed(folder: Path) -> str:
    """Why a run that has not ended well, and whose changes stand, is not resumed without a person; "" if it is."""
    if is_alive(folder):
        return f"run {folder.name} is under way"
    records = read_journal(folder / JOURNAL)[0]  # only now: nobody writes it any more
    choice = f"defib resume {folder.name}, or defib rollback {folder.name}"
    if status_of(records) is Status.INTERRUPTED:
        return f"somebody interrupted run {folder.name}, and its changes stand: {choice}"
    if not opening_of(records, folder).automatic:
        return f"run {folder.name}, which a person started, died, and its changes stand: {choice}"
    return ""


def _users_are_served(folder: Path, site: Site) -> bool:
    """Whether the run itself saw a quorum served, and nobody who was not: then no other procedure would find an outage."""
    try:
        places = seen(read_journal(folder / JOURNAL)[0], site)
    except (OSError, EvidenceBroken):
        return False
    return any(place.aim == USERS and place.state == "well" for place in places)


def _status(folder: Path) -> Status | None:
    try:
        return status_of(read_journal(folder / JOURNAL)[0])
    except (OSError, EvidenceBroken):
        return None


def _outage(folder: Path) -> timedelta | None:
    """How long users had no service, as the run's own report says; None where it does not."""
    try:
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        seconds = report["rto"]["actual_s"]
        return None if seconds is None else timedelta(seconds=float(seconds))
    except (OSError, ValueError, KeyError, TypeError, OverflowError):
        return None
