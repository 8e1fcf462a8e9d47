"""Repositories brought to their mirrors: nothing new, one commit, two hundred of them, against git's own fetch and push."""

from __future__ import annotations

import base64
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from benchmarks.figures import Findings, Sample, Series, Target, at_most, in_turns
from benchmarks.git_hosts import TOKEN, Hosted, Hosts
from benchmarks.git_hosts import hosts as git_hosts
from benchmarks.order import Order
from defib.approval import Automatic
from defib.clock import SystemClock
from defib.entries import EngineChosen
from defib.home import Home
from defib.mirror.copies import AT_ONCE, Mirrors
from defib.mirror.sources import SourcesOfSite
from defib.objectives import Mode, Status
from defib.outside import Fence, Outside
from defib.providers.git.bundle import added_to, read_header
from defib.providers.git.keeping import WHOLE_EVERY
from defib.providers.git.mirror import GitMirror
from defib.run import Run
from defib.sites.git import Remote, Repository
from defib.start import Desk, new_run
from defib.start import Order as RunOrder
from flows.engine import perform
from flows.git_mirror import PROCEDURE

REFS = 2801
MANY = 200
MOST_FOR_MANY = 30
"""Seconds for all of them, with nothing new."""

MOST_PROCESSES = 5 * AT_ONCE
"""Where git asks, three of ours for each question to a remote, and two of the host's, which is on the same machine here."""

_ROOT = Path(__file__).resolve().parents[1]
_SITE = _ROOT / "runbooks" / "sites" / "lab.yaml"
_SAME, _COMMIT, _WHOLE, _ALL, _PROCESSES = (
    f"nothing new, {REFS:,} refs",
    "one commit",
    "one commit, the first of a day",
    f"{MANY} repositories, nothing new",
    "processes of git at once",
)
_NOTES = (
    "the hosts are git http-backend behind the lab's HTTP server, in a process of their own",
    "Defib is a whole run of git-mirror in a process that runs already: journal, lease, bundle, comparison by ref",
    "once a day Defib makes the bundle whole, which git does not have; otherwise it adds to it what is new",
    "git is fetch --prune and push --mirror, which take a mirror from 2,801 refs to none where the source is emptied",
)


def measure(order: Order) -> Findings:
    """Both tools in turn, each with a mirror of its own of the same source."""
    with tempfile.TemporaryDirectory(prefix="defib-bench-") as name, git_hosts(Path(name), REFS) as hosts:
        folder = Path(name)
        order.tell(f"{REFS} refs, {order.rounds} rounds, two tools")
        ours = _Defib(folder / "home", (_repository("pulse", hosts),))
        peer = _Git(folder / "clone.git", hosts)
        tools: Mapping[str, Callable[[], Sample]] = {"defib": ours.mirror, "git": peer.mirror}
        checks = {"defib": hosts.ours, "git": hosts.gits}
        same = in_turns(order.rounds, {tool: _task(work, hosts, checks[tool]) for tool, work in tools.items()})
        commit = in_turns(order.rounds, {tool: _task(work, hosts, checks[tool], new=True) for tool, work in tools.items()})
        whole = in_turns(order.rounds, {"defib": _task(ours.mirror_after_a_day, hosts, hosts.ours, new=True)})
    order.tell(f"{MANY} repositories")
    with tempfile.TemporaryDirectory(prefix="defib-bench-") as name, git_hosts(Path(name), 0) as hosts:
        many = _Defib(Path(name) / "home", tuple(_repository(f"r{number}", hosts) for number in range(MANY)))
        all_of_them, most = _many(many)
    series = (
        *(Series(_SAME, tool, samples=same[tool]) for tool in tools),
        *(Series(_COMMIT, tool, samples=commit[tool]) for tool in tools),
        Series(_WHOLE, "defib", samples=whole["defib"]),
        Series(_ALL, "defib", samples=(all_of_them,)),
        Series(_PROCESSES, "defib", "", (most,)),
    )
    return Findings(series, _targets(series), _NOTES)


def _targets(series: tuple[Series, ...]) -> tuple[Target, ...]:
    same, git_same, commit, git_commit, _, many, processes = series
    return (
        at_most(f"{_SAME}: half of git", same, same.median, (git_same.median or 0) / 2),
        at_most(f"{_COMMIT}: 1.1 times git", commit, commit.median, (git_commit.median or 0) * 1.1),
        at_most(_ALL, many, many.median, MOST_FOR_MANY),
        at_most(_PROCESSES, processes, processes.median, MOST_PROCESSES),
    )


def _task(work: Callable[[], Sample], hosts: Hosts, there: Hosted, *, new: bool = False) -> Callable[[int], Sample]:
    def sample(number: int) -> Sample:
        if new:
            hosts.source.commit(number)
        took = work()
        source, mirror = hosts.source.refs(), there.refs()
        wrong = sum(mirror.get(ref) != commit for ref, commit in source.items())
        return Sample(None, f"{wrong} refs are not at the mirror") if wrong and took.value is not None else took

    return sample


