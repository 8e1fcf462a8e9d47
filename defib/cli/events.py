"""``event``: somebody outside says that a site is down; the right recovery is started, once, and followed to its end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from defib.about import About, about
from defib.alarms import alarmbook
from defib.alarms.alarm import Alarm, Says, alarm
from defib.cli.desk import desk, parse_time, signals_interrupt
from defib.cli.say import say, say_json
from defib.cli.starting import Ending, Starter, What
from defib.cli.watching import FITTING
from defib.clock import Clock, SystemClock
from defib.drills.drilled import DRILL
from defib.errors import EvidenceBroken, Interrupted
from defib.history import JOURNAL, opening_of, status_of
from defib.home import Home
from defib.journal import read_journal
from defib.lease import current_holder
from defib.objectives import Status
from defib.observe.admission import RETRY, AutomaticStart, last_automatic_start
from defib.observe.outage import KnownOutage, known_outage
from defib.redact import Redactor
from defib.runbook import load_runbook
from defib.sites.site import load_site
from defib.start import Desk

_GLANCE = timedelta(milliseconds=100)
"""How often it is looked whether the recovery has ended."""

_HELD_BACK = 4
"""As when a guard refuses: nothing was changed."""


class Outcome(StrEnum):
    """What an alarm led to."""

    KNOWN = "known"
    NOTED = "noted"
    ANSWERED = "answered"
    HELD_BACK = "held-back"
    ENDED = "ended"
    LEFT = "left"


@dataclass(frozen=True)
class Answer:
    """What an alarm led to, why, and by which run where it started one; the exit code follows from it.

    `again` says that the same alarm deserves another try when it is sent again.
    """

    outcome: Outcome
    why: str
    ending: Ending | None = None
    again: bool = False

    @property
    def exit_code(self) -> int:
        """That of the run that was started, 1 where it died; 4 where something holds it back; else 0."""
        if self.ending is not None:
            return self.ending.code if self.ending.code >= 0 else 1
        return _HELD_BACK if self.outcome is Outcome.HELD_BACK else 0


def event(
    redact: Redactor, site: str, source: str, number: str, text: str, since: str, *, up: bool, prefect: bool, as_json: bool
) -> int:
    """Take one alarm, and answer it."""
    clock = SystemClock()
    at = desk(clock, redact)
    began = parse_time("--since", since, clock.now())
    heard = alarm(source, number, Says.UP if up else Says.DOWN, redact(text), began)

    def tell(line: str) -> None:
        if not as_json:
            say(f"{clock.now():%H:%M:%S}  {redact(line)}")

    with signals_interrupt(clock):
        answer = Answering(at, site, clock, tell, prefect=prefect).answer(heard)
    if as_json:
        folder = answer.ending.folder if answer.ending else None
        status = answer.ending.status if answer.ending else None
        facts = {"outcome": answer.outcome, "why": redact(answer.why), "run_id": folder and folder.name, "status": status}
        say_json(facts)
    else:
        tell(f"{answer.outcome}: {answer.why}")
    return answer.exit_code


class Answering:
    """Answers alarms about one site as ``defib watch`` answers what it sees: the same order, switch, limits and proofs."""

    def __init__(self, at: Desk, site: str, clock: Clock, tell: Callable[[str], object], *, prefect: bool) -> None:
        self._path = at.site_path(site)
        self._site = load_site(self._path)
        self._home, self._clock, self._tell, self._redact = at.home, clock, tell, at.redact
        fitting = (name for name, part in FITTING if getattr(self._site, part))
        self._automatic = tuple(name for name in fitting if load_runbook(name, at.runbooks).automatic)
        self._what = What(at.home, self._site, self._path, self._automatic, prefect)
        self._folder = at.home.site(self._site.site)

    def answer(self, heard: Alarm) -> Answer:
        """Remember `heard`, start what it calls for unless somebody has, and follow that to its end."""
        now = self._clock.now()
        heard = heard.believed(now)
        if not alarmbook.note(self._folder, heard, now):
            return Answer(Outcome.KNOWN, f"{heard.source} said so before ({heard.id})")
        if heard.says is not Says.DOWN:
            return Answer(Outcome.NOTED, f"{heard}; that starts nothing")
        answer = self._already(heard, now) or self._start(heard)
        if answer.again:
            alarmbook.came_to_nothing(self._folder, heard, self._clock.now())
        return answer

    def _already(self, heard: Alarm, now: datetime) -> Answer | None:
        """The answer that this outage has had, or has now; None where it has none."""
        if not self._automatic:
            then = f"a person: defib plan {FITTING[0][0]} --site {self._site.site}"
            return Answer(Outcome.HELD_BACK, f"no runbook that fits this site is automatic; next, by {then}", again=True)
        holder = current_holder(self._home.lease(self._site.site, self._automatic[0]))
        if holder is not None:
            # Whatever that is, perhaps a way back: an alarm that is still sent afterwards is about something new.
            return Answer(Outcome.ANSWERED, f"{holder} is at work on this site", again=True)
        recovered = _recovered_since(self._home, self._site.site, heard.since)
        if recovered is not None:
            return Answer(Outcome.ANSWERED, f"run {recovered.name} recovered the site from what began then")
        with suppress(ValueError):  # where the record of it cannot be read, the start itself is not admitted, and says so
            last = last_automatic_start(self._home.path, self._site.site)
            if last is not None and _lately(last, now, self._site.detection.cool_down):
                return Answer(Outcome.ANSWERED, f"{last.procedure} started by itself at {last.at:%Y-%m-%d %H:%M:%SZ}")
        return None

    def _start(self, heard: Alarm) -> Answer:
        starter = Starter(self._what, _Patient(), self._clock, self._redact, self._tell)
        try:
            while True:
                why = starter.begin(f"alarm: {heard}", self._outage(heard))
                if why:
                    return Answer(Outcome.HELD_BACK, why, again=True)
                ending = self._followed(starter)
                if not ending.another:
                    again = ending.status in {None, Status.REFUSED}
                    return Answer(Outcome.ENDED, _words(ending), ending, again)
        except Interrupted:
            return Answer(Outcome.LEFT, "no longer followed; the recovery goes on by itself: defib runs")

    def _followed(self, starter: Starter) -> Ending:
        while (ending := starter.check()) is None:
            self._clock.sleep(_GLANCE)
        return ending

    def _outage(self, heard: Alarm) -> KnownOutage | None:
        """What a running ``defib watch`` knows of the outage, or else what the alarm says; None where neither does."""
        now = self._clock.now()
        known = known_outage(self._home.path, self._site.site, now)
        if known is not None or heard.since is None:
            return known
        return KnownOutage(heard.since, now, now)


class _Patient:
    """Waits for the next alarm, not for a time."""

    def acted(self, at: datetime) -> None:
        del at

    def came_to_nothing(self, again: datetime) -> None:
        del again


def _lately(last: AutomaticStart, now: datetime, cool_down: timedelta) -> bool:
    """Whether an automatic start is the answer to whatever is said now; what came to nothing is one for a minute."""
    return last.at <= now < last.at + (min(RETRY, cool_down) if last.withdrawn else cool_down)


def _words(ending: Ending) -> str:
    if ending.folder is None:
        return "no run began"
    return f"run {ending.folder.name}: {ending.status or 'died'}"


def _recovered_since(home: Home, site: str, since: datetime | None) -> Path | None:
    """The run that recovered `site` after `since`, so that what began then is over; None where none did."""
    if since is None:
        return None
    for folder in reversed(home.runs()):
        if f"-{site}-" not in folder.name:
            continue
        try:
            records = read_journal(folder / JOURNAL)[0]
            opened = opening_of(records, folder)
        except (OSError, EvidenceBroken):
            continue  # it proves nothing, so it answers nothing
        if records[-1].at < since:
            return None
        ours = opened.site == site and opened.procedure != DRILL and about(opened.procedure) is About.USERS
        if ours and not opened.moves_served_users and status_of(records) is Status.RECOVERED:
            return folder
    return None
