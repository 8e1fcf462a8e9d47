"""A site whose assets are in two buckets in memory, replicated after a lag, and what a test wants to do with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from ruamel.yaml import YAML

from defib import copyentries, entries
from defib.approval import Approver, Automatic
from defib.clock import Deadline
from defib.conduct import Outcome, roll_back
from defib.home import Home
from defib.journal import Sink
from defib.objectives import Mode
from defib.outside import Fence, Outside
from defib.plan import Plan
from defib.replication.pair import Replicas
from defib.run import PlanReady, Run
from defib.start import Desk, Order, new_run, plan_run, take_up
from flows import replication_check, replication_repair
from flows.engine import Procedure, perform
from tests.replication.buckets import REPLICA, SOURCE, Buckets
from tests.stage import LAB, RUNBOOKS, WITHOUT_PREFECT, PlainFile

FAR = {"bucket": REPLICA, "aws": {"region": "eu-west-1"}}
PROCEDURES: dict[str, Procedure] = {each.PROCEDURE.name: each.PROCEDURE for each in (replication_check, replication_repair)}


@dataclass
class ReplicationStage:
    """A source, its replica, and what replicates canaries between them after `lag`; None is never."""

    home: Path
    lag: timedelta | None = timedelta(seconds=2)
    sink: Callable[[Path], Sink] = PlainFile
    spoil: Callable[[bytes], bytes] = lambda content: content
    buckets: Buckets = field(init=False)

    def __post_init__(self) -> None:
        self.buckets = Buckets(self.home / "replicas")
        self.clock = self.buckets.clock
        self.desk = Desk(Home.open(self.home / "defib"), RUNBOOKS, self.clock, self._open, sink=self._sink)
        self.site_path = self.home / "lab.yaml"
        self.fence = Fence()
        self._written = self.buckets.source.put
        self.buckets.source.put = self._put  # type: ignore[method-assign] # what a test writes itself, it also replicates
        self.write()

    def _sink(self, path: Path) -> Sink:
        return self.sink(path)

    def write(self, **more: object) -> None:
        """The site file, with `more` in its part about replication."""
        yaml = YAML(typ="safe")
        plain = yaml.load(LAB.read_text(encoding="utf-8"))
        pair = {"name": "assets", "source": {"bucket": SOURCE}, "replica": FAR, "rpo": "1h", **more}
        plain["replication"] = [pair]
        with self.site_path.open("w", encoding="utf-8") as file:
            yaml.dump(plain, file)

    def _put(self, key: str, content: bytes, *, within: Deadline) -> str:
        version = self._written(key, content, within=within)
        if self.lag is not None and key.startswith(self.buckets.config.canary):
            self.clock.at(self.clock.monotonic() + self.lag, lambda: self._arrive(key, version, content))
        return version

    def _arrive(self, key: str, version: str, content: bytes) -> None:
        if self.buckets.source.kept(key, version) is not None:
            self.buckets.replicate(key, version, self.spoil(content))

    def _open(self, site: Any, *_: object) -> Outside:
        self.buckets.config = site.replication[0]
        self.fence, none = Fence(), cast("Any", None)
        return Outside((), {}, none, none, none, none, replicas=Replicas((self.buckets.pair,)), fence=self.fence)

    def order(self, procedure: str, approver: Approver | None = None, mode: Mode = Mode.REHEARSAL) -> Order:
        """What somebody asks for."""
        return Order(procedure, str(self.site_path), mode, approver or Automatic("a test"))

    def run(self, procedure: str = "replication-check", approver: Approver | None = None) -> tuple[Run, Outcome]:
        """A run to its end."""
        return self.play(new_run(self.desk, self.order(procedure, approver)))

    def play(self, run: Run) -> tuple[Run, Outcome]:
        """A run to its end, its lease given back."""
        try:
            return run, perform(self._procedure(run), run, WITHOUT_PREFECT)
        finally:
            assert run.changes.lease is not None
            run.changes.lease.release()

    def die(self) -> None:
        """The process of the last run is dead, and everybody on this machine can tell."""
        for procedure in PROCEDURES:
            path = self.desk.home.lease("lab", procedure) / "lease.json"
            held = json.loads(path.read_bytes()) if path.is_file() else {"holder": None}
            if held["holder"]:
                held["holder"]["started"] = "long ago"
                path.write_text(json.dumps(held), encoding="utf-8")

    def _procedure(self, run: Run) -> Procedure:
        return PROCEDURES[run.runbook.procedure]

    def rollback(self, run_id: str) -> Outcome:
        """An earlier run, put back."""
        run = take_up(self.desk, run_id, Automatic("a test"), "rollback")
        try:
            return roll_back(run)
        finally:
            assert run.changes.lease is not None
            run.changes.lease.release()

    def plan(self, procedure: str) -> tuple[Run, Plan]:
        """What a run would change."""
        run = plan_run(self.desk, self.order(procedure, mode=Mode.PLAN))
        try:
            self._procedure(run).play(run)
        except PlanReady as ready:
            return run, ready.plan
        raise AssertionError("a flow in plan mode ends with its plan")


def notes(run: Run) -> str:
    """All notes in one text."""
    return "\n".join(entry.text for entry in run.journal.of(entries.Noted))


def seen(run: Run) -> copyentries.ReplicaSeen:
    """The last comparison of the one pair."""
    return list(run.journal.of(copyentries.ReplicaSeen))[-1]
