"""What is foretold before an approval: true to what then happens, unknown where nothing tells, and never in the way."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defib import entries
from defib.approval import Approver, Automatic
from defib.cli.briefing import briefing
from defib.clock import Deadline
from defib.forecast import EARLIER, IMPATIENCE, PATIENCE, Ahead, Tail, earlier_recoveries, forecast
from defib.objectives import Mode, Phase, Plane
from defib.ports import Answer, Answers, RecordKey
from defib.run import PlanReady, Run
from defib.runbook import RunbookStep
from defib.timeline import timeline
from tests.stage import LAB, PROCEDURES, REFUSED, RUNBOOKS, Doing, Stage, seconds

RTO = timedelta(hours=4)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A world whose primary CDN refuses connections."""
    made = Stage(tmp_path / "home")
    made.edges[made.primary.name] = REFUSED
    return made


def foretold(run: Run) -> entries.Forecast:
    """The one forecast of a run."""
    (found,) = run.journal.of(entries.Forecast)
    return found


def planned(stage: Stage, since: float | None = None) -> Run:
    """A run that only reads, to its plan; users are out for `since` so many seconds."""
    began = None if since is None else stage.clock.now() - seconds(since)
    run = stage.plan(since=began)
    with pytest.raises(PlanReady):
        PROCEDURES["cdn-failover"].play(run)
    return run


def warnings(run: Run) -> list[str]:
    """The warnings of a run."""
    return [note.text for note in run.journal.of(entries.Noted) if note.warning]


def someone() -> Doing:
    """A person who approves at once."""
    return Doing(lambda: None)


def well_again(stage: Stage) -> None:
    """Users are back at the primary, and resolvers have forgotten where they were meanwhile."""
    stage.change_by_hand(stage.primary.hostname)
    stage.clock.sleep(seconds(10))


def part(told: entries.Forecast, phase: Phase) -> entries.Foreseen:
    """What is foretold of one phase."""
    (found,) = (each for each in told.parts if each.phase is phase)
    return found


def test_it_comes_true(stage: Stage) -> None:
    """With an earlier run to go by, the RTO that was foretold and the one that was reached are a second apart at most."""
    assert stage.recover()[1].status == "recovered"
    well_again(stage)
    run, outcome = stage.recover(approver=someone(), since=stage.clock.now() - seconds(41))
    told, reached = foretold(run), timeline(run.journal.records).rto.actual
    assert outcome.status == "recovered"
    assert told.expected is not None
    assert reached is not None
    assert abs(told.expected - reached) <= seconds(1)
    assert told.verdict == "would meet"
    assert part(told, Phase.ACT).source == "one earlier run"
    assert part(told, Phase.PROPAGATE).source == "TTL left at 3 of 3 resolvers of observers"


def test_without_an_earlier_run_only_the_worst_is_known(stage: Stage) -> None:
    """What nothing tells is unknown and not zero; budgets bound it all the same."""
    told = foretold(planned(stage, since=41))
    assert part(told, Phase.ACT).expected is None
    assert told.expected is None
    assert told.worst is not None
    budgets = {step.name: step.budget for step in planned(stage).runbook.steps[3:]}
    assert told.worst >= seconds(41) + sum(budgets.values(), timedelta(0))
    assert told.verdict == "would meet"


def test_without_a_start_the_whole_is_unknown(stage: Stage) -> None:
    """Nobody knows since when users are out: no figure is made up, and what the run saw is named as a bound."""
    told = foretold(planned(stage))
    assert (told.so_far, told.expected, told.worst, told.verdict) == (None, None, None, "unknown")
    assert told.so_far_source.startswith("nobody knows since when users are without service, but for ")


