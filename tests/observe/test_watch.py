"""Watching on schedule: how long a decision takes, on a simulated clock and against a real server that hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from defib.clock import SimulatedClock, SystemClock
from defib.errors import Interrupted
from defib.observe.admission import admit, last_automatic_start
from defib.observe.detect import Decision, Detector, State
from defib.observe.killswitch import set_kill_switch
from defib.observe.looks import SimulatedLooks, ThreadedLooks
from defib.observe.memory import HANG, MemoryObservers, Sight
from defib.observe.watch import Watcher
from defib.observe.web import WebObservers
from defib.ports import Aim, Health, Observation
from defib.sites.site import Site
from defib.sites.vendors import Server
from tests.observe.loopback import NAME, Zone, hanging, loopback, serving, site_with
from tests.ports import free_port

GOOD = Sight(Health.GOOD)
REFUSED = Sight(Health.BAD, "connection refused", took=timedelta(milliseconds=1))


def seconds(value: float) -> timedelta:
    """Short for a timedelta."""
    return timedelta(seconds=value)


def site(**detection: Any) -> Site:
    """Three observers, quorum 2, interval 1 s, fall 3, deadline 0.8 s."""
    resolvers = [Server(name=name, address="127.0.0.1", port=free_port()) for name in ("a", "b", "c")]
    settings = {"quorum": 2, "probe_deadline": "800ms", **detection}
    return site_with(f"https://{NAME}/", resolvers, **settings)


class Rehearsal:
    """A scripted world, watched on a simulated clock."""

    def __init__(
        self,
        world: Callable[[str, timedelta], Sight],
        online: Callable[[str, timedelta], bool] = lambda *_: True,
        references_took: timedelta = timedelta(0),
        **detection: Any,
    ) -> None:
        self.clock = SimulatedClock()
        self.start = self.clock.now()
        self.site = site(**detection)
        names = [observer.name for observer in self.site.observers]
        self.asked_online: list[timedelta] = []
        self.looks: list[Observation] = []
        self.decisions: list[Decision] = []
        self.detector = Detector(names, self.site.detection)

        def is_online(observer: str, at: datetime) -> bool:
            self.asked_online.append(at - self.start)
            return online(observer, at - self.start)

        observers = MemoryObservers(
            names, lambda name, _, at: world(name, at - self.start), self.clock, is_online, references_took
        )
        self.watcher = Watcher(
            self.site,
            observers,
            self.detector,
            self.clock,
            looks=SimulatedLooks(observers, self.clock),
            on_decision=self.decisions.append,
            on_observation=self.looks.append,
        )

    def until(self, end: float, also: Callable[[Decision], bool] = lambda _: False) -> timedelta:
        """Watch until `end` or until `also`; gives the time at which it ended."""
        self.watcher.run(lambda decision: also(decision) or self.clock.monotonic() >= seconds(end))
        return self.clock.monotonic()


def downtime_to_decision(fault_at: float, sight: Sight) -> timedelta:
    """From the fault to the decision to act."""
    rehearsal = Rehearsal(lambda _, now: sight if now >= seconds(fault_at) else GOOD)
    return rehearsal.until(60, lambda decision: decision.act) - seconds(fault_at)


def test_looks_are_spread_over_the_interval() -> None:
    """Observer i of n starts i/n of the interval after the first, and each looks once an interval."""
    rehearsal = Rehearsal(lambda *_: GOOD)
    rehearsal.until(3)
    starts = [(look.at - rehearsal.start) / seconds(1) for look in rehearsal.looks]
    assert [pytest.approx(number / 3, abs=1e-5) for number in range(9)] == starts[:9]
    assert ["from-a", "from-b", "from-c"] * 3 == [look.observer for look in rehearsal.looks[:9]]


def test_hang_is_decided_in_time() -> None:
    """C5: with interval 1 s, fall 3, deadline 0.8 s, a hang is decided in at most 3.8 s, 3.5 s in the median."""
    times = [downtime_to_decision(10 + step / 20, HANG) for step in range(20)]
    assert max(times) <= seconds(3 * 1 + 0.8)
    assert median(time / seconds(1) for time in times) <= 3.5


def test_refusal_is_decided_in_time() -> None:
    """A refusal needs no deadline: at most fall x interval."""
    times = [downtime_to_decision(10 + step / 20, REFUSED) for step in range(20)]
    assert max(times) <= seconds(3)


def test_hang_longer_than_the_interval() -> None:
    """C5: a deadline of several intervals is paid once: looks start on schedule while older ones still hang."""
    rehearsal = Rehearsal(lambda _, now: HANG if now >= seconds(10) else GOOD, probe_deadline="5s")
    ended = rehearsal.until(60, lambda decision: decision.act)
    assert ended - seconds(10) <= seconds(3 * 1 + 5)


def test_first_bad_is_the_start_of_the_first_bad_look() -> None:
    """The clock of the RTO starts when the first bad look was sent, not when it came back or was decided on."""
    rehearsal = Rehearsal(lambda _, now: HANG if now >= seconds(10.1) else GOOD)
    rehearsal.until(60, lambda decision: decision.act)
    first = rehearsal.decisions[-1].first_bad
    assert first is not None
    assert pytest.approx(10 + 1 / 3, abs=1e-5) == (first - rehearsal.start) / seconds(1)


def test_references_are_left_alone_while_all_is_well() -> None:
    """Other people's sites are asked about nothing while the site is good, nor about a single bad look."""
    rehearsal = Rehearsal(lambda name, now: REFUSED if name == "from-a" and seconds(5) <= now < seconds(6) else GOOD)
    rehearsal.until(60)
    assert [] == rehearsal.asked_online


