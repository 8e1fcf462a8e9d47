"""Fixtures that start real things: a lab with a home of its own, and ``defib`` as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from defib.cli.labs import start, stop
from defib.home import Home

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Its one JSON object."""
        plain: dict[str, Any] = json.loads(self.out)
        return plain


@dataclass(frozen=True)
class Defib:
    """``defib`` with a home of its own, no Prefect and no AWS settings."""

    home: Path
    extra: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """What the command sees; nothing of the machine's own settings."""
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "TMPDIR"}}
        return {**kept, "HOME": str(self.home), "DEFIB_HOME": str(self.home), "PYTHONPATH": str(ROOT), **self.extra}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command and do not wait for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "defib", *arguments],
            env=self.environment(),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *arguments: str) -> Ended:
        """Run a command to its end, which is far away on a machine that is busy."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=600)
        return Ended(process.returncode, out, err)


LabMaker = Callable[[str], Defib]


@pytest.fixture(scope="module")
def make_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabMaker]:
    """Bring labs up on networks of their own; each stops with its module, because an idle one costs time too."""
    homes: list[Home] = []

    def make(net: str) -> Defib:
        home = Home.open(tmp_path_factory.mktemp(f"lab-{net}"))
        homes.append(home)
        start(home, net, parent=os.getpid())
        return Defib(home.path)

    yield make
    for home in homes:
        stop(home)


@pytest.fixture
def defib(tmp_path: Path) -> Defib:
    """``defib`` with an empty home."""
    return Defib(tmp_path)
