"""The artifacts of copies: a table that everybody sees, and pictures of how far they were behind over time."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from uuid import UUID

from prefect.client.schemas.actions import ArtifactCreate

from defib.report.as_markdown import paragraph
from defib.report.chart import as_svg
from defib.report.copies import copies_of
from defib.report.run_page import lead
from defib.timeline import Timeline


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