def test_references_are_asked_seldom_in_an_outage() -> None:
    """In an outage of ten minutes other people's sites are asked once in fall x interval, not with each look."""
    rehearsal = Rehearsal(lambda *_: REFUSED)
    rehearsal.until(600)
    assert 600 / 4 <= len(rehearsal.asked_online) / 3 <= 600 / 3


def test_offline_observers_decide_nothing() -> None:
    """C2: all observers lose their network for a minute: never down, and healthy again after it."""

    def offline(now: timedelta) -> bool:
        return seconds(10) <= now < seconds(70)

    rehearsal = Rehearsal(
        lambda _, now: HANG if offline(now) else GOOD,
        lambda _, now: not offline(now),
    )
    rehearsal.until(90)
    assert State.DOWN not in {decision.state for decision in rehearsal.decisions}
    assert rehearsal.detector.last.state is State.HEALTHY


@pytest.mark.parametrize("references_took", [0, 0.7])
def test_being_online_is_not_remembered_from_before(references_took: float) -> None:
    """C1, C2: one observer in trouble and one that goes offline at any moment are no quorum.

    That the second was online when the references were last asked, or while they were being asked, says nothing.
    """
    for step in range(40):
        gone = {"from-b": seconds(30 + step / 10)}

        def online(name: str, now: timedelta, gone: dict[str, timedelta] = gone) -> bool:
            return now < gone.get(name, timedelta.max)

        def world(name: str, now: timedelta, gone: dict[str, timedelta] = gone) -> Sight:
            return GOOD if name != "from-a" and online(name, now, gone) else REFUSED

        rehearsal = Rehearsal(world, online, seconds(references_took))
        rehearsal.until(60)
        assert State.DOWN not in {decision.state for decision in rehearsal.decisions}, step


def test_outage_that_begins_while_offline() -> None:
    """C2: a site that is down when the observers' network returns is found down, since their first look that counts."""
    rehearsal = Rehearsal(
        lambda _, now: HANG if now >= seconds(10) else GOOD,
        lambda _, now: not seconds(10) <= now < seconds(40),
    )
    ended = rehearsal.until(120, lambda decision: decision.act)
    first = rehearsal.decisions[-1].first_bad
    assert first is not None
    assert first - rehearsal.start >= seconds(39)
    assert ended <= seconds(40 + 3 + 3 * 0.8 + 1)


def test_one_observer_of_three() -> None:
    """C1: one observer of three sees failure for ten minutes: suspect, nothing to act on."""
    rehearsal = Rehearsal(lambda name, _: REFUSED if name == "from-a" else GOOD)
    rehearsal.until(600)
    assert [State.HEALTHY, State.SUSPECT] == [decision.state for decision in rehearsal.decisions]


def test_flapping() -> None:
    """C6: flapping 2 s up and 2 s down for ten minutes gives at most one decision to act, with any fall."""
    for fall in (1, 2, 3):
        rehearsal = Rehearsal(lambda _, now: GOOD if now % seconds(4) < seconds(2) else REFUSED, fall=fall)
        acts: list[Decision] = []

        def note(decision: Decision, acts: list[Decision] = acts, rehearsal: Rehearsal = rehearsal) -> bool:
            if decision.act:
                acts.append(decision)
                rehearsal.detector.acted(rehearsal.clock.now())
            return False

        rehearsal.until(600, note)
        assert len(acts) <= 1


