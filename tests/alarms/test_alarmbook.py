"""The same alarm twice is one, whoever asks, and however the machine died in between."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from defib.alarms.alarm import Alarm, Says, alarm
from defib.alarms.alarmbook import KEPT, came_to_nothing, is_begun_since, is_known, note, noted
from defib.errors import HomeUnwritable

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def heard(number: int = 1, source: str = "pingdom", says: Says = Says.DOWN) -> Alarm:
    """An alarm."""
    return alarm(source, str(number), says, "Connection Timeout")


def take(folder: Path, number: int = 1) -> bool:
    """Note an alarm, as another process does."""
    return note(folder, heard(number), NOW)


def test_the_same_alarm_is_new_once(tmp_path: Path) -> None:
    """E15: by source, id and what it says; another source's with the same id is another."""
    assert [take(tmp_path) for _ in range(3)] == [True, False, False]
    assert note(tmp_path, heard(source="uptimerobot"), NOW)
    assert note(tmp_path, heard(says=Says.UP), NOW)
    assert [entry.alarm.key for entry in noted(tmp_path)] == [
        ("pingdom", "1", "down"),
        ("uptimerobot", "1", "down"),
        ("pingdom", "1", "up"),
    ]


def test_many_threads_and_processes(tmp_path: Path) -> None:
    """E15: at the same moment, one of them is told that it is new."""
    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(lambda _: take(tmp_path / "threads"), range(100))) == 1
    with ProcessPoolExecutor(3, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert sum(pool.map(take, [tmp_path / "processes"] * 30)) == 1


def test_an_answer_that_came_to_nothing_was_begun(tmp_path: Path) -> None:
    """Who waits for somebody else to answer does not answer as well, whatever came of it; an earlier answer is another."""
    assert not is_begun_since(tmp_path, heard(), NOW)
    take(tmp_path)
    came_to_nothing(tmp_path, heard(), NOW + timedelta(seconds=3))
    assert is_begun_since(tmp_path, heard(), NOW)
    assert not is_begun_since(tmp_path, heard(), NOW + timedelta(seconds=4))


def test_what_came_to_nothing_may_come_again(tmp_path: Path) -> None:
    """A reminder of an outage that nobody could answer, as with the kill switch on, is answered."""
    assert take(tmp_path)
    assert is_known(tmp_path, heard())
    came_to_nothing(tmp_path, heard(), NOW)
    assert not is_known(tmp_path, heard())
    assert [take(tmp_path), take(tmp_path)] == [True, False]


def test_a_flood_is_bounded(tmp_path: Path) -> None:
    """A source gone mad fills no disk, and the newest stay known."""
    numbers = range(2 * KEPT + 50)
    assert all(take(tmp_path, number) for number in numbers)
    assert len(noted(tmp_path)) <= 2 * KEPT
    assert not take(tmp_path, numbers[-1])


@pytest.mark.parametrize("damage", [b'{"at": "2026', b"\xff\n", b"[]\n{}\n"])
def test_damage_takes_nothing_else_with_it(tmp_path: Path, damage: bytes) -> None:
    """A line that a killed process left half written is nothing, and the next one is whole."""
    take(tmp_path, 1)
    with (tmp_path / "alarms.jsonl").open("ab") as book:
        book.write(damage)
    assert [take(tmp_path, 1), take(tmp_path, 2), take(tmp_path, 2)] == [False, True, False]


def test_what_cannot_be_remembered_is_an_error(tmp_path: Path) -> None:
    """It must then start nothing: the next alarm would start it again."""
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeUnwritable):
        take(tmp_path / "file" / "site")
