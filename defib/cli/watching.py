"""``watch``: look at a site all the time, and start its recovery when it is down."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime

from defib.cli.desk import desk, signals_interrupt
from defib.cli.say import say, say_json
from defib.cli.starting import Starter, What
from defib.clock import SIGNALLED, Clock, SystemClock
from defib.drills.drill import EVIDENCE
from defib.errors import DefibError
from defib.monitor import Word
from defib.observe.detect import Decision, Detector, State
from defib.observe.failure import plain
from defib.observe.outage import OutageMemory
from defib.observe.watch import Watcher
from defib.outside import open_outside
from defib.ports import Health, Observation
from defib.redact import Redactor
from defib.report import words
from defib.runbook import load_runbook
from defib.sites.site import load_site
from defib.users.lastbuild import BuildKeeper

FITTING = (("cdn-failover", "cdns"), ("dns-switch", "hosts"))
"""What answers the failure of which part of a site, in the order in which it is tried: the smaller change comes first."""


def watch(redact: Redactor, site_name: str, procedures: tuple[str, ...], *, prefect: bool, as_json: bool) -> int:
    """Watch until a signal comes; each decision is one line, or with ``--json`` one object a line."""
    _print_anything()
    clock = SystemClock()
    at = desk(clock, redact)
    site_path = at.site_path(site_name)
    site = load_site(site_path)
    wanted = procedures or tuple(name for name, part in FITTING if getattr(site, part))
    automatic = tuple(name for name in wanted if load_runbook(name, at.runbooks).automatic)
    outside = open_outside(site, at.home, redact, clock)
    detector = Detector(outside.observers.names, site.detection)
    tell = Teller(clock, redact, as_json=as_json)
    what = What(at.home, site, site_path, automatic, prefect)
    outage = OutageMemory(at.home.path, site.site, EVIDENCE, clock.now())
    kept = BuildKeeper(at.home.site(site.site))
    vigil = Vigil(outage, Starter(what, detector, clock, redact, tell.line), clock, tell, automatic=bool(automatic))
    stopped = threading.Event()

    def until(decision: Decision) -> bool:
        vigil.looked(decision)
        return stopped.is_set()

    def saw(look: Observation) -> None:
        outage.saw(look)
        vigil.safely(lambda: kept.saw(look))

    watcher = Watcher(
        site,
        outside.observers,
        detector,
        clock,
        monitors=outside.monitors,
        on_decision=vigil.decided,
        on_observation=saw,
        on_word=Listener(tell),
    )
    tell.line(f"watching {site.title} ({site.page.url}) from {', '.join(outside.observers.names)}")
    if outside.monitors.pauses:
        asked = ", ".join(f"{name} every {words.duration(pause)}" for name, pause in outside.monitors.pauses.items())
        tell.line(f"asking, for what they saw last: {asked}")
    if outage.outage is not None:
        tell.line(f"users were seen to be out since {outage.outage.first_bad:%H:%M:%S}, before this watching began")
    with ExitStack() as stack:
        stack.enter_context(signals_interrupt(_Stopper(clock, stopped.set, watcher.stop)))
        watcher.run(until)
    tell.line("stopped watching")
    return 0


class Vigil:
    """What is done about what is seen. Whatever goes wrong here is said, and the looks go on."""

    def __init__(self, outage: OutageMemory, starter: Starter, clock: Clock, tell: Teller, *, automatic: bool) -> None:
        self._outage, self._starter, self._clock, self._tell = outage, starter, clock, tell
        self._automatic = automatic
        self._out_since: datetime | None = None
        self._warned = ""

    def decided(self, decision: Decision) -> None:
        """The state has changed, or it is time to act."""
        self.safely(lambda: self._note(decision))
        self.safely(lambda: self._tell(decision, self._since(decision)))
        if decision.act and self._automatic:
            self.safely(lambda: self._starter.start(decision, self._outage.outage))
        elif decision.act:
            self.safely(lambda: self._tell.line("no runbook is automatic: a person has to start it with defib run"))

    def looked(self, decision: Decision) -> None:
        """One more look was taken into account."""
        self.safely(lambda: self._note(decision))
        self.safely(lambda: self._tell_users(decision))
        self.safely(self._starter.check)

    def _note(self, decision: Decision) -> None:
        problem = self._outage.follow(decision, self._clock.now())
        if problem and problem != self._warned:
            self._tell.line(f"warning: {problem}")
        self._warned = problem or self._warned

    def _since(self, decision: Decision) -> datetime | None:
        """When users lost service, as this watching or one before it saw it."""
        known = self._outage.outage
        return known.first_bad if known is not None and decision.verdict is Health.BAD else decision.first_bad

    def _tell_users(self, decision: Decision) -> None:
        """Say when users lose service again in a cool-down, and when they are served again."""
        if decision.verdict is Health.BAD and self._out_since is None:
            self._out_since = self._since(decision)
            if decision.state is State.COOLING and not decision.changed:
                self._tell(decision, self._out_since)
        elif decision.verdict is Health.GOOD and self._out_since is not None:
            lost, self._out_since = self._out_since, None
            took = words.duration((decision.at or lost) - lost)
            self._tell.line(f"users are served again; they were out since {lost:%H:%M:%S}, for {took}")

    def safely(self, act: Callable[[], object]) -> None:
        """Do it, or say what was in the way."""
        try:
            act()
        except (OSError, ValueError, DefibError) as error:
            self._tell.line(f"warning: {plain(str(error))}")


class Listener:
    """Says what monitors and signals say, each time that it is something else than before."""

    def __init__(self, tell: Teller) -> None:
        self._tell = tell
        self._said: dict[str, Health] = {}

    def __call__(self, word: Word) -> None:
        """One more word."""
        if self._said.get(word.name) is not word.health:
            known = "" if word.health is not Health.UNKNOWN else "cannot tell: "
            self._tell.line(f"{word.name}: {known}{word.reason}")
        self._said[word.name] = word.health


class _Stopper(SystemClock):
    """Passes a signal's wish on to the watcher."""

    def __init__(self, clock: SystemClock, *then: Callable[[], None]) -> None:
        super().__init__()
        self._clock = clock
        self._then = then

    def interrupt(self, why: str = SIGNALLED) -> None:  # noqa: ARG002 - a signal, and nothing else, calls it
        for act in self._then:
            act()