def test_kill_switch_does_not_blind(tmp_path: Path) -> None:
    """C16: with the kill switch on detection goes on and says what it would have done; nothing is admitted or recorded."""
    rehearsal = Rehearsal(lambda _, now: REFUSED if seconds(10) <= now < seconds(60) else GOOD)
    set_kill_switch(tmp_path, who="ann", why="maintenance", at=rehearsal.start)
    refused: list[str] = []

    def start(decision: Decision) -> bool:
        if decision.act:
            now, cool_down = rehearsal.clock.now(), rehearsal.site.detection.cool_down
            admission = admit(tmp_path, "pulse", "cdn-failover", now, cool_down)
            refused.append(admission.reason)
            return admission.admitted
        return False

    rehearsal.until(90, start)
    assert [True] == ["by ann: maintenance" in reason for reason in refused]
    assert {State.HEALTHY, State.DOWN} <= {decision.state for decision in rehearsal.decisions}
    assert rehearsal.detector.last.state is State.HEALTHY
    assert last_automatic_start(tmp_path, "pulse") is None


def test_interruption_ends_the_watch() -> None:
    """A signal ends the watch by raising, on either clock."""
    rehearsal = Rehearsal(lambda *_: GOOD)
    rehearsal.clock.at(seconds(5), rehearsal.clock.interrupt)
    with pytest.raises(Interrupted):
        rehearsal.until(60)
    clock = SystemClock()
    looks = ThreadedLooks(MemoryObservers(("a",), lambda *_: GOOD, clock), clock, at_once=1)
    threading.Thread(target=clock.interrupt).start()
    with pytest.raises(Interrupted):
        looks.next(seconds(60))


def test_stop() -> None:
    """The watch ends when it is told to."""
    rehearsal = Rehearsal(lambda *_: GOOD)
    rehearsal.clock.at(seconds(5), rehearsal.watcher.stop)
    assert rehearsal.until(60) < seconds(6)


def test_failing_observer_is_not_overlooked() -> None:
    """An observer that raises ends the watch with its error: a watch that sees nothing must not seem to go on."""
    clock = SystemClock()

    def broken(_observer: str, _aim: Aim, _at: datetime) -> Sight:
        raise ZeroDivisionError

    observers = MemoryObservers(("from-a", "from-b", "from-c"), broken, clock)
    where = site()
    with pytest.raises(ZeroDivisionError):
        Watcher(where, observers, Detector(observers.names, where.detection), clock).run(lambda _: False)


def test_slow_callback_makes_no_burst() -> None:
    """After a pause of a minute the looks go on at their pace instead of catching up."""
    rehearsal = Rehearsal(lambda *_: GOOD)
    starts: list[timedelta] = []

    def note(_decision: Decision) -> bool:
        starts.append(rehearsal.clock.monotonic())
        if len(starts) == 5:
            rehearsal.clock.sleep(seconds(60))
        return len(starts) == 12

    rehearsal.watcher.run(note)
    assert len(rehearsal.looks) == 12
    assert rehearsal.clock.monotonic() >= seconds(60 + 6 / 3)


def test_real_server_that_starts_to_hang(tmp_path: Path) -> None:
    """C5: against a real server that accepts and hangs, the decision comes in fall x interval + deadline, and C2's check."""
    with loopback(tmp_path) as net:
        port = net.serve(hanging, net.certificate(NAME))
        reference = net.serve(serving(), net.certificate("one.test"))
        records = Zone({(f"{name}.", "A"): (60, ["127.0.0.1"]) for name in (NAME, "one.test")})
        where = site_with(
            f"https://{NAME}:{port}/",
            [net.dns(records, name=name) for name in ("a", "b", "c")],
            (f"https://one.test:{reference}/", f"https://two.test:{free_port()}/"),
            quorum=2,
            interval="200ms",
            probe_deadline="400ms",
        )
        clock = SystemClock()
        started = clock.monotonic()
        with WebObservers(where, net.home, clock) as observers:
            detector = Detector(observers.names, where.detection)
            decision = Watcher(where, observers, detector, clock).run(lambda decision: decision.act)
        took = clock.monotonic() - started
    assert {"no answer within 0.4 s"} == {complaint.reason for complaint in decision.complaints}
    assert seconds(2 * 0.2 + 0.4) <= took <= seconds(3 * 0.2 + 0.4) + seconds(10), "beside what a busy machine takes"
