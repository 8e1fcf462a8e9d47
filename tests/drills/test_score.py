"""What a drill is worth, point by point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from defib import entries
from defib.drills.drilled import Drill
from defib.drills.score import score
from defib.objectives import Measure, Status
from defib.report.afteraction import deviations
from defib.timeline import Timeline
from tests.report import samples


def lacking(drill: Drill) -> dict[str, bool | None]:
    """The points that are not met."""
    found = score(drill)
    assert found is not None
    return {point.name: point.met for point in found.points if point.met is not True}


def without_warnings() -> Drill:
    """A drill in which all went well."""
    told = samples.drilled()
    assert told.forward is not None
    assert told.failback is not None
    out, back = told.eyewitness
    saw = (out, replace(back, outage=timedelta(0)))
    return replace(told, forward=_quiet(told.forward), failback=_quiet(told.failback), eyewitness=saw)


def _quiet(run: Timeline) -> Timeline:
    steps = tuple(replace(step, notes=tuple(note for note in step.notes if not note.warning)) for step in run.steps)
    told = tuple((at, each) for at, each in run.told if each.outcome == "sent")
    return replace(run, steps=steps, notes=tuple(note for note in run.notes if not note.warning), told=told)


def test_a_drill_in_which_all_went_well() -> None:
    """All points are met, and nothing deviates but what was seen before."""
    found = score(without_warnings())
    assert found is not None
    assert (found.percent, found.met, len(found.points)) == (100, 10, 10)
    assert deviations(without_warnings()) == ("Before it, no blackout: blackout: the sales weeks",)


def _missed(drill: Drill) -> Drill:
    assert drill.forward is not None
    return replace(drill, forward=replace(drill.forward, rto=Measure(timedelta(seconds=5), timedelta(seconds=6), "")))


def _unknown(drill: Drill) -> Drill:
    assert drill.forward is not None
    return replace(drill, forward=replace(drill.forward, rpo=Measure(timedelta(hours=1), None, "nobody could read it")))


def _slow(drill: Drill) -> Drill:
    assert drill.forward is not None
    first, *rest = drill.forward.steps
    return replace(drill, forward=replace(drill.forward, steps=(replace(first, took=first.budget * 2), *rest)))


def _warned(drill: Drill) -> Drill:
    return replace(drill, notes=(*drill.notes, entries.Noted("", "the lab was slow", warning=True)))


@pytest.mark.parametrize(
    ("change", "point", "met", "says"),
    [
        (_missed, "RTO", False, "Not met, RTO"),
        (_unknown, "RPO", None, "Not met, RPO: nobody could read it"),
        (_slow, "within budgets", False, "On the way out, confirm-the-outage took"),
        (_warned, "no warnings", False, "Warning (drill): the lab was slow"),
        (
            lambda drill: replace(drill, residue=("+ a record",)),
            "no residue",
            False,
            "1 line(s) of the outside state differ",
        ),
        (lambda drill: replace(drill, residue=None), "no residue", None, "it could not be compared"),
        (lambda drill: replace(drill, failback=None), "failed back", False, "there was no such run"),
        (lambda drill: replace(drill, eyewitness=()), "eyewitness", None, "the eyewitness cannot tell"),
    ],
)
def test_a_point_that_is_not_met(change: Callable[[Drill], Drill], point: str, met: bool | None, says: str) -> None:
    """It is named, and its deviation is found; what is not known is not met."""
    drill = change(without_warnings())
    assert lacking(drill)[point] is met
    found = score(drill)
    assert found is not None
    assert found.percent < 100
    assert any(says in text for text in deviations(drill))


@pytest.mark.parametrize("status", [Status.REFUSED, Status.INTERRUPTED, None])
def test_a_drill_that_was_not_held_has_none(status: Status | None) -> None:
    """Nothing was proved or disproved."""
    assert score(replace(samples.drilled(), status=status, reason="skipped: an incident")) is None
