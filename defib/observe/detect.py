"""When a site is down and when it is not the site: a state machine without I/O and without a clock.

::

              an observer bad, or nobody can tell          quorum bad
    healthy ◄───────────────────────────────────► suspect ◄──────────► down
       ▲                                             ▲                   │ acted()
       └───────────────── cool_down over ────────────┴───────────────  cooling

A quorum may also lead from healthy to down at once, and whatever holds when the cool-down is over is the next state.
Healthy takes a quorum as well: fewer good observers than that are suspect, because the others cannot tell.
Monitors and signals are voices of a quorum in which at least one observer sees the same (:mod:`defib.observe.hearing`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from defib.monitor import Word
from defib.observe.hearing import Heard, Hearing
from defib.observe.witness import Onset, Witness, looks_under_way
from defib.ports import Health, Observation
from defib.sites.site import Detection


class State(StrEnum):
    """What the observers say together. `cooling`: somebody has acted, and nothing more happens by itself for now."""

    HEALTHY = "healthy"
    SUSPECT = "suspect"
    DOWN = "down"
    COOLING = "cooling"


@dataclass(frozen=True)
class Complaint:
    """One observer that is bad: since which look, and what it last saw. `counted` is False while it has no vote."""

    observer: str
    since: datetime
    reason: str
    counted: bool


@dataclass(frozen=True)
class Decision:
    """What follows from everything fed so far, `at` the end of the newest look.

    `verdict` is what a quorum says whether or not anything may be done about it, unknown where no quorum agrees.
    `first_bad` is when users first lost service, by those who say so now; while the verdict stays bad it does not move.
    `mute` are the observers without a vote. `act` is True at most once in a cool-down: the moment to start a recovery.
    While `state` is down, somebody who was not allowed to act then may do so later. `until` is the end of a cool-down.
    `others` is what monitors and signals say to it, where that matters, and `held` why it is not down although there are
    voices enough, "" where there is no such reason.
    """

    state: State
    at: datetime | None
    complaints: tuple[Complaint, ...] = ()
    mute: tuple[str, ...] = ()
    first_bad: datetime | None = None
    changed: bool = False
    act: bool = False
    verdict: Health = Health.UNKNOWN
    until: datetime | None = None
    others: tuple[str, ...] = ()
    held: str = ""

    @property
    def since(self) -> Mapping[str, datetime]:
        """Since when each bad observer is bad."""
        return {complaint.observer: complaint.since for complaint in self.complaints}

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is so, one sentence for each observer that is bad or cannot tell, and what others say."""
        bad = tuple(f"{complaint.observer}: {complaint.reason}" for complaint in self.complaints)
        silent = set(self.mute) - set(self.since)
        told = bad + tuple(f"{name}: cannot tell" for name in self.mute if name in silent) + self.others
        return (*told, self.held) if self.held else told


