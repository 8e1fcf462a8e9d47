"""Monitors and signals: whether they can be asked, look at this page, and often enough to be of use."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

from defib.clock import Deadline
from defib.monitor import Sighting
from defib.observe.asking import AHEAD, fares, same_page
from defib.ports import Health
from defib.providers.open_monitors import open_monitor, open_signal
from defib.ready.check import Check, Question, State
from defib.ready.scene import Here
from defib.sites.monitors import MonitorOfSite, SentrySessions

NAME = "monitors"
_SHARE_OF_RTO = 10
"""An interval may take one part of so many of the RTO: half of it is gone on average before anything is seen."""


def questions(here: Here) -> Iterator[Question]:
    """Each asks one vendor. None of them can keep a recovery from starting; a wrong one helps nobody, either."""
    for monitor in here.site.monitors:
        yield Question(NAME, monitor.name, partial(_monitor, here, monitor))
    for signal in here.site.signals:
        yield Question(NAME, signal.name, partial(_signal, here, signal))


def _monitor(here: Here, config: MonitorOfSite, within: Deadline) -> Iterator[Check]:
    opened = within.clock.call(lambda: open_monitor(config, here.secret), within.remaining())
    yield judge(here, config, opened.sighting(within=within))


def _signal(here: Here, config: SentrySessions, within: Deadline) -> Iterator[Check]:
    opened = within.clock.call(lambda: open_signal(config, here.secret), within.remaining())
    health, text = fares(opened.sessions(config.window, within=within), config)
    voice = "a voice" if config.counts else "told, and no voice"
    state = State.WARN if health is Health.UNKNOWN else State.OK
    then = "" if state is State.OK else "with so few users it tells nothing: a longer window, or a smaller at_least"
    yield Check(NAME, config.name, state, f"{text} ({voice})", then)


def judge(here: Here, config: MonitorOfSite, told: Sighting) -> Check:
    """What a sighting means for the next outage."""
    found = partial(Check, NAME, config.name)
    if not same_page(told.watches, here.site.page.url):
        text = f"it looks at {told.watches}, and not at {here.site.page.url}: its word does not count"
        return found(State.FAIL, text, "give it the address of the page, or the site file the id of another")
    if told.health is Health.UNKNOWN or told.seen is None:
        return found(State.WARN, f"its word does not count: {told.reason}", "see to it in its vendor's console")
    now = here.clock.now()
    if told.seen > now + AHEAD:
        return found(State.UNKNOWN, "its vendor's clock is ahead of ours", "see whether the clock of this machine is right")
    every, rto = told.interval, here.site.objectives.rto
    text = f"checks the page every {_words(every)}; {'up' if told.health is Health.GOOD else 'down'}"
    if every * _SHARE_OF_RTO > rto:
        return found(State.WARN, f"{text}; too seldom for an RTO of {_words(rto)}", "let it check more often")
    if every > config.believed_for:
        text += f", and is believed for {_words(config.believed_for)}: for the rest of the time its word does not count"
        return found(State.WARN, text, "let it check more often, or believe it for longer (believed_for)")
    return found(State.OK, text)


def _words(duration: timedelta) -> str:
    return f"{duration.total_seconds():g} s"
