"""Monitors and signals among the voices of a quorum: they add to what observers see, and alone they decide nothing."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from defib.monitor import Word
from defib.observe.detect import Decision, Detector, State
from defib.ports import Health
from tests.observe.test_detect import ALL_ONLINE, NAMES, at, feed, seen, settings

UP, DOWN, SILENT = Health.GOOD, Health.BAD, Health.UNKNOWN
BELIEVED = timedelta(seconds=30)


def word(name: str, health: Health, second: float = 0, *, counts: bool = True, signal: bool = False) -> Word:
    """What `name` says that it saw at `second`."""
    if health is SILENT:
        return Word(name, health, "cannot be asked: HTTP 503", counts=counts, signal=signal)
    reason = {UP: "up", DOWN: "down"}[health]
    return Word(name, health, reason, at(second), at(second) + BELIEVED, counts, signal)


def detector(*words: Word, wait: str = "", **changes: object) -> Detector:
    """A detector that has heard `words`."""
    made = Detector(NAMES, settings(**({"wait_for_monitors": wait} if wait else {}), **changes))
    for each in words:
        made.hear(each)
    return made


def all_bad(made: Detector, seconds: int = 4, first: int = 0) -> Decision:
    """Every observer sees it bad for some seconds."""
    return feed(made, dict.fromkeys(NAMES, "-" * seconds), first=first)[-1]


def acts(made: Detector, seconds: int = 4, first: int = 0) -> bool:
    """Whether a recovery is called for while every observer sees it bad for some seconds."""
    return any(decision.act for decision in feed(made, dict.fromkeys(NAMES, "-" * seconds), first=first))


class TestAVendorsOutage:
    """Who cannot be asked is as if it were not there."""

    def test_starts_no_recovery(self) -> None:
        """Both monitors are silent and users are served: healthy."""
        made = detector(word("robot", SILENT), word("pingdom", SILENT))
        last = feed(made, dict.fromkeys(NAMES, "++++"))[-1]
        assert (State.HEALTHY, (), False) == (last.state, last.reasons, last.act)

    @pytest.mark.parametrize("wait", ["", "90s"])
    def test_keeps_no_recovery_from_starting(self, wait: str) -> None:
        """Both monitors are silent and the site is down: decided at once, with or without waiting for monitors."""
        alone, beside = detector(), detector(word("robot", SILENT), word("pingdom", SILENT), wait=wait)
        decisions = [feed(made, dict.fromkeys(NAMES, "++---")) for made in (alone, beside)]
        acted = [[decision.act for decision in each] for each in decisions]
        assert acted[0] == acted[1]
        assert (State.DOWN, True) == (decisions[1][-1].state, decisions[1][-1].act)

    @given(
        rows=st.lists(st.text("+-?", min_size=8, max_size=8), min_size=3, max_size=3),
        wait=st.sampled_from(["", "90s"]),
        one=st.sampled_from([SILENT, None]),
    )
    def test_changes_no_decision(self, rows: list[str], wait: str, one: Health | None) -> None:
        """Whatever the observers see, silent monitors and signals change nothing about when it is decided."""
        words = [word("robot", SILENT), word("sentry", SILENT, signal=True)]
        if one is SILENT:
            words.append(word("pingdom", SILENT))
        told = dict(zip(NAMES, rows, strict=True))
        plain, heard = feed(detector(), told), feed(detector(*words, wait=wait), told)
        assert [(d.state, d.act, d.verdict, d.first_bad) for d in plain] == [
            (d.state, d.act, d.verdict, d.first_bad) for d in heard
        ]


class TestAVoiceMore:
    """A monitor that can tell counts as one observer does."""

    def test_makes_up_a_quorum(self) -> None:
        """One observer of three sees it bad, and a monitor says the same: two of two that are needed."""
        rows = {"north": "+----", "east": "+++++", "south": "+++++"}
        assert feed(detector(), rows)[-1].state is State.SUSPECT
        decisions = feed(detector(word("robot", DOWN, 2)), rows)
        last = decisions[-1]
        assert (State.DOWN, [3], at(1)) == (last.state, [n for n, each in enumerate(decisions) if each.act], last.first_bad)
        assert ("north: HTTP 503", "robot: down, checked at 00:00:02Z") == last.reasons

    def test_alone_decides_nothing(self) -> None:
        """Two monitors say down, and every observer is served: suspect, and no recovery."""
        made = detector(word("robot", DOWN, 2), word("pingdom", DOWN, 2))
        last = feed(made, dict.fromkeys(NAMES, "+++++"))[-1]
        assert (State.SUSPECT, False, Health.GOOD) == (last.state, last.act, last.verdict)

    def test_does_not_stand_in_for_observers_that_are_offline(self) -> None:
        """C2: the observers lost their own network, and both monitors say down: from here nothing can be said, nor done."""
        made = detector(word("robot", DOWN, 2), word("pingdom", DOWN, 2))
        last = feed(made, dict.fromkeys(NAMES, "+----"), dict.fromkeys(NAMES, False))[-1]
        assert (State.SUSPECT, False) == (last.state, last.act)

    def test_good_words_alone_are_no_health(self) -> None:
        """Observers that cannot tell and two monitors that say up are not healthy."""
        made = detector(word("robot", UP, 2), word("pingdom", UP, 2))
        last = feed(made, dict.fromkeys(NAMES, "????"))[-1]
        assert (State.SUSPECT, Health.UNKNOWN) == (last.state, last.verdict)

    def test_is_believed_for_a_time(self) -> None:
        """What was seen down too long ago is no voice any more."""
        rows = {"north": "-" * 5, "east": "+" * 5, "south": "+" * 5}
        made = detector(word("robot", DOWN, 0))
        assert feed(made, rows)[-1].state is State.DOWN
        late = feed(detector(word("robot", DOWN, 0)), rows, first=40)[-1]
        assert (State.SUSPECT, "robot: too old to say anything") == (late.state, late.reasons[-1])


class TestContradiction:
    """Our own way to the site failed, and others see it served."""

    def test_two_monitors_hold_it_back(self) -> None:
        """Both have checked after the first bad look and found it up: no recovery, and the reason is said."""
        made = detector(word("robot", UP, 2), word("pingdom", UP, 2))
        last = all_bad(made)
        assert (State.SUSPECT, False, Health.UNKNOWN) == (last.state, last.act, last.verdict)
        assert last.reasons[-1].startswith("held back: robot and pingdom see users served")

    def test_one_alone_does_not(self) -> None:
        """A single monitor may be wrong, or lie: it holds nothing back."""
        for others in ((), (word("pingdom", SILENT),)):
            assert acts(detector(word("robot", UP, 2), *others))

    def test_not_with_what_they_saw_before(self) -> None:
        """Up before the first bad look says nothing about what came after: a monitor's five minutes hold nothing back."""
        made = detector(word("robot", UP, -20), word("pingdom", UP, -1))
        assert acts(made)
        assert "robot: up, checked at 23:59:40Z, before this began" in made.last.reasons

    def test_not_when_one_of_them_sees_it_down(self) -> None:
        """Two say up and one says down: users somewhere suffer, as the observers say."""
        made = detector(word("robot", UP, 2), word("pingdom", UP, 2), word("third", DOWN, 2))
        assert acts(made)

    def test_ends_when_they_see_it_too(self) -> None:
        """Held back, and then both see it down as well: decided, since the first bad look."""
        made = detector(word("robot", UP, 2), word("pingdom", UP, 2))
        assert not acts(made)
        made.hear(word("robot", DOWN, 5))
        decision = made.hear(word("pingdom", DOWN, 5))
        assert (State.DOWN, at(0)) == (decision.state, decision.first_bad)

    def test_ends_when_their_word_is_old(self) -> None:
        """Held back by monitors that then fall silent: their last word holds no longer than it is believed."""
        made = detector(word("robot", UP, 2), word("pingdom", UP, 2))
        assert not acts(made, 30)
        assert all_bad(made, 5, first=30).state is State.DOWN


