"""``defib assets restore`` in the real lab: a plan, the approval of its digest, the proof, and the way back."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from defib.clock import SystemClock
from defib.lab import process
from tests.conftest import Defib, Ended, LabMaker

NET = "127.93"


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module: its assets were written over the last six weeks, one every 17 hours."""
    return make_lab(NET)


def ago(**time: float) -> str:
    """A moment as the command takes it."""
    return f"{(SystemClock().now() - timedelta(**time)).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def restore(lab: Defib, at: str, *more: str) -> Ended:
    """The command."""
    return lab("assets", "restore", "--site", "lab", "--at", at, "--no-prefect", *more)


def test_planned_approved_proved_and_taken_back(lab: Defib) -> None:
    """Exactly what was shown is done; afterwards the lab is as it was."""
    before, at = process.client(lab.home).fingerprint(), ago(days=40)
    shown = lab("assets", "restore", "--site", "lab", "--at", at, "--prefix", "images/", "--plan", "--json")
    records = [record for change in shown.json["changes"] for record in change["records"]]
    assert (shown.code, len(records) > 5) == (0, True)
    refused = restore(lab, at, "--prefix", "images/", "--approve", "0" * 12)
    assert refused.code == 4
    done = restore(lab, at, "--prefix", "images/", "--approve", shown.json["digest"][:12], "--json")
    (told,) = done.json["restored"]
    assert told["returned"] + told["replaced"] + told["deleted"] == len(records)
    assert (told["left"], told["apart"], told["prefix"]) == (0, 0, "images/")
    assert datetime.fromisoformat(told["at"]) == datetime.fromisoformat(at)
    again = lab("assets", "restore", "--site", "lab", "--at", at, "--prefix", "images/", "--plan")
    assert (again.code, "Nothing to do." in again.out) == (0, True)
    assert lab("rollback", done.json["run_id"]).code == 3
    assert process.client(lab.home).fingerprint() == before


def test_into_another_bucket_to_look_at_first(lab: Defib) -> None:
    """All that was there then, where no user is sent; the bucket itself is as it was, and afterwards so is the lab."""
    before, at = process.client(lab.home).fingerprint(), ago(days=20)
    wanted = ("--prefix", "images/", "--into", "pulse-assets-restored")
    shown = lab("assets", "restore", "--site", "lab", "--at", at, *wanted, "--plan", "--json")
    done = restore(lab, at, *wanted, "--approve", shown.json["digest"][:12], "--json")
    (told,) = done.json["restored"]
    assert (done.code, told["target"]) == (0, "s3://pulse-assets-restored (us-east-1)")
    assert (told["returned"], told["replaced"], told["deleted"], told["apart"]) == (told["held"], 0, 0, 0)
    assert told["held"] > 5
    after, then = (json.loads(each)["assets"] for each in (process.client(lab.home).fingerprint(), before))
    assert (after["pulse-assets"], after["pulse-assets-replica"]) == (then["pulse-assets"], then["pulse-assets-replica"])
    assert len(after["pulse-assets-restored"]["keys"]) == told["held"]
    assert lab("rollback", done.json["run_id"]).code == 3
    assert process.client(lab.home).fingerprint() == before


def test_what_somebody_reads_at_three_in_the_morning(lab: Defib) -> None:
    """What is as it was, since when it was not, and how to take it back."""
    at = ago(days=40)
    ended = restore(lab, at, "--prefix", "docs/", "--mode", "rehearsal", "--since", ago(minutes=5), "--force")
    assert ended.code == 4
    ended = restore(lab, at, "--prefix", "images/", "--mode", "rehearsal", "--since", ago(minutes=5))
    assert "RESTORED" in ended.out
    assert "s3://pulse-assets (us-east-1) holds the" in ended.out
    assert "RTO:      met  objects were wrong for 5 min" in ended.out
    assert "To take it back: defib rollback" in ended.out
    report = next(line for line in ended.out.splitlines() if line.startswith("Report:")).split()[-1]
    run_id = report.split("/")[-2]
    assert lab("verify", run_id).code == 0
    assert lab("rollback", run_id).code == 3


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--at", "tomorrow"), 2, "--at is not a time"),
        (("--at", "2026-01-31T02:45:00"), 2, "--at has no time zone"),
        (("--at", "2126-01-31T02:45:00Z"), 2, "the moment is in the future"),
        (("--at", "2026-01-31T02:45:00Z", "--pair", "fonts"), 2, "there is no pair 'fonts'"),
        (("--at", "2026-01-31T02:45:00Z", "--into", "nowhere"), 2, "no such bucket to restore into"),
    ],
)
def test_what_cannot_be_wanted(lab: Defib, words: tuple[str, ...], code: int, told: str) -> None:
    """One message, its exit code, and no run."""
    before = len(list((lab.home / "runs").glob("*")))
    for mode in (("--plan",), ("--mode", "rehearsal")):
        ended = lab("assets", "restore", "--site", "lab", *words, *mode)
        assert (ended.code, told in ended.err) == (code, True), ended
    assert len(list((lab.home / "runs").glob("*"))) == before


def test_by_the_procedure_s_name_it_says_how(lab: Defib) -> None:
    """A procedure that needs a moment names the command that takes one."""
    ended = lab("run", "asset-restore", "--site", "lab", "--mode", "rehearsal")
    assert (ended.code, "defib assets restore --site lab --at" in ended.err) == (2, True)


def test_without_anybody_at_the_terminal_it_needs_a_digest(lab: Defib) -> None:
    """It says how to get one, with all that was asked for."""
    ended = restore(lab, ago(days=40), "--prefix", "images/")
    assert ended.code == 4
    assert "--prefix images/ --plan" in ended.err.replace("\n          ", " ")
