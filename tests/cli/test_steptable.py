"""The board and the plain lines, fed with the journals of scripted runs."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from rich.console import Console

from defib import entries
from defib.cli.held import Held
from defib.cli.live import Lines
from defib.cli.say import fold
from defib.cli.steptable import Scene
from defib.journal import Record
from defib.ports import Build, Health, Observation
from defib.run import Run
from defib.users.looking import USERS
from tests.stage import BUILD, DEAD, REFUSED, START, Stage, seconds

OBSERVERS = ("north", "east", "south")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A world whose primary CDN refuses."""
    made = Stage(tmp_path)
    made.edges["cloudfront"] = REFUSED
    return made


def shown(run: Run, until: type[entries.Entry], columns: int = 42) -> list[str]:
    """The board on a terminal of that width at the moment of the last entry of a kind."""
    scene = Scene(run)
    last = max(n for n, record in enumerate(run.journal.records) if isinstance(record.entry, until))
    for record in run.journal.records[: last + 1]:
        scene.take(record)
    return rendered(scene, run.journal.records[last].at, columns)


def rendered(scene: Scene, now: datetime, columns: int) -> list[str]:
    """A board as it stands on a terminal of that width."""
    file = io.StringIO()
    Console(width=columns, file=file).print(scene.picture(now))
    return [line.rstrip() for line in file.getvalue().splitlines()]


def look(observer: str, at: float, health: Health = Health.GOOD, build: Build | None = BUILD) -> Record:
    """One look at the users' service, so many seconds after the start."""
    seen = Observation(observer, START + seconds(at), seconds(0.01), health, build=build)
    return Record(1, seen.at, seconds(at), entries.Observed("verify-the-users", USERS, seen), "", "")


def test_the_headings_use_the_whole_width(stage: Stage) -> None:
    """Title, run and outage stand over the table, not in a column of it; the clock of the outage runs in whole seconds."""
    run, _ = stage.recover(since=START - seconds(41.4))
    lines = shown(run, entries.StepStarted, columns=80)
    assert lines[0] == run.runbook.title
    assert lines[1] == f"site lab, run {run.id}, rehearsal"
    assert lines[2].startswith("users out for ")
    assert lines[2].endswith(" of 4 h")
    assert "." not in lines[2]
    assert lines[3].split() == ["phase", "step", "elapsed", "budget"]


def test_nothing_is_cut_at_42_columns(stage: Stage) -> None:
    """A narrow terminal folds the headings over its whole width."""
    run, _ = stage.recover()
    lines = shown(run, entries.StepEnded)
    assert "users out: unknown since when, of 4 h" in lines or "users out: unknown since when, of 4" in lines
    assert max(map(len, lines)) <= 42
    steps = [line for line in lines if line.startswith("✓")]
    assert len(steps) == len(run.runbook.steps)
    assert all("…" not in " ".join(line.split()[-4:]) for line in steps)


def test_a_failed_step_says_why(stage: Stage) -> None:
    """The error stands below the table."""
    stage.edges["cloudflare"] = REFUSED
    run, outcome = stage.recover()
    assert outcome.status == "refused"
    below = " ".join(shown(run, entries.Closed, columns=100))
    assert "prove-the-standby refused: no standby can take the users" in below
    assert "connection refused" in below


def test_warnings_stay(stage: Stage) -> None:
    """A warning is not wiped away by what comes after it; of many the last two stay."""
    run = stage.begin()
    for text in ("one", "two", "three"):
        run.journal.append(entries.Noted("", text, warning=True))
    stage.play(run)
    below = shown(run, entries.Closed, columns=100)
    assert [line for line in below if line.startswith("! ")] == ["! two", "! three"]


def test_a_resumed_run_shows_what_is_done(stage: Stage) -> None:
    """What was done before stays done; what was cut off begins anew."""
    stage.edges["cloudflare"] = DEAD
    run, _ = stage.recover()
    lines = shown(run, entries.StepEnded, columns=100)
    assert any(line.startswith("✓") and "confirm-the-outage" in line for line in lines)
    assert any(line.startswith("✗") and "prove-the-standby" in line for line in lines)
    reopened = replace(run.journal.records[-1], entry=entries.Reopened("resume", "ann"))
    scene = Scene(run)
    for record in (*run.journal.records, reopened):
        scene.take(record)
    again = "".join(rendered(scene, stage.clock.now(), 100))
    assert "✓" in again
    assert "✗" not in again