class Detector:
    """Turns looks into decisions; late answers count at the moment at which their look was started."""

    def __init__(self, names: Sequence[str], settings: Detection) -> None:
        self._names = tuple(names)
        self._settings = settings
        self._now: datetime | None = None
        self._acted: datetime | None = None
        self._called: datetime | None = None
        self._online: Mapping[str, bool] = {}
        self._hearing = Hearing(settings.wait_for_monitors)
        self._last = Decision(State.SUSPECT, None, mute=self._names)
        self._forget()

    @property
    def last(self) -> Decision:
        """The newest decision; before the first look, that nobody can tell."""
        return self._last

    def feed(self, observations: Sequence[Observation], online: Mapping[str, bool]) -> Decision:
        """Take looks into account, and what is known of the observers' own networks.

        An observer whose entry in `online` is False is cut off: its bad looks are void. One without an entry keeps its
        count, but a bad vote of it does not count until it is known to be online.
        """
        for name in self._names:
            if online.get(name) is False and self._online.get(name) is not False:
                self._void(name)
        self._online = dict(online)
        for observation in sorted(observations, key=lambda observation: observation.at):
            self._record(observation)
        self._last = self._decide()
        return self._last

    def hear(self, word: Word) -> Decision:
        """Take the word of a monitor or a signal into account."""
        self._hearing.take(word)
        self._last = self._decide()
        return self._last

    def acted(self, at: datetime) -> None:
        """A recovery was started at `at`: nothing more is decided until the cool-down has passed."""
        self._acted = at if self._acted is None else max(self._acted, at)

    def came_to_nothing(self, again: datetime) -> None:
        """What was started, or was to be, did nothing: no cool-down, and a decision to act may come again from `again`."""
        self._acted = None
        self._called = again - self._settings.cool_down

    def _forget(self) -> None:
        memory = 4 * (self._settings.fall + looks_under_way(self._settings))
        self._witnesses = {name: Witness(self._settings) for name in self._names}
        self._onset = Onset(self._names, memory)
        self._hearing.forget()

    def _void(self, name: str) -> None:
        if not self._witnesses[name].sees:
            self._witnesses[name].void()
            self._onset.void(name)

    def _record(self, observation: Observation) -> None:
        self._notice_clock(observation)
        ended = observation.at + observation.took
        self._now = ended if self._now is None else max(self._now, ended)
        name, health = observation.observer, observation.health
        if health is Health.BAD and self._online.get(name) is False:
            health = Health.UNKNOWN
        self._witnesses[name].record(observation.at, health, observation.reason)
        if health is Health.BAD:
            self._onset.bad(name, observation.at)
        elif health is Health.GOOD:
            self._onset.good(name, observation.at)

    def _notice_clock(self, observation: Observation) -> None:
        """A look older than any that can still be under way: the wall clock was set back, so the counts are void."""
        newest = self._witnesses[observation.observer].newest
        settings = self._settings
        if newest is None or observation.at >= newest - 2 * settings.probe_deadline - settings.interval:
            return
        self._forget()
        self._now = observation.at
        self._acted = None if self._acted is None else min(self._acted, observation.at)
        self._called = None if self._called is None else min(self._called, observation.at)

    def _decide(self) -> Decision:
        bad = [name for name in self._names if self._witnesses[name].vote is Health.BAD]
        counted = [name for name in bad if self._online.get(name) is True]
        good = [name for name in self._names if self._votes_good(name)]
        mute = tuple(name for name in self._names if name not in counted and name not in good)
        heard = self._hearing.at(self._now, self._first_bad(self._last.verdict, counted or bad) if bad else None)
        enough = bool(counted) and len(counted) + len(heard.bad) >= self._settings.quorum
        held = heard.objection if enough else ""
        verdict = Health.UNKNOWN if held else Health.BAD if enough else self._good_or_unknown(good, heard)
        state = self._state((*bad, *heard.bad), verdict)
        return Decision(
            state,
            self._now,
            tuple(self._complaint(name, counted) for name in bad),
            mute,
            self._first_bad(verdict, counted if verdict is Health.BAD else bad),
            changed=state is not self._last.state,
            act=state is State.DOWN and self._call(),
            verdict=verdict,
            until=self._acted + self._settings.cool_down if self._acted and state is State.COOLING else None,
            others=heard.reasons,
            held=held,
        )

    def _votes_good(self, name: str) -> bool:
        witness = self._witnesses[name]
        return witness.vote is Health.GOOD and (witness.sees or self._online.get(name) is not False)

    def _good_or_unknown(self, good: Sequence[str], heard: Heard) -> Health:
        return Health.GOOD if good and len(good) + len(heard.good) >= self._settings.quorum else Health.UNKNOWN

    def _state(self, bad: Sequence[str], verdict: Health) -> State:
        if self._within_cool_down(self._acted):
            return State.COOLING
        if verdict is Health.BAD:
            return State.DOWN
        return State.HEALTHY if verdict is Health.GOOD and not bad else State.SUSPECT

    def _call(self) -> bool:
        if self._within_cool_down(self._called):
            return False
        self._called = self._now
        return True

    def _within_cool_down(self, start: datetime | None) -> bool:
        return start is not None and self._now is not None and self._now < start + self._settings.cool_down

    def _complaint(self, name: str, counted: Sequence[str]) -> Complaint:
        witness = self._witnesses[name]
        since = witness.since
        if since is None:
            raise ValueError(f"{name} votes bad without a bad look")
        return Complaint(name, since, witness.reason, name in counted)

    def _first_bad(self, verdict: Health, group: Sequence[str]) -> datetime | None:
        if verdict is Health.BAD and self._last.verdict is Health.BAD:
            return self._last.first_bad
        return self._onset.of(group) or min(
            (since for name in group if (since := self._witnesses[name].since)), default=None
        )
