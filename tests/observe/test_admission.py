"""What may start by itself: one run for many alerts, and none while the kill switch is on."""

from __future__ import annotations

import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from defib.errors import HomeUnwritable, InputError
from defib.observe.admission import RETRY, Admission, AutomaticStart, admit, last_automatic_start, withdraw
from defib.observe.killswitch import clear_kill_switch, kill_switch, set_kill_switch, switch_path

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
COOL_DOWN = timedelta(minutes=10)


def ask(home: Path, seconds: float = 0, site: str = "pulse", procedure: str = "cdn-failover") -> Admission:
    """One alert, so many seconds after noon."""
    return admit(home, site, procedure, NOW + timedelta(seconds=seconds), COOL_DOWN)


def test_500_alerts_from_many_threads(tmp_path: Path) -> None:
    """E15: the same alert 500 times in a minute from sixteen threads starts one run."""
    with ThreadPoolExecutor(16) as pool:
        admissions = list(pool.map(lambda number: ask(tmp_path, number * 0.12), range(500)))
    assert 1 == sum(admission.admitted for admission in admissions)


def test_alerts_from_many_processes(tmp_path: Path) -> None:
    """E15: the same alert in several processes at once starts one run."""
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        admissions = list(pool.map(ask, [tmp_path] * 40))
    assert 1 == sum(admission.admitted for admission in admissions)


def test_cooling_says_until_when(tmp_path: Path) -> None:
    """C6: within the cool-down the reason names its end and what started; at its end the door is open again."""
    assert Admission(admitted=True) == ask(tmp_path)
    assert Admission(
        admitted=False,
        reason="cooling until 2026-01-01 12:10:00Z: cdn-failover started by itself at 2026-01-01 12:00:00Z",
    ) == ask(tmp_path, 599, procedure="dns-switch")
    assert ask(tmp_path, 600).admitted
    assert AutomaticStart("cdn-failover", NOW + timedelta(seconds=600)) == last_automatic_start(tmp_path, "pulse")


def test_a_withdrawn_start_keeps_the_door_shut_for_a_minute(tmp_path: Path) -> None:
    """A start that came to nothing may be followed by another after a minute, and no sooner, however often it happens."""
    admitted = []
    for second in range(300):
        if ask(tmp_path, second).admitted:
            admitted.append(second)
            assert withdraw(tmp_path, "pulse", NOW + timedelta(seconds=second))
    assert timedelta(minutes=1) == RETRY
    assert [0, 60, 120, 180, 240] == admitted
    assert (
        "cooling until 2026-01-01 12:05:00Z: cdn-failover started by itself at 2026-01-01 12:04:00Z, and nothing came of it"
        == ask(tmp_path, 299).reason
    )


def test_only_the_last_start_can_be_withdrawn(tmp_path: Path) -> None:
    """Whoever learns late that its start came to nothing does not open the door behind somebody else's."""
    assert not withdraw(tmp_path, "pulse", NOW)
    assert ask(tmp_path).admitted
    assert ask(tmp_path, 600).admitted
    assert not withdraw(tmp_path, "pulse", NOW)
    assert not ask(tmp_path, 700).admitted


def test_a_withdrawal_that_cannot_be_recorded(tmp_path: Path) -> None:
    """It says so, because the cool-down then goes on."""
    (tmp_path / "sites").write_text("a file where a folder should be")
    with pytest.raises(HomeUnwritable):
        withdraw(tmp_path, "pulse", NOW)


@pytest.mark.parametrize("name", ["../../x", "..", "/etc", "a/b", "A", "a\0b", "a\n"])
def test_the_kill_switch_of_what_is_no_site(tmp_path: Path, name: str) -> None:
    """A name that leads out of the home folder sets nothing and asks nothing."""
    with pytest.raises(InputError):
        set_kill_switch(tmp_path / "home", who="ann", why="", at=NOW, site=name)
    with pytest.raises(InputError):
        kill_switch(tmp_path / "home", name)
    assert [] == list(tmp_path.iterdir())