def test_the_row_of_good_looks_is_counted() -> None:
    """From the last observer's first good look on, until somebody sees users without service or an older build."""
    held = Held(quorum=2)
    assert held.line(START, seconds(3)) == ""
    held.follow(look("north", 0))
    assert held.since() is None
    held.follow(look("east", 0.5))
    assert held.line(START + seconds(2.4), seconds(3)) == "users served, 1.9 of 3 s held"
    held.follow(look("south", 1, Health.UNKNOWN))
    assert held.since() == START + seconds(0.5)
    held.follow(look("south", 2, Health.BAD))
    assert held.since() is None
    held.follow(look("south", 3))
    assert held.since() == START + seconds(3)
    assert held.line(START + seconds(99), seconds(3)) == "users served, 3.0 of 3 s held"
    held.follow(Record(1, START, seconds(0), entries.RecoveryPointRead("x", seconds(0), "", BUILD, BUILD), "", ""))
    held.follow(look("north", 4, build=Build("0a" * 20, BUILD.built - seconds(60))))
    assert held.since() is None


def test_a_long_row_is_counted_in_minutes(stage: Stage) -> None:
    """A failback waits for the primary to be stable: the board says for how long it has been."""
    forward = stage.recovered()
    run, _ = stage.recover("failback", follows=forward.id)
    told: set[str] = set()
    scene = Scene(run)
    for record in run.journal.records:
        scene.take(record)
        told |= {line for line in rendered(scene, record.at, 100) if "serves the site, " in line}
    assert "cloudfront serves the site, 3.0 of 3 s held" in told
    held = Held(1, "cloudfront")
    seen = Observation("north", START, seconds(0.01), Health.GOOD)
    held.follow(Record(1, START, seconds(0), entries.Observed("prove-stability", "cloudfront", seen), "", ""))
    assert held.line(START + seconds(123.4), seconds(900)) == "cloudfront serves the site, 2 min 3 s of 15 min held"


def test_the_count_agrees_with_the_journal(stage: Stage) -> None:
    """When the step says that users stayed served, the board had counted the whole time."""
    run, _ = stage.recover()
    held = Held(stage.site.detection.quorum)
    for record in run.journal.records:
        if isinstance(record.entry, entries.UsersServed):
            assert held.line(record.at, seconds(3)) == "users served, 3.0 of 3 s held"
            return
        held.follow(record)
    raise AssertionError("the run did not recover")


def test_lines_say_what_changes_on_two_lines(stage: Stage) -> None:
    """From and to stand below each other, no line is longer than 100 characters, and Prefect is named once."""
    written: list[str] = []
    lines = Lines(written.append)
    for run in (stage.recover()[0], stage.recover()[0]):
        for record in run.journal.records:
            lines(record)
    told = "\n".join(written).splitlines()
    planned = next(n for n, line in enumerate(told) if " plan " in line)
    assert [line.split()[0] for line in told[planned + 1 : planned + 4]] == ["at", "from", "to"]
    assert sum("Prefect is not used" in line for line in told) == 1
    assert [line for line in told if len(line) > 100] == []


def test_long_texts_are_folded_behind_their_head() -> None:
    """Continuations stand below the text, and what stands in columns keeps its indent; a long word stays whole."""
    folded = fold("why:  ", " ".join(["word"] * 30) + "\n  from " + "x" * 120).splitlines()
    assert folded[0].startswith("why:  word")
    assert folded[1].startswith("      word")
    assert [line for line in folded if "x" * 120 in line]
    assert any(line.startswith("        from") for line in folded)
    phases = "detect 2.01 s, decide 431 ms, act 142 ms, propagate 1.23 s, verify 1 ms, and so on for 3 min"
    assert fold(" " * 27, phases).splitlines()[0].endswith("verify 1 ms,")
    assert fold(" " * 29, phases).splitlines()[0].endswith("verify")


def test_what_a_server_sends_cannot_write_on_the_terminal(stage: Stage) -> None:
    """An escape sequence in a text is shown, not obeyed, in lines and on the board."""
    run = stage.begin()
    run.journal.append(entries.Noted("", "HTTP 500 \x1b[2J\x07", warning=True))
    written: list[str] = []
    for record in run.journal.records:
        Lines(written.append)(record)
    for shows in ("".join(written), "".join(shown(run, entries.Noted, columns=100))):
        assert "\\u001b[2J" in shows or "\\001b[2J" in shows
        assert "\x1b" not in shows
