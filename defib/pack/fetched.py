"""Wheels from an index, exactly those that the lock names, for this platform and for others."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from defib.errors import InputError
from defib.pack.wheels import platform_name

_WITHIN = 900
"""Seconds that pip may take for all wheels of one platform."""


@dataclass(frozen=True)
class Platform:
    """A platform as pip names it, with the version of Python: manylinux_2_28_aarch64 and 3.12."""

    tag: str
    python: str

    @classmethod
    def named(cls, text: str) -> Platform:
        """From ``TAG:PYTHON``, such as ``macosx_14_0_arm64:3.12``."""
        tag, _, python = text.partition(":")
        if not re.fullmatch(r"\w+", tag) or not re.fullmatch(r"3\.\d+", python):
            raise InputError("no platform", expected="TAG:PYTHON, such as macosx_14_0_arm64:3.12", seen=text)
        return cls(tag, python)

    @property
    def name(self) -> str:
        """As folders of wheels are named."""
        system = {"manylinux": "linux", "macosx": "darwin", "win": "win32"}
        kind = next((name for prefix, name in system.items() if self.tag.startswith(prefix)), self.tag.partition("_")[0])
        machine = re.sub(r"^(manylinux|macosx|win)[_\d]*?_?(?=x86_64|arm64|aarch64|amd64|i686|universal2)", "", self.tag)
        return f"{kind}-{machine}-cp{self.python.replace('.', '')}"


def wanted(lock: str, names: Collection[str]) -> str:
    """The parts of a lock with hashes that are about these distributions."""
    return "".join(block for name, block in _blocks(lock) if name in names)


def _blocks(lock: str) -> Iterator[tuple[str, str]]:
    for block in re.findall(r"^[^\s#-][^\n]*\n(?:[ \t]+[^\n]*\n)*", lock, re.MULTILINE):
        yield canonicalize_name(re.split(r"[\s=<>!~;\[]", block, maxsplit=1)[0]), block


def fetched(lock: str, names: Collection[str], place: Platform | None = None) -> dict[str, bytes]:
    """The wheels by file name, as pip downloads them and checks their hashes; :class:`InputError` where it cannot."""
    with tempfile.TemporaryDirectory(prefix="defib-wheels-") as scratch:
        folder = Path(scratch)
        requirements = folder / "requirements.txt"
        requirements.write_text(wanted(lock, names), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--only-binary=:all:",
        ]
        command += ["--disable-pip-version-check", "--no-input", "--retries", "1", "--timeout", "10"]
        command += ["--platform", place.tag, "--python-version", place.python] if place else []
        command += ["--dest", str(folder / "wheels"), "--requirement", str(requirements)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_WITHIN, check=False)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _refused(place, str(error)) from error
        if done.returncode != 0:
            raise _refused(place, done.stderr.strip()[-600:])
        return {path.name: path.read_bytes() for path in sorted((folder / "wheels").iterdir())}


def _refused(place: Platform | None, seen: str) -> InputError:
    whose = place.name if place else platform_name()
    return InputError(f"the index did not give the wheels for {whose}", seen=seen, then="defib pack --wheels installed")
