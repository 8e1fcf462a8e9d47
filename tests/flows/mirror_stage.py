"""A site whose repositories are mirrored between real Git servers on loopback, and what a test wants to do with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

from ruamel.yaml import YAML

from defib import copyentries, entries
from defib.approval import Approver, Automatic
from defib.clock import SystemClock
from defib.conduct import Outcome, roll_back
from defib.home import Home
from defib.journal import Sink
from defib.mirror.copies import Mirrors
from defib.objectives import Mode
from defib.outside import Fence, Outside
from defib.plan import Plan
from defib.providers.open import open_mirrors
from defib.run import PlanReady, Run
from defib.sites.site import Site
from defib.start import Desk, Order, new_run, plan_run, take_up
from flows.engine import perform
from flows.git_mirror import PROCEDURE
from tests.providers.git.repository import Repository, git
from tests.providers.git.server import GitServer, serving
from tests.stage import LAB, RUNBOOKS, WITHOUT_PREFECT, PlainFile

HOSTS = ("github", "gitlab", "codeberg")


class AheadClock(SystemClock):
    """The machine's clocks, of which the one on the wall is `ahead`."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


@dataclass
class MirrorStage:
    """GitHub is the source; GitLab and a third host are its mirrors. Tests change the repositories themselves."""

    home: Path
    hosts: dict[str, GitServer]
    more: dict[str, Any] = field(default_factory=dict)
    clock: AheadClock = field(default_factory=AheadClock)
    sink: Callable[[Path], Sink] = PlainFile
    lab: bool = True

    def __post_init__(self) -> None:
        self.at = {name: Repository.make(host.root / "pulse.git") for name, host in self.hosts.items()}
        self.tokens = {f"env:{name.upper()}": host.token for name, host in self.hosts.items()}
        self.desk = Desk(Home.open(self.home / "defib"), RUNBOOKS, self.clock, self._open, sink=self._sink)
        self.site_path = self.home / "lab.yaml"
        self.write()

    def write(self, **more: object) -> None:
        """The site file, with `more` in its part about Git."""
        yaml = YAML(typ="safe")
        plain = yaml.load(LAB.read_text(encoding="utf-8"))
        plain["lab"] = self.lab
        plain["git"] = {"name": "pulse", "remotes": self.remotes(), **more}
        with self.site_path.open("w", encoding="utf-8") as file:
            yaml.dump(plain, file)

    def remotes(self) -> list[dict[str, str]]:
        """The source, then its mirrors, as in a site file."""
        return [
            {"name": name, "url": host.at("pulse.git"), "user": "git", "token": f"env:{name.upper()}"}
            for name, host in self.hosts.items()
        ]

    def _sink(self, path: Path) -> Sink:
        return self.sink(path)

    def die(self) -> None:
        """The process of the last run is dead, and everybody on this machine can tell."""
        path = self.desk.home.lease("lab", "git-mirror") / "lease.json"
        held = json.loads(path.read_bytes())
        if held["holder"]:
            held["holder"]["started"] = "long ago"
            path.write_text(json.dumps(held), encoding="utf-8")

    def _open(self, site: Site, home: Home, *_: object) -> Outside:
        fence = Fence()
        none = cast("Any", None)
        mirrors: Mirrors | None = open_mirrors(site, home, self.tokens.__getitem__, fence)
        return Outside((), {}, none, none, none, none, mirrors=mirrors, fence=fence)

    def order(self, approver: Approver | None = None, mode: Mode | None = None) -> Order:
        """What somebody asks for."""
        mode = mode or (Mode.REHEARSAL if self.lab else Mode.INCIDENT)
        return Order("git-mirror", str(self.site_path), mode, approver or Automatic("a test"))

    def mirror(self, approver: Approver | None = None) -> tuple[Run, Outcome]:
        """A run to its end."""
        return self.play(new_run(self.desk, self.order(approver)))

    def play(self, run: Run) -> tuple[Run, Outcome]:
        """A run to its end, its lease given back."""
        try:
            return run, perform(PROCEDURE, run, WITHOUT_PREFECT)
        finally:
            assert run.changes.lease is not None
            run.changes.lease.release()

    def resume(self, run_id: str) -> tuple[Run, Outcome]:
        """An earlier run, taken up again."""
        return self.play(take_up(self.desk, run_id, Automatic("a test"), "resume"))

    def rollback(self, run_id: str) -> Outcome:
        """An earlier run, put back."""
        run = take_up(self.desk, run_id, Automatic("a test"), "rollback")
        try:
            return roll_back(run)
        finally:
            assert run.changes.lease is not None
            run.changes.lease.release()

    def plan(self) -> tuple[Run, Plan]:
        """What a run would delete or move back."""
        run = plan_run(self.desk, self.order(mode=Mode.PLAN))
        try:
            PROCEDURE.play(run)
        except PlanReady as ready:
            return run, ready.plan
        raise AssertionError("a flow in plan mode ends with its plan")

    def refs(self, host: str) -> dict[str, str]:
        """What a host has, by ref."""
        lines = git(self.at[host].folder, "for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(line.split(" ", 1) for line in lines)

    def heads(self, host: str) -> dict[str, str]:
        """Its branches and tags."""
        return {ref: commit for ref, commit in self.refs(host).items() if ref.startswith(("refs/heads/", "refs/tags/"))}

    @property
    def bundle(self) -> Path:
        """The bundle that is kept."""
        return self.desk.home.mirrors("lab") / "pulse.bundle"


@contextmanager
def mirror_stage(folder: Path, *hosts: str, lab: bool = True) -> Iterator[MirrorStage]:
    """Hosts that run while the block does, and a site of the `lab` or one of our own."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(serving(folder / name)) for name in hosts or HOSTS}
        for name, server in servers.items():
            server.token = f"glpat-0123456789-of-{name}"
        yield MirrorStage(folder, servers, lab=lab)


def notes(run: Run) -> str:
    """All notes in one text."""
    return "\n".join(entry.text for entry in run.journal.of(entries.Noted))


def seen(run: Run) -> dict[str, copyentries.MirrorSeen]:
    """The last comparison of each mirror."""
    return {entry.place: entry for entry in run.journal.of(copyentries.MirrorSeen)}
