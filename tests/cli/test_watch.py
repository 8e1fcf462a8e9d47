"""``defib watch`` as it runs for months: it looks, decides, and starts the recovery by itself, or says why it does not."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from defib import entries
from defib.clock import Deadline, SystemClock
from defib.journal import read_journal
from defib.lab import process
from tests.conftest import Defib, LabMaker

NET = "127.95"


class Watching:
    """A running ``defib watch --json``."""

    def __init__(self, defib: Defib) -> None:
        self.process: subprocess.Popen[str] = defib.start("watch", "--site", "lab", "--json", "--no-prefect")

    def until(self, key: str, text: str) -> dict[str, Any]:
        """The next object that says `text` under `key`."""
        assert self.process.stdout is not None
        limit = Deadline.after(SystemClock(), timedelta(seconds=60))
        lines: list[str] = []
        while not limit.expired():
            lines.append(self.process.stdout.readline())
            assert lines[-1], self.process.stderr and self.process.stderr.read()
            if lines[-1].rstrip() == "}":
                told: dict[str, Any] = json.loads("".join(lines))
                if text in str(told.get(key, "")):
                    return told
                lines.clear()
        raise AssertionError(f"{key} never said {text!r}")

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=20)
        return self.process.returncode


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module."""
    return make_lab(NET)


@pytest.fixture
def watching(lab: Defib) -> Iterator[Watching]:
    """A watcher on a healthy site, ended for sure."""
    running = Watching(lab)
    running.until("state", "healthy")
    yield running
    process.heal(lab.home)
    if running.process.poll() is None:
        assert running.stop() == 0


def test_the_kill_switch_keeps_it_from_acting(lab: Defib, watching: Watching) -> None:
    """C16: detection goes on and says what it would do; a run by hand is allowed, and its journal says so."""
    assert lab("kill-switch", "on", "maintenance", "--json").json["on"] is True
    process.break_(lab.home, "cloudfront", "5xx")
    told = watching.until("note", "would start cdn-failover now, but")
    assert "kill switch is on" in told["note"]
    assert lab("runs", "--json").json["runs"] == []
    by_hand = lab("run", "cdn-failover", "--site", "lab", "--mode", "rehearsal", "--json", "--no-prefect")
    assert (by_hand.code, by_hand.json["rto"]["verdict"]) == (0, "met")
    assert any("kill switch is on" in note["text"] for note in by_hand.json["notes"])
    assert lab("rollback", by_hand.json["run_id"]).code == 3
    assert lab("kill-switch", "off", "done", "--json").json["on"] is False


def test_it_recovers_the_site_by_itself(lab: Defib, watching: Watching) -> None:
    """The runbook is automatic: detection starts one run, whose clock began with the first bad look, which is evidence."""
    before = len(lab("runs", "--json").json["runs"])
    process.break_(lab.home, "cloudfront", "refuse")
    down = watching.until("state", "down")
    watching.until("note", "started cdn-failover as process")
    assert "exit code 0" in watching.until("note", "ended with exit code")["note"]
    runs = lab("runs", "--json").json["runs"]
    assert len(runs) == before + 1
    records, _ = read_journal(lab.home / "runs" / runs[-1]["run_id"] / "journal.jsonl")
    opened = records[0].entry
    assert isinstance(opened, entries.Opened)
    assert opened.since == datetime.fromisoformat(down["first_bad"])
    assert opened.trigger.startswith("detection: ")
    looks = [record.entry.observation for record in records if isinstance(record.entry, entries.Observed)]
    assert opened.since in {look.at for look in looks}
    approved = next(record.entry for record in records if isinstance(record.entry, entries.Approved))
    assert approved.how == "automatic"
    process.heal(lab.home)
    assert lab("failback", runs[-1]["run_id"], "--mode", "rehearsal", "--no-prefect").code == 0
