"""Bad input: one message of one screen, its own exit code, and nothing half done."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import ROOT, Defib, Ended

SCREEN = 24
LAB = ROOT / "runbooks" / "sites" / "lab.yaml"


def assert_told(ended: Ended, code: int, *words: str) -> None:
    """A message a person can use: no traceback, one screen, these words, this exit code."""
    assert ended.code == code, ended
    assert "Traceback" not in ended.err
    assert len(ended.err.splitlines()) <= SCREEN
    for word in words:
        assert word in ended.err, (word, ended.err)


def assert_nothing_done(home: Path) -> None:
    """No run, no lease."""
    assert not (home / "runs").exists()
    assert not list(home.glob("sites/*/lease.json"))


def edited(folder: Path, change: Callable[[str], str]) -> Path:
    """A copy of the lab's site file with a mistake in it."""
    path = folder / "mine.yaml"
    path.write_text(change(LAB.read_text(encoding="utf-8")), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("before", "after", "line", "words"),
    [
        ("  quorum: 2", "  quorun: 2", "  quorun: 2", ("detection.quorun", "did you mean 'quorum'?")),
        ("name: east", "name: north", "observers:", ("'north' stands twice",)),
        ("  rto: 4h", "  rto: .nan", "  rto: .nan", ("objectives.rto", "a duration such as 4h")),
        ("  rpo: 1h", "  rpo: -1h", "  rpo: -1h", ("objectives.rpo", "a duration such as 4h")),
        ("  interval: 1s", "  interval: 0s", "  interval: 0s", ("detection.interval", "longer than zero")),
        ("token: file:lab/secrets/cloudflare-token", "token: s3cr3t-t0ken", "token: s3cr3t-t0ken", ("never the secret",)),
        ("  quorum: 2", "  quorum: [", None, ("not YAML",)),
    ],
    ids=["unknown-key", "duplicate-name", "nan", "negative", "zero", "literal-secret", "not-yaml"],
)
def test_a_broken_site_file(
    defib: Defib, tmp_path: Path, before: str, after: str, line: str | None, words: tuple[str, ...]
) -> None:
    """E14: refused at load, with file, line and the way out; a literal secret is not repeated."""
    path = edited(tmp_path, lambda text: text.replace(before, after, 1))
    ended = defib("run", "cdn-failover", "--site", str(path), "--mode", "rehearsal")
    assert_told(ended, 10, str(path), *words)
    if line is not None:
        lines = path.read_text(encoding="utf-8").splitlines()
        number = next(at for at, text in enumerate(lines, start=1) if text.strip().endswith(line.strip()))
        assert f"{path}:{number}" in ended.err or line == "observers:"
    assert "s3cr3t" not in ended.err
    assert_nothing_done(defib.home)


def test_an_unknown_site(defib: Defib) -> None:
    """The message lists the sites that there are."""
    ended = defib("plan", "cdn-failover", "--site", "labb")
    assert_told(ended, 12, "there is no site 'labb'", "lab, ", "lab-two-dns, pulse-trading")
    assert_nothing_done(defib.home)


def test_an_unknown_procedure(defib: Defib) -> None:
    """The message lists the procedures that there are."""
    assert_told(defib("run", "cdn-fail", "--site", "lab"), 2, "there is no procedure 'cdn-fail'", "cdn-failover")
    assert_nothing_done(defib.home)


def test_a_commit_that_is_not_built(defib: Defib) -> None:
    """A commit is for the procedure that builds one, and is named by its full id."""
    for command, *more in (("plan",), ("run", "--mode", "rehearsal")):
        switch = defib(command, "dns-switch", "--site", str(LAB), *more, "--commit", "a" * 40)
        assert_told(switch, 2, "dns-switch builds nothing")
        vague = defib(command, "aws-redeploy", "--site", str(LAB), *more, "--commit", "main")
        assert_told(vague, 2, "not the full id", "main")
    assert_nothing_done(defib.home)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("## steer-traffic", "## steer-trafic", ("steer-traffic", "steer-trafic")),
        ("act · control · 2m", "act · control", ("phase, plane and budget",)),
        ("act · control · 2m", "act · control · soon", ("a duration such as",)),
        ("automatic: true", "automatik: true", ("did you mean 'automatic'?",)),
        ("rto: 4h", "rto: .inf", ("rto", "a duration such as")),
    ],
    ids=["step-renamed", "budget-missing", "budget-vague", "unknown-key", "infinite"],
)
def test_a_broken_runbook(defib: Defib, tmp_path: Path, before: str, after: str, words: tuple[str, ...]) -> None:
    """A runbook that differs from its flow, or cannot be read, is refused with file and line before anything begins."""
    books = tmp_path / "runbooks"
    shutil.copytree(ROOT / "runbooks", books)
    runbook = books / "cdn-failover.md"
    runbook.write_text(runbook.read_text(encoding="utf-8").replace(before, after, 1), encoding="utf-8")
    here = replace(defib, extra={"DEFIB_RUNBOOKS": str(books)})
    for command in ("plan", "run", "drill"):
        ended = here(command, "cdn-failover", "--site", "lab")
        assert_told(ended, 11, str(runbook), *words)
    assert_nothing_done(defib.home)


