"""A site whose assets are in two buckets in memory and may be restored into a third, and what a test wants back of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from defib.approval import Approver, Automatic
from defib.conduct import Outcome
from defib.copyentries import ObjectsRestored, PastWanted
from defib.journal import Sink
from defib.objectives import Mode
from defib.plan import Plan
from defib.replication.port import Cursor
from defib.run import PlanReady, Run
from defib.start import Order, new_run, plan_run, take_up
from flows import asset_restore
from flows.engine import Procedure
from tests.flows.replication_stage import ReplicationStage
from tests.replication.buckets import LABORATORY
from tests.stage import START, PlainFile


@dataclass
class RestoreStage(ReplicationStage):
    """Time passes between what a test writes, so that every version has a second of its own."""

    sink: Callable[[Path], Sink] = field(default=PlainFile)
    good: datetime = START

    def __post_init__(self) -> None:
        super().__post_init__()
        self.desk = type(self.desk)(self.desk.home, self.desk.runbooks, self.clock, self.desk.opener, sink=self._sink)

    def _sink(self, path: Path) -> Sink:
        return self.sink(path)

    def write(self, **more: object) -> None:
        """The site file, in which a third bucket may be restored into."""
        super().write(**{"restore_into": [{"bucket": LABORATORY}], **more})

    def put(self, key: str, content: bytes = b"content", **parts: Any) -> str:
        """Write at the source, replicated at once; a minute passes."""
        version = self.buckets.written(key, content, **parts)
        self.clock.sleep(timedelta(minutes=1))
        return version

    def delete(self, key: str) -> str:
        """Delete at the source; a minute passes."""
        version = self.buckets.delete(key)
        self.clock.sleep(timedelta(minutes=1))
        return version

    def moment(self) -> datetime:
        """The moment that it is now, which is past at once."""
        now = self.clock.now()
        self.clock.sleep(timedelta(minutes=1))
        return now

    def wanted(self, at: datetime, **more: str) -> PastWanted:
        """What somebody wants back."""
        return PastWanted("assets", at, **more)

    def ask(self, past: PastWanted | None, approver: Approver | None = None, **more: Any) -> Order:
        """What somebody asks for."""
        mode = more.pop("mode", Mode.REHEARSAL)
        return Order("asset-restore", str(self.site_path), mode, approver or Automatic("a test"), past=past, **more)

    def restore(
        self, at: datetime, approver: Approver | None = None, forced: bool = False, **more: Any
    ) -> tuple[Run, Outcome]:
        """A run to its end."""
        since = more.pop("since", None)
        return self.play(new_run(self.desk, self.ask(self.wanted(at, **more), approver, forced=forced, since=since)))

    def preview(self, at: datetime, forced: bool = False, **more: str) -> tuple[Run, Plan]:
        """What a run would change."""
        run = plan_run(self.desk, self.ask(self.wanted(at, **more), mode=Mode.PLAN, forced=forced))
        try:
            asset_restore.PROCEDURE.play(run)
        except PlanReady as ready:
            return run, ready.plan
        raise AssertionError("a flow in plan mode ends with its plan")

    def resume(self, run_id: str) -> tuple[Run, Outcome]:
        """An earlier run, taken up again."""
        return self.play(take_up(self.desk, run_id, Automatic("a test"), "resume"))

    def die(self) -> None:
        """The process of the last run is dead, and everybody on this machine can tell."""
        path = self.desk.home.lease("lab", "asset-restore") / "lease.json"
        held = json.loads(path.read_bytes())
        if held["holder"]:
            held["holder"]["started"] = "long ago"
            path.write_text(json.dumps(held), encoding="utf-8")

    def _procedure(self, run: Run) -> Procedure:
        return asset_restore.PROCEDURE if run.runbook.procedure == "asset-restore" else super()._procedure(run)

    def holds(self, name: str = "source") -> dict[str, bytes]:
        """What every key of a bucket holds now."""
        bucket = getattr(self.buckets, name)
        page = bucket.page(Cursor(), within=self.buckets.within)
        return {
            each.key: bucket.must(each.key, each.id).content for each in page.versions if each.latest and not each.marker
        }

    def replicate(self) -> None:
        """Let the replica have what the source has, as S3 does within minutes."""
        for key, version in self.versions():
            kept = self.buckets.source.kept(key, version)
            assert kept is not None
            self.buckets.replica.keep(kept)

    def versions(self, name: str = "source") -> list[tuple[str, str]]:
        """Every version of a bucket, by key and id."""
        page = getattr(self.buckets, name).page(Cursor(), within=self.buckets.within)
        return [(each.key, each.id) for each in page.versions]


def restored(run: Run) -> ObjectsRestored:
    """What was found when everything had been made."""
    return list(run.journal.of(ObjectsRestored))[-1]