def test_a_long_ttl_is_warned_of(stage: Stage, tmp_path: Path) -> None:
    """D12: TTL is 86,400 at incident time -> the run warns with the expected tail, and the forecast counts it."""
    text = LAB.read_text(encoding="utf-8").replace("ttl: 3s", "ttl: 24h", 1)
    path = tmp_path / "lab.yaml"
    path.write_text(text, encoding="utf-8")
    slow = Stage(tmp_path / "other", site_path=path)
    slow.edges[slow.primary.name] = REFUSED
    run = planned(slow, since=41)
    warned = "the TTL of www.pulse-trading.test. CNAME is 86,400 s: resolvers may keep the old answer for up to 24 h"
    assert warned in warnings(run)
    told = foretold(run)
    assert part(told, Phase.PROPAGATE).expected == part(told, Phase.PROPAGATE).worst == timedelta(hours=24)
    assert told.verdict == "would miss"
    assert not any("TTL" in text for text in warnings(planned(stage)))


def test_it_stands_before_the_question(stage: Stage) -> None:
    """The person who is asked reads the forecast first, with what each figure stands on."""
    run = planned(stage, since=41)
    text = briefing(run, None, run.since, by_watch=False)
    assert "RTO   would meet the RTO of 4 h: what to expect is unknown, at worst 38 min" in text
    assert "propagate 3 s (TTL left at 3 of 3 resolvers of observers)" in text.replace("\n      ", " ")


Reply = Callable[[Collection[str], Deadline], Sequence[Answer]]
"""What resolvers answer to a question to those of these names."""


@dataclass
class Through:
    """Answers as they are, but for what resolvers are asked by `run` before it is approved: `reply` gives that."""

    inner: Answers
    reply: Reply
    run: Run

    def authoritative(self, key: RecordKey, *, within: Deadline, at: str = "") -> tuple[Answer, ...]:
        """As they are."""
        return self.inner.authoritative(key, within=within, at=at)

    def resolvers(self, key: RecordKey, *, within: Deadline, only: Collection[str] = ()) -> tuple[Answer, ...]:
        """As told, or as they are."""
        if list(self.run.journal.of(entries.Approved)):
            return self.inner.resolvers(key, within=within, only=only)
        return tuple(self.reply(only, within))


def answered(stage: Stage, reply: Reply, approver: Approver, since: datetime | None = None) -> Run:
    """A run whose forecast gets the answers of `reply`, to its end."""
    run = stage.begin(approver=approver, since=since)
    run.outside = replace(run.outside, answers=Through(run.outside.answers, reply, run))
    stage.play(run)
    return run


def left(stage: Stage, **seconds_left: float) -> Reply:
    """Resolvers that say how much is left, an underscore for the dash of their names; the others say nothing."""

    def reply(only: Collection[str], _: Deadline) -> list[Answer]:
        told = {name.replace("_", "-"): seconds(ttl) for name, ttl in seconds_left.items()}
        values = stage.before.values
        return [Answer(name, values, told[name]) if name in told else Answer(name, None) for name in only]

    return reply


def test_only_observers_resolvers_are_asked(stage: Stage) -> None:
    """Any other would keep the old answer for another TTL because it was asked right before the change."""
    asked: list[str] = []

    def reply(only: Collection[str], _: Deadline) -> list[Answer]:
        asked.extend(only)
        return []

    answered(stage, reply, someone())
    assert asked == [observer.resolver for observer in stage.site.observers]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"resolver_1": 0.0, "resolver_2": 1.0}, 2.0),
        ({"resolver_1": 0.0}, 1.0),
        ({"resolver_1": 1.0, "resolver_3": 600.0}, 3.0),
    ],
    ids=["the longest, and the second that it is rounded by", "none left is not at once", "no longer than the record says"],
)
def test_what_is_left_of_the_ttl(stage: Stage, told: dict[str, float], expected: float) -> None:
    """The longest rest of a TTL decides, up to the record's own: a resolver that keeps it for longer is not waited for."""
    run = answered(stage, left(stage, **told), someone())
    found = part(foretold(run), Phase.PROPAGATE)
    assert found.expected == seconds(expected)
    assert found.source == f"TTL left at {len(told)} of 3 resolvers of observers"


