"""Homes as weeks of runs leave them: real journals with their reports, written in a moment."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from secrets import token_hex

from defib import __version__, entries
from defib.board.lookout import Lookout
from defib.board.model import Board, ProcedureBoard, SiteBoard
from defib.clock import SimulatedClock
from defib.copyentries import MirrorSeen, ReplicaSeen
from defib.history import JOURNAL, digest
from defib.home import Home
from defib.journal import ALIVE
from defib.mirror import lag
from defib.objectives import Mode, Phase, Plane, Status
from defib.replication import past
from defib.report.write import write_run
from tests.report import samples
from tests.report.samples import Memory, Pen, s
from tests.stage import ROOT

NOW = samples.START
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@dataclass
class Scene:
    """A home, its site files and runbooks, and a clock that stands at :data:`NOW`."""

    home: Home
    runbooks: Path
    clock: SimulatedClock

    @classmethod
    def set_in(cls, folder: Path) -> Scene:
        """An empty home, and the runbooks of the house without any site."""
        runbooks = folder / "runbooks"
        (runbooks / "sites").mkdir(parents=True)
        for file in (ROOT / "runbooks").glob("*.md"):
            shutil.copy(file, runbooks)
        return cls(Home.open(folder / "home"), runbooks, SimulatedClock(NOW))

    def board(self, *only: str) -> Board:
        """What there is to see."""
        return Lookout(self.home, self.runbooks, self.clock).board(*only)

    def site(self, name: str, like: str = "pulse-trading") -> Path:
        """A site file."""
        text = (ROOT / "runbooks" / "sites" / f"{like}.yaml").read_text(encoding="utf-8")
        path = self.runbooks / "sites" / f"{name}.yaml"
        path.write_text(text.replace(f"\nsite: {like}\n", f"\nsite: {name}\n"), encoding="utf-8")
        return path

    def begin(self, procedure: str, on: str, ago: timedelta, **more: object) -> Pen:
        """A run that is opened, with the files of the site as they are now."""
        start = NOW - ago
        words = f"drill-{str(more['trigger']).partition(' ')[0]}" if procedure == "drill" else procedure
        pen = Pen(start)
        runbook = self.runbooks / f"{procedure}.md"
        file = self.runbooks / "sites" / f"{on}.yaml"
        facts: dict[str, object] = {
            "run_id": f"{start:%Y%m%d-%H%M%S%f}"[:-3] + f"-{words}-{on}-{token_hex(2)}",
            "procedure": procedure,
            "site": on,
            "version": __version__,
            "site_digest": digest(file) if file.is_file() else "",
            "runbook_digest": digest(runbook) if runbook.is_file() else "",
        }
        pen.open(**{**facts, **more})
        return pen

    def _files(self, folder: Path, opened: entries.Opened) -> None:
        """The site file and the runbook as they were, beside the journal."""
        for name, file in (("site.yaml", f"sites/{opened.site}.yaml"), ("runbook.md", f"{opened.procedure}.md")):
            if (self.runbooks / file).is_file():
                shutil.copy(self.runbooks / file, folder / name)

    def keep(self, pen: Pen, *, report: bool = True) -> str:
        """Put a journal on the disk, and its report as a run leaves it; gives the run's id."""
        told = pen.timeline()
        folder = self.home.path / "runs" / told.opened.run_id
        folder.mkdir(parents=True, exist_ok=True)
        sink = pen.journal._sink
        assert isinstance(sink, Memory)
        self._files(folder, told.opened)
        (folder / JOURNAL).write_bytes(b"".join(sink.lines))
        if report and told.opened.procedure != "drill":
            write_run(folder, told)
        return folder.name

    @contextmanager
    def alive(self, run: str) -> Iterator[None]:
        """As if the process that writes it lived."""
        with (self.home.path / "runs" / run / ALIVE).open("ab") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield

    def recovered(self, procedure: str, site: str, ago: timedelta, **more: object) -> str:
        """A run that gave users their service back after some seconds."""
        outage = more.pop("outage", 2.05)
        start = NOW - ago
        pen = self.begin(procedure, site, ago, **{"since": start - s(float(str(outage))), "down_at": start, **more})
        for part in (samples.confirm, samples.decide, samples.steer, samples.watch, samples.verify):
            part(pen)
        pen.write(entries.Closed(Status.RECOVERED))
        return self.keep(pen)

    def failed(self, procedure: str, site: str, ago: timedelta, reason: str = "nothing answered", **more: object) -> str:
        """A run that failed before it changed anything."""
        pen = self.begin(procedure, site, ago, **more)
        samples.confirm(pen)
        pen.write(entries.Closed(Status.FAILED, reason))
        return self.keep(pen)

    def drilled(self, procedure: str, site: str, ago: timedelta, status: Status, reason: str = "") -> str:
        """The journal of a drill, which ended so."""
        more = {"trigger": f"{procedure} after cloudfront refuse", "since": None, "down_at": None}
        pen = self.begin("drill", site, ago, **more)
        pen.wait(60)
        pen.write(entries.Closed(status, reason))
        return self.keep(pen)

    def killed(self, procedure: str, site: str, ago: timedelta, **more: object) -> str:
        """A run that was killed while it wrote outside; its change may stand."""
        pen = self.begin(procedure, site, ago, **more)
        samples.confirm(pen)
        samples.decide(pen)
        pen.begin("steer-traffic", Phase.ACT, Plane.CONTROL, 120)
        pen.write(entries.ChangeIntended(1, samples.CHANGE, 7))
        return self.keep(pen, report=False)

    def mirrored(self, site: str, ago: timedelta, behind: timedelta | None, problems: Sequence[str] = ()) -> str:
        """A round of git-mirror, and what is known of the mirror over the last days."""
        pen = self.begin("git-mirror", site, ago, mode=Mode.INCIDENT, since=None, down_at=None, trigger="by schedule")
        began = pen.begin("compare-the-remotes", Phase.VERIFY, Plane.CONTROL, 60)
        equal = 14 if problems or behind else 15
        pen.write(MirrorSeen("web", "github", "gitlab", 15, equal, behind, behind, tuple(problems), 20 * MINUTE))
        pen.end("compare-the-remotes", began)
        pen.write(entries.Closed(Status.REFUSED if problems else Status.RECOVERED, "; ".join(problems)))
        return self.keep(pen)

    def replicated(self, site: str, ago: timedelta, exposure: timedelta | None, why: str = "") -> str:
        """A round of replication-check, and what the replica lacked over the last days."""
        pen = self.begin("replication-check", site, ago, mode=Mode.INCIDENT, since=None, down_at=None, trigger="by schedule")
        began = pen.begin("compare-the-versions", Phase.VERIFY, Plane.CONTROL, 600)
        counts = (("missing", 3),) if exposure else ()
        seen = ReplicaSeen("assets", "assets-eu", "assets-us", HOUR, 12_000, 11_997, 10**9, counts, exposure, why)
        pen.write(replace(seen, worst=exposure))
        pen.end("compare-the-versions", began)
        pen.write(entries.Closed(Status.RECOVERED))
        return self.keep(pen)

    def looks(self, site: str, pair: str, figures: Sequence[timedelta | None], *, lab: bool = False) -> None:
        """What would have been lost at each of the last looks, a quarter of an hour apart."""
        moments = [NOW - 15 * MINUTE * number for number in range(len(figures))][::-1]
        looked = [past.Look(at, figure) for at, figure in zip(moments, figures, strict=True)]
        past.write_past(self.home.replicas(site, lab=lab) / pair / "past.json", looked, NOW)

    def waits(self, site: str, repository: str, place: str, figures: Sequence[timedelta | None]) -> None:
        """How far a mirror was behind at each of the last looks."""
        moments = [NOW - 15 * MINUTE * number for number in range(len(figures))][::-1]
        looks = tuple(lag.Looked(at, place, figure) for at, figure in zip(moments, figures, strict=True))
        lag.write_known(self.home.mirrors(site) / f"{repository}.json", lag.Known(past=looks))


def of(board: Board, name: str) -> SiteBoard:
    """One site of a board."""
    return next(site for site in board.sites if site.name == name)


def proof(board: Board, site: str, procedure: str) -> ProcedureBoard:
    """One procedure of a site."""
    return next(each for each in of(board, site).procedures if each.name == procedure)
