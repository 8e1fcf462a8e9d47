"""Repositories to be served: made with git's own commands, also in the ways in which nobody should."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def git(folder: Path, *arguments: str, given: bytes = b"", at: datetime = NOON) -> str:
    """What git says; it must succeed. Commits are dated `at`."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Pulse",
        "GIT_AUTHOR_EMAIL": "pulse@example.test",
        "GIT_COMMITTER_NAME": "Pulse",
        "GIT_COMMITTER_EMAIL": "pulse@example.test",
        "GIT_AUTHOR_DATE": f"@{int(at.timestamp())} +0000",
        "GIT_COMMITTER_DATE": f"@{int(at.timestamp())} +0000",
    }
    done = subprocess.run(["git", *arguments], cwd=folder, env=environment, input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


@dataclass(frozen=True)
class Repository:
    """A bare repository at `folder`."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Repository:
        """An empty one."""
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", ".")
        return cls(folder)

    def commit(
        self, files: dict[str, str], *parents: str, at: timedelta = timedelta(0), branch: str = "main", mode: str = "100644"
    ) -> str:
        """A commit of exactly `files`, on `parents`, dated `at` after noon; `branch` is set to it."""
        return self.commit_tree(self.tree(files, mode), *parents, at=at, branch=branch)

    def tree(self, files: dict[str, str], mode: str = "100644") -> str:
        """A tree, in which names may be as hostile as Git's own commands let nobody write them."""
        folders: dict[str, dict[str, str]] = {}
        entries: list[tuple[bytes, bytes]] = []
        for path, text in files.items():
            name, slash, rest = path.partition("/")
            if slash:
                folders.setdefault(name, {})[rest] = text
            else:
                blob = git(self.folder, "hash-object", "-w", "--stdin", given=text.encode())
                entries.append((name.encode(), mode.encode() + b" " + name.encode() + b"\0" + bytes.fromhex(blob)))
        for name, inside in folders.items():
            tree = self.tree(inside, mode)
            entries.append((name.encode() + b"/", b"40000 " + name.encode() + b"\0" + bytes.fromhex(tree)))
        raw = b"".join(entry for _, entry in sorted(entries))
        return git(self.folder, "hash-object", "-w", "--literally", "-t", "tree", "--stdin", given=raw)

    def commit_tree(self, tree: str, *parents: str, at: timedelta = timedelta(0), branch: str = "main") -> str:
        """A commit of `tree`."""
        on = [argument for parent in parents for argument in ("-p", parent)]
        made = git(self.folder, "commit-tree", tree, *on, "-m", "a change", at=NOON + at)
        git(self.folder, "update-ref", f"refs/heads/{branch}", made)
        return made

    def take(self, other: Repository, commit: str, branch: str = "main") -> None:
        """Set `branch` to a commit of another repository, as a mirror does."""
        git(self.folder, "fetch", "--quiet", str(other.folder), f"+{commit}:refs/heads/{branch}")

    def bundle(self, path: Path, branch: str = "main") -> Path:
        """Write a bundle of `branch`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        git(self.folder, "bundle", "create", "--quiet", str(path), f"refs/heads/{branch}")
        return path
