"""Git hosts in a process of their own: whoever asks them, be it Defib or git, shares no interpreter with them.

``python -m benchmarks.git_hosts FOLDER`` serves them until its input ends.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from defib.clock import SystemClock
from defib.lab.background import BackgroundLoop
from defib.lab.forge.furniture import github_api, gitlab_api
from defib.lab.git import GitHost, GitVendor
from defib.lab.history import git, write_history

TOKEN = "glpat-0123456789-of-the-bench"
_WHO = "committer Bench <bench@example.test> 1772366400 +0000"
_APIS = {"source": github_api, "ours": gitlab_api, "gits": gitlab_api}
_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Hosted:
    """A repository: its URL at a host, and the folder in which it is kept."""

    url: str
    repository: Path

    def refs(self, *under: str) -> dict[str, str]:
        """Every ref, or those under some folders, with the id of what it leads to."""
        lines = git(["for-each-ref", "--format=%(refname) %(objectname)", *under], self.repository).splitlines()
        return dict(line.split(" ", 1) for line in lines)

    def fill(self, refs: int) -> None:
        """As many branches as make it so many refs, each with a commit of its own."""
        tip = git(["rev-parse", "refs/heads/main"], self.repository).strip()
        numbers = range(refs - len(self.refs()))
        told = "".join(_commit(f"refs/heads/topic/{number:04}", tip, "topic", f"{number:04}") for number in numbers)
        git(["fast-import", "--quiet"], self.repository, told.encode())

    def commit(self, number: int) -> None:
        """One more commit on the branch."""
        told = _commit("refs/heads/main", "refs/heads/main^0", "round", str(number))
        git(["fast-import", "--quiet"], self.repository, told.encode())


def _commit(branch: str, parent: str, name: str, content: str) -> str:
    """A commit with one more file, as `git fast-import` reads it."""
    head = f"commit {branch}\n{_WHO}\ndata 1\n.\nfrom {parent}\n"
    return f"{head}M 644 inline {name}\ndata {len(content)}\n{content}\n\n"


@dataclass(frozen=True)
class Hosts:
    """The source, a mirror for Defib, and one for git."""

    source: Hosted
    ours: Hosted
    gits: Hosted


@contextmanager
def hosts(folder: Path, refs: int) -> Iterator[Hosts]:
    """The three of them, while the block lasts; the source has at least so many refs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.git_hosts", str(folder)],
        cwd=_ROOT,
        env=dict(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        told = json.loads(process.stdout.readline())
        made = Hosts(**{name: Hosted(url, Path(repository)) for name, (url, repository) in told.items()})
        made.source.fill(refs)
        yield made
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


def main(folder: Path) -> None:
    """Serve until the end of the input."""
    clock = SystemClock()
    history = write_history(folder / "history.git", clock.now() - timedelta(hours=1))
    vendor = GitVendor("Bench", "Who are you?", "Nothing is here.")
    told = {}
    with ExitStack() as stack:
        loop = stack.enter_context(BackgroundLoop())
        for name, api in _APIS.items():
            settings = api(TOKEN, clock.now(), clock)
            host = GitHost(vendor, "127.0.0.1", 0, folder / name, TOKEN, history, settings)
            loop.run(host.start())
            stack.callback(lambda host=host: loop.run(host.stop()))  # type: ignore[misc]
            told[name] = (host.url, str(host.repository))
        print(json.dumps(told), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
