"""Wheels made of an installation: what was installed, checked, and the same bytes every time."""

from __future__ import annotations

import io
import zipfile
from importlib.metadata import PathDistribution, distribution
from pathlib import Path

import pytest

from defib.errors import InputError
from defib.pack.fetched import Platform, fetched, wanted
from defib.pack.wheels import closure, repacked


def installed(name: str, folder: Path) -> PathDistribution:
    """A copy of an installed distribution, which a test may spoil."""
    there = distribution(name)
    for file in there.files or ():
        if ".." not in file.parts and file.suffix != ".pyc":
            copy = folder / file
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(file.read_binary())
    return PathDistribution(next(folder.glob("*.dist-info")))


def test_a_wheel_of_what_is_installed(tmp_path: Path) -> None:
    """Its name says what it fits, its record names every file that is in it with its hash; twice the same bytes."""
    name, wheel = repacked(distribution("h11"))
    assert name.startswith("h11-")
    assert name.endswith("-py3-none-any.whl")
    assert repacked(installed("h11", tmp_path)) == (name, wheel)
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        names = set(archive.namelist())
        (record,) = [each for each in names if each.endswith(".dist-info/RECORD")]
        told = {line.split(",")[0] for line in archive.read(record).decode().splitlines()}
    assert told == names
    assert "h11/_connection.py" in names
    assert not any("__pycache__" in each or each.endswith("INSTALLER") for each in names)


def test_a_file_that_was_changed_since(tmp_path: Path) -> None:
    """It is refused: a pack holds what was installed, or is none."""
    there = installed("h11", tmp_path)
    (tmp_path / "h11" / "_connection.py").write_text("import os\n", encoding="utf-8")
    with pytest.raises(InputError, match="not what was installed") as refused:
        repacked(there)
    assert refused.value.where.endswith("_connection.py")


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """The same where a file is missing."""
    there = installed("h11", tmp_path)
    (tmp_path / "h11" / "_connection.py").unlink()
    with pytest.raises(InputError, match="is gone"):
        repacked(there)


def test_what_a_pack_needs() -> None:
    """What Defib and the lab need, and what that needs; neither what develops them, nor itself."""
    names = {each.name.lower().replace("_", "-") for each in closure()}
    assert {"prefect", "boto3", "botocore", "moto", "trustme", "werkzeug", "arro3-core"} <= names
    assert {"pytest", "mypy", "ruff", "defib"} & names == set()


LOCK = """\
boto3==1.2 ; sys_platform != 'win32' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
ruamel-yaml==0.18 \\
    --hash=sha256:cc
pytest==8 \\
    --hash=sha256:dd
"""


def test_parts_of_a_lock() -> None:
    """Only what is needed, with its versions, markers and hashes as they are."""
    assert wanted(LOCK, {"boto3", "ruamel-yaml"}) == LOCK[: LOCK.index("pytest")]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("manylinux_2_28_aarch64:3.12", "linux-aarch64-cp312"),
        ("manylinux2014_x86_64:3.11", "linux-x86_64-cp311"),
        ("macosx_14_0_arm64:3.13", "darwin-arm64-cp313"),
    ],
)
def test_platforms(text: str, name: str) -> None:
    """As pip names them, and as the pack's own installer looks for them."""
    assert Platform.named(text).name == name


@pytest.mark.parametrize("text", ["linux", "manylinux_2_28_aarch64:2.7", "../x:3.11"])
def test_no_platform(text: str) -> None:
    """One message, before anything is fetched."""
    with pytest.raises(InputError, match="no platform"):
        Platform.named(text)


def test_an_index_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told, with what to do instead."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(InputError, match="the index did not give the wheels") as refused:
        fetched(LOCK, {"boto3"})
    assert refused.value.then == "defib pack --wheels installed"
