"""``defib drill`` as a user runs it: from the fault to the proof that nothing is left."""

from __future__ import annotations

import signal
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import SystemClock
from defib.lab import process
from defib.lab.state import LabState
from defib.sites.site import load_site
from tests.conftest import Defib, Ended, LabMaker

NET = "127.94"
CLOCK = SystemClock()
RATIO = 1.5
"""How many times the detection window, probe deadline and TTL together an outage may last: the promise of both."""

STEERED = {"cdn-failover", "dns-switch"}


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module."""
    return make_lab(NET)


def longest(lab: Defib, name: str) -> float:
    """How long an outage of a site may last whose CDNs or record sets are steered."""
    site = load_site(lab.home / "lab" / "sites" / f"{name}.yaml")
    detection = site.detection
    return RATIO * (detection.fall * detection.interval + detection.probe_deadline + site.steered.ttl).total_seconds()


@pytest.mark.parametrize(
    ("procedure", "site", "fault"),
    [
        ("cdn-failover", "lab", "refuse"),
        ("cdn-failover", "lab", "hang"),
        ("cdn-failover", "lab", "5xx"),
        ("cdn-failover", "lab", "wrong-page"),
        ("cdn-failover", "lab", "expired-certificate"),
        ("cdn-failover", "lab-rfc2136", "refuse"),
        ("dns-switch", "lab", "refuse"),
        ("dns-switch", "lab-rfc2136", "hang"),
        ("dns-switch", "lab-two-dns", "5xx"),
        ("dns-switch", "lab-armed", "wrong-certificate"),
        ("dns-switch", "lab-cloudflare", "refuse"),
        ("aws-redeploy", "lab", "refuse"),
        ("aws-redeploy", "lab-aws", "5xx"),
    ],
)
def test_a_drill_recovers_proves_it_and_leaves_no_trace(lab: Defib, procedure: str, site: str, fault: str) -> None:
    """Whatever the CDN or the host does wrong: recovered, eyewitness within a second, RTO and RPO met, no residue."""
    before = process.client(lab.home).fingerprint()
    ended = lab("drill", procedure, "--site", site, "--fault", fault, "--json", "--no-prefect")
    told = ended.json
    assert (ended.code, told["status"], told["reason"]) == (0, "recovered", "")
    assert (told["rto"]["verdict"], told["rpo"]["verdict"]) == ("met", "met")
    assert (told["rto"]["target_s"], told["rpo"]["target_s"]) == (14400, 3600)
    assert set(told["phases"]) == {"detect", "decide", "act", "propagate", "verify"}
    assert told["rto"]["actual_s"] == pytest.approx(sum(told["phases"].values()), abs=0.01)
    assert abs(told["rto"]["actual_s"] - told["eyewitness"]["outage_s"]) <= 1
    assert told["eyewitness"]["disagreement_s"] <= 1
    if procedure in STEERED and site != "lab-armed":  # there a health check has to notice the switch first
        assert told["eyewitness"]["outage_s"] <= longest(lab, site), told["phases"]
    assert told["failback"]["status"] == "recovered"
    assert told["residue"] == []
    assert told["prefect"] is False
    assert Path(told["report"]).read_text(encoding="utf-8").startswith("<!doctype html>")
    assert process.client(lab.home).fingerprint() == before
    for run in (told["run_id"], told["drill_id"], told["failback"]["run_id"]):
        assert lab("verify", run, "--json").json["intact"] is True


def test_a_drill_brings_and_ends_its_own_lab(defib: Defib) -> None:
    """Without a lab, the drill starts one and leaves no process and no lab behind; an interrupted one does, too."""
    running = defib.start("drill", "cdn-failover", "--site", "lab", "--json", "--no-prefect", "--net", "127.96")
    assert running.stderr is not None
    while "breaking" not in (line := running.stderr.readline()):
        assert line, running.communicate()
    state = LabState.read(defib.home / "lab")
    assert state is not None
    running.terminate()
    out, err = running.communicate(timeout=300)
    ended = Ended(running.returncode, out, err)
    assert (ended.code, ended.json["status"]) == (5, "interrupted")
    assert not state.alive()
    assert not state.eyewitness.alive()


@pytest.mark.parametrize(
    ("procedure", "moment"),
    [("cdn-failover", "steer-traffic  done"), ("cdn-failover", "healing"), ("replication-check", "breaking")],
    ids=["on the way out", "on the way back", "while copies stall"],
)
def test_a_drill_whose_lab_is_gone(defib: Defib, procedure: str, moment: str) -> None:
    """Kill -9 of the lab under it: it ends within seconds and says why, and waits for nothing that cannot answer."""
    running = defib.start("drill", procedure, "--site", "lab", "--json", "--no-prefect", "--net", "127.96")
    assert running.stderr is not None
    while moment not in (line := running.stderr.readline()):
        assert line, running.communicate()
    state = LabState.read(defib.home / "lab")
    assert state is not None
    state.process.send(signal.SIGKILL)
    killed = CLOCK.monotonic()
    out, err = running.communicate(timeout=60)
    assert CLOCK.monotonic() - killed < timedelta(seconds=15), err
    ended = Ended(running.returncode, out, err)
    assert (ended.code, ended.json["status"], ended.json["ending"]) == (5, "interrupted", "interrupted")
    assert ended.json["reason"].startswith("the lab is gone"), ended.json["reason"]
    assert defib("verify", ended.json["drill_id"], "--json").json["intact"] is True
    assert not state.eyewitness.alive()


@pytest.mark.parametrize("moment", ["steer-traffic  done", "healing"], ids=["on the way out", "between the two runs"])
def test_a_drill_puts_back_what_a_killed_one_left(lab: Defib, moment: str) -> None:
    """E1: kill -9 of a drill, in a run or between its two: the next one puts the leftovers back and keeps every promise."""
    running = lab.start("drill", "cdn-failover", "--site", "lab", "--json", "--no-prefect")
    assert running.stderr is not None
    while moment not in (line := running.stderr.readline()):
        assert line, running.communicate()
    running.kill()
    running.communicate()
    crashed = [run for run in lab("runs", "--json").json["runs"] if run["status"] == "crashed"]
    assert {run["mode"] for run in crashed} == {"rehearsal"}
    process.heal(lab.home)
    ended = lab("drill", "cdn-failover", "--site", "lab", "--json", "--no-prefect")
    assert (ended.code, ended.json["reason"], ended.json["residue"]) == (0, "", [])


def test_two_drills_at_once(lab: Defib) -> None:
    """E7: of two that start together one runs; the other is refused with the holder's name. E9: a drill is skipped."""
    first = lab.start("drill", "cdn-failover", "--site", "lab", "--json", "--no-prefect")
    assert first.stderr is not None
    while "confirm-the-outage" not in (line := first.stderr.readline()):
        assert line, first.communicate()
    begun = [
        lab.start("run", "cdn-failover", "--site", "lab", "--mode", "rehearsal", "--json"),
        lab.start("drill", "dns-switch", "--site", "lab", "--json", "--no-prefect"),
    ]
    told = [(each, *each.communicate(timeout=300)) for each in begun]
    second, drill = (Ended(each.returncode, out, err) for each, out, err in told)
    assert second.code == 16
    assert "cdn-failover-lab" in second.json["seen"]
    assert (drill.code, drill.json["status"]) == (4, "refused")
    assert drill.json["reason"].startswith("skipped: run ")
    out, err = first.communicate(timeout=300)
    assert Ended(first.returncode, out, err).code == 0