class TestWaiting:
    """With `wait_for_monitors` the next checks are waited for."""

    def words(self, second: float) -> tuple[Word, Word]:
        """Both saw it up at that moment."""
        return word("robot", UP, second), word("pingdom", UP, second)

    def test_until_they_contradict(self) -> None:
        """Seen up before, awaited, and seen up after the first bad look: held back without a recovery in between."""
        made = detector(*self.words(-1), wait="20s")
        waiting = all_bad(made)
        assert (State.SUSPECT, False) == (waiting.state, waiting.act)
        assert waiting.reasons[-1] == "waiting for robot and pingdom, until 00:00:20Z at most"
        for each in self.words(5):
            made.hear(each)
        assert not acts(made, 4, first=4)
        assert "held back" in made.last.reasons[-1]

    def test_until_one_confirms(self) -> None:
        """The first that sees it down ends the waiting."""
        made = detector(*self.words(-1), wait="20s")
        all_bad(made)
        assert made.hear(word("robot", DOWN, 3)).act

    def test_no_longer_than_told(self) -> None:
        """Monitors that do not check again are waited for until the time is over."""
        made = detector(*self.words(-1), wait="20s")
        decisions = feed(made, dict.fromkeys(NAMES, "-" * 25))
        assert [20] == [number for number, decision in enumerate(decisions) if decision.act]

    def test_not_for_one_that_cannot_tell_any_more(self) -> None:
        """Whoever falls silent while it is waited for is not waited for."""
        made = detector(*self.words(-1), wait="20s")
        assert not acts(made)
        made.hear(word("robot", SILENT))
        assert made.hear(word("pingdom", SILENT)).act

    def test_nobody_is_waited_for_without_it(self) -> None:
        """By default a decision takes as long as without monitors."""
        assert acts(detector(*self.words(-1)))


