"""``watch``: look at a site all the time, and start its recovery when it is down."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from defib.cli.desk import desk, signals_interrupt
from defib.cli.say import say, say_json
from defib.clock import SystemClock
from defib.drill import EVIDENCE
from defib.observe.admission import admit
from defib.observe.detect import Decision, Detector, State
from defib.observe.outage import KnownOutage, note_outage
from defib.observe.watch import Watcher
from defib.outside import open_outside
from defib.ports import Observation
from defib.redact import Redactor
from defib.runbook import load_runbook
from defib.site import Site, load_site

_RENEW = timedelta(seconds=10)
"""How often the note of an outage is renewed while it lasts."""


def watch(redact: Redactor, site_name: str, procedure: str, *, prefect: bool, as_json: bool) -> int:
    """Watch until a signal comes; each decision is one line, or with ``--json`` one object a line."""
    clock = SystemClock()
    at = desk(clock, redact)
    site_path = at.site_path(site_name)
    site = load_site(site_path)
    runbook = load_runbook(procedure, at.runbooks)
    outside = open_outside(site, at.home, redact, clock)
    detector = Detector(outside.observers.names, site.detection)
    tell = _Teller(as_json=as_json)
    starter = _Starter(at.home.path, site, site_path, procedure, detector, clock, tell, prefect=prefect)
    outage = _OutageNote(at.home.path, site.site, clock)

    def decided(decision: Decision) -> None:
        tell(decision)
        outage.follow(decision)
        if decision.act and not runbook.automatic:
            tell.line(f"the runbook of {procedure} is not automatic: defib run {procedure} --site {site_name}")
        elif decision.act:
            starter.start(decision)

    def until(decision: Decision) -> bool:
        outage.follow(decision)
        return stopped.is_set()

    stopped = threading.Event()
    watcher = Watcher(site, outside.observers, detector, clock, on_decision=decided, on_observation=outage.looks.append)
    tell.line(f"watching {site.title} ({site.page.url}) from {', '.join(outside.observers.names)}")
    with ExitStack() as stack:
        stack.enter_context(signals_interrupt(_Stopper(clock, stopped.set, watcher.stop)))
        watcher.run(until)
    outage.clear()
    tell.line("stopped watching")
    return 0


class _Stopper(SystemClock):
    """Passes a signal's wish on to the watcher."""

    def __init__(self, clock: SystemClock, *then: Callable[[], None]) -> None:
        super().__init__()
        self._clock = clock
        self._then = then

    def interrupt(self) -> None:
        for act in self._then:
            act()


@dataclass
class _Teller:
    as_json: bool

    def __call__(self, decision: Decision) -> None:
        if self.as_json:
            say_json(
                {
                    "state": decision.state,
                    "at": decision.at.isoformat() if decision.at else None,
                    "first_bad": decision.first_bad.isoformat() if decision.first_bad else None,
                    "act": decision.act,
                    "reasons": list(decision.reasons),
                }
            )
        else:
            since = f" since {decision.first_bad:%H:%M:%S}" if decision.first_bad else ""
            reasons = f": {'; '.join(decision.reasons)}" if decision.reasons else ""
            say(f"{decision.at:%H:%M:%S}  {decision.state}{since}{reasons}" if decision.at else str(decision.state))

    def line(self, text: str) -> None:
        """Something that is not a decision."""
        if self.as_json:
            say_json({"note": text})
        else:
            say(f"{SystemClock().now():%H:%M:%S}  {text}")


class _OutageNote:
    """Keeps on disk what is known of the outage, for whoever starts a recovery by hand."""

    def __init__(self, home: Path, site: str, clock: SystemClock) -> None:
        self._home, self._site, self._clock = home, site, clock
        self.looks: deque[Observation] = deque(maxlen=EVIDENCE)
        self._down_at: datetime | None = None
        self._written: datetime | None = None

    def follow(self, decision: Decision) -> None:
        """Note an outage that begins or goes on; forget one that is over."""
        now = self._clock.now()
        if decision.state is State.DOWN and decision.first_bad is not None:
            self._down_at = self._down_at or now
            if self._written is None or now - self._written >= _RENEW:
                note_outage(self._home, self._site, self._known(decision.first_bad, now))
                self._written = now
        elif self._down_at is not None and decision.state is State.HEALTHY:
            self.clear()

    def _known(self, first_bad: datetime, now: datetime) -> KnownOutage:
        looks = tuple(sorted(self.looks, key=lambda look: look.at))
        return KnownOutage(first_bad, self._down_at or now, now, looks)

    def clear(self) -> None:
        """Forget what is not seen any more."""
        note_outage(self._home, self._site, None)
        self._down_at = self._written = None


class _Starter:
    """Starts the recovery in a process of its own, which outlives the watching."""

    def __init__(
        self,
        home: Path,
        site: Site,
        site_path: Path,
        procedure: str,
        detector: Detector,
        clock: SystemClock,
        tell: _Teller,
        *,
        prefect: bool,
    ) -> None:
        self._home, self._site, self._site_path, self._procedure = home, site, site_path, procedure
        self._detector, self._clock, self._tell, self._prefect = detector, clock, tell, prefect

    def start(self, decision: Decision) -> None:
        """Start it once, if nothing holds it back."""
        now = self._clock.now()
        admission = admit(self._home, self._site.site, self._procedure, now, self._site.detection.cool_down)
        if not admission.admitted:
            self._tell.line(f"would start {self._procedure} now, but {admission.reason}")
            return
        self._detector.acted(now)
        log = self._home / "sites" / self._site.site / "automatic.log"
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - our own command
                self._command(decision, now),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                env={**os.environ, "DEFIB_HOME": str(self._home)},
            )
        self._tell.line(f"started {self._procedure} as process {process.pid}; its words go to {log}")
        threading.Thread(target=self._follow, args=(process,), name="defib-follow", daemon=True).start()

    def _command(self, decision: Decision, now: datetime) -> list[str]:
        command = [sys.executable, "-m", "defib", "run", self._procedure, "--site", str(self._site_path), "--automatic"]
        command += ["--trigger", f"detection: {'; '.join(decision.reasons)}", "--down-at", now.isoformat(), "--json"]
        return command if self._prefect else [*command, "--no-prefect"]

    def _follow(self, process: subprocess.Popen[bytes]) -> None:
        code = process.wait()
        self._tell.line(f"{self._procedure} ended with exit code {code}; see: defib runs --site {self._site.site}")
