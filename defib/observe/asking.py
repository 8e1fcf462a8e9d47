"""Asking the monitors and signals of a site for their word, no oftener than their vendors want."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from defib.clock import Clock, Deadline
from defib.errors import InputError, ProviderError, Unavailable
from defib.monitor import Monitor, Sessions, Sighting, Signal, Word
from defib.observe.failure import plain
from defib.ports import Health
from defib.sites.monitors import MonitorOfSite, SentrySessions
from defib.sites.site import Site

ASK_WITHIN = timedelta(seconds=5)
"""For one question to a vendor."""

AHEAD = timedelta(seconds=5)
"""By so much a vendor's clock may differ from ours before the age of what it says is unknown."""

_HOLDS = 2
"""So many pauses long a signal's figure is believed."""

_PORTS = {"https": 443, "http": 80}

OpenMonitor = Callable[[MonitorOfSite], Monitor]
OpenSignal = Callable[[SentrySessions], Signal]


class AskedMonitors:
    """Fulfils :class:`defib.monitor.Monitors` for a site. Safe to call from any thread.

    Each is opened when it is first asked: a token that is missing makes its word unknown, and stops nothing else. Between
    two questions at least `ask_every` passes, and what ``Retry-After`` asks for.
    """

    def __init__(self, site: Site, monitor: OpenMonitor, signal: OpenSignal, clock: Clock) -> None:
        self._page = site.page.url
        self._clock = clock
        self._voices: dict[str, _Voice] = {
            **{config.name: _MonitorVoice(config, monitor, self._page) for config in site.monitors},
            **{config.name: _SignalVoice(config, signal) for config in site.signals},
        }
        self._lines = {name: _Line() for name in self._voices}

    @property
    def pauses(self) -> Mapping[str, timedelta]:
        """Who they are, in the order of the site file, and the least pause between two questions to each."""
        return {name: voice.pause for name, voice in self._voices.items()}

    def ask(self, name: str, *, within: Deadline) -> Word:
        """The word of `name`; its last one where it was asked a moment ago, or is being asked."""
        voice, line = self._voices[name], self._lines[name]
        if not line.busy.acquire(blocking=False):
            return line.last or Word(name, Health.UNKNOWN, "is being asked for the first time")
        try:
            if line.last is None or self._clock.monotonic() >= line.free:
                line.free = self._clock.monotonic() + voice.pause
                line.last = self._asked(voice, line, within)
            return line.last
        finally:
            line.busy.release()

    def _asked(self, voice: _Voice, line: _Line, within: Deadline) -> Word:
        try:
            return voice.word(within)
        except (ProviderError, InputError) as error:
            if isinstance(error, Unavailable) and error.retry_after:
                line.free = self._clock.monotonic() + max(voice.pause, error.retry_after)
            told = "; ".join(part for part in (error.what, error.seen) if part)
            return voice.unknown(f"cannot be asked: {told}")


class _Line:
    """What passed between us and one vendor: the last word, and until when it is left alone."""

    def __init__(self) -> None:
        self.busy = threading.Lock()
        self.last: Word | None = None
        self.free = timedelta(0)


class _MonitorVoice:
    """A monitor's word is what it saw, while that is young enough and about the page."""

    def __init__(self, config: MonitorOfSite, opener: OpenMonitor, page: str) -> None:
        self.pause = config.ask_every
        self._config, self._opener, self._page = config, opener, page
        self._monitor: Monitor | None = None

    def word(self, within: Deadline) -> Word:
        self._monitor = self._monitor or self._opener(self._config)
        told, now = self._monitor.sighting(within=within), within.clock.now()
        why = why_not(told, self._page, self._config.believed_for, now)
        if why or told.seen is None:
            return self.unknown(why or told.reason)
        reason = {Health.GOOD: "up", Health.BAD: "down"}[told.health] + (f": {told.reason}" if told.reason else "")
        return Word(self._config.name, told.health, plain(reason), told.seen, told.seen + self._config.believed_for)

    def unknown(self, why: str) -> Word:
        return Word(self._config.name, Health.UNKNOWN, plain(why))


class _SignalVoice:
    """A signal's word is bad where users meet more errors than the site file puts up with."""

    def __init__(self, config: SentrySessions, opener: OpenSignal) -> None:
        self.pause = config.ask_every
        self._config, self._opener = config, opener
        self._signal: Signal | None = None

    def word(self, within: Deadline) -> Word:
        self._signal = self._signal or self._opener(self._config)
        told = self._signal.sessions(self._config.window, within=within)
        health, reason = fares(told, self._config)
        config, seen = self._config, told.until
        return Word(config.name, health, reason, seen, seen + _HOLDS * self.pause, config.counts, signal=True)

    def unknown(self, why: str) -> Word:
        return Word(self._config.name, Health.UNKNOWN, plain(why), counts=self._config.counts, signal=True)


_Voice = _MonitorVoice | _SignalVoice


def why_not(told: Sighting, page: str, believed_for: timedelta, now: datetime) -> str:
    """Why a sighting says nothing about the page now; "" where it does."""
    if not same_page(told.watches, page):
        return f"looks at {told.watches}, and not at the page"
    if told.health is Health.UNKNOWN or told.seen is None:
        return told.reason or "nothing was seen yet"
    if told.seen > now + AHEAD:
        return f"its vendor's clock is {_seconds(told.seen - now)} s ahead of ours"
    age = now - told.seen
    return f"its last check may be {_seconds(age)} s old, too old to say anything" if age > believed_for else ""


def fares(told: Sessions, config: SentrySessions) -> tuple[Health, str]:
    """How users fare, and in words; unknown where there are too few of them to tell."""
    since = f"since {told.since:%H:%M:%SZ}"
    if told.all < config.at_least:
        count = f"{told.all or 'no'} session{'' if told.all == 1 else 's'}"
        return Health.UNKNOWN, f"{count} {since}, too few to tell"
    reason = f"{told.share:.0%} of {told.all} sessions met errors {since}"
    if told.share > config.errors_above:
        return Health.BAD, f"{reason}, more than {config.errors_above:.0%}"
    return Health.GOOD, reason


def same_page(watched: str, page: str) -> bool:
    """Whether both addresses lead to the same page."""
    try:
        return _address(watched) == _address(page)
    except ValueError:  # a port that is none
        return False


def _address(url: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme), path


def _seconds(duration: timedelta) -> int:
    return int(duration.total_seconds())
