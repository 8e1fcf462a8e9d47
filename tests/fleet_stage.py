"""Several sites at once, each in a small world of its own, under the machine's own clock because runs have threads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from defib.approval import Automatic
from defib.clock import SystemClock
from defib.conduct import Outcome
from defib.home import Home
from defib.objectives import Mode
from defib.run import Run
from defib.start import Desk, Order
from flows.engine import perform
from tests.stage import LAB, PROCEDURES, REFUSED, RUNBOOKS, WITHOUT_PREFECT, PlainFile, Stage


def site_file(folder: Path, name: str) -> Path:
    """The lab's site under another name, whose TTL and hold are over soon."""
    text = LAB.read_text(encoding="utf-8").replace("site: lab", f"site: {name}")
    for slow, fast in (("ttl: 3s", "ttl: 1s"), ("hold: 3s", "hold: 200ms"), ("interval: 200ms", "interval: 50ms")):
        assert slow in text
        text = text.replace(slow, fast)
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return path


class FleetStage:
    """The worlds of `names`, whose primary CDN has failed, and the desk at which they are recovered."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self.clock = SystemClock()
        self.paths = {name: site_file(folder, name) for name in names}
        home = folder / "home"
        self.stages = {
            name: Stage(home, path, clock=self.clock)  # type: ignore[arg-type] # nothing here is on schedule
            for name, path in self.paths.items()
        }
        for stage in self.stages.values():
            stage.edges[stage.primary.name] = REFUSED
        self.desk = Desk(
            Home.open(home), RUNBOOKS, self.clock, lambda site, *_: self.stages[site.site].outside(), sink=PlainFile
        )

    def orders(self, procedure: str = "cdn-failover") -> list[Order]:
        """One for each site."""
        order = Order(procedure, "", Mode.REHEARSAL, Automatic("a test"))
        return [replace(order, site=str(path)) for path in self.paths.values()]

    @staticmethod
    def play(run: Run) -> None:
        """The procedure of a run that plans."""
        PROCEDURES[run.runbook.procedure].play(run)

    @staticmethod
    def carry_out(_: Desk, run: Run) -> Outcome:
        """A run to its end, its lease given back."""
        assert run.changes.lease is not None
        try:
            return perform(PROCEDURES[run.runbook.procedure], run, WITHOUT_PREFECT)
        finally:
            run.changes.lease.release()