def test_sites_cool_alone(tmp_path: Path) -> None:
    """One site's recovery does not hold back another's."""
    assert ask(tmp_path, site="pulse").admitted
    assert ask(tmp_path, site="other").admitted


@pytest.mark.parametrize(
    "record", ["", "{", "[]", '{"at": "soon", "procedure": "x"}', '{"at": "2026-01-01T00:00:00", "procedure": "x"}']
)
def test_unreadable_record_keeps_the_door_shut(tmp_path: Path, record: str) -> None:
    """What cannot be told is not taken for permission."""
    file = tmp_path / "sites" / "pulse" / "automatic.json"
    file.parent.mkdir(parents=True)
    file.write_text(record)
    refused = ask(tmp_path)
    assert not refused.admitted
    assert str(file) in refused.reason


def test_start_in_the_future_keeps_the_door_shut(tmp_path: Path) -> None:
    """A clock that was set back does not open the door."""
    assert ask(tmp_path, 7200).admitted
    assert not ask(tmp_path).admitted


def test_unwritable_home(tmp_path: Path) -> None:
    """A start that cannot be recorded is an error, never an admission."""
    (tmp_path / "sites").write_text("a file where a folder should be")
    with pytest.raises(HomeUnwritable):
        ask(tmp_path)


@pytest.mark.parametrize("site", ["", "pulse"], ids=["global", "one-site"])
def test_kill_switch(tmp_path: Path, site: str) -> None:
    """C16: with the switch on nothing starts by itself, the reason names who and why; cleared, it starts again."""
    set_kill_switch(tmp_path, who="ann", why="provider maintenance", at=NOW, site=site)
    refused = ask(tmp_path)
    assert (
        f"kill switch is on since 2026-01-01 12:00:00Z by ann: provider maintenance ({switch_path(tmp_path, site)})"
        == refused.reason
    )
    assert last_automatic_start(tmp_path, "pulse") is None
    cleared = clear_kill_switch(tmp_path, who="bob", why="over", at=NOW, site=site)
    assert cleared is not None
    assert "ann" == cleared.who
    assert ask(tmp_path).admitted


def test_kill_switch_of_another_site(tmp_path: Path) -> None:
    """C16: the switch of one site holds back that site alone."""
    set_kill_switch(tmp_path, who="ann", why="", at=NOW, site="other")
    assert ask(tmp_path).admitted
    assert not ask(tmp_path, site="other").admitted


@pytest.mark.parametrize("content", ["", "do not touch, ann\n", "{}", "[1]"])
def test_kill_switch_set_by_hand(tmp_path: Path, content: str) -> None:
    """C16: a file of any content is a switch that is on, as old as the file."""
    path = switch_path(tmp_path)
    path.write_text(content)
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    switch = kill_switch(tmp_path, "pulse")
    assert switch is not None
    assert f"kill switch is on since 2026-01-01 12:00:00Z ({path})" == str(switch)
    assert not ask(tmp_path).admitted


def test_kill_switch_keeps_its_first_words_and_a_record(tmp_path: Path) -> None:
    """Setting twice keeps the first who and why; each act stays on record after the switch is cleared."""
    set_kill_switch(tmp_path, who="ann", why="first", at=NOW)
    again = set_kill_switch(tmp_path, who="bob", why="second", at=NOW + COOL_DOWN)
    assert ("ann", "first", NOW) == (again.who, again.why, again.since)
    clear_kill_switch(tmp_path, who="cid", why="done", at=NOW)
    assert clear_kill_switch(tmp_path, who="cid", why="done", at=NOW) is None
    acts = [json.loads(line) for line in (tmp_path / "kill-switch.log").read_text().splitlines()]
    assert [("set", "ann"), ("set", "bob"), ("cleared", "cid")] == [(act["what"], act["who"]) for act in acts]


def test_kill_switch_that_cannot_be_written(tmp_path: Path) -> None:
    """A switch that could not be set says so: somebody relies on it."""
    (tmp_path / "sites").write_text("a file where a folder should be")
    with pytest.raises(HomeUnwritable):
        set_kill_switch(tmp_path, who="ann", why="", at=NOW, site="pulse")
