"""What people read of drills: the after-action report, the trend, and the page of all of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from defib.drills.calendar import Ending
from defib.drills.drilled import Drill
from defib.drills.line import DrillLine, Unreadable, line_of
from defib.objectives import Measure, Status
from defib.report.afteraction import FILE, after_action
from defib.report.as_html import as_html
from defib.report.as_markdown import as_markdown
from defib.report.chart import as_svg
from defib.report.drills_page import drills_page
from defib.report.page import Tone
from defib.report.trend import MOST, trend
from defib.report.write import write_drill
from tests.report import samples

HOURS = timedelta(hours=4)


def line(number: int, outage: float | None, ending: Ending = Ending.DONE) -> DrillLine:
    """A drill of the month of that number."""
    at = samples.START + timedelta(days=30 * number)
    rto = Measure(HOURS, None if outage is None else timedelta(seconds=outage))
    whole = ending.was_held
    return replace(
        line_of(samples.drilled()), drill_id=f"drill-{number}", at=at, ending=ending,
        rto=rto if whole else None, rpo=Measure(timedelta(hours=1), timedelta(0)) if whole else None, reason="",
    )  # fmt: skip


class TestAfterAction:
    def test_what_is_filled_in_and_what_is_left(self) -> None:
        """Owner, participants, timeline, deviations; corrective actions have a row for each deviation."""
        text = after_action(samples.drilled_with_residue())
        assert "- Owner: Ann" in text
        assert "- Participants: on call, support lead" in text
        assert "| cloudfront: refuse |" in text
        assert "the site was found down" in text
        assert "- The drill ended failed: the outside state is not as it was before the drill" in text
        assert "| for: The drill ended failed: the outside state is not as it was before the drill |  |  | [ ] |" in text
        assert text.index("## Timeline") < text.index("## Deviations") < text.index("## Corrective actions")

    def test_nobody_is_named(self) -> None:
        """Where the site file names nobody, the report says that somebody is to be."""
        text = after_action(replace(samples.drilled(), asked=None))
        assert "- Owner: (to be named)" in text
        assert "- Participants: (to be named)" in text

    def test_it_is_written_once(self, tmp_path: Path) -> None:
        """However often the report is made anew, what somebody has filled in stands."""
        write_drill(tmp_path, samples.drilled())
        (tmp_path / FILE).write_text("what we did about it\n", encoding="utf-8")
        write_drill(tmp_path, samples.drilled_with_residue())
        assert (tmp_path / FILE).read_text(encoding="utf-8") == "what we did about it\n"

    def test_a_drill_without_an_end_has_none_yet(self, tmp_path: Path) -> None:
        """It would be written too soon, and never again."""
        write_drill(tmp_path, replace(samples.drilled(), status=None, ended=None))
        assert not (tmp_path / FILE).exists()

    def test_words_of_others_stay_words(self) -> None:
        """What servers and people said cannot become markup."""
        drill: Drill = replace(samples.drilled(), reason=samples.HOSTILE, status=Status.FAILED)
        assert "<script" not in after_action(drill)


class TestTrend:
    def test_a_bar_for_each_drill(self) -> None:
        """With its figure on it; the target is far above seconds, and is said instead of drawn."""
        rto, rpo = trend([line(1, 6.3), line(2, 12.6), line(3, 3.15)], "cdn-failover")
        assert [bar.label for bar in rto.bars] == ["6.3 s", "12.6 s", "3.15 s"]
        heights = [bar.height for bar in rto.bars]
        assert heights == pytest.approx([heights[1] / 2, heights[1], heights[1] / 4], abs=0.02)
        assert rto.limit_said == "the target of 4 h is far above"
        assert {bar.tone for bar in rto.bars} == {Tone.GOOD}
        assert [tick.text for tick in rto.ticks] == ["04-06", "05-06", "06-05"]
        assert {bar.label for bar in rpo.bars} == {"0 s"}

    def test_months_without_a_figure(self) -> None:
        """Skipped and missed drills are hollow bars: they are no good months."""
        rto, _ = trend([line(1, 6.3), line(2, None, Ending.MISSED), line(3, 5, Ending.FAILED)], "cdn-failover")
        assert [bar.tone for bar in rto.bars] == [Tone.GOOD, Tone.UNKNOWN, Tone.GOOD]
        assert "2026-05-06, missed: no figure" in rto.bars[1].words
        assert "1 drill without a figure" in rto.mermaid

    def test_a_target_that_was_missed(self) -> None:
        """It is drawn where it is near, and bars beyond it are bad."""
        late = replace(line(1, 1), rto=Measure(timedelta(minutes=1), timedelta(seconds=90)))
        rto, _ = trend([late], "cdn-failover")
        assert (rto.bars[0].tone, rto.limit < 100, rto.limit_said) == (Tone.BAD, True, "the line is the target of 1 min")

    def test_only_the_last_two_years(self) -> None:
        """And labels only while there is room for them."""
        rto, _ = trend([line(number, 6) for number in range(1, 40)], "cdn-failover")
        assert len(rto.bars) == MOST
        assert not any(bar.label for bar in rto.bars)
        assert len(rto.ticks) <= 6

    def test_nothing_to_show(self) -> None:
        """No picture of no drills."""
        assert trend([line(1, None, Ending.SKIPPED)], "cdn-failover") == ()
        assert trend([], "cdn-failover") == ()

    def test_a_picture_of_its_own(self) -> None:
        """As an image: its figures stand in it, and no line where the target is far above."""
        rto, _ = trend([line(1, 6.3), line(2, 12.6)], "cdn-failover")
        picture = as_svg(rto)
        assert ("12.6 s" in picture, "<line" in picture, "far above" in picture) == (True, False, True)


def test_the_page_of_all_drills() -> None:
    """A tile a procedure, pictures, and every drill, the newest first; a broken journal is shouted."""
    lines = [line(1, 6.3), line(2, None, Ending.MISSED)]
    broken = [Unreadable("drill-0", "this entry was edited")]
    due = {"cdn-failover": samples.START, "dns-switch": samples.START}
    page = drills_page("lab", samples.START, lines, broken, due)
    assert [(tile.caption, tile.word, tile.tone) for tile in page.tiles] == [
        ("cdn-failover", "missed", Tone.BAD),
        ("dns-switch", "never", Tone.UNKNOWN),
    ]
    assert page.lead == "1 done, 1 missed."
    text = as_markdown(page)
    assert text.index("drill-2") < text.index("drill-1") < text.index("this entry was edited")
    assert "<svg" in as_html(page)
    assert drills_page("lab", samples.START, [], [], {}).lead == "No drill was ever held."


def test_the_report_of_a_drill_tells_of_those_before(tmp_path: Path) -> None:
    """Score, preconditions, who answers for it, deviations, and the trend up to it."""
    write_drill(tmp_path, samples.drilled(), [line(1, 6.3), line(2, 5.5)])
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    for part in (
        "## Before it began",
        "## Score",
        "## After-action",
        "Ann",
        "## Drills so far",
        "RTO of cdn-failover over drills",
    ):
        assert part in text