def until_approved(run: Run) -> timedelta:
    """How long after the plan was written down it was approved."""
    at = {type(record.entry): record.at for record in run.journal.records}
    return at[entries.Approved] - at[entries.Planned]


def stopped(stage: Stage) -> Reply:
    """A signal comes while resolvers are asked."""

    def reply(_: Collection[str], __: Deadline) -> list[Answer]:
        stage.clock.interrupt()
        stage.clock.sleep(timedelta(0))
        return []

    return reply


def test_a_forecast_that_fails_stops_nothing(stage: Stage) -> None:
    """Whatever goes wrong in it is a note, and the recovery goes on."""

    def fail(_: Collection[str], __: Deadline) -> list[Answer]:
        raise ValueError("no such thing")

    run = answered(stage, fail, someone())
    assert [] == list(run.journal.of(entries.Forecast))
    assert "no forecast: ValueError: no such thing" in [note.text for note in run.journal.of(entries.Noted)]
    assert timeline(run.journal.records).status == "recovered"


def test_a_signal_is_not_swallowed(stage: Stage) -> None:
    """Somebody who stops the run while it is foretold stops it."""
    run = answered(stage, stopped(stage), someone())
    assert timeline(run.journal.records).status == "interrupted"
    assert stage.writes == []


def test_a_person_waits_two_seconds_at_most(stage: Stage) -> None:
    """Resolvers that do not answer cost what was promised, and the record's own TTL stands in."""

    def hang(only: Collection[str], within: Deadline) -> list[Answer]:
        stage.clock.sleep(within.remaining())
        return [Answer(name, None, problem="no answer") for name in only]

    run = answered(stage, hang, someone())
    assert until_approved(run) == PATIENCE
    told = part(foretold(run), Phase.PROPAGATE)
    assert (told.expected, told.source) == (seconds(3), "the TTL of the records: no resolver told what is left of it")


def test_users_do_not_wait_for_a_forecast(stage: Stage) -> None:
    """Where nobody decides, nobody is asked: a recovery by itself is not a moment later for its forecast."""
    asked: list[str] = []

    def reply(only: Collection[str], _: Deadline) -> list[Answer]:
        asked.extend(only)
        return []

    run = answered(stage, reply, Automatic("a test"))
    assert asked == []
    assert until_approved(run) <= IMPATIENCE
    assert part(foretold(run), Phase.PROPAGATE).source == "the TTL of the records"


def test_a_way_back_has_no_forecast(stage: Stage) -> None:
    """Users have service during a failback: there is no outage to foretell."""
    forward = stage.recovered()
    stage.clock.sleep(seconds(10))
    run, outcome = stage.recover("failback", someone(), follows=forward.id)
    assert outcome.status == "recovered"
    assert [] == list(run.journal.of(entries.Forecast))


def test_nothing_to_do_is_not_foretold(stage: Stage) -> None:
    """Where users are already where the plan would send them, there is no forecast."""
    stage.change_by_hand(stage.standby.hostname)
    run = stage.plan(forced=True)
    with pytest.raises(PlanReady):
        PROCEDURES["cdn-failover"].play(run)
    assert [] == list(run.journal.of(entries.Forecast))


def test_a_resumed_run_counts_from_the_first_start(stage: Stage) -> None:
    """What was known of the outage at the start is known after the run was taken up again."""
    began = stage.clock.now() - seconds(41)
    run = answered(stage, stopped(stage), someone(), began)
    stage.clock.resume()
    stage.die()
    stage.clock.sleep(seconds(60))
    again, _ = stage.resume(run.id, someone())
    foretold_at = next(record.at for record in again.journal.records if isinstance(record.entry, entries.Forecast))
    assert foretold(again).so_far == foretold_at - began