def _many(many: _Defib) -> tuple[Sample, Sample]:
    first = many.mirror()
    if first.value is None:
        return first, first
    with _counting() as most:
        took = many.mirror()
    return took, Sample(float(max(most, default=0)))


class _Defib:
    """Whole runs of git-mirror."""

    def __init__(self, home: Path, repositories: tuple[Repository, ...]) -> None:
        self._repositories = repositories
        self._desk = Desk(Home.open(home), _ROOT / "runbooks", SystemClock(), self._open)

    def _open(self, _site: object, home: Home, *_: object) -> Outside:
        fence, none, gate = Fence(), cast("Any", None), threading.Semaphore(AT_ONCE)
        folder = home.mirrors("lab")
        written = {each.name: "source" for each in self._repositories}
        sources = SourcesOfSite("lab", folder / "sources.json", written, {name: ["source", "mirror"] for name in written})
        opened = (
            GitMirror(
                folder / f"{each.name}.git",
                each,
                lambda _: TOKEN,
                folder / f"{each.name}.bundle",
                before_write=fence,
                gate=gate,
            )
            for each in self._repositories
        )
        return Outside((), {}, none, none, none, none, mirrors=Mirrors(tuple(opened), folder, sources), fence=fence)

    def mirror_after_a_day(self) -> Sample:
        """One run that finds its bundles a day old."""
        for bundle in self._desk.home.mirrors("lab").glob("*.bundle"):
            then = bundle.stat().st_mtime - WHOLE_EVERY.total_seconds()
            os.utime(bundle, (then, then))
        return self.mirror()

    def mirror(self) -> Sample:
        """One run; wrong where it does not end well, or what it keeps is not what its own copy holds."""
        clock = self._desk.clock
        begun = clock.monotonic()
        run = new_run(self._desk, RunOrder(PROCEDURE.name, str(_SITE), Mode.REHEARSAL, Automatic("a benchmark")))
        try:
            outcome = perform(PROCEDURE, run, EngineChosen(prefect=False, why="a benchmark"))
        finally:
            _give_back(run)
        took = clock.monotonic() - begun
        if outcome.status is not Status.RECOVERED:
            return Sample(None, outcome.reason[:200])
        lacking = [each.name for each in self._repositories if not self._is_bundled(each.name)]
        return Sample(None, f"the bundle of {lacking[0]} is not as its store") if lacking else Sample.took(took)

    def _is_bundled(self, name: str) -> bool:
        folder = self._desk.home.mirrors("lab")
        bundle = folder / f"{name}.bundle"
        headers = [read_header(path) for path in (bundle, added_to(bundle)) if path.is_file()]
        kept = {ref: commit for header in headers if header for ref, commit in header.heads.items()}
        return kept == Hosted("", folder / f"{name}.git").refs("refs/heads", "refs/tags", "refs/archive")


def _give_back(run: Run) -> None:
    if run.changes.lease is not None:
        run.changes.lease.release()


class _Git:
    """A bare mirror clone, kept up by git's own commands."""

    def __init__(self, clone: Path, hosts: Hosts) -> None:
        self._clone, self._to = clone, hosts.gits.url
        _run("git", "clone", "--quiet", "--mirror", hosts.source.url, str(clone))

    def mirror(self) -> Sample:
        """Fetch and push."""
        clock = SystemClock()
        begun = clock.monotonic()
        for command in (("fetch", "--quiet", "--prune", "origin"), ("push", "--quiet", "--mirror", self._to)):
            _run("git", "--git-dir", str(self._clone), *command)
        return Sample.took(clock.monotonic() - begun)


def _run(program: str, *arguments: str) -> None:
    login = base64.b64encode(f"git:{TOKEN}".encode()).decode()
    header = f"http.extraHeader=Authorization: Basic {login}"
    subprocess.run([program, "-c", header, *arguments], check=True, capture_output=True, timeout=120)


def _repository(name: str, hosts: Hosts) -> Repository:
    remotes = tuple(
        Remote(name=host, url=at.url, token="env:TOKEN") for host, at in (("source", hosts.source), ("mirror", hosts.ours))
    )
    return Repository(name=name, remotes=remotes)


@contextmanager
def _counting() -> Iterator[list[int]]:
    """How many processes of git there are, looked at again and again; those of the hosts are among them."""
    found: list[int] = []
    clock = SystemClock()
    stop = clock.every(timedelta(milliseconds=50), lambda: found.append(_gits()))
    try:
        yield found
    finally:
        stop()


def _gits() -> int:
    count = 0
    for path in Path("/proc").glob("[0-9]*/comm"):
        try:
            count += path.read_text(encoding="utf-8", errors="replace").startswith("git")
        except OSError:  # it has ended meanwhile
            continue
    return count