class TestSignals:
    """How users fare is a voice that can only say that they suffer."""

    def test_is_a_voice_where_the_site_file_says_so(self) -> None:
        """One observer and users with errors are two of two that are needed; without `counts` they are not."""
        rows = {"north": "+----", "east": "+++++", "south": "+++++"}
        decided = [feed(detector(word("sentry", DOWN, 2, counts=counts, signal=True)), rows)[-1] for counts in (True, False)]
        assert [State.DOWN, State.SUSPECT] == [decision.state for decision in decided]
        assert "sentry: down" in decided[1].reasons

    def test_never_says_that_users_are_served(self) -> None:
        """Few errors contradict nobody: who gets no page sends none."""
        made = detector(word("sentry", UP, 2, signal=True), word("other", UP, 2, signal=True), wait="90s")
        assert acts(made)

    def test_alone_decides_nothing(self) -> None:
        """Many errors and observers that are served: suspect."""
        made = detector(word("sentry", DOWN, 2, signal=True), word("other", DOWN, 2, signal=True))
        last = feed(made, dict.fromkeys(NAMES, "+++++"))[-1]
        assert (State.SUSPECT, False) == (last.state, last.act)


def test_a_clock_that_was_set_back_voids_what_was_heard() -> None:
    """Nobody knows how old a word is once the wall clock was set."""
    made = detector(word("robot", UP, 1000), word("pingdom", UP, 1000))
    feed(made, dict.fromkeys(NAMES, "++"), first=1000)
    assert acts(made)


def test_a_word_before_the_first_look() -> None:
    """What monitors say before anybody has looked decides nothing."""
    made = Detector(NAMES, settings())
    decision = made.hear(word("robot", DOWN))
    assert (State.SUSPECT, NAMES, ()) == (decision.state, decision.mute, decision.others)
    moment: datetime | None = decision.at
    assert moment is None
    assert made.feed([seen("north", 1, "+")], ALL_ONLINE).state is State.SUSPECT
