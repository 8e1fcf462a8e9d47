"""Alerts and status pages as users meet them: a drill that really sends, channels that hang, and tokens that stay secret."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from defib import entries
from defib.alerts.herald import FAREWELL
from defib.alerts.messenger import SEND_WITHIN
from defib.clock import SystemClock
from defib.home import Home
from defib.journal import read_journal
from defib.lab import process
from tests.conftest import Defib, LabMaker

NET = "127.151"
TTL = timedelta(seconds=3.2)
"""What the lab's steering record may be kept for, and a little."""

TOKEN = "k3ebs1lyt0kenth4tn0b0dym4ys33"


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module."""
    return make_lab(NET)


@pytest.fixture
def broken(lab: Defib) -> Iterator[Defib]:
    """The lab with its primary CDN refusing connections, and users back on it afterwards."""
    process.break_(lab.home, "cloudfront", "refuse")
    yield lab
    process.heal(lab.home)
    recovered = [run for run in lab("runs", "--json").json["runs"] if run["status"] == "recovered"]
    last = max(run["run_id"] for run in recovered if "cdn-failover" in run["run_id"] and "drill" not in run["run_id"])
    back = lab("rollback", last, "--json")
    assert back.json["status"] == "rolled-back", back
    SystemClock().sleep(TTL)  # until then resolvers send the next test's users to a CDN that serves them


def messages(lab: Defib) -> list[dict[str, Any]]:
    """What arrived in the lab."""
    listed: list[dict[str, Any]] = lab("lab", "inbox", "--json").json["messages"]
    return listed


def told(lab: Defib, run_id: str) -> list[tuple[str, str, str]]:
    """What a run's journal says of whom it told."""
    records, _ = read_journal(Home(lab.home).run(run_id) / "journal.jsonl")
    found = [record.entry for record in records if isinstance(record.entry, entries.Told)]
    return sorted((entry.channel, entry.subject, entry.outcome) for entry in found)


def test_a_drill_tells_everybody_and_closes_the_incident(lab: Defib) -> None:
    """Start and end of both ways arrive once over each channel, marked as a drill; no incident stays open."""
    before = len(messages(lab))
    ended = lab("drill", "cdn-failover", "--site", "lab", "--json", "--no-prefect")
    assert (ended.code, ended.json["reason"], ended.json["residue"]) == (0, "", [])
    arrived = messages(lab)[before:]
    heads = sorted((each["via"], (each["title"] or each["text"].splitlines()[0]).split(": ")[1]) for each in arrived)
    each_way = ("cdn-failover recovered", "cdn-failover started", "failback recovered", "failback started")
    assert heads == sorted(
        [(via, head) for via in ("chat", "mail", "webhook") for head in each_way]
        + [("sms", "cdn-failover started"), ("sms", "failback started")]
    )
    assert all("[drill]" in each["title"] + each["text"] for each in arrived)
    assert "[drill] Pulse Trading, in the lab: failback recovered" in lab("lab", "inbox").out
    forward = told(lab, ended.json["run_id"])
    assert {outcome for _, _, outcome in forward} == {"sent"}
    assert ("statuspage", "status:resolved", "sent") in forward
    assert ("static-page", "status:resolved", "sent") in forward
    shown = process.client(lab.home).fingerprint()
    assert '"component": "operational"' in shown
    assert '"Pulse Trading, in the lab is not available"' not in shown


def test_hanging_channels_do_not_delay_a_recovery(broken: Defib) -> None:
    """Chat, mail and status page accept and never answer: recovered as ever, two seconds of farewell, and all of it told."""
    for target in ("inbox", "statuspage"):
        process.break_(broken.home, target, "hang")
    ended = broken("run", "cdn-failover", "--site", "lab", "--mode", "rehearsal", "--no-prefect", "--json")
    left_at = SystemClock().now()
    assert (ended.code, ended.json["status"]) in {(0, "recovered"), (6, "recovered")}
    run_id = ended.json["run_id"]
    records, _ = read_journal(Home(broken.home).run(run_id) / "journal.jsonl")
    closed = next(record.at for record in records if isinstance(record.entry, entries.Closed))
    assert records[-1].at - closed < FAREWELL + SEND_WITHIN / 2
    assert left_at - closed < SEND_WITHIN
    outcomes = {(channel, outcome) for channel, _, outcome in told(broken, run_id)}
    assert {("chat", "unknown"), ("mail", "unknown"), ("webhook", "unknown"), ("statuspage", "unknown")} <= outcomes
    assert ("static-page", "sent") in outcomes
    assert broken("verify", run_id, "--json").json["intact"] is True
    for target in ("inbox", "statuspage"):
        process.heal(broken.home, target)


def test_a_token_in_a_url_is_nowhere(broken: Defib) -> None:
    """E13: an Apprise URL with a token in it, for channels that refuse and that do not exist: no file of the home has it."""
    site = (broken.home / "lab" / "sites" / "lab.yaml").read_text(encoding="utf-8")
    start, end = site.index("alerts:"), site.index("status:")
    section = "alerts:\n" + "".join(
        f'  - {{name: {name}, url: "env:ALERT_{name.upper()}"}}\n' for name in ("wrong", "dead", "sms", "nonsense")
    )
    path = broken.home / "lab-tokens.yaml"
    path.write_text(site[:start] + section + "\n" + site[end:], encoding="utf-8")
    inbox = f"{NET}.1.5:7701"
    urls = {
        "ALERT_WRONG": f"json://defib:{TOKEN}@{inbox}/webhook",
        "ALERT_DEAD": f"mmost://{NET}.1.99:7701/{TOKEN}",
        "ALERT_SMS": f"smseagle://{TOKEN}@{inbox}/15555550199",
        "ALERT_NONSENSE": f"no-such-thing://{TOKEN}/",
    }
    defib = replace(broken, extra=urls)
    ended = defib("run", "cdn-failover", "--site", str(path), "--mode", "rehearsal", "--no-prefect", "--json")
    assert ended.json["status"] == "recovered"
    outcomes = {(channel, outcome) for channel, _, outcome in told(broken, ended.json["run_id"]) if "page" not in channel}
    assert outcomes == {(name, "failed") for name in ("wrong", "dead", "sms", "nonsense")}
    assert TOKEN not in ended.out + ended.err
    holding = [str(file) for file in _files(broken.home) if TOKEN.encode() in file.read_bytes()]
    assert holding == []


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())
