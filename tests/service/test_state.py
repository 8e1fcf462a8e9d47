"""What is written down of the processes that were started."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from defib.errors import DefibError
from defib.processid import ProcessId
from flows.service.place import Place
from flows.service.state import FILE, Service


def test_it_reads_as_it_was_written(tmp_path: Path) -> None:
    """Place, password and processes, in their order."""
    service = Service(Place("127.0.0.1", 4711), True, {"server": ProcessId(1, "10"), "worker": ProcessId(2, "20")})
    service.write(tmp_path)
    assert service == Service.read(tmp_path)


@pytest.mark.parametrize(
    ("host", "asks", "expected"),
    [
        ("127.0.0.1", None, False),
        ("0.0.0.0", None, True),
        ("::", None, True),
        ("192.0.2.7", None, True),
        ("127.0.0.1", True, True),
        ("0.0.0.0", False, False),
    ],
)
def test_whoever_else_can_reach_it_is_asked_for_a_password(host: str, asks: bool | None, expected: bool) -> None:
    """Unless somebody says otherwise; nobody has to think of it."""
    assert Service.wanted(Place(host), asks).asks is expected


def test_where_nothing_was_started(tmp_path: Path) -> None:
    """Nothing is up."""
    assert Service.read(tmp_path) is None


def test_a_number_that_another_process_has_now(tmp_path: Path) -> None:
    """A process is known by its number and its start: one that has only the number is not ours to signal."""
    me = ProcessId.of(os.getpid())
    mine = Service(Place(), False, {"server": me})
    other = Service(Place(), False, {"server": replace(me, started="1")})
    assert (True, False) == (mine.alive("server"), other.alive("server"))
    assert not mine.alive("worker")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"host": "127.0.0.1", "port": 1, "asks": false, "processes": {"server": 7}}']
)
def test_a_file_that_nobody_can_read(tmp_path: Path, text: str) -> None:
    """It is never taken for nothing: its processes may run."""
    (tmp_path / FILE).write_text(text)
    with pytest.raises(DefibError) as told:
        Service.read(tmp_path)
    assert str(tmp_path / FILE) in (told.value.where, told.value.then.rpartition(" ")[2])
