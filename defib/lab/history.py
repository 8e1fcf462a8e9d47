"""The history of the lab's site: a real Git repository, made anew at each start by a fixed author at dates before it."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

from defib.errors import LabDown
from defib.lab.content import STALE_BY
from defib.lab.flutter.compiler import compile_site
from defib.lab.flutter.project import Tree, release, sample
from defib.lab.sitebuild import SiteBuild

BRANCH = "main"
DEPLOYED_BEFORE = timedelta(days=2)
"""How much older than the head the build is that the hosts deployed before the live one."""

_AUTHOR = "Pulse Trading <engineering@pulse-trading.test>"
_ORDERS = "lib/src/orders.dart"
_UNRELATED = {"README.md": b"# pulse-trading\n\nThis repository has moved.\n"}


@dataclass(frozen=True)
class Commit:
    """One commit: its id, when it was made, and its files."""

    id: str
    committed: datetime
    subject: str
    tree: Tree

    def build(self) -> SiteBuild:
        """What the toolchain makes of it."""
        return compile_site(self.tree, self.id, self.committed)


@dataclass(frozen=True)
class History:
    """The commits of `main`, the newest first, in the bare repository `folder`; `unrelated` descends from none of them.

    `unrelated` is in the repository, and no ref leads to it.
    """

    folder: Path
    commits: tuple[Commit, ...]
    unrelated: str

    @property
    def head(self) -> Commit:
        """The newest commit."""
        return self.commits[0]

    @cached_property
    def build(self) -> SiteBuild:
        """The build of the head, with those of the commits before it."""
        newest, *earlier = (commit.build() for commit in self.commits)
        return replace(newest, earlier=tuple(earlier))


def write_history(folder: Path, head: datetime) -> History:
    """Make the repository in `folder`, whose newest commit is of `head`; what was there is gone.

    The same date gives the same ids. :class:`LabDown` where Git is missing or fails.
    """
    shutil.rmtree(folder, ignore_errors=True)
    git(["init", "--quiet", "--bare", f"--initial-branch={BRANCH}", str(folder)])
    head = head.replace(microsecond=0)
    planned = [(head - age, subject, tree) for age, subject, tree in _commits()]
    stream = b"".join(_commit(f"refs/heads/{BRANCH}", *each, first=number == 0) for number, each in enumerate(planned))
    stream += _commit("refs/heads/unrelated", planned[0][0], "Initial commit", _UNRELATED, first=True)
    git(["fast-import", "--quiet"], folder, stream)
    unrelated = git(["rev-parse", "unrelated"], folder).strip()
    refs = f"delete refs/heads/unrelated\ncreate refs/tags/v1.4.1 {BRANCH}~4\ncreate refs/tags/v1.5.0 {BRANCH}\n"
    git(["update-ref", "--stdin"], folder, refs.encode())
    ids = git(["rev-list", "--reverse", BRANCH], folder).split()
    commits = tuple(Commit(commit, *each) for commit, each in zip(ids, planned, strict=True))
    return History(folder, commits[::-1], unrelated)


def _commits() -> list[tuple[timedelta, str, Tree]]:
    """How long before the head, what for, and the files, the oldest first."""
    head = sample()
    without_orders = {path: body for path, body in head.items() if path != _ORDERS}
    app = head["lib/src/app.dart"].replace(b"import 'orders.dart';\n", b"").replace(b", OrderForm()", b"")
    first = release({**without_orders, "lib/src/app.dart": app}, "1.3.0+30")
    second = release({**first, _ORDERS: head[_ORDERS]}, "1.4.0+36")
    third = release(head, "1.4.1+37")
    return [
        (timedelta(days=30), "Quotes", first),
        (timedelta(days=9), "A form for orders", second),
        (DEPLOYED_BEFORE, "Orders can be placed; version 1.4.1", third),
        (timedelta(hours=26), "Explain how to build", {**third, "README.md": head["README.md"] + b"\nNeeds Flutter.\n"}),
        (STALE_BY, "Begin version 1.5.0", release(head, "1.5.0+40")),
        (timedelta(minutes=90), "A larger step for orders", release(_larger(head), "1.5.0+41")),
        (timedelta(0), "Steps of one again; version 1.5.0", head),
    ]


def _larger(tree: Tree) -> Tree:
    return {**tree, _ORDERS: tree[_ORDERS].replace(b"quantity += 1", b"quantity += 10")}


def _commit(ref: str, committed: datetime, subject: str, tree: Mapping[str, bytes], *, first: bool) -> bytes:
    """One commit in the language of ``git fast-import``: https://git-scm.com/docs/git-fast-import."""
    who = f"{_AUTHOR} {int(committed.timestamp())} +0000"
    parts = [f"commit {ref}\nauthor {who}\ncommitter {who}\n".encode(), _data(f"{subject}\n".encode())]
    if not first:
        parts.append(b"deleteall\n")
    for path, body in sorted(tree.items()):
        parts.append(f"M 100644 inline {path}\n".encode() + _data(body))
    return b"".join([*parts, b"\n"])


def _data(body: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(body), body)


def git(command: list[str], folder: Path | None = None, given: bytes = b"") -> str:
    """What Git says to a command, in the repository `folder`; :class:`LabDown` where it fails.

    Nothing of the person's own configuration counts.
    """
    own = {"PATH": os.environ.get("PATH", ""), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}
    where = {"GIT_DIR": str(folder)} if folder else {}
    try:
        ended = subprocess.run(  # noqa: S603 - our own words
            ["git", *command],  # noqa: S607 - whichever git the PATH has, as for everybody
            input=given,
            env=own | where,
            capture_output=True,
            check=True,
        )
    except FileNotFoundError as error:
        raise LabDown("the lab needs git, and the PATH has none", then="install git") from error
    except subprocess.CalledProcessError as error:
        told = error.stderr.decode(errors="replace").strip()
        raise LabDown(f"git {command[0]} failed in the lab", where=str(folder or ""), seen=told) from error
    return ended.stdout.decode()
