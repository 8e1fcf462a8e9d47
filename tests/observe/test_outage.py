"""What detection notes of an outage: never a hindrance, never shortened, never believed for longer than it is renewed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from defib.observe.detect import Decision, State
from defib.observe.outage import BELIEVED_FOR, RENEWED, KnownOutage, OutageMemory, known_outage, note_outage
from defib.ports import Health, Observation

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SITE = "pulse"


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOW + timedelta(seconds=seconds)


def look(seconds: float, observer: str = "north") -> Observation:
    """A bad look."""
    return Observation(observer, at(seconds), timedelta(0), Health.BAD, "HTTP 503")


def bad(first_bad: float, state: State = State.DOWN) -> Decision:
    """A quorum sees it down since `first_bad`."""
    return Decision(state, at(first_bad), first_bad=at(first_bad), verdict=Health.BAD)


GOOD = Decision(State.HEALTHY, NOW, verdict=Health.GOOD)
UNSURE = Decision(State.SUSPECT, NOW, first_bad=at(50))


def memory(home: Path, seconds: float = 0) -> OutageMemory:
    """A watching that begins now."""
    return OutageMemory(home, SITE, 60, at(seconds))


def noted(home: Path, seconds: float) -> KnownOutage | None:
    """What a run that starts now is told."""
    return known_outage(home, SITE, at(seconds))


def test_what_is_noted_is_known(tmp_path: Path) -> None:
    """Whoever starts a recovery learns when users lost service, when that was known, and the looks that prove it."""
    watching = memory(tmp_path)
    watching.saw(look(1))
    assert "" == watching.follow(bad(1), at(4))
    assert KnownOutage(at(1), at(4), at(4), (look(1),)) == noted(tmp_path, 5)


def test_a_note_is_renewed_while_the_outage_lasts(tmp_path: Path) -> None:
    """It is known for as long as it is seen, also in a cool-down, and for half a minute after whoever saw it died."""
    watching = memory(tmp_path)
    for second in range(4, 300):
        watching.follow(bad(1, State.DOWN if second < 10 else State.COOLING), at(second))
    assert timedelta(seconds=30) == BELIEVED_FOR
    assert BELIEVED_FOR >= 3 * RENEWED
    seen = noted(tmp_path, 320)
    assert seen is not None
    assert (at(1), at(4)) == (seen.first_bad, seen.down_at)
    assert noted(tmp_path, 331) is None


def test_the_evidence_is_that_of_the_beginning(tmp_path: Path) -> None:
    """However long the outage lasts, the looks of the note are those that led to it."""
    watching = memory(tmp_path)
    for second in range(1, 400):
        watching.saw(look(second))
        if second >= 3:
            watching.follow(bad(1), at(second))
    seen = noted(tmp_path, 400)
    assert seen is not None
    assert (look(1), look(2), look(3)) == seen.looks


def test_a_new_watching_goes_on_with_the_outage(tmp_path: Path) -> None:
    """Killed and started again in the middle of an outage, watching does not forget when it began."""
    before = memory(tmp_path)
    before.saw(look(1))
    before.follow(bad(1), at(4))
    after = memory(tmp_path, 30)
    after.saw(look(36))
    after.follow(bad(36), at(40))
    assert KnownOutage(at(1), at(4), at(40), (look(1),)) == after.outage == noted(tmp_path, 40)


def test_an_outage_ends_with_a_good_quorum_only(tmp_path: Path) -> None:
    """As long as nobody has seen users served again, it is the same outage; after that it is another one."""
    watching = memory(tmp_path)
    watching.follow(bad(1), at(4))
    watching.follow(UNSURE, at(50))
    watching.follow(bad(55), at(60))
    assert (known := noted(tmp_path, 60)) is not None
    assert at(1) == known.first_bad
    watching.follow(GOOD, at(70))
    assert noted(tmp_path, 70) is None
    watching.follow(bad(80), at(83))
    assert (known := noted(tmp_path, 83)) is not None
    assert (at(80), at(83)) == (known.first_bad, known.down_at)


def test_a_good_site_has_no_note_left(tmp_path: Path) -> None:
    """What a dead watching noted goes as soon as a new one sees users served."""
    memory(tmp_path).follow(bad(1), at(4))
    memory(tmp_path, 10).follow(GOOD, at(12))
    assert noted(tmp_path, 12) is None


def test_two_watchings_do_not_shorten_each_others_outage(tmp_path: Path) -> None:
    """The earliest first bad look counts, whoever saw it and whoever wrote last."""
    early, late = memory(tmp_path), memory(tmp_path)
    early.follow(bad(1), at(4))
    late.follow(bad(9), at(12))
    early.follow(bad(1), at(15))
    late.follow(bad(9), at(24))
    assert (known := noted(tmp_path, 24)) is not None
    assert (at(1), at(4)) == (known.first_bad, known.down_at)


def test_another_watching_that_sees_it_good_takes_a_note_away_once(tmp_path: Path) -> None:
    """One that sees users served does not wipe out, look by look, what another goes on seeing."""
    here, there = memory(tmp_path), memory(tmp_path)
    there.follow(GOOD, at(1))
    here.follow(bad(1), at(4))
    there.follow(GOOD, at(5))
    assert noted(tmp_path, 5) is not None


@pytest.mark.parametrize("moments", [(60, 4, 5), (1, 60, 5), (1, 4, 60)], ids=["first-bad", "down-at", "seen-at"])
def test_a_note_from_the_future_says_nothing(tmp_path: Path, moments: tuple[float, float, float]) -> None:
    """A clock that was set back makes no outage that has yet to begin, nor one that is believed for hours."""
    first_bad, down_at, seen_at = (at(moment) for moment in moments)
    assert "" == note_outage(tmp_path, SITE, KnownOutage(first_bad, down_at, seen_at))
    assert noted(tmp_path, 10) is None


def test_a_note_of_the_wrong_form_says_nothing(tmp_path: Path) -> None:
    """Torn, empty, of another kind or without time zones: the run starts without it."""
    path = tmp_path / "sites" / SITE / "outage.json"
    path.parent.mkdir(parents=True)
    naive = '{"first_bad": "2026-01-01T11:59:59", "down_at": "2026-01-01T12:00:00", "seen_at": "2026-01-01T12:00:00"}'
    aware = naive.replace('"}', 'Z"}').replace('",', 'Z",')
    for text in ("", "{", "[]", "\x00", naive, aware.replace("}", ', "looks": [{"at": "2026-01-01T11:59:59"}]}')):
        path.write_text(text)
        assert noted(tmp_path, 1) is None
    path.write_text(aware)
    assert noted(tmp_path, 1) is not None


@pytest.mark.parametrize("obstacle", ["outage.json", "."], ids=["a-folder-in-its-place", "a-file-above"])
def test_a_note_that_cannot_be_kept_hinders_nobody(tmp_path: Path, obstacle: str) -> None:
    """The note is a courtesy: where it can be neither written nor read nor taken away, that is told, not raised."""
    folder = tmp_path / "sites" / SITE
    if obstacle == ".":
        folder.parent.mkdir()
        folder.write_text("")
    else:
        (folder / obstacle).mkdir(parents=True)
    watching = memory(tmp_path)
    assert "the note of the outage cannot be written" in watching.follow(bad(1), at(4))
    assert watching.outage is not None
    assert (at(1), None) == (watching.outage.first_bad, noted(tmp_path, 4))
    assert "" != note_outage(tmp_path, SITE, None)
    assert [] == list(tmp_path.rglob("outage.json.*"))
