"""The state machine that says when a site is down, and when it is not the site."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from defib.observe.detect import Decision, Detector, State
from defib.ports import Health, Observation
from defib.sites.site import Detection

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("north", "east", "south")
ALL_ONLINE = dict.fromkeys(NAMES, True)
MARKS = {"+": Health.GOOD, "-": Health.BAD, "?": Health.UNKNOWN}


def settings(**changes: object) -> Detection:
    """Interval 1 s, fall 3, rise 2, quorum 2, cool-down 10 min, unless told otherwise."""
    return Detection.model_validate(
        {"references": ("https://a.test/", "https://b.test/"), "probe_deadline": "800ms", **changes}
    )


def at(seconds: float) -> datetime:
    """A moment of the test."""
    return START + timedelta(seconds=seconds)


def seen(observer: str, second: float, mark: str) -> Observation:
    """One look that took no time."""
    health = MARKS[mark]
    reason = "HTTP 503" if health is Health.BAD else ""
    return Observation(observer, at(second), timedelta(0), health, reason)


def feed(
    detector: Detector, rows: Mapping[str, str], online: Mapping[str, bool] = ALL_ONLINE, first: int = 0
) -> list[Decision]:
    """Feed one mark a second for each observer, all observers of a second together."""
    decisions = []
    for second in range(max(len(row) for row in rows.values())):
        now = [seen(name, first + second, row[second]) for name, row in rows.items() if second < len(row)]
        decisions.append(detector.feed(now, online))
    return decisions


def states(decisions: list[Decision]) -> list[State]:
    """The states, one after the other, without repetitions."""
    return [now.state for before, now in zip([None, *decisions], decisions, strict=False) if before is None or now.changed]


def test_nobody_has_looked() -> None:
    """Before the first look nothing is healthy: nobody can tell."""
    detector = Detector(NAMES, settings())
    assert (State.SUSPECT, NAMES) == (detector.last.state, detector.last.mute)


def test_down_by_quorum() -> None:
    """Two of three observers with three bad looks each make it down, once, since the first bad look."""
    decisions = feed(Detector(NAMES, settings()), {"north": "++----", "east": "+++---", "south": "++++++"})
    down = decisions[-1]
    assert [State.HEALTHY, State.SUSPECT, State.DOWN] == states(decisions)
    assert (True, True) == (down.changed, down.act)
    assert {"north": at(2), "east": at(3)} == down.since
    assert ("north: HTTP 503", "east: HTTP 503") == down.reasons
    assert at(3) == down.first_bad


def test_first_bad_of_a_sudden_outage() -> None:
    """The clock of the RTO starts with the first bad look of whichever observer saw it first."""
    detector = Detector(NAMES, settings())
    for second in (0, 1):
        detector.feed([seen(name, second + step / 3, "+") for step, name in enumerate(NAMES)], ALL_ONLINE)
    for second in (2, 3, 4):
        detector.feed([seen(name, second + step / 3, "-") for step, name in enumerate(NAMES)], ALL_ONLINE)
    assert (State.DOWN, at(2)) == (detector.last.state, detector.last.first_bad)


def test_first_bad_is_reset_by_a_good_look_of_the_quorum() -> None:
    """One observer's trouble of ten minutes does not count as an outage from before the others were served."""
    rows = {"north": "-" * 600, "east": "+" * 597 + "---", "south": "+" * 597 + "---"}
    decision = feed(Detector(NAMES, settings()), rows)[-1]
    assert (State.DOWN, at(597)) == (decision.state, decision.first_bad)
    assert at(0) == decision.since["north"]


def test_first_bad_stays_while_down() -> None:
    """A good look in the middle of an outage does not move its start."""
    detector = Detector(NAMES, settings())
    decisions = feed(detector, {"north": "+-----+-", "east": "+-------", "south": "+-------"})
    assert [at(1)] * 5 == [decision.first_bad for decision in decisions[-5:]]


def test_one_of_three() -> None:
    """C1: one observer of three sees failure: suspect, and nothing to act on."""
    decisions = feed(Detector(NAMES, settings()), {"north": "-" * 50, "east": "+" * 50, "south": "+" * 50})
    assert [State.HEALTHY, State.SUSPECT] == states(decisions)
    assert not any(decision.act for decision in decisions)


def test_everybody_offline() -> None:
    """C2: all observers lose their own network: suspect for lack of a vote, never down, and not by their old looks."""
    detector = Detector(NAMES, settings())
    feed(detector, dict.fromkeys(NAMES, "+++--"), online={})
    offline = feed(detector, dict.fromkeys(NAMES, "-" * 30), dict.fromkeys(NAMES, False), first=5)
    back = feed(detector, dict.fromkeys(NAMES, "--"), first=35)
    assert {State.SUSPECT} == {decision.state for decision in [*offline, *back]}
    assert NAMES == offline[-1].mute
    assert ("north: cannot tell", "east: cannot tell", "south: cannot tell") == offline[-1].reasons


