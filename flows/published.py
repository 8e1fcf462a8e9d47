"""What Prefect's pages show of a run: the flow run's state and tags, and artifacts of its plan, timeline and verdicts."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Collection, Iterator
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import FlowRun, State
from prefect.states import Completed, Failed

from defib.entries import Opened
from defib.objectives import Status
from defib.report.artifacts import plan_text, timeline_text, verdict_text
from defib.report.as_markdown import escape, paragraph
from defib.report.chart import as_svg
from defib.report.copies import copies_of
from defib.report.run_page import lead
from defib.timeline import Timeline

_VERDICTS = frozenset({"verdict", "rto", "rpo", "readiness"})


def state_of(status: Status, reason: str) -> State[Any]:
    """The state in which a flow run ends whose run ended so: named as the run's status is."""
    make = Completed if status is Status.RECOVERED else Failed
    return make(name=status.value.title(), message=reason or status.value)


def tags_left(flow_run: FlowRun) -> set[str]:
    """The tags of a flow run but for verdicts: one that is retried has those of the time before."""
    return {tag for tag in flow_run.tags if tag.partition(":")[0] not in _VERDICTS}


def tags_of(opened: Opened) -> set[str]:
    """The tags of a run from its beginning on."""
    return {f"site:{opened.site}", f"mode:{opened.mode.value}"}


def publish(flow_run: UUID, told: Timeline, tags: Collection[str]) -> None:
    """Everything that is told of a run that is over; `tags` are those that its flow run has already.

    Tags are set on the flow run alone, and not through the context: every task run would inherit them, and ask the server
    for a slot of each.
    """
    verdicts = {f"verdict:{told.status}", f"rto:{told.rto.verdict}", f"rpo:{told.rpo.verdict}"}
    key = f"{told.opened.site}-{told.opened.procedure}"
    texts = {f"{key}-timeline": timeline_text(told), f"{key}-verdicts": verdict_text(told)}
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run, tags={*tags, *verdicts})
        client.create_artifact(plan_artifact(flow_run, told))
        for name, text in texts.items():
            client.create_artifact(_document(flow_run, name, escape(lead(told)), text))
        for artifact in copy_artifacts(told, flow_run):
            client.create_artifact(artifact)


def plan_artifact(flow_run: UUID, told: Timeline) -> ArtifactCreate:
    """``SITE-PROCEDURE-plan``: every change before and after, and who approved them."""
    key = f"{told.opened.site}-{told.opened.procedure}-plan"
    return _document(flow_run, key, "What changes, before and after.", plan_text(told))


def _document(flow_run: UUID, key: str, description: str, text: str) -> ArtifactCreate:
    return ArtifactCreate(key=key, type="markdown", description=description, data=text, flow_run_id=flow_run)


def copy_artifacts(told: Timeline, flow_run: UUID) -> Iterator[ArtifactCreate]:
    """``SITE-mirrors``, ``-replicas`` or ``-restored``, and ``…-over-time`` with figures over time; none about users.

    A picture is an image by its data: Prefect's pages draw neither Mermaid nor HTML in Markdown.
    """
    copies = copies_of(told.opened.procedure)
    if copies is None or not told.tells_of_copies:
        return
    key = f"{told.opened.site}-{copies.key}"
    data = json.dumps(copies.rows(told))
    yield ArtifactCreate(key=key, type="table", description=paragraph(lead(told)), data=data, flow_run_id=flow_run)
    for number, chart in enumerate(copies.charts(told), start=1):
        name = f"{key}-over-time" if number == 1 else f"{key}-over-time-{number}"
        picture = f"data:image/svg+xml;base64,{b64encode(as_svg(chart).encode()).decode()}"
        yield ArtifactCreate(key=name, type="image", description=paragraph(chart.title), data=picture, flow_run_id=flow_run)
