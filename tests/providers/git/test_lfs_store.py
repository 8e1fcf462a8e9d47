"""An LFS object on this machine has its name only when it is right."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import BudgetSpent, HomeUnwritable, Interrupted
from defib.providers.git.lfs_pointers import Pointer
from defib.providers.git.lfs_store import LfsStore
from tests.providers.git.lfs_stage import pointer_to

BODY = b"0123456789" * 100
POINTER = pointer_to(BODY)
ROOT = Path(__file__).parents[3]

KILLED = """
import sys, time
from pathlib import Path
from datetime import timedelta
from defib.clock import Deadline, SystemClock
from defib.providers.git.lfs_pointers import Pointer
from defib.providers.git.lfs_store import LfsStore
store, pointer = LfsStore(Path(sys.argv[1])), Pointer(sys.argv[2], 1000)
with store.open(Deadline.after(SystemClock(), timedelta(seconds=60))), store.incoming(pointer) as coming:
    coming.write(b"0123456789" * 99)
    print("half", flush=True)
    time.sleep(600)
"""


def within(seconds: float = 60) -> Deadline:
    """A deadline."""
    return Deadline.after(SystemClock(), timedelta(seconds=seconds))


def everything(store: LfsStore) -> list[str]:
    """All files of the store but its lock."""
    return sorted(path.name for path in store.folder.rglob("*") if path.is_file() and path.name != "defib.lock")


def bring(store: LfsStore, pointer: Pointer, *pieces: bytes) -> str:
    """Let these bytes come; what is wrong with them."""
    with store.open(within()), store.incoming(pointer) as coming:
        for piece in pieces:
            coming.write(piece)
    return coming.problem


def test_an_object_is_kept(tmp_path: Path) -> None:
    """Whole and right it has its name, where git-lfs has it, and is read as it came."""
    store = LfsStore(tmp_path / "lfs")
    assert not store.holds(POINTER)
    assert not bring(store, POINTER, BODY[:300], BODY[300:])
    assert store.path(POINTER.oid) == tmp_path / "lfs" / "objects" / POINTER.oid[:2] / POINTER.oid[2:4] / POINTER.oid
    assert (True, True) == (store.holds(POINTER), store.is_sound(POINTER, within()))
    assert BODY == b"".join(store.read(POINTER, within()))
    assert [POINTER.oid] == everything(store)
    assert not store.holds(Pointer(POINTER.oid, 999))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (BODY[:-1], "999 bytes came in place of 1000"),
        (BODY + b"0", "more than its 1000 bytes came"),
        (BODY[:-1] + b"x", "other bytes came: their SHA-256 is"),
        (b"", "0 bytes came"),
    ],
)
def test_anything_else_is_not(tmp_path: Path, body: bytes, said: str) -> None:
    """What is short, long or other never has the name, and is gone."""
    store = LfsStore(tmp_path / "lfs")
    assert said in bring(store, POINTER, body)
    assert [] == everything(store)


def test_the_empty_object(tmp_path: Path) -> None:
    """No bytes are an object, too."""
    store = LfsStore(tmp_path / "lfs")
    assert not bring(store, pointer_to(b""))
    assert store.is_sound(pointer_to(b""), within())


def test_begun_anew(tmp_path: Path) -> None:
    """What came before counts no longer."""
    store = LfsStore(tmp_path / "lfs")
    with store.open(within()), store.incoming(POINTER) as coming:
        coming.write(b"x" * 2000)
        coming.begin_anew()
        coming.write(BODY)
    assert store.is_sound(POINTER, within())


def test_an_error_on_the_way(tmp_path: Path) -> None:
    """Whoever breaks off leaves nothing, however much had come."""
    store = LfsStore(tmp_path / "lfs")

    def break_off() -> None:
        with store.open(within()), store.incoming(POINTER) as coming:
            coming.write(BODY)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        break_off()
    assert [] == everything(store)


@pytest.mark.parametrize("damage", [BODY[:-1] + b"x", BODY[:-1]])
def test_damaged_later(tmp_path: Path, damage: bytes) -> None:
    """An object that the disk damaged is not sound; under the right length it loses its name, so that it comes anew."""
    store = LfsStore(tmp_path / "lfs")
    bring(store, POINTER, BODY)
    store.path(POINTER.oid).write_bytes(damage)
    assert not store.is_sound(POINTER, within())
    assert not store.holds(POINTER)
    assert not bring(store, POINTER, BODY)
    assert store.is_sound(POINTER, within())


def test_killed_on_the_way(tmp_path: Path) -> None:
    """A process that is killed in the middle leaves nothing under the name; what it left is removed by the next one alone.

    While it runs nobody takes away what it is writing.
    """
    store = LfsStore(tmp_path / "lfs")
    command = [sys.executable, "-c", KILLED, str(store.folder), POINTER.oid]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with store.open(within()):
            assert 1 == len(everything(store))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not store.holds(POINTER)
    assert 1 == len(everything(store))
    with store.open(within()):
        assert [] == everything(store)


def test_a_disk_that_cannot_be_written(tmp_path: Path) -> None:
    """It is said where."""
    (tmp_path / "file").write_text("")
    with pytest.raises(HomeUnwritable, match="cannot keep LFS objects"), LfsStore(tmp_path / "file" / "lfs").open(within()):
        pass


def test_in_time(tmp_path: Path) -> None:
    """Reading ends with the deadline, and at once when the run is stopped."""
    store = LfsStore(tmp_path / "lfs")
    bring(store, POINTER, BODY)
    with pytest.raises(BudgetSpent):
        store.is_sound(POINTER, within(0))
    clock = SystemClock()
    clock.interrupt()
    with pytest.raises(Interrupted):
        store.is_sound(POINTER, Deadline.after(clock, timedelta(seconds=60)))
    assert store.holds(POINTER)
