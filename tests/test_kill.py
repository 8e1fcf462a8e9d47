"""kill -9 of a run at every entry of its journal, on real servers, then ``defib resume`` or ``defib rollback``.

The two ways run side by side on the lab's two sites, so that both kinds of DNS are killed at every entry.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from defib import entries
from defib.clock import Deadline, SystemClock
from defib.history import status_of
from defib.home import Home
from defib.journal import read_journal
from defib.lab import process
from defib.lease import current_holder
from defib.objectives import Status
from defib.outside import Outside, open_outside
from defib.ports import RecordChange, RecordSet
from defib.redact import Redactor
from defib.sites.site import Site, load_site
from tests.conftest import ROOT, Defib, LabMaker

NET = "127.91"
DRIVER = ROOT / "tests" / "kill_driver.py"
FAST = {"ttl: 3s": "ttl: 1s", "hold: 3s": "hold: 300ms", "interval: 200ms": "interval: 100ms"}


@dataclass
class Ground:
    """One site of the lab, its record set as it was, and the way to look at it and to put it back."""

    defib: Defib
    site: Site
    path: Path
    outside: Outside
    before: RecordSet

    def present(self) -> RecordSet | None:
        """The steering record set as the vendor has it."""
        within = Deadline.after(SystemClock(), timedelta(seconds=60))
        return self.outside.zones[0].read([self.site.steered.key], within=within)[0]

    def put_back(self) -> None:
        """Make the record set what it was before the run, and wait until every observer's resolver says so."""
        clock = SystemClock()
        within = Deadline.after(clock, timedelta(seconds=120))
        present = self.present()
        if present != self.before:
            self.outside.zones[0].replace([RecordChange(present, self.before)], within=within)
        own = {observer.resolver for observer in self.site.observers}
        while not own <= self._resolvers_back(within):
            assert not within.expired()
            clock.sleep(timedelta(milliseconds=50))

    def _resolvers_back(self, within: Deadline) -> set[str]:
        answers = self.outside.answers.resolvers(self.site.steered.key, within=within.sooner(timedelta(seconds=2)))
        return {answer.server for answer in answers if answer.values == self.before.values}

    def run_killed_after(self, entries_written: int) -> tuple[str, bool]:
        """A run whose process dies after so many entries: its id, and whether it died."""
        command = [sys.executable, str(DRIVER), str(entries_written), "cdn-failover", str(self.path), ""]
        around = self.defib.environment()
        done = subprocess.run(command, env=around, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode in {0, -signal.SIGKILL}, done.stderr
        name = f"-cdn-failover-{self.site.site}"
        own = [folder for folder in Home(self.defib.home).runs() if folder.name[: -len("-abcd")].endswith(name)]
        assert own, "a run has a folder as soon as its journal has an entry"
        return own[-1].name, done.returncode != 0


def ground(defib: Defib, site_name: str) -> Ground:
    """The site with times short enough to be killed sixty times over."""
    path = defib.home / f"{site_name}.yaml"
    text = (defib.home / "lab" / "sites" / f"{site_name}.yaml").read_text(encoding="utf-8")
    for slow, fast in FAST.items():
        assert slow in text
        text = text.replace(slow, fast)
    # Who is told, and that it costs nothing, is proved elsewhere; a farewell of 2 s a hundred times over is not needed.
    path.write_text(re.sub(r"(?ms)^(alerts|status):\n.*?(?=^\S|\Z)", "", text), encoding="utf-8")
    site = load_site(path)
    assert (site.alerts, site.status) == ((), ())
    outside = open_outside(site, Home(defib.home), Redactor(), SystemClock())
    outside.fence.arm(lambda: None)  # this hand sets the stage; it is no run and has no lease
    within = Deadline.after(SystemClock(), timedelta(seconds=60))
    slow_set = outside.zones[0].read([site.steered.key], within=within)[0]
    assert slow_set is not None
    quick = RecordSet(slow_set.key, timedelta(seconds=1), slow_set.values, slow_set.attributes)
    outside.zones[0].replace([RecordChange(slow_set, quick)], within=within)
    return Ground(defib, site, path, outside, quick)


@pytest.fixture(scope="module")
def defib(make_lab: LabMaker) -> Iterator[Defib]:
    """A lab in which the primary CDN refuses connections."""
    made = make_lab(NET)
    process.break_(made.home, "cloudfront", "refuse")
    yield made
    process.heal(made.home)


def killed_and(way: str, at: Ground) -> int:
    """Kill at every entry and take the run up again in this way; gives the number of entries it was killed at."""
    number = 1
    while True:
        at.put_back()
        run_id, killed = at.run_killed_after(number)
        records, _ = read_journal(at.defib.home / "runs" / run_id / "journal.jsonl")
        if not killed:
            assert status_of(records) is Status.RECOVERED, records[-1]
            at.put_back()
            return number - 1
        assert len(records) == number
        assert current_holder(at.defib.home / "sites" / at.site.site) is None
        ended = at.defib(way, run_id, "--json", *(["--no-prefect"] if way == "resume" else []))
        killed_at = type(records[-1].entry).__name__
        if way == "resume":
            assert ended.json["status"] == "recovered", (number, killed_at, ended)
            assert at.present() != at.before, (number, killed_at)
        else:
            assert (ended.json["status"], ended.code) == ("rolled-back", 3), (number, killed_at, ended)
            assert at.present() == at.before, (number, killed_at)
        _written_once(at, run_id)
        number += 1


def _written_once(at: Ground, run_id: str) -> None:
    records, torn = read_journal(at.defib.home / "runs" / run_id / "journal.jsonl")
    assert torn == 0
    made = [r.entry for r in records if isinstance(r.entry, entries.ChangeMade) and not r.entry.undo and not r.entry.already]
    assert len(made) <= 1


def test_killed_at_every_entry(defib: Defib) -> None:
    """Promise 3: after a kill -9 at any instant, resume recovers and rollback puts back; also E1."""
    with ThreadPoolExecutor(2) as pool:
        resumed = pool.submit(killed_and, "resume", ground(defib, "lab"))
        rolled_back = pool.submit(killed_and, "rollback", ground(defib, "lab-rfc2136"))
        assert resumed.result() > 20
        assert rolled_back.result() > 20
