"""Whom a run told of itself is part of its report."""

from __future__ import annotations

from defib import entries
from defib.objectives import Status
from defib.report.as_markdown import as_markdown
from defib.report.run_page import run_page
from tests.report.samples import Pen, confirm, recovered


def test_who_was_told_and_who_was_not() -> None:
    """Each message with its channel, its outcome, and the reason where it did not arrive."""
    pen = Pen()
    pen.open()
    confirm(pen)
    pen.write(entries.Told("chat", "start", "start", "Pulse Trading: cdn-failover started"))
    pen.write(entries.Told("mail", "start", "start", "Pulse Trading: cdn-failover started", "failed", "no answer in time"))
    pen.write(entries.Closed(Status.REFUSED, "no standby"))
    pen.write(entries.Told("chat", "failed", "closed:refused", "Pulse Trading: cdn-failover refused", "unknown", "left"))
    told = pen.timeline()
    assert [(entry.channel, entry.outcome) for _, entry in told.told] == [
        ("chat", "sent"),
        ("mail", "failed"),
        ("chat", "unknown"),
    ]
    lines = [line for line in as_markdown(run_page(told)).splitlines() if "cdn-failover started" in line]
    assert ["no answer in time" in line for line in lines] == [False, True]
    assert told.status is Status.REFUSED
    assert told.ended is not None


def test_nobody_was_to_be_told() -> None:
    """A run that told nobody has no empty table of it."""
    assert "Who was told" not in as_markdown(run_page(recovered()))
