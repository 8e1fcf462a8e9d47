"""The artifacts of copies: a table that everybody sees, and how far they were behind over time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import UUID

from prefect.client.schemas.actions import ArtifactCreate

from defib.report.as_markdown import escape
from defib.report.copies import copies_of
from defib.report.run_page import lead
from defib.timeline import Timeline


def copy_artifacts(told: Timeline, flow_run: UUID) -> Iterator[ArtifactCreate]:
    """``SITE-mirrors``, ``-replicas`` or ``-restored``, and with figures over time ``…-over-time``; none about users."""
    copies = copies_of(told.opened.procedure)
    if copies is None or not told.tells_of_copies:
        return
    key = f"{told.opened.site}-{copies.key}"
    data = json.dumps(copies.rows(told))
    yield ArtifactCreate(key=key, type="table", description=lead(told), data=data, flow_run_id=flow_run)
    drawn = [f"```mermaid\n{chart.mermaid}\n```" for chart in copies.charts(told) if chart.mermaid]
    if drawn:
        text = "\n\n".join([f"**{escape(lead(told))}**", *drawn])
        yield ArtifactCreate(key=f"{key}-over-time", type="markdown", data=text, flow_run_id=flow_run)
