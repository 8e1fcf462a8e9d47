"""``defib watch`` as it runs for months: it looks, decides, and starts the recovery by itself, or says why it does not."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from defib import entries
from defib.changes import standing
from defib.clock import Deadline, SystemClock
from defib.home import Home
from defib.journal import read_journal
from defib.lab import process
from defib.observe.outage import known_outage
from defib.report import words
from tests.conftest import Defib, LabMaker

NET = "127.95"


class Watching:
    """A running ``defib watch --json``."""

    def __init__(self, defib: Defib) -> None:
        self.process: subprocess.Popen[str] = defib.start("watch", "--site", "lab", "--json", "--no-prefect")

    def until(self, key: str, text: str) -> dict[str, Any]:
        """The next object that says `text` under `key`; each line is one, and each tells its time."""
        assert self.process.stdout is not None
        too_long = threading.Timer(300, self.process.kill)
        too_long.start()
        try:
            while line := self.process.stdout.readline():
                told: dict[str, Any] = json.loads(line)
                assert told["at"]
                if text in str(told.get(key, "")):
                    return told
        finally:
            too_long.cancel()
        raise AssertionError(f"{key} never said {text!r}: {self.process.stderr and self.process.stderr.read()}")

    def each(self, *texts: str) -> list[dict[str, Any]]:
        """The first note that says each of these, whichever comes first."""
        found: dict[str, dict[str, Any]] = {}
        while len(found) < len(texts):
            told = self.until("note", "")
            found |= {text: told for text in texts if text not in found and text in told.get("note", "")}
        return [found[text] for text in texts]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it by a signal, and give the exit code."""
        self.process.send_signal(number)
        self.process.communicate(timeout=120)
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


def until_true(what: Callable[[], bool]) -> None:
    """Wait for `what`."""
    clock = SystemClock()
    limit = Deadline.after(clock, timedelta(seconds=120))
    while not what():
        assert not limit.expired()
        clock.sleep(timedelta(milliseconds=50))


def test_the_kill_switch_keeps_it_from_acting(lab: Defib, watching: Watching) -> None:
    """C16: detection goes on and says what it would do; a run by hand is allowed, and its journal says so."""
    assert lab("kill-switch", "on", "maintenance", "--site", "lab", "--json").json["on"] is True
    process.break_(lab.home, "cloudfront", "5xx")
    told = watching.until("note", "would start cdn-failover now, but")
    assert "kill switch is on" in told["note"]
    assert lab("runs", "--json").json["runs"] == []
    by_hand = lab("run", "cdn-failover", "--site", "lab", "--mode", "rehearsal", "--json", "--no-prefect")
    assert (by_hand.code, by_hand.json["rto"]["verdict"]) == (0, "met")
    assert any("kill switch is on" in note["text"] for note in by_hand.json["notes"])
    assert lab("rollback", by_hand.json["run_id"]).code == 3
    process.heal(lab.home)
    watching.until("state", "healthy")
    assert lab("kill-switch", "off", "done", "--site", "lab", "--json").json["on"] is False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_new_watching_goes_on_with_the_outage(lab: Defib, how: signal.Signals) -> None:
    """Ended in the middle of an outage and started again, it tells the first bad look of the one before."""
    assert lab("kill-switch", "on", "maintenance", "--json").code == 0
    before = Watching(lab)
    before.until("state", "healthy")
    process.break_(lab.home, "cloudfront", "refuse")
    down = before.until("state", "down")
    before.until("note", "would start")
    before.stop(how)
    after = Watching(lab)
    assert "users were seen to be out since" in after.until("note", "users were")["note"]
    assert down["first_bad"] == after.until("state", "down")["first_bad"]
    assert known_outage(lab.home, "lab", SystemClock().now()) is not None
    process.heal(lab.home)
    assert "they were out since" in after.until("note", "users are served again")["note"]
    assert known_outage(lab.home, "lab", SystemClock().now()) is None
    assert after.stop() == 0
    assert lab("kill-switch", "off", "done").code == 0


