"""The eyewitness's log is read back as outages, and as nothing that nobody saw."""

from __future__ import annotations

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from defib.lab.eyewitness import Outage, blind_spots, outages, read_looks

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
TICK = timedelta(milliseconds=100)


def at(tick: float) -> datetime:
    """The moment of a look."""
    return START + tick * TICK


def line(tick: float, good: bool) -> str:
    """One line of the log."""
    plain = {"sent_at": at(tick).isoformat(), "good": good, "reason": "" if good else "x", "address": ""}
    return json.dumps(plain) + "\n"


def write(folder: Path, pattern: str) -> Path:
    """A log of looks every 100 ms: ``.`` good, ``x`` bad, a space for none."""
    log = folder / "log.jsonl"
    log.write_text("".join(line(tick, mark == ".") for tick, mark in enumerate(pattern) if mark != " "))
    return log


def test_an_outage_runs_from_the_first_bad_to_the_first_good_look(tmp_path: Path) -> None:
    """Both ends are the moments at which looks were sent."""
    log = write(tmp_path, "...xxxx" + "." * 20)
    assert outages(log, START) == (Outage(at(3), at(7)),)


def test_a_good_spell_that_did_not_last_ends_nothing(tmp_path: Path) -> None:
    """One good look among bad ones is not recovery; a second of them is."""
    log = write(tmp_path, ".xx.xx" + "." * 9 + "x" + "." * 10 + "x" + "." * 10)
    assert outages(log, START) == (Outage(at(1), at(16)), Outage(at(26), at(27)))


def test_an_outage_that_lasts_has_no_end(tmp_path: Path) -> None:
    """Nobody knows how long it will be."""
    (found,) = outages(write(tmp_path, "..xx"), START)
    assert (found, found.length) == (Outage(at(2), None), None)


def test_looks_are_ordered_by_when_they_were_sent(tmp_path: Path) -> None:
    """A look that timed out is written after later ones that did not."""
    log = tmp_path / "log.jsonl"
    log.write_text(line(1, True) + line(3, True) + line(0, False) + line(2, False) + line(4, True))
    assert outages(log, START) == (Outage(at(0), at(3)),)


def test_only_what_was_sent_since_counts(tmp_path: Path) -> None:
    """An earlier outage is somebody else's; a log that is not there has none."""
    log = write(tmp_path, "xx" + "." * 20 + "x" + "." * 20)
    assert outages(log, at(10)) == (Outage(at(22), at(23)),)
    assert outages(tmp_path / "none.jsonl", START) == ()


def test_a_half_written_line_is_left_out(tmp_path: Path) -> None:
    """The log can be read while it is written."""
    log = write(tmp_path, "...")
    with log.open("a") as file:
        file.write('{"sent_at": "2026-')
    assert len(read_looks(log, START)) == 3


def test_what_nobody_looked_at_is_a_blind_spot(tmp_path: Path) -> None:
    """A spell without looks is told apart from a good one."""
    log = write(tmp_path, "..." + " " * 8 + "...")
    assert blind_spots(log, START) == (Outage(at(2), at(11)),)
    assert blind_spots(write(tmp_path, "......"), START) == ()


@given(pattern=st.text(alphabet=".x", max_size=80))
def test_outages_never_overlap_and_hold_every_bad_look(pattern: str) -> None:
    """Every bad look lies in exactly one outage, outages are in order, and none is empty."""
    with tempfile.TemporaryDirectory() as folder:
        found = outages(write(Path(folder), pattern), START)
    ends = [each.end or at(len(pattern)) for each in found]
    assert all(each.start < end for each, end in zip(found, ends, strict=True))
    assert all(end <= later.start for end, later in zip(ends, found[1:], strict=False))
    for tick, mark in enumerate(pattern):
        holding = [each for each, end in zip(found, ends, strict=True) if each.start <= at(tick) < end]
        if mark == "x":
            assert len(holding) == 1
