"""``defib drills`` as a schedule and as people run it: what is due is held, what is in the way told, what was listed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Defib, LabMaker
from tests.drills.schedule import Schedule, schedules

NET = "127.163"


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module."""
    return make_lab(NET)


@pytest.fixture
def schedule(lab: Defib) -> Iterator[Schedule]:
    """Make a procedure due."""
    with schedules(lab) as make:
        yield make


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


def test_a_site_that_is_not_in_the_lab(lab: Defib) -> None:
    """Its calendar is read like any other; a site without one is told what is missing."""
    assert "Next cdn-failover: Tue " in lab("drills", "--site", "pulse-trading").out
    assert "Nothing is due. The next is " in lab("drills", "--site", "pulse-trading", "--hold").out
    ended = lab("drills", "--site", "lab-armed", "--hold", "--json")
    assert (ended.code, ended.json["expected"]) == (2, "drills: in its file")
