"""The password of Prefect's API: made once, kept for its owner alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from defib.errors import InputError
from flows.service.password import FILE, password


def test_it_is_made_once(tmp_path: Path) -> None:
    """It is long, it is for its owner alone, and it is the same the next time: browsers and workers have it."""
    made = password(tmp_path)
    assert 0o600 == (tmp_path / FILE).stat().st_mode & 0o777
    assert ("defib", 43) == (made.partition(":")[0], len(made.partition(":")[2]))
    assert made == password(tmp_path)


def test_no_two_homes_have_the_same(tmp_path: Path) -> None:
    """It is drawn, not derived."""
    homes = [tmp_path / name for name in "ab"]
    for home in homes:
        home.mkdir()
    assert password(homes[0]) != password(homes[1])


def test_one_that_others_may_read_is_refused(tmp_path: Path) -> None:
    """It is no secret any more, and is said to be none."""
    password(tmp_path)
    (tmp_path / FILE).chmod(0o640)
    with pytest.raises(InputError) as refused:
        password(tmp_path)
    assert "mode 640" in refused.value.seen
    assert str(tmp_path / FILE) in refused.value.then


@pytest.mark.parametrize("text", ["", "no colon", ":nobody", "nothing:"])
def test_a_file_that_holds_none(tmp_path: Path, text: str) -> None:
    """Prefect would take an empty one for no authentication at all."""
    (tmp_path / FILE).write_text(text)
    (tmp_path / FILE).chmod(0o600)
    with pytest.raises(InputError):
        password(tmp_path)