def test_votes_wait_for_the_network() -> None:
    """C2: bad observers count only once it is known that they are online, and then at once."""
    detector = Detector(NAMES, settings())
    waiting = feed(detector, dict.fromkeys(NAMES, "+---"), online={})[-1]
    down = detector.feed((), ALL_ONLINE)
    assert (State.SUSPECT, State.DOWN) == (waiting.state, down.state)
    assert at(1) == down.first_bad


def test_one_offline_of_three() -> None:
    """C2: two bad observers of which one is offline are one vote."""
    online = {"north": True, "east": False, "south": True}
    decision = feed(Detector(NAMES, settings()), {"north": "----", "east": "----", "south": "++++"}, online)[-1]
    assert (State.SUSPECT, ("east",)) == (decision.state, decision.mute)


def test_flapping_faster_than_fall() -> None:
    """C6: two seconds up and two down for ten minutes never reach three bad looks in a row: no decision."""
    decisions = feed(Detector(NAMES, settings()), dict.fromkeys(NAMES, "++--" * 150))
    assert 0 == sum(decision.act for decision in decisions)


def test_flapping_with_action() -> None:
    """C6: two seconds up and two down for ten minutes with fall 2: exactly one decision to act, then cooling."""
    detector = Detector(NAMES, settings(fall=2))
    acts = 0
    for decision in _flap(detector, 600):
        if decision.act:
            acts += 1
            detector.acted(decision.at or START)
    assert (1, State.COOLING) == (acts, detector.last.state)


def test_flapping_without_action() -> None:
    """C6, C16: where nobody may act, one decision to act in each cool-down is all the same the limit."""
    detector = Detector(NAMES, settings(fall=2))
    decisions = list(_flap(detector, 600))
    assert 1 == sum(decision.act for decision in decisions)
    assert State.DOWN in {decision.state for decision in decisions[300:]}


def _flap(detector: Detector, seconds: int) -> Iterator[Decision]:
    for second in range(seconds):
        mark = "++--"[second % 4]
        yield detector.feed([seen(name, second, mark) for name in NAMES], ALL_ONLINE)


def test_primary_comes_back() -> None:
    """C9: the primary is back 30 s after the switch: cooling, then healthy, and nothing to act on."""
    detector = Detector(NAMES, settings(cool_down="2m"))
    down = feed(detector, dict.fromkeys(NAMES, "+---"))[-1]
    detector.acted(at(3))
    after = feed(detector, dict.fromkeys(NAMES, "-" * 30 + "+" * 120), first=4)
    assert down.act
    assert [State.COOLING, State.HEALTHY] == states(after)
    assert at(123) == next(decision.at for decision in after if decision.state is State.HEALTHY)
    assert not any(decision.act for decision in after)


def test_still_down_after_the_cool_down() -> None:
    """A recovery that did not help may be followed by another decision, after the cool-down."""
    detector = Detector(NAMES, settings(cool_down="1m"))
    feed(detector, dict.fromkeys(NAMES, "+---"))
    detector.acted(at(3))
    after = feed(detector, dict.fromkeys(NAMES, "-" * 90), first=4)
    assert [at(63)] == [decision.at for decision in after if decision.act]


def test_rise() -> None:
    """An observer that was bad is good again after two good looks in a row, not after one."""
    decisions = feed(Detector(("north",), settings(quorum=1)), {"north": "+---+-++"}, {"north": True})
    assert [State.DOWN] * 4 + [State.HEALTHY] == [decision.state for decision in decisions[3:]]


def test_unknown_looks_count_neither_way() -> None:
    """Looks that could not tell neither break a run nor add to it, but three in a row end the vote."""
    detector = Detector(("north",), settings(quorum=1))
    decisions = feed(detector, {"north": "+-?-?-???"}, {"north": True})
    assert [State.HEALTHY] * 5 + [State.DOWN] * 3 + [State.SUSPECT] == [decision.state for decision in decisions]


def test_late_answers_count_when_they_were_asked() -> None:
    """A look that hung until after a newer one was good says nothing about now."""
    detector = Detector(("north",), settings(quorum=1, fall=2, probe_deadline="5s"))
    online = {"north": True}
    for observation in (seen("north", 0, "+"), seen("north", 3, "+"), seen("north", 1, "-"), seen("north", 2, "-")):
        assert detector.feed([observation], online).state is State.HEALTHY


def test_late_good_answer_splits_a_run() -> None:
    """A slow good answer from the middle of a run leaves only the bad looks after it."""
    detector = Detector(("north",), settings(quorum=1, probe_deadline="5s"))
    online = {"north": True}
    for second, mark in ((0, "+"), (1, "-"), (3, "-"), (2, "+"), (4, "-")):
        decision = detector.feed([seen("north", second, mark)], online)
    assert decision.state is State.HEALTHY
    decision = detector.feed([seen("north", 5, "-")], online)
    assert (State.DOWN, at(3)) == (decision.state, decision.first_bad)