class TestEarlierRuns:
    """Which runs count."""

    def test_only_what_recovered(self, stage: Stage) -> None:
        """Runs that were rolled back, refused or are broken tell nothing about a recovery; nor do other procedures."""
        read = earlier_recoveries(stage.desk.home, "lab", "cdn-failover")
        assert [] == list(read(Deadline.after(stage.clock, seconds(1))))
        run, _ = stage.recover()
        within = Deadline.after(stage.clock, seconds(1))
        assert [run.id] == [told.opened.run_id for told in read(within)]
        assert [] == list(earlier_recoveries(stage.desk.home, "lab", "failback")(within))
        assert [] == list(earlier_recoveries(stage.desk.home, "b", "cdn-failover")(within))
        journal = stage.desk.home.run(run.id) / "journal.jsonl"
        journal.write_bytes(journal.read_bytes().replace(b"recovered", b"Recovered", 1))
        assert [] == list(read(within))

    def test_the_newest_within_the_time(self, stage: Stage) -> None:
        """As many as count, the newest first; none once the time is over."""
        made = []
        for _ in range(EARLIER + 1):
            run, outcome = stage.recover()
            assert outcome.status == "recovered"
            made.append(run.id)
            well_again(stage)
        read = earlier_recoveries(stage.desk.home, "lab", "cdn-failover")
        found = [told.opened.run_id for told in read(Deadline.after(stage.clock, seconds(1)))]
        assert found == made[:0:-1]
        assert [] == list(read(Deadline.after(stage.clock, timedelta(0))))


spans = st.timedeltas(timedelta(0), timedelta(days=2))
steps = st.lists(
    st.builds(
        RunbookStep, st.just("a-step"), st.sampled_from(Phase), st.sampled_from(Plane), spans, st.just("."), st.just(1)
    ),
    max_size=5,
)
tails = st.builds(Tail, st.none() | spans, spans, st.just("a test"))


@given(st.none() | spans, spans, steps, tails)
def test_figures_agree(so_far: timedelta | None, deciding: timedelta, ahead: list[RunbookStep], tail: Tail) -> None:
    """At worst is never sooner than expected, unknown stays unknown, and a verdict is only given where it holds."""
    told = forecast("d" * 64, RTO, so_far, "a test", Ahead(deciding, ahead, (), tail))
    if told.expected is not None and told.worst is not None:
        assert told.worst >= told.expected
    assert (told.worst is None) == (so_far is None)
    assert told.to_come is None, "no earlier run tells how long acting takes"
    if told.verdict == "would meet":
        assert told.worst is not None
        assert told.worst <= RTO
    if told.verdict == "would miss":
        assert (so_far or timedelta(0)) + (tail.left or timedelta(0)) > RTO


@given(spans, spans, steps, tails)
def test_a_longer_outage_is_never_foretold_better(
    so_far: timedelta, longer: timedelta, ahead: list[RunbookStep], tail: Tail
) -> None:
    """Waiting never turns a miss into a hit."""
    rank = {"would meet": 0, "unknown": 1, "would miss": 2}
    known = Ahead(timedelta(0), ahead, (), tail)
    now, later = (forecast("d" * 64, RTO, span, "a test", known) for span in (so_far, so_far + longer))
    assert rank[later.verdict] >= rank[now.verdict]


def test_every_budget_is_counted_once(stage: Stage) -> None:
    """The worst of what is to come is the sum of all budgets after the approval."""
    run = stage.plan()
    ahead = run.runbook.steps[3:]
    tail = Tail(None, timedelta(0), "a test")
    told = forecast("d" * 64, RTO, timedelta(0), "a test", Ahead(timedelta(0), ahead, (), tail))
    assert told.to_come_at_worst == sum((step.budget for step in ahead), timedelta(0))
    assert run.mode is Mode.PLAN
    assert run.runbook.path.parent == RUNBOOKS
