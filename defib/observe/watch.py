"""Watching a site: looks on schedule, one decision after each of them.

The observers look in turn, evenly spread over the interval, so that the first bad look comes soon after the fault. After it
the others do not wait for their turns: they look at once, and all of them together from then on, until the site is healthy
again. Each still needs its own `fall` bad looks, an interval apart.

A look starts when its time has come, whether or not earlier ones have ended: a server that hangs costs one probe deadline,
not `fall` of them, and the decision comes within fall x interval + probe deadline.

Monitors and signals are asked on the side, each with its own pause, one question at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from defib.clock import Clock
from defib.monitor import Monitors, Nobody, Word
from defib.observe.asking import ASK_WITHIN
from defib.observe.detect import Decision, Detector
from defib.observe.looks import Looks, Online, ThreadedLooks
from defib.observe.witness import looks_under_way
from defib.ports import Aim, Health, Observation, Observers
from defib.sites.site import Site


def _ignore(_seen: object) -> None:
    """For callers who do not want to know."""


class Watcher:
    """Looks at a site through its observers and feeds the detector until somebody has seen enough.

    The callbacks run in the thread of :meth:`run`: `on_observation` for each look, `on_word` for each word of somebody else,
    and `on_decision` when the state changes, it is time to act, or something else than before holds that back. Looks that
    fall due while they run are started late or left out. `looks` is for simulated observers, :class:`SimulatedLooks`.
    """

    def __init__(
        self,
        site: Site,
        observers: Observers,
        detector: Detector,
        clock: Clock,
        *,
        monitors: Monitors | None = None,
        looks: Looks | None = None,
        on_decision: Callable[[Decision], object] = _ignore,
        on_observation: Callable[[Observation], object] = _ignore,
        on_word: Callable[[Word], object] = _ignore,
    ) -> None:
        self._aim = Aim(site.page.url)
        self._settings = site.detection
        self._names = observers.names
        self._detector = detector
        self._clock = clock
        monitors = monitors or Nobody()
        room = len(self._names) * looks_under_way(self._settings) + 1 + len(monitors.pauses)
        self._looks = looks or ThreadedLooks(observers, clock, room, monitors)
        self._schedule = _Schedule(self._names, self._settings.interval)
        self._rounds = _Rounds(monitors.pauses)
        self._on_decision = on_decision
        self._on_observation = on_observation
        self._on_word = on_word
        self._network = _Network(self._settings.fall, self._settings.fall * self._settings.interval)
        self._held = detector.last.held
        self._stopped = False

    def run(self, until: Callable[[Decision], bool]) -> Decision:
        """Watch until a decision satisfies `until`, or :meth:`stop`; gives the newest decision. Once only."""
        try:
            while not self._stopped:
                now = self._clock.monotonic()
                name, due = self._schedule.next(now)
                if due <= now:
                    self._schedule.started(name, now)
                    self._looks.look(self._aim, name, self._settings.probe_deadline)
                elif (monitor := self._rounds.next(now)) is not None:
                    self._rounds.started(monitor, now)
                    self._looks.ask(monitor, ASK_WITHIN)
                elif self._take(min(due, self._rounds.due(due)) - now, until):
                    break
        finally:
            self._looks.close()
        return self._detector.last

    def stop(self) -> None:
        """Make :meth:`run` return soon; from any thread."""
        self._stopped = True

    def _take(self, within: timedelta, until: Callable[[Decision], bool]) -> bool:
        """Wait for one result and decide; whether `until` is content."""
        seen = self._looks.next(within)
        if seen is None:
            return False
        now = self._clock.monotonic()
        if isinstance(seen, Online):
            asked_too_soon = self._network.answered(seen, now)
            decision = self._detector.feed((), self._network.known)
            self._ask_if(asked_too_soon)
        elif isinstance(seen, Word):
            self._rounds.ended(seen.name)
            self._on_word(seen)
            decision = self._detector.hear(seen)
        else:
            self._on_observation(seen)
            self._schedule.saw(seen, now)
            voting_bad = seen.observer in self._detector.last.since
            self._network.noted(seen, voting_bad=voting_bad)
            decision = self._detector.feed((seen,), self._network.known)
            self._ask_if(self._network.doubts(seen, now))
        if decision.changed or decision.act or decision.held != self._held:
            self._held = decision.held
            self._on_decision(decision)
        return until(decision)

    def _ask_if(self, doubts: bool) -> None:
        if doubts:
            self._network.asked()
            self._looks.ask_online(self._settings.probe_deadline)


class _Schedule:
    """When each observer looks next: spread over the interval while all is well, together once one has seen trouble."""

    def __init__(self, names: Sequence[str], interval: timedelta) -> None:
        self._names = tuple(names)
        self._interval = interval
        self._next: dict[str, timedelta] = {}
        self._last: dict[str, timedelta] = {}
        self._troubled: set[str] = set()

    def next(self, now: timedelta) -> tuple[str, timedelta]:
        """Who is next, and when."""
        if not self._next:
            self._spread(now)
        return min(self._next.items(), key=lambda item: item[1])

    def started(self, name: str, now: timedelta) -> None:
        """A look has started. After a pause of the machine or a slow callback: on with the schedule, without a burst."""
        late = now - self._next[name]
        self._last[name] = now
        self._next[name] += self._interval * (1 + int(late / self._interval))

    def saw(self, seen: Observation, now: timedelta) -> None:
        """A look has ended: after the first bad one, whoever has not looked since it began does so now."""
        if seen.health is Health.BAD:
            if not self._troubled:
                self._rally(now, now - seen.took)
            self._troubled.add(seen.observer)
        elif seen.health is Health.GOOD and seen.observer in self._troubled:
            self._troubled.discard(seen.observer)
            if not self._troubled:
                self._spread(now + self._interval / len(self._names))

    def _rally(self, now: timedelta, began: timedelta) -> None:
        for name in self._names:
            if self._last.get(name, began) < began:
                self._next[name] = now

    def _spread(self, start: timedelta) -> None:
        pace = self._interval / len(self._names)
        self._next = {name: start + number * pace for number, name in enumerate(self._names)}


class _Rounds:
    """When each monitor is asked next: its pause after it was asked last, and not before it has answered."""

    def __init__(self, pauses: Mapping[str, timedelta]) -> None:
        self._pauses = pauses
        self._due: dict[str, timedelta | None] = dict.fromkeys(pauses, timedelta(0))
        self._asked: dict[str, timedelta] = {}

    def next(self, now: timedelta) -> str | None:
        """Who is to be asked now, if anybody."""
        return next((name for name, due in self._due.items() if due is not None and due <= now), None)

    def due(self, at_most: timedelta) -> timedelta:
        """When the next one is to be asked, or `at_most` if that is sooner."""
        return min([at_most, *(due for due in self._due.values() if due is not None)])

    def started(self, name: str, now: timedelta) -> None:
        """The question is under way."""
        self._due[name], self._asked[name] = None, now

    def ended(self, name: str) -> None:
        """The answer is there."""
        self._due[name] = self._asked[name] + self._pauses[name]


class _Network:
    """What is known of the observers' own networks, and when to ask again.

    Reference sites belong to other people, so they are asked only about observers that are about to turn bad, and then at
    most once in `lasting` while the answer is yes.
    """

    def __init__(self, fall: int, lasting: timedelta) -> None:
        self._fall = fall
        self._lasting = lasting
        self._runs: dict[str, int] = {}
        self._answered: timedelta | None = None
        self._asking = False
        self._late: set[str] = set()
        self.known: dict[str, bool] = {}

    def noted(self, seen: Observation, *, voting_bad: bool) -> None:
        """A look has ended."""
        name = seen.observer
        if seen.health is Health.GOOD:
            self._runs[name] = 0
            self.known[name] = True
        elif seen.health is Health.BAD:
            self._runs[name] = self._runs.get(name, 0) + 1
            if self._runs[name] == 1 and not voting_bad:
                # What was known before this run says nothing about it.
                self.known.pop(name, None)
                self._late.add(name)

    def doubts(self, seen: Observation, now: timedelta) -> bool:
        """Whether this look is a reason to ask. One look early, so that the answer is there when the vote is."""
        if self._asking or seen.health is not Health.BAD or not self._nearly_bad(seen.observer):
            return False
        fresh = self._answered is not None and now - self._answered < self._lasting
        return not (fresh and self.known.get(seen.observer) is True)

    def asked(self) -> None:
        """The question is under way."""
        self._asking = True
        self._late.clear()

    def answered(self, online: Online, now: timedelta) -> bool:
        """The answer is there; whether it has to be asked again, for observers in trouble only since it was asked."""
        self._asking = False
        self._answered = now
        self.known.update({name: flag for name, flag in online.flags.items() if name not in self._late})
        return any(self._nearly_bad(name) for name in self._late)

    def _nearly_bad(self, observer: str) -> bool:
        return self._runs.get(observer, 0) >= max(1, self._fall - 1)
