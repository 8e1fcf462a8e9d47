"""The scripted world: it must be as unkind as the real one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from defib.clock import Deadline, SimulatedClock
from defib.observe.memory import HANG, MemoryAnswers, MemoryAuthority, MemoryObservers, MemoryServer, Sight
from defib.ports import Aim, Answer, Health, Observation, RecordKey, RecordSet

KEY = RecordKey("www.pulse.test.", "CNAME")
AIM = Aim("https://www.pulse.test/")


def seconds(value: float) -> timedelta:
    """Short for a timedelta."""
    return timedelta(seconds=value)


def test_look_takes_as_long_as_the_slowest() -> None:
    """All observers look side by side, and a hang ends at the deadline."""
    clock = SimulatedClock()
    observers = MemoryObservers(
        ("a", "b"), lambda name, _aim, _at: HANG if name == "b" else Sight(Health.GOOD, took=seconds(0.1)), clock
    )
    start = clock.now()
    seen = observers.look(AIM, within=Deadline.after(clock, seconds(0.8)))
    assert (
        Observation("a", start, seconds(0.1), Health.GOOD),
        Observation("b", start, seconds(0.8), Health.BAD, "no answer within 0.8 s"),
    ) == seen
    assert seconds(0.8) == clock.monotonic()
    assert ["b"] == [one.observer for one in observers.look(AIM, within=Deadline.after(clock, seconds(1)), only="b")]
    with pytest.raises(ValueError, match="nobody"):
        observers.look(AIM, within=Deadline.after(clock, seconds(1)), only="nobody")


def test_online_costs_time_where_it_is_not() -> None:
    """Being online is told at once, being offline only by waiting."""
    clock = SimulatedClock()
    observers = MemoryObservers(("a", "b"), lambda *_: HANG, clock, lambda name, _: name == "a")
    assert (True, False) == observers.online(within=Deadline.after(clock, seconds(2)))
    assert seconds(2) == clock.monotonic()


class OneRecord:
    """A zone with one record set that may be changed."""

    def __init__(self) -> None:
        self.present: RecordSet | None = RecordSet(KEY, seconds(60), ("old.test.",))

    def change(self, target: str) -> None:
        """Point the name elsewhere."""
        self.present = RecordSet(KEY, seconds(60), (target,))

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """What is there."""
        return tuple(self.present if key == KEY else None for key in keys)


class Rig:
    """A zone, its servers and resolvers on a simulated clock."""

    def __init__(self, servers: Sequence[MemoryServer], resolvers: Sequence[MemoryServer]) -> None:
        self.clock = SimulatedClock()
        self.zone = OneRecord()
        self.answers = MemoryAnswers([MemoryAuthority(self.zone, servers)], resolvers, self.clock)

    def authoritative(self) -> list[tuple[str, ...] | None]:
        """What the servers answer now."""
        return [a.values for a in self.answers.authoritative(KEY, within=Deadline.after(self.clock, seconds(1)))]

    def resolvers(self) -> tuple[Answer, ...]:
        """What the resolvers answer now."""
        return self.answers.resolvers(KEY, within=Deadline.after(self.clock, seconds(1)))


def test_servers_follow_each_with_its_lag() -> None:
    """D6: a slow server keeps the old answer for its lag after the change, the others do not."""
    rig = Rig([MemoryServer("ns-1"), MemoryServer("ns-2", lag=seconds(30))], [])
    rig.authoritative()
    rig.zone.change("new.test.")
    assert [("new.test.",), ("old.test.",)] == rig.authoritative()
    rig.clock.sleep(seconds(29))
    assert [("new.test.",), ("old.test.",)] == rig.authoritative()
    rig.clock.sleep(seconds(1))
    assert [("new.test.",), ("new.test.",)] == rig.authoritative()


def test_resolvers_keep_the_old_answer_for_its_ttl() -> None:
    """D7: a resolver answers with what it holds until the TTL is over, a stubborn one for longer; the TTL counts down."""
    rig = Rig([MemoryServer("ns-1")], [MemoryServer("r-1"), MemoryServer("r-2", least_ttl=seconds(300))])
    rig.resolvers()
    rig.zone.change("new.test.")
    rig.clock.sleep(seconds(45))
    assert Answer("r-1", ("old.test.",), seconds(15)) == rig.resolvers()[0]
    rig.clock.sleep(seconds(15))
    assert [("new.test.",), ("old.test.",)] == [answer.values for answer in rig.resolvers()]
    rig.clock.sleep(seconds(240))
    assert ("new.test.",) == rig.resolvers()[1].values


def test_broken_servers() -> None:
    """A broken server gives no answer; a resolver lives on what it holds, and fails when that is over."""
    server, resolver = MemoryServer("ns-1"), MemoryServer("r-1")
    rig = Rig([server], [resolver])
    rig.resolvers()
    server.problem = "no answer within 2 s"
    assert [None] == rig.authoritative()
    assert ("old.test.",) == rig.resolvers()[0].values
    rig.clock.sleep(seconds(60))
    assert Answer("r-1", None, problem="SERVFAIL") == rig.resolvers()[0]
    resolver.problem = "connection refused"
    assert "connection refused" == rig.resolvers()[0].problem


def test_absent_record() -> None:
    """A name that is gone is an answer without values."""
    rig = Rig([MemoryServer("ns-1")], [MemoryServer("r-1")])
    rig.zone.present = None
    assert [()] == rig.authoritative()
    assert ((), "no such record") == (rig.resolvers()[0].values, rig.resolvers()[0].problem)
