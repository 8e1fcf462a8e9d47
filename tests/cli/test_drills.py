"""``defib drills`` as a schedule and as people run it: what is due is held, what is in the way told, what was listed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from defib.lab import process
from tests.conftest import Defib, LabMaker

NET = "127.163"


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module."""
    return make_lab(NET)


Schedule = Callable[[str, timedelta], None]


@pytest.fixture
def schedule(lab: Defib) -> Schedule:
    """Make one procedure due, and no other, so long ago, by a calendar that was known before."""
    path = lab.home / "lab" / "sites" / "lab.yaml"
    before = path.read_text(encoding="utf-8")
    head, _, rest = before.partition("\ndrills:\n")
    _, _, rest = rest.partition("\n\n")

    def make(procedure: str, ago: timedelta) -> None:
        at = datetime.now(UTC) - ago
        drills = {"owner": "Ann", "participants": ["on call"], "zone": "UTC", "day": at.day, "at": f"{at:%H:%M}"}
        drills |= {"procedures": [procedure]}
        path.write_text(f"{head}\ndrills: {json.dumps(drills)}\n\n{rest}", encoding="utf-8")
        assert lab("drills", "--site", "lab", "--hold", "--json").json["drill_id"] is None
        note = lab.home / "sites" / "lab" / "drills.json"
        known = json.loads(note.read_text(encoding="utf-8"))
        for each in known.values():
            each["since"] = (at - timedelta(minutes=5)).isoformat()
        note.write_text(json.dumps(known), encoding="utf-8")

    yield make
    path.write_text(before, encoding="utf-8")


def hold(lab: Defib) -> tuple[int, dict[str, Any]]:
    """What an hourly schedule calls."""
    ended = lab("drills", "--site", "lab", "--hold", "--json", "--no-prefect")
    return ended.code, ended.json


def alerts(lab: Defib) -> list[str]:
    """The texts of what arrived in the chat of the lab about drills."""
    arrived = lab("lab", "inbox", "--json").json
    return [text for text in json.dumps(arrived).split("[drill]") if "drill of dns-switch" in text]


def test_a_drill_that_is_due_beside_what_holds_it_back(lab: Defib, schedule: Schedule) -> None:
    """The kill switch is on: it is skipped, recorded and told, and not tried again this hour."""
    schedule("dns-switch", timedelta(minutes=1))
    assert lab("kill-switch", "on", "a change of contract", "--site", "lab").code == 0
    told_before = len(alerts(lab))
    code, told = hold(lab)
    assert lab("kill-switch", "off", "it is over", "--site", "lab").code == 0
    assert (code, told["ending"], told["procedure"]) == (4, "skipped", "dns-switch")
    assert told["reason"].startswith("skipped: the kill switch is on since ")
    assert len(alerts(lab)) > told_before
    assert hold(lab) == (
        0,
        {**told, "drill_id": None, "procedure": None, "ending": None, "reason": "", "exit_code": 0, "report": None},
    )
    report = Path(told["report"]).read_text(encoding="utf-8")
    assert "Before it began" in report
    assert "Ann" in (Path(told["report"]).parent / "after-action.md").read_text(encoding="utf-8")


def test_a_drill_that_was_missed(lab: Defib, schedule: Schedule) -> None:
    """Three hours late nothing begins: it is recorded and told, once."""
    schedule("dns-switch", timedelta(hours=3))
    told_before = len(alerts(lab))
    code, told = hold(lab)
    assert (code, told["drill_id"], len(told["missed"])) == (4, None, 1)
    assert len(alerts(lab)) > told_before
    assert hold(lab)[1]["missed"] == []
    (line,) = [
        each for each in lab("drills", "--site", "lab", "--json").json["drills"] if each["drill_id"] == told["missed"][0]
    ]
    assert (line["ending"], line["score"], line["reason"].partition(" at ")[0]) == (
        "missed",
        None,
        "missed: nobody was there",
    )


def test_a_drill_that_is_due_is_held(lab: Defib, schedule: Schedule, tmp_path: Path) -> None:
    """Its preconditions are met, it proves its procedure, and it stands in the list, on the page and in readiness."""
    schedule("cdn-failover", timedelta(minutes=2))
    before = process.client(lab.home).fingerprint()
    code, told = hold(lab)
    assert (code, told["ending"], told["reason"]) == (0, "done", "")
    assert process.client(lab.home).fingerprint() == before
    assert hold(lab)[1]["drill_id"] is None
    page = tmp_path / "drills.html"
    listed = lab("drills", "--site", "lab", "--html", str(page), "--json").json
    (line,) = [each for each in listed["drills"] if each["drill_id"] == told["drill_id"]]
    assert (line["why"], line["rto"]["verdict"], line["rpo"]["verdict"]) == ("monthly", "met", "met")
    assert line["score"] >= 90
    assert listed["next"]["cdn-failover"] > datetime.now(UTC).isoformat()
    assert told["drill_id"] in page.read_text(encoding="utf-8")
    figures = json.loads((Path(told["report"]).parent / "report.json").read_text(encoding="utf-8"))
    assert (figures["procedure"], figures["ending"], figures["due"] is None) == ("cdn-failover", "done", False)
    assert {point["name"] for point in figures["score"]["points"]} >= {"RTO", "RPO", "eyewitness", "no residue"}
    checks = lab("ready", "--site", "lab", "--json").json["checks"]
    (proved,) = [each for each in checks if (each["name"], each["about"]) == ("proved", "cdn-failover")]
    assert (proved["state"], f"by drill {told['drill_id']}" in proved["text"]) == ("ok", True)
    assert "Nothing is due. The next is cdn-failover" in lab("drills", "--site", "lab", "--hold").out


def test_a_site_that_is_not_in_the_lab(lab: Defib) -> None:
    """Its calendar is read like any other; a site without one is told what is missing."""
    text = lab("drills", "--site", "pulse-trading").out
    assert "Next cdn-failover: Tue " in text
    ended = lab("drills", "--site", "lab-armed", "--hold", "--json")
    assert (ended.code, ended.json["expected"]) == (2, "drills: in its file")
