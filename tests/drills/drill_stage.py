"""A world in memory with a past of drills: their folders and journals are real, and what broke in them was written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from defib import drillentries, entries
from defib.alerts.alert import AlertKind
from defib.alerts.herald import Outlet, Outlets
from defib.approval import Automatic
from defib.drills.news import telling
from defib.drills.order import DrillOrder, conclude, hindrance, open_drill, skip
from defib.objectives import Status
from defib.providers.alert.memory import MemoryChannel
from defib.runbook import load_runbook
from defib.sites.site import load_site
from tests.stage import GOOD, LAB, REFUSED, Stage

WITH_USERS = ("cdn-failover", "dns-switch")


@dataclass
class DrillStage:
    """A site with a calendar of two procedures, and a chat that hears of its drills."""

    folder: Path
    day: str = "second Tuesday"
    more: str = ""
    chat: MemoryChannel = field(default_factory=lambda: MemoryChannel("chat"))

    def __post_init__(self) -> None:
        self.stage = Stage(self.folder / "home", self.site_file())
        self.desk, self.clock = self.stage.desk, self.stage.clock

    def site_file(self, **replaced: str) -> Path:
        """The lab's, with this calendar; `replaced` are words that it has and others in their place."""
        text = LAB.read_text(encoding="utf-8")
        listed = ", ".join(WITH_USERS)
        text = text.replace("  day: second Tuesday\n", f"  day: {self.day}\n  procedures: [{listed}]\n{self.more}")
        for old, new in replaced.items():
            text = text.replace(old, new)
        path = self.folder / "lab.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    @property
    def site(self) -> str:
        """The name of the site."""
        return self.stage.site.site

    def go_to(self, at: datetime) -> None:
        """Let time pass until then."""
        self.clock.sleep(at - self.clock.now())

    def order(self, why: str = "monthly", due: datetime | None = None, *seen: drillentries.PreconditionSeen) -> DrillOrder:
        """A drill that is wanted, with what is seen before it."""
        outlets = Outlets((Outlet("chat", tuple(AlertKind), lambda: self.chat),))
        site = load_site(self.stage.site_path)
        return DrillOrder(why, due, "", lambda: seen, telling(site, outlets, self.clock))

    def drill(
        self,
        procedure: str = "cdn-failover",
        status: Status = Status.RECOVERED,
        reason: str = "",
        order: DrillOrder | None = None,
    ) -> str:
        """A drill as it leaves its folders behind: a run that recovered there, and this end."""
        order = order or self.order()
        runbook = load_runbook(procedure, self.desk.runbooks)
        site = load_site(self.stage.site_path)
        drill_id, journal = open_drill(
            self.desk, runbook, site, self.stage.site_path, [(site.primary.provider, "refuse")], order
        )
        in_the_way = hindrance(journal, order)
        if in_the_way:
            skip(journal, order, in_the_way)
            return drill_id
        if procedure == "cdn-failover":
            self.stage.edges[self.stage.primary.name] = REFUSED
            began, approver = self.clock.now(), Automatic(f"drill {drill_id}")
            run, outcome = self.stage.recover(approver=approver, since=began, down_at=began)
            assert outcome.status is Status.RECOVERED, outcome
            self.stage.edges[self.stage.primary.name] = GOOD
            journal.append(entries.DrillRun("forward", run.id, Status.RECOVERED, run.journal.head))
            back, _ = self.stage.recover("failback", follows=run.id)
            journal.append(entries.DrillRun("failback", back.id, Status.RECOVERED, back.journal.head))
        conclude(journal, order, status, reason)
        self.clock.sleep(timedelta(minutes=1))
        return drill_id