def test_it_recovers_the_site_by_itself(lab: Defib, watching: Watching) -> None:
    """The runbook is automatic: detection starts one run, whose clock began with the first bad look, which is evidence."""
    before = len(lab("runs", "--json").json["runs"])
    process.break_(lab.home, "cloudfront", "refuse")
    down = watching.until("state", "down")
    watching.until("note", "started cdn-failover as process")
    cooling = watching.until("state", "cooling")
    assert (cooling["verdict"], cooling["first_bad"]) == ("bad", down["first_bad"])
    assert datetime.fromisoformat(cooling["until"]) > datetime.fromisoformat(cooling["at"])
    served, over = watching.each("users are served again", "ended with exit code 0: recovered, outage")
    ended = over["note"]
    assert served["at"] > cooling["at"]
    runs = lab("runs", "--json").json["runs"]
    assert len(runs) == before + 1
    process.heal(lab.home)
    assert lab("failback", runs[-1]["run_id"], "--mode", "rehearsal", "--no-prefect").code == 0
    folder = lab.home / "runs" / runs[-1]["run_id"]
    report = json.loads((folder / "report.json").read_text())
    outage = words.duration(timedelta(seconds=report["rto"]["actual_s"]))
    assert f"run {folder.name} ended with exit code 0: recovered, outage {outage}" == ended
    records, _ = read_journal(folder / "journal.jsonl")
    opened = records[0].entry
    assert isinstance(opened, entries.Opened)
    assert opened.since == datetime.fromisoformat(down["first_bad"])
    assert opened.trigger.startswith("detection: ")
    looks = [record.entry.observation for record in records if isinstance(record.entry, entries.Observed)]
    assert opened.since in {look.at for look in looks}
    approved = next(record.entry for record in records if isinstance(record.entry, entries.Approved))
    assert approved.how == "automatic"
    assert "{" not in (lab.home / "sites" / "lab" / "automatic.log").read_text()


def test_it_resumes_the_run_that_died(lab: Defib) -> None:
    """An automatic run was killed half-way with the machine: a new watching brings that run to its end, and starts no other.

    The secondary is broken too until then, so that users are out.
    """
    process.break_(lab.home, "cloudfront", "refuse")
    command = ("run", "cdn-failover", "--site", "lab", "--automatic", "--trigger", "detection: test", "--no-prefect")
    known = set(Home(lab.home).runs())
    started = lab.start(*command)
    until_true(lambda: bool(set(Home(lab.home).runs()) - known))
    (folder,) = set(Home(lab.home).runs()) - known
    until_true(lambda: bool(standing(read_journal(folder / "journal.jsonl")[0])))
    started.kill()
    started.communicate()
    process.break_(lab.home, "cloudflare", "refuse")
    (lab.home / "sites" / "lab" / "automatic.json").unlink(missing_ok=True)  # another test's start is not long ago
    watching = Watching(lab)
    watching.until("note", f"resumed run {folder.name} as process")
    process.heal(lab.home)
    assert f"run {folder.name} ended with exit code" in watching.until("note", " ended with ")["note"]
    assert {folder} == set(Home(lab.home).runs()) - known
    assert any(isinstance(record.entry, entries.Reopened) for record in read_journal(folder / "journal.jsonl")[0])
    assert watching.stop() == 0
    assert lab("rollback", folder.name).code == 3


@pytest.mark.parametrize("site", ["lba", "../../x", "../lab"])
def test_a_kill_switch_for_no_site(lab: Defib, site: str) -> None:
    """C16: a slip in the name holds nothing back, so it is an error; and nothing is written anywhere."""
    before = sorted(lab.home.parent.rglob("kill-switch*"))
    for act in (("on", "why"), ("off", "why"), ("status",)):
        ended = lab("kill-switch", *act, "--site", site)
        assert (ended.code, "there is no site" in ended.err) == (12, True)
    assert before == sorted(lab.home.parent.rglob("kill-switch*"))


def test_what_refuses_makes_room_for_the_next(lab: Defib) -> None:
    """The host fails behind its CDNs: cdn-failover refuses, and dns-switch recovers the site right after it."""
    (lab.home / "sites" / "lab" / "automatic.json").unlink(missing_ok=True)  # another test's start is not long ago
    watching = Watching(lab)
    watching.until("state", "healthy")
    process.break_(lab.home, "vercel", "refuse")
    refused = watching.until("note", "ended with exit code 4")
    assert "cdn-failover" in refused["note"]
    started = watching.until("note", "started dns-switch as process")
    assert datetime.fromisoformat(started["at"]) - datetime.fromisoformat(refused["at"]) < timedelta(seconds=30)
    watching.until("note", "ended with exit code 0: recovered, outage")
    recovered = lab("runs", "--json").json["runs"][-1]
    assert recovered["rpo"] == "met"
    process.heal(lab.home)
    assert watching.stop() == 0
    assert lab("failback", recovered["run_id"], "--mode", "rehearsal", "--no-prefect").code == 0