def test_an_unwritable_home(defib: Defib) -> None:
    """A home that cannot be written is found before anything else is touched."""
    here = replace(defib, extra={"DEFIB_HOME": "/dev/null/home"})
    assert_told(here("run", "cdn-failover", "--site", "lab"), 13, "/dev/null/home", "DEFIB_HOME=")


def test_a_taken_port(defib: Defib) -> None:
    """A lab whose address somebody else has says which, and leaves nothing running."""
    with socket.create_server(("127.173.3.1", 8443)):
        ended = defib("lab", "up", "--net", "127.173")
    assert_told(ended, 14, "127.173.3.1", "8443")
    assert_told(defib("lab", "status"), 18, "defib lab up")


def test_a_missing_secret(defib: Defib, tmp_path: Path) -> None:
    """A secret that leads nowhere stops the run before it has a lease."""
    path = edited(
        tmp_path, lambda text: text.replace("lab: true\n", "").replace("file:lab/secrets/cloudflare-token", "env:NO_TOKEN")
    )
    for name in ("aws-access-key", "aws-secret-key"):
        secret = defib.home / "lab" / "secrets" / name
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.write_text("x" * 20, encoding="utf-8")
    ended = defib("run", "cdn-failover", "--site", str(path), "--approve", "0" * 12)
    assert_told(ended, 15, "env:NO_TOKEN")
    assert_nothing_done(defib.home)


def test_the_lab_is_not_up(defib: Defib) -> None:
    """A site of the lab without a lab says what to do, not which file is missing."""
    assert_told(defib("plan", "cdn-failover", "--site", "lab"), 18, "defib lab up")


def test_an_unknown_fault(defib: Defib) -> None:
    """The nearest fault is named before a lab is started for it."""
    ended = defib("drill", "cdn-failover", "--site", "lab", "--fault", "expired-certifcate")
    assert_told(ended, 2, "did you mean 'expired-certificate'?")
    assert_nothing_done(defib.home)


def test_an_option_of_a_fault_that_is_no_number(defib: Defib) -> None:
    """What an option looks like is said before a lab is looked for."""
    told = defib("lab", "break", "s3-replication", "lag", "--with", "seconds=many")
    assert_told(told, 2, "'seconds=many'", "NAME=NUMBER")


def test_a_rehearsal_outside_of_the_lab(defib: Defib) -> None:
    """A rehearsal approves its own plan, so it must not reach what users depend on."""
    here = replace(defib, extra={"CLOUDFLARE_API_TOKEN": "x" * 40})
    ended = here("run", "cdn-failover", "--site", "pulse-trading", "--mode", "rehearsal")
    assert_told(ended, 4, "cannot be rehearsed on")
    assert_told(here("drill", "cdn-failover", "--site", "pulse-trading"), 4, "not in the lab")
    assert_nothing_done(defib.home)


@pytest.mark.parametrize(
    ("since", "words"),
    [("03:00", "not a time"), ("2026-01-31T02:45:00", "no time zone"), ("2999-01-01T00:00:00Z", "future")],
)
def test_a_start_of_the_outage_that_cannot_be(defib: Defib, since: str, words: str) -> None:
    """`--since` decides over the RTO: a guess would be evidence."""
    assert_told(defib("run", "cdn-failover", "--site", "lab", "--since", since), 2, words)
    assert_nothing_done(defib.home)


def test_an_unknown_run(defib: Defib) -> None:
    """Every command that takes a run says where to find one."""
    for command in ("resume", "rollback", "failback", "report", "verify"):
        assert_told(defib(command, "20260131"), 2, "there is no run '20260131'", "defib runs")


def test_errors_in_json(defib: Defib) -> None:
    """With --json the error is one object on stdout, with its parts and its exit code."""
    ended = defib("plan", "cdn-failover", "--site", "labb", "--json")
    assert (ended.code, ended.json["exit_code"]) == (12, 12)
    assert ended.json["error"] == "there is no site 'labb'"
    assert set(ended.json) == {"error", "where", "expected", "next", "exit_code"}


def test_wrong_use(defib: Defib) -> None:
    """A missing or unknown option is exit code 2 without a traceback."""
    assert_told(defib("plan", "cdn-failover"), 2, "--site")
    assert_told(defib("plam"), 2, "plam")


def test_a_drill_of_a_real_site_is_marked_as_live(defib: Defib) -> None:
    """E10: a drill with production ids is refused, and told how it is marked; so marked it still needs an approval."""
    plain = defib("drill", "dns-switch", "--site", "pulse-trading")
    assert plain.code == 4
    assert "--live" in plain.err
