"""What Prefect's pages show of a run: the same facts as the report, in what every version of them can draw."""

from __future__ import annotations

from defib.question import Question
from defib.report.artifacts import bars, plan_text, question_text, timeline_text, verdict_text
from tests.report import samples


def test_steps_are_bars_in_order() -> None:
    """Each step that ended has one bar and its time, in the order of the phases; nothing needs a picture."""
    told = samples.recovered()
    rows = bars(told).splitlines()[1:-1]
    assert [row.split()[1] for row in rows] == [step.name for step in told.steps]
    assert all("█" in row for row in rows)
    assert "mermaid" not in timeline_text(told)


def test_plan_has_before_and_after_on_lines_of_their_own() -> None:
    """A page is narrow: what changes stands one under the other, with the digest that was approved."""
    told = samples.recovered()
    assert told.planned is not None
    text = plan_text(told)
    assert told.planned.digest[:12] in text
    for change in told.planned.changes:
        for record in change.records:
            assert f"   - before: `{record.before}`" in text
            assert f"   - after: `{record.after}`" in text


def test_hostile_text_stays_text() -> None:
    """What comes from a journal is escaped here as in the report."""
    told = samples.hostile()
    hostile = Question("k", told.opened.run_id, "4c" * 32, "```\n<script>\x1b[2J", told.started, told.started)
    for text in (plan_text(told), timeline_text(told), verdict_text(told), question_text(told, hostile)):
        assert "<script>" not in text
