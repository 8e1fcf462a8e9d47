"""Every hour: the drill of a site that is due, held; or, from the UI's form, the drill of a procedure by name.

The schedule knows no calendar: it asks the one of the site file (:mod:`defib.drills.calendar`), which gives the same answer
whoever asks and how often. So a cron expression and a calendar can never disagree, daylight saving is one module's business,
and a worker that was down for days leaves behind a missed drill that is told and not a queue of drills.

A drill breaks things and mends them. A worker that dies takes its flows with it, so that the drill is ``defib drill`` or
``defib drills --hold`` in a process of its own, as runs on demand are (:mod:`flows.following`), and this flow follows it:
its words are the log, its end the state, and its journals the artifacts. Retried, the flow finds the drill that it began.
"""

from __future__ import annotations

import subprocess
from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

from prefect import flow, get_client, get_run_logger
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.states import Completed, Failed

from defib.detached import start_detached
from defib.drills.calendar import Ending
from defib.drills.drilled import Drill
from defib.drills.history import drill_lines, drills_asked_by
from defib.drills.proofs import read_drill
from defib.errors import DefibError, HomeUnwritable
from defib.history import is_alive
from defib.report.afteraction import after_action
from defib.report.artifacts import drill_text
from defib.report.chart import as_svg
from defib.report.review import scored
from defib.report.trend import trend
from defib.sites.site import load_site
from defib.start import Desk
from flows.board import refreshed
from flows.events import FOLLOWED
from flows.forms import SiteChoice, shown
from flows.published import tags_left
from flows.scheduled import desk
from flows.words import Words

POLL = timedelta(milliseconds=500)

_SKEW = timedelta(minutes=1)
"""So far may this machine's clock be behind the server's, which says when a flow run was made."""

DrillChoice = Annotated[
    Literal["", "cdn-failover", "dns-switch", "aws-redeploy", "git-mirror", "replication-check"],
    shown(
        "Procedure", "Drill this one now, in the lab. Left empty, what is due by the calendar of the site file, if anything."
    ),
]


@flow(name="drilling", flow_run_name="drilling-{site}", persist_result=False)
def drilling(site: SiteChoice, procedure: DrillChoice = "") -> State[Any]:
    """Break something on purpose in the lab, recover, fail back and prove it; monthly by the calendar, or now by name."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError(f"drilling of {site} is not inside a flow run")
    try:
        at = desk()
        if not procedure and load_site(at.site_path(site)).drills is None:
            return Completed(name="No calendar", message=f"drills: in the file of {site} would say when they are due")
        return _Drilling(at, context.flow_run, site, procedure).to_its_end()
    except DefibError as error:
        return Failed(name="Not started", message=str(error))


class _Drilling:
    """One flow run, the process that it started unless it is a retry, and the drills that were recorded by it."""

    def __init__(self, at: Desk, flow_run: FlowRun, site: str, procedure: str) -> None:
        self._at, self._flow_run = at, flow_run
        self._site = load_site(at.site_path(site)).site
        self._trigger = f"{FOLLOWED}{flow_run.id}"
        self._since = (flow_run.created or at.clock.now()) - _SKEW
        self._words = Words(at.home.site(self._site) / "drills" / f"{flow_run.id}.log")
        self._log = get_run_logger()
        self._process = None if self._folders() else self._start(site, procedure)

    def to_its_end(self) -> State[Any]:
        """Follow the process until it is gone, and tell what came of it."""
        while True:
            over = self._is_over()  # before its last words are read
            for line in self._words.new():
                self._log.info("%s", line)
            if over:
                break
            self._at.clock.sleep(POLL)
        drills = [read_drill(self._at.home, folder) for folder in self._folders()]
        self._publish(drills)
        refreshed(self._at, self._site)
        return self._state(drills)

    def _start(self, site: str, procedure: str) -> subprocess.Popen[bytes]:
        command = ["drill", procedure] if procedure else ["drills", "--hold"]
        with self._words.opened() as output:
            try:
                return start_detached(
                    [*command, f"--site={site}", "--no-prefect", f"--trigger={self._trigger}"], self._at.home.path, output
                )
            except OSError as error:
                raise HomeUnwritable(f"defib cannot be started: {error.strerror}", where=str(error.filename)) from error

    def _folders(self) -> Sequence[Path]:
        return drills_asked_by(self._at.home, self._site, self._trigger, self._since)

    def _is_over(self) -> bool:
        if self._process is not None:
            return self._process.poll() is not None
        return not any(is_alive(folder) for folder in self._folders())

    def _publish(self, drills: Sequence[Drill]) -> None:
        """Prefect's troubles are not the drill's: its journals have everything."""
        try:
            with get_client(sync_client=True) as client:
                for drill in drills:
                    client.update_flow_run(self._flow_run.id, tags={*tags_left(self._flow_run), *_tags(drill)})
                    for artifact in self._artifacts(self._flow_run.id, drill):
                        client.create_artifact(artifact)
        except Exception as error:
            self._log.warning("the flow run does not show everything: %s: %s", type(error).__name__, error)

    def _artifacts(self, flow_run: UUID, drill: Drill) -> Iterator[ArtifactCreate]:
        """``SITE-PROCEDURE-drill`` and ``…-after-action`` as text, and ``…-rto-trend``, ``…-rpo-trend`` as pictures."""
        key = f"{self._site}-{drill.procedure}"
        for name, description, text in (
            ("drill", f"{drill.procedure}: {drill.ending}. {scored(drill)}".strip(), drill_text(drill)),
            ("after-action", "What happened, what deviated, and what is left to fill in.", after_action(drill)),
        ):
            yield ArtifactCreate(
                key=f"{key}-{name}", type="markdown", description=description, data=text, flow_run_id=flow_run
            )
        for chart in trend(drill_lines(self._at.home, self._site)[0], drill.procedure):
            picture = f"data:image/svg+xml;base64,{b64encode(as_svg(chart).encode()).decode()}"
            name = f"{key}-{chart.title.partition(' ')[0].lower()}-trend"
            yield ArtifactCreate(key=name, type="image", description=chart.title, data=picture, flow_run_id=flow_run)

    def _state(self, drills: Sequence[Drill]) -> State[Any]:
        if not drills:
            said, well = self._words.end(), self._process is not None and self._process.returncode == 0
            return Completed(name="Nothing due", message=said) if well else Failed(name="Not started", message=said)
        last = drills[-1]
        said = f"{last.procedure}: {last.reason or last.ending}"
        name = last.ending.value.title() if last.ending is not Ending.OPEN else "Died"
        return (Completed if last.ending in {Ending.DONE, Ending.SKIPPED} else Failed)(name=name, message=said)


def _tags(drill: Drill) -> set[str]:
    verdicts = {f"rto:{drill.forward.rto.verdict}", f"rpo:{drill.forward.rpo.verdict}"} if drill.forward else set()
    return {f"site:{drill.opened.site}", f"drill:{drill.procedure}", f"verdict:{drill.ending}", *verdicts}
