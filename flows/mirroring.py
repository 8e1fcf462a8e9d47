"""Every 15 minutes: every repository brought to all of its mirrors, as an artifact that everybody sees.

``python -m flows.mirroring SITE …`` serves one deployment for each site, every 15 minutes, until it is stopped; a worker
takes the flow by its entrypoint ``flows.mirroring.mirroring``. Without Prefect ``defib mirror`` does the same. A worker that
dies in the middle leaves nothing that the next run would not put right.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect import flow, get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.states import Completed, Failed

from defib import entries
from defib.approval import Automatic
from defib.errors import LeaseHeld
from defib.herald import heralded, outlets_for
from defib.objectives import Mode, Status
from defib.report.artifacts import mirror_rows
from defib.report.run_page import lead
from defib.report.write import write_run
from defib.run import Run
from defib.start import Desk, Order, new_run
from defib.timeline import Timeline, timeline
from flows.engine import perform
from flows.git_mirror import PROCEDURE
from flows.scheduled import desk, serve_sites

EVERY = timedelta(minutes=15)


@flow(name="git-mirror", flow_run_name="git-mirror-{site}", persist_result=False)
def mirroring(site: str) -> State[Any]:
    """Mirror one site's repositories, publish ``SITE-mirrors``, and fail where not every mirror holds everything."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError(f"the mirrors of {site} are not inside a flow run")
    at = desk()
    order = Order(PROCEDURE.name, site, Mode.INCIDENT, Automatic("by schedule"), trigger="by schedule", automatic=True)
    try:
        run = new_run(at, order)
    except LeaseHeld as error:
        return Completed(name="Skipped", message=str(error))
    told = _mirror(at, run)
    _publish(context.flow_run.id, told)
    make = Completed if told.status is Status.RECOVERED else Failed
    return make(name="Mirrored" if told.status is Status.RECOVERED else str(told.status).title(), message=lead(told))


def _mirror(at: Desk, run: Run) -> Timeline:
    """The run to its end, its people told, its report written, its lease given back."""
    inside = entries.EngineChosen(prefect=True, why="the scheduled flow")
    try:
        with heralded(run, outlets_for(run, at.home, at.redact)):
            perform(PROCEDURE, run, inside, here=True)
    finally:
        if run.changes.lease is not None:
            run.changes.lease.release()
    told = timeline(run.journal.records)
    write_run(at.home.path / "runs" / run.id, told)
    return told


def _publish(flow_run: UUID, told: Timeline) -> None:
    """Tags are set on the flow run alone, as :mod:`flows.bookkeeping` does: those of the context would cost slots."""
    site = told.opened.site
    tags = {f"site:{site}", f"verdict:{told.status}", f"rpo:{told.rpo.verdict}"}
    artifact = ArtifactCreate(
        key=f"{site}-mirrors",
        type="table",
        description=lead(told),
        data=json.dumps(mirror_rows(told)),
        flow_run_id=flow_run,
    )
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run, tags=tags)
        client.create_artifact(artifact)


def main(sites: list[str]) -> None:
    """One deployment for each site."""
    from flows.mirroring import mirroring as served  # noqa: PLC0415 - under its own name, not as `__main__`

    serve_sites(served, sites, EVERY)


if __name__ == "__main__":
    main(sys.argv[1:])
