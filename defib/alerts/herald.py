"""Tells people and status pages what happens in a run, while it happens, and never at its cost.

The run only puts its entries into a queue, and has its first seconds for itself. One thread makes news of them and of the
time that passes, and each channel and page is served by a :class:`Messenger`. What is dead, slow or hanging there costs the
run nothing; at its end at most :data:`FAREWELL` is spent on what is still under way.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, partial

from defib import entries
from defib.about import About, about
from defib.alerts.alert import Alert, AlertKind, Channel, Notice, StatusPage
from defib.alerts.bulletins import Bulletins, PublicWords, Resolution, Word
from defib.alerts.messenger import Errand, Messenger
from defib.clock import Clock, Deadline, SystemClock
from defib.errors import DefibError, InputError, ProviderError
from defib.history import status_before
from defib.home import Home
from defib.journal import Journal, Record
from defib.objectives import Status
from defib.providers.open_alerts import open_channel, open_status
from defib.providers.secret import resolve
from defib.redact import Redactor
from defib.run import Run
from defib.sites.site import Site

FAREWELL = timedelta(seconds=2)
"""What the end of a run may wait for messages that are under way."""

HOLD_BACK = timedelta(seconds=2)
"""How long the first word waits: loading what sends it takes a third of a second of computing, which the run needs first."""

_PULSE = timedelta(milliseconds=200)
"""How often the time alone is looked at."""


@dataclass(frozen=True)
class Outlet:
    """A channel that is opened when it is first used, and the kinds of alerts that it wants."""

    name: str
    kinds: tuple[AlertKind, ...]
    open: Callable[[], Channel]


@dataclass(frozen=True)
class PageOutlet:
    """A status page that is opened when it is first used."""

    name: str
    open: Callable[[], StatusPage]


@dataclass(frozen=True)
class Outlets:
    """Everything that is to be told."""

    channels: tuple[Outlet, ...] = ()
    pages: tuple[PageOutlet, ...] = ()

    def only(self, kinds: Collection[AlertKind]) -> Outlets:
        """Those channels that want to hear of one of these kinds, of nothing else, and no page."""
        wanted = [(each, tuple(kind for kind in each.kinds if kind in kinds)) for each in self.channels]
        return Outlets(tuple(replace(each, kinds=those) for each, those in wanted if those))

    def also(self, channels: Sequence[Outlet]) -> Outlets:
        """These and `channels`."""
        return replace(self, channels=(*self.channels, *channels))


def outlets_of(site: Site, home: Home, redact: Redactor) -> Outlets:
    """What the site file names. Secrets are resolved when a channel is first used, and learnt by `redact` before that."""

    def secret(reference: str) -> str:
        return redact.learn(resolve(reference, home.path))

    return Outlets(
        tuple(Outlet(each.name, each.kinds, partial(open_channel, each, secret)) for each in site.alerts),
        tuple(PageOutlet(each.name, partial(open_status, site, each, secret)) for each in site.status),
    )


def outlets_for(run: Run, home: Home, redact: Redactor) -> Outlets:
    """Whom to tell of this run.

    Of what comes round every 15 minutes people hear only where it has just begun to fail, and of how much would be lost.
    """
    outlets = outlets_of(run.site, home, redact)
    if about(run.runbook.procedure) is About.USERS:
        return outlets
    failed_before = status_before(home, run.id) in {Status.FAILED, Status.REFUSED}
    return outlets.only({AlertKind.BURN} if failed_before else {AlertKind.BURN, AlertKind.FAILED})


@contextmanager
def heralded(run: Run, outlets: Outlets, hold_back: timedelta = HOLD_BACK) -> Iterator[None]:
    """Tell everybody of `run` for as long as the context lasts. Nothing that happens here reaches the run."""
    if not outlets.channels and not outlets.pages:
        yield
        return
    herald = Herald(run.journal, run.site, run.clock, outlets, hold_back)
    try:
        yield
    except BaseException as error:
        herald.hear_of(error)
        raise
    finally:
        herald.dismiss()


def hush(outlets: Outlets, clock: Clock) -> tuple[str, ...]:
    """Close what an earlier rehearsal that was killed left open on the pages; gives what could not be done, and why."""
    troubles = []
    for page in outlets.pages:
        try:
            page.open().resolve("This was a rehearsal, and it is over.", within=Deadline.after(clock, FAREWELL))
        except (ProviderError, InputError) as error:
            troubles.append(f"{page.name}: {error}")
    return tuple(troubles)


class Herald:
    """Listens to a journal from its last taking up on; the news of earlier processes is known already."""

    def __init__(
        self, journal: Journal, site: Site, clock: Clock, outlets: Outlets, hold_back: timedelta = HOLD_BACK
    ) -> None:
        self._hold_back = hold_back
        self._journal = journal
        self._clock = clock
        # A signal stops the run's waits; people are told of it all the same.
        self._own_clock = SystemClock()
        self._heard: queue.SimpleQueue[Record | BaseException | None] = queue.SimpleQueue()
        self._leaving = threading.Event()
        self._silent = threading.Event()
        journal.follow(self._heard.put)
        past, present = _parted(journal.records)
        opened = next(record.entry for record in (*past, *present) if isinstance(record.entry, entries.Opened))
        self._news = Bulletins(site, opened, journal.redact)
        self._public = PublicWords(site, opened, journal.redact)
        self._channels = [(outlet, cache(outlet.open), self._messenger(outlet.name)) for outlet in outlets.channels]
        self._pages = [(cache(page.open), self._messenger(page.name, only_latest=True)) for page in outlets.pages]
        self._thread = threading.Thread(target=self._work, args=(past, present), name="defib-herald", daemon=True)
        self._thread.start()

    def hear_of(self, error: BaseException) -> None:
        """The run ended by `error`, and its journal has no end."""
        self._heard.put(error)

    def dismiss(self) -> None:
        """Tell what is left to tell, within :data:`FAREWELL`, and write down what could not be told."""
        within = Deadline.after(self._own_clock, FAREWELL)
        self._leaving.set()
        self._heard.put(None)
        self._thread.join(within.remaining().total_seconds())
        messengers = [*(each[-1] for each in self._channels), *(each[-1] for each in self._pages)]
        left = [told for messenger in messengers for told in messenger.dismiss(within)]
        for told in left:
            self._tell(told)
        self._silent.set()

    def _messenger(self, name: str, *, only_latest: bool = False) -> Messenger:
        return Messenger(name, self._own_clock, self._tell, only_latest=only_latest)

    def _tell(self, told: entries.Told) -> None:
        if self._silent.is_set():
            return
        try:
            self._journal.append(told)
        except DefibError:
            # A journal that cannot be written stops the run itself; people shall be told of that as long as they can be.
            self._silent.set()

    def _work(self, past: Sequence[Record], present: Sequence[Record]) -> None:
        try:
            self._listen(past, present)
        except Exception as error:  # a defect here is not the run's; it is written down where the run is
            text = f"people are not told any more: {type(error).__name__}: {error}"
            with suppress(DefibError):
                self._journal.append(entries.Noted("", text, warning=True))

    def _listen(self, past: Sequence[Record], present: Sequence[Record]) -> None:
        self._leaving.wait(self._hold_back.total_seconds())
        self._news.recall(past)
        for record in past:
            self._public.hear(record)
        for record in present:
            self._announce(record)
        known = present[-1].n
        while True:
            try:
                heard = self._heard.get(timeout=_PULSE.total_seconds())
            except queue.Empty:
                self._pass_time()
                continue
            if heard is None:
                return
            if isinstance(heard, BaseException):
                self._spread(self._news.broken_off(heard))
            elif heard.n > known and not isinstance(heard.entry, entries.Told):
                self._announce(heard)
            if self._heard.empty():  # what is still to be heard may answer what the time asks
                self._pass_time()

    def _announce(self, record: Record) -> None:
        self._spread(self._news.hear(record))
        word = self._public.hear(record)
        if word is not None:
            for page, messenger in self._pages:
                messenger.give(_said(page, word))

    def _pass_time(self) -> None:
        self._spread(self._news.due(self._clock.now(), self._clock.monotonic()))

    def _spread(self, alerts: Sequence[Alert]) -> None:
        for alert in alerts:
            for outlet, channel, messenger in self._channels:
                if alert.kind in outlet.kinds:
                    messenger.give(_sent(channel, alert))


def _parted(records: Sequence[Record]) -> tuple[Sequence[Record], Sequence[Record]]:
    """What earlier processes wrote, and what this one did."""
    taken_up = [place for place, record in enumerate(records) if isinstance(record.entry, entries.Reopened)]
    place = taken_up[-1] if taken_up else 0
    return records[:place], records[place:]


def _sent(channel: Callable[[], Channel], alert: Alert) -> Errand:
    def do(within: Deadline) -> None:
        channel().send(alert, within=within)

    return Errand(alert.kind.value, alert.subject, alert.title, do)


def _said(page: Callable[[], StatusPage], word: Word) -> Errand:
    def do(within: Deadline) -> None:
        if isinstance(word, Resolution):
            page().resolve(word.text, within=within)
        else:
            page().say(word, within=within)

    if isinstance(word, Notice):
        return Errand("status", f"status:{word.stage.value}", word.title, do)
    return Errand("status", "status:resolved", word.text, do)