def test_wall_clock_set_back() -> None:
    """A wall clock that is set back by an hour neither blinds the detector nor opens the cool-down."""
    detector = Detector(NAMES, settings(cool_down="1m"))
    feed(detector, dict.fromkeys(NAMES, "+---"), first=3600)
    detector.acted(at(3603))
    after = feed(detector, dict.fromkeys(NAMES, "-" * 70))
    assert [State.COOLING, State.DOWN] == states(after)
    assert [at(60)] == [decision.at for decision in after if decision.act]


def test_one_look_of_three_is_not_healthy() -> None:
    """Healthy takes a quorum: as long as fewer have seen the site good, it is suspect, and who cannot tell is named."""
    detector = Detector(NAMES, settings())
    one = detector.feed([seen("north", 0, "+")], ALL_ONLINE)
    two = detector.feed([seen("east", 0.3, "+")], ALL_ONLINE)
    assert (State.SUSPECT, ("east: cannot tell", "south: cannot tell")) == (one.state, one.reasons)
    assert (State.HEALTHY, Health.GOOD, ("south: cannot tell",)) == (two.state, two.verdict, two.reasons)


def test_too_few_are_left_to_say_healthy() -> None:
    """Two of three observers lose their sight of a good site: nobody knows any longer that it is healthy."""
    decisions = feed(Detector(NAMES, settings()), {"north": "++++++", "east": "++????", "south": "++????"})
    assert [State.HEALTHY, State.SUSPECT] == states(decisions)


def test_the_cool_down_tells_how_users_fare() -> None:
    """While nothing more is done, the verdict goes on: out since when, served again, and until when nothing is done."""
    detector = Detector(NAMES, settings())
    feed(detector, dict.fromkeys(NAMES, "+---"))
    detector.acted(at(3))
    out = feed(detector, dict.fromkeys(NAMES, "-"), first=4)[-1]
    assert (State.COOLING, Health.BAD, at(1), at(603)) == (out.state, out.verdict, out.first_bad, out.until)
    served = feed(detector, dict.fromkeys(NAMES, "++"), first=5)[-1]
    assert (State.COOLING, Health.GOOD, at(603)) == (served.state, served.verdict, served.until)
    again = feed(detector, dict.fromkeys(NAMES, "---"), first=7)[-1]
    assert (State.COOLING, Health.BAD, at(7)) == (again.state, again.verdict, again.first_bad)


def test_what_came_to_nothing_is_decided_again() -> None:
    """A start that did nothing does not use up the cool-down: the next decision to act comes when it is told to."""
    detector = Detector(NAMES, settings())
    feed(detector, dict.fromkeys(NAMES, "+---"))
    detector.acted(at(3))
    feed(detector, dict.fromkeys(NAMES, "--"), first=4)
    detector.came_to_nothing(at(63))
    after = feed(detector, dict.fromkeys(NAMES, "-" * 120), first=6)
    assert [State.DOWN] == states(after)
    assert ([at(63)], {at(1)}) == ([each.at for each in after if each.act], {each.first_bad for each in after})


MOMENTS = st.lists(
    st.tuples(
        st.fixed_dictionaries({name: st.sampled_from("+--?") for name in NAMES}),
        st.fixed_dictionaries({name: st.sampled_from([True, True, False, None]) for name in NAMES}),
        st.booleans(),
    ),
    max_size=60,
)


@given(MOMENTS, st.integers(1, 3), st.integers(1, 3), st.integers(1, 3))
def test_never_down_without_a_quorum(
    moments: list[tuple[dict[str, str], dict[str, bool | None], bool]], fall: int, rise: int, quorum: int
) -> None:
    """Whatever is seen: down only with a quorum of online observers whose last looks that count were bad."""
    detector = Detector(NAMES, settings(fall=fall, rise=rise, quorum=quorum))
    for second, (marks, network, _) in enumerate(moments):
        online = {name: flag for name, flag in network.items() if flag is not None}
        decision = detector.feed([seen(name, second, mark) for name, mark in marks.items()], online)
        voters = [complaint for complaint in decision.complaints if complaint.counted]
        assert all(online.get(complaint.observer) is True for complaint in voters)
        assert decision.state is not State.DOWN or len(voters) >= quorum
        assert decision.state is not State.DOWN or decision.first_bad is not None
        assert decision.state is not State.HEALTHY or not decision.complaints
        assert decision.state is not State.HEALTHY or len(NAMES) - len(decision.mute) >= quorum
        assert all(complaint.since <= at(second - fall + 1) for complaint in voters)


@given(MOMENTS, st.integers(2, 40))
def test_never_two_calls_within_a_cool_down(
    moments: list[tuple[dict[str, str], dict[str, bool | None], bool]], cool_down: int
) -> None:
    """Whatever is seen, and whether or not somebody acts: two decisions to act are a cool-down apart."""
    detector = Detector(NAMES, settings(fall=1, rise=1, cool_down=f"{cool_down}s"))
    calls: list[datetime] = []
    for second, (marks, _, act) in enumerate(moments):
        decision = detector.feed([seen(name, second, mark) for name, mark in marks.items()], ALL_ONLINE)
        if decision.act:
            calls.append(at(second))
            if act:
                detector.acted(at(second))
    assert all(later - sooner >= timedelta(seconds=cool_down) for sooner, later in pairwise(calls))
