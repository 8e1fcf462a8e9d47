"""What stands in a pack, gathered from a home, its runbooks and its sites; without the wheels, which take a while."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from defib.errors import Refused
from defib.pack.contents import Packing, Wheels
from defib.pack.written import Contents
from tests.stage import RUNBOOKS, Stage

NOTHING = Wheels({}, "left out by a test")


def contents(stage: Stage, *sites: str, bundles: bool = False) -> Contents:
    """Of these sites."""
    paths = tuple(RUNBOOKS / "sites" / f"{name}.yaml" for name in sites)
    return Packing(paths, RUNBOOKS, stage.desk.home, stage.clock, bundles).contents(NOTHING)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A world whose home keeps what runs leave."""
    return Stage(tmp_path / "home")


def test_twice_the_same(stage: Stage) -> None:
    """The same inputs give the same files, byte for byte."""
    assert contents(stage, "pulse-trading") == contents(stage, "pulse-trading")


def test_runbooks_that_apply(stage: Stage) -> None:
    """A site has those for which it has something; what is left out is named on the page."""
    found = contents(stage, "lab-armed")
    assert "runbooks/lab-armed/dns-switch.html" in found
    assert "runbooks/lab-armed/cdn-failover.html" not in found
    assert "left out: runbooks that lab-armed has nothing for: asset-restore" in found["HOW-TO.md"].decode()


def test_only_the_sites_that_were_asked_for(stage: Stage) -> None:
    """And those of the lab, by which a drill is run."""
    found = contents(stage, "lab")
    assert "source/runbooks/sites/lab-two-dns.yaml" in found
    assert "source/runbooks/sites/pulse-trading.yaml" not in found
    assert json.loads(found["pack.json"])["sites"].keys() == {"lab"}


def test_the_last_proof_goes_along(stage: Stage) -> None:
    """The journal of the last run that recovered, by which anybody may verify it."""
    assert "proofs/lab/cdn-failover/journal.jsonl" not in contents(stage, "lab")
    run = stage.recovered()
    found = contents(stage, "lab")
    assert run.id.encode() in found["proofs/lab/cdn-failover/journal.jsonl"]
    assert "the last run that recovered, of cdn-failover" in found["HOW-TO.md"].decode()


def test_bundles_where_they_are_wanted(stage: Stage) -> None:
    """They stand where commands that are run from the pack look for them, and the page says how large they are."""
    bundle = stage.desk.home.path / "mirrors" / "pulse-trading.bundle"
    bundle.parent.mkdir(parents=True)
    bundle.write_bytes(b"x" * 3 * 1024 * 1024)
    assert "home/mirrors/pulse-trading.bundle" not in contents(stage, "pulse-trading")
    (bundle.parent / "pulse-trading.github.settings.json").write_text("{}", encoding="utf-8")
    found = contents(stage, "pulse-trading", bundles=True)
    assert found["home/mirrors/pulse-trading.bundle"] == bundle.read_bytes()
    assert found["home/mirrors/pulse-trading.github.settings.json"] == b"{}"
    assert "`home/mirrors/pulse-trading.bundle` (3.0 MiB)" in found["HOW-TO.md"].decode()


def test_a_planted_secret(stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A token that somebody wrote into a site file keeps the pack from being made, and is not repeated."""
    monkeypatch.setenv("VERCEL_TOKEN", "vcp-planted-0123456789")
    path = tmp_path / "mine.yaml"
    text = (RUNBOOKS / "sites" / "pulse-trading.yaml").read_text(encoding="utf-8")
    path.write_text(text.replace("title: Pulse Trading", "title: Pulse vcp-planted-0123456789"), encoding="utf-8")
    with pytest.raises(Refused) as refused:
        Packing((path,), RUNBOOKS, stage.desk.home, stage.clock).contents(NOTHING)
    assert "sites/pulse-trading.yaml" in refused.value.where
    assert "vcp-planted" not in str(refused.value)


def test_a_hostile_title(stage: Stage, tmp_path: Path) -> None:
    """It is text on the page: no tag, no link, no cell of its own."""
    path = tmp_path / "mine.yaml"
    text = (RUNBOOKS / "sites" / "pulse-trading.yaml").read_text(encoding="utf-8")
    hostile = "'<script>alert(1)</script> | [x](https://evil.test/)'"
    path.write_text(text.replace("title: Pulse Trading", f"title: {hostile}"), encoding="utf-8")
    page = Packing((path,), RUNBOOKS, stage.desk.home, stage.clock).contents(NOTHING)["HOW-TO.html"].decode()
    assert "<script" not in page
    assert 'evil.test/"' not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; | [x](https://evil.test/)" in page
