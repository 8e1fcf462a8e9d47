"""The submodules that a commit needs: looked up once for each commit, and remembered beside the store."""

from __future__ import annotations

from defib.clock import Deadline
from defib.providers.git.command import GitCommand
from defib.wholefile import put

_KEPT = "submodules"


def submodules_of(git: GitCommand, commit: str, within: Deadline) -> tuple[str, ...]:
    """The URLs in ``.gitmodules`` of `commit`; none where there is no such file, or none that can be read."""
    kept = git.repository / _KEPT
    known = kept.read_text(encoding="utf-8", errors="replace").split("\n") if kept.is_file() else []
    if known[:1] == [commit]:
        return tuple(known[1:])
    lines: list[str] = []
    command = ("config", "--blob", f"{commit}:.gitmodules", "--get-regexp", r"\.url$")
    told = git.run(*command, within=within, line=lines.append)
    urls = () if told.status else tuple(line.partition(" ")[2].strip() for line in lines)
    put(kept, "\n".join((commit, *urls)).encode(), "which submodules are needed")
    return urls
