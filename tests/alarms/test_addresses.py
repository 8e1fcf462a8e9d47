"""The secret in the addresses of alarms: drawn once, for its owner alone, and refused where it fits no address."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest

from defib.alarms.addresses import OWN_SECRET, secret_of_addresses
from defib.errors import SecretMissing
from defib.home import Home


def test_drawn_once(tmp_path: Path) -> None:
    """Whoever comes first draws it, and everybody who comes at the same time has that one."""
    drawn: list[str] = []
    together = threading.Barrier(8)

    def ask() -> None:
        together.wait()
        drawn.append(secret_of_addresses(Home(tmp_path), OWN_SECRET))

    askers = [threading.Thread(target=ask) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert (len(drawn), len(set(drawn))) == (8, 1)
    assert stat.S_IMODE((tmp_path / "webhook-secret").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["webhook-secret"]


def test_one_that_fits_no_address(tmp_path: Path) -> None:
    """What could be guessed, or would have to be quoted, is not taken; nor is it repeated."""
    (tmp_path / "short").write_text("hunter2\n")
    with pytest.raises(SecretMissing, match="no secret for an address") as caught:
        secret_of_addresses(Home(tmp_path), "file:short")
    assert (caught.value.seen, "hunter2" in str(caught.value)) == ("7 characters", False)


def test_one_of_somebody_elses_is_not_drawn(tmp_path: Path) -> None:
    """Only our own is made: a reference that leads nowhere is a slip."""
    with pytest.raises(SecretMissing, match="cannot be used"):
        secret_of_addresses(Home(tmp_path), "file:other")
    assert not (tmp_path / "other").exists()
