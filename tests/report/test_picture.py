"""The picture: to scale, and drawing only what is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from defib.objectives import Phase
from defib.ports import Health, Observation
from defib.report.axis import Axis, spread
from defib.report.drill_page import drill_page
from defib.report.page import Row, Tick
from defib.report.picture import pictures, rto_scale
from defib.timeline import Sighting
from tests.report import samples


def rows(made: object) -> dict[str, Row]:
    """The rows of a picture by label; the first of a name."""
    found: dict[str, Row] = {}
    for row in made.rows:  # type: ignore[attr-defined]
        found.setdefault(row.label, row)
    return found


def test_phases_are_drawn_to_scale() -> None:
    """Each phase is as wide as its part of the axis, one after the other."""
    run = samples.recovered()
    (picture,) = pictures(run)
    marks = rows(picture)["phases"].marks

    assert [f"phase-{number}" for number in range(1, 6)] == [mark.kind for mark in marks]
    outage = sum(mark.width for mark in marks)
    for mark, span in zip(marks, run.spans, strict=True):
        assert span.took is not None
        assert run.rto.actual is not None
        assert mark.width / outage == pytest.approx(span.took / run.rto.actual, abs=0.001)
    for before, after in pairwise(marks):
        assert after.left == pytest.approx(before.left + before.width, abs=0.002)


def test_late_run_gets_an_axis_of_its_own() -> None:
    """E12: a run that is a small part of the outage is drawn twice, in its place and enlarged."""
    whole, near = pictures(samples.late())

    assert {"phases", "the run"} == set(rows(whole))
    assert "verify-the-users" in rows(near)
    assert rows(whole)["phases"].marks[0].width > 90


def test_unknown_start_and_end_are_drawn_as_gaps() -> None:
    """Where the outage began or ended is unknown, the row has a gap there and no phase."""
    begin = rows(pictures(samples.rto_unknown())[0])["phases"].marks
    end = rows(pictures(samples.rolled_back())[0])["phases"].marks
    nothing = rows(pictures(samples.empty())[0])["phases"].marks

    assert ["gap", "phase-3", "phase-4", "phase-5"] == [mark.kind for mark in begin]
    assert ["phase-1", "phase-2", "phase-3", "gap"] == [mark.kind for mark in end]
    assert ["gap"] == [mark.kind for mark in nothing]
    assert rto_scale(samples.rto_unknown()) is None


def test_moment_that_was_skipped_leaves_a_gap() -> None:
    """A missing moment between two known ones is a gap, not a phase that is too long."""
    run = samples.recovered()
    marks = rows(pictures(replace(run, instants=replace(run.instants, decided=None)))[0])["phases"].marks

    assert ["phase-1", "gap", "phase-4", "phase-5"] == [mark.kind for mark in marks]


def test_looks_are_drawn_one_by_one_and_users_first() -> None:
    """Each look is a mark at its time; the users' rows stand before those of edges and origin."""
    (picture,) = pictures(samples.recovered())
    groups = [row.group for row in picture.rows if row.group]
    north = rows(picture)["north"]

    assert ["Outage", "Steps", "Looks at users", "Looks at origin", "Looks at cloudflare"] == groups
    assert ["bad"] * 15 + ["good"] * 15 == [mark.kind for mark in north.marks]
    assert "15 good, 15 bad" == north.said


@pytest.mark.parametrize("worst", [Health.BAD, Health.UNKNOWN])
def test_many_looks_show_the_worst(worst: Health) -> None:
    """Thousands of looks are bounded in size, and one bad or unknown look among good ones in the same place still shows."""
    run = samples.recovered()
    healths = [Health.GOOD] * 5000
    healths[2500] = worst
    looks = tuple(
        Sighting("s", "users", Observation("north", run.started + n * timedelta(milliseconds=1), timedelta(0), health))
        for n, health in enumerate(healths)
    )
    marks = rows(pictures(replace(run, sightings=looks))[0])["north"].marks

    assert len(marks) <= 240
    assert 1 == sum(mark.kind == worst for mark in marks)


def test_failback_shades_only_what_users_lost() -> None:
    """During a failback only the times in which users had no service are shaded."""
    (picture,) = pictures(samples.failback())

    assert 1 == len(picture.bands)
    assert picture.bands[0].width < 10


def test_drill_has_eyewitness_and_faults_on_the_same_axis() -> None:
    """The eyewitness's outage is a row as wide as its time, and the fault is marked where it was set."""
    (picture,) = drill_page(samples.drilled()).sections[0].pictures
    found = rows(picture)
    outage = sum(mark.width for mark in found["phases"].marks)

    assert found["eyewitness"].marks[0].width / outage == pytest.approx(6.31 / 6.2, abs=0.001)
    assert ["fault"] == [mark.kind for mark in found["faults"].marks]
    assert found["faults"].marks[0].left < found["eyewitness"].marks[0].left < found["phases"].marks[0].left


def test_rto_scale_shows_the_target_where_it_was_missed() -> None:
    """Within the RTO the bar is part of it; beyond it the bar is the whole, and the RTO is marked where it was."""
    met, missed = rto_scale(samples.recovered()), rto_scale(samples.late())

    assert met is not None
    assert missed is not None
    assert (100, True) == (met.target, met.used < 1)
    assert 100 == missed.used
    assert missed.target == pytest.approx(1800 / 3004.15 * 100, abs=0.01)


@pytest.mark.parametrize("seconds", [0.004, 0.7, 6.2, 61, 3000, 14_400, 90_000, 4_000_000, 400_000_000])
def test_axis_has_few_ticks_inside_it(seconds: float) -> None:
    """An axis of any length has from two to seven ticks, in order, one of them at zero."""
    begin = samples.START
    axis = Axis(begin, begin + timedelta(seconds=seconds), begin)
    places = [tick.left for tick in axis.ticks()]

    assert 2 <= len(places) <= 7
    assert sorted(set(places)) == places
    assert Tick(0.0, "0") == axis.ticks()[0]


def test_axis_counts_back_before_zero() -> None:
    """What happened before zero has a negative time."""
    axis = Axis(samples.START - timedelta(seconds=2), samples.START + timedelta(seconds=2), samples.START)

    assert "-2 s" == axis.ticks()[0].text


def test_letters_that_would_touch_stand_together() -> None:
    """Moments too close to be told apart share one label, so that none is printed over another."""
    assert (Tick(10, "A"), Tick(50, "BC"), Tick(90, "D")) == spread([("A", 10), ("B", 50), ("C", 52), ("D", 90)])


def test_phases_have_an_order_in_the_table() -> None:
    """The table of phases has all five, numbered as in the picture."""
    table = drill_page(samples.drilled()).sections[0].tables[0]

    assert [f"{n} {phase}" for n, phase in enumerate(Phase, start=1)] == [row[0].text for row in table.rows]
