"""A procedure that comes round every 15 minutes, by a schedule and by nobody: carried out, told, published."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prefect import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.states import Completed, Failed

from defib import entries
from defib.alerts.herald import heralded, outlets_for
from defib.approval import Automatic
from defib.errors import LeaseHeld
from defib.objectives import Mode, Status
from defib.report.run_page import lead
from defib.report.write import write_run
from defib.run import Run
from defib.start import Desk, Order, new_run
from defib.timeline import Timeline, timeline
from flows.board import OFTEN, refreshed
from flows.engine import Procedure, perform
from flows.events import outlets
from flows.published import copy_artifacts, tags_left
from flows.scheduled import desk


def come_round(procedure: Procedure, site: str, well: str, prepare: Callable[[Run], None] = lambda _: None) -> State[Any]:
    """One run inside the flow run that this is called in; `well` is the name of a state in which nothing is wrong.

    While another run has what it needs, it is skipped: the next one is due soon.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError(f"{procedure.name} of {site} is not inside a flow run")
    at = desk()
    order = Order(procedure.name, site, Mode.INCIDENT, Automatic("by schedule"), trigger="by schedule", automatic=True)
    try:
        run = new_run(at, order)
    except LeaseHeld as error:
        return Completed(name="Skipped", message=str(error))
    prepare(run)
    told = _carried_out(procedure, at, run)
    _publish(context.flow_run, told)
    refreshed(at, told.opened.site, OFTEN)
    if told.status is not Status.RECOVERED:
        return Failed(name=str(told.status).title(), message=lead(told))
    return Completed(name=well, message=lead(told))


def _carried_out(procedure: Procedure, at: Desk, run: Run) -> Timeline:
    """The run to its end, its people told, its report written, its lease given back."""
    inside = entries.EngineChosen(prefect=True, why="the scheduled flow")
    try:
        with heralded(run, outlets_for(run, at.home, at.redact).also(outlets(run))):
            perform(procedure, run, inside, here=True)
    finally:
        if run.changes.lease is not None:
            run.changes.lease.release()
    told = timeline(run.journal.records)
    write_run(at.home.path / "runs" / run.id, told)
    return told


def _publish(flow_run: FlowRun, told: Timeline) -> None:
    """Tags are set on the flow run alone, as :mod:`flows.bookkeeping` does: those of the context would cost slots."""
    tags = {*tags_left(flow_run), f"site:{told.opened.site}", f"verdict:{told.status}", f"rpo:{told.rpo.verdict}"}
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, tags=tags)
        for artifact in copy_artifacts(told, flow_run.id):
            client.create_artifact(artifact)