@dataclass(frozen=True)
class Teller:
    """Prints what is decided and what else happens, each with its time: a line for people, or an object a line."""

    clock: Clock
    redact: Redactor
    as_json: bool

    def __call__(self, decision: Decision, since: datetime | None) -> None:
        """A decision, and since when users are out."""
        if self.as_json:
            facts = {
                "state": decision.state,
                "at": _iso(decision.at),
                "first_bad": _iso(since),
                "act": decision.act,
                "reasons": [self.redact(reason) for reason in decision.reasons],
                "verdict": decision.verdict,
                "until": _iso(decision.until),
            }
            say_json(facts, one_line=True)
        else:
            say(f"{decision.at or self.clock.now():%H:%M:%S}  {self.redact(sentence(decision, since))}")

    def line(self, text: str) -> None:
        """Something that is not a decision."""
        now, text = self.clock.now(), self.redact(text)
        if self.as_json:
            say_json({"note": text, "at": _iso(now)}, one_line=True)
        else:
            say(f"{now:%H:%M:%S}  {text}")


def sentence(decision: Decision, since: datetime | None) -> str:
    """A decision for people; in a cool-down also until when nothing is done, and how users fare."""
    reasons = f": {'; '.join(decision.reasons)}" if decision.reasons else ""
    if decision.state is not State.COOLING or decision.until is None:
        return f"{decision.state}{f' since {since:%H:%M:%S}' if since else ''}{reasons}"
    users = "users are served" if decision.verdict is Health.GOOD else f"nobody can tell whether users are served{reasons}"
    if decision.verdict is Health.BAD and since is not None:
        users = f"users are out since {since:%H:%M:%S}{reasons}"
    return f"{decision.state} until {decision.until:%H:%M:%S}; {users}"


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _print_anything() -> None:
    """A character that the terminal's encoding does not have must not end the watching."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
