"""Carries messages to one channel or page in a thread of its own, so that nobody waits for it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from defib.clock import Clock, Deadline
from defib.entries import Told
from defib.errors import DefibError, Unavailable

SEND_WITHIN = timedelta(seconds=10)
"""How long one attempt may take."""

MOST_WAITING = 32
"""Messages that may wait for one channel; a run has about ten."""

_AGAIN_AFTER = (timedelta(seconds=1), timedelta(seconds=4))
"""The pauses before a message that may be repeated is tried again."""


@dataclass(frozen=True)
class Errand:
    """One message to be carried: `do` sends it by a deadline, or raises."""

    kind: str
    subject: str
    title: str
    do: Callable[[Deadline], None]


class Messenger:
    """The carrier to `channel`; `tell` gets what became of each errand, in the carrier's thread.

    With `only_latest`, as for a page that shows the present, an errand that is overtaken by a newer one is dropped, and one
    that fails is tried again: saying it twice does no harm there. Elsewhere a second try could tell people twice.
    """

    def __init__(self, channel: str, clock: Clock, tell: Callable[[Told], None], *, only_latest: bool = False) -> None:
        self.channel = channel
        self._clock = clock
        self._tell = tell
        self._only_latest = only_latest
        self._waiting: queue.Queue[Errand | None] = queue.Queue(MOST_WAITING + 1)  # room for the end
        self._under_way: Errand | None = None
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._carry, name=f"defib-tell-{channel}", daemon=True)
        self._thread.start()

    def give(self, errand: Errand) -> None:
        """Carry `errand` after those before it; never waits. To be called from one thread."""
        if self._waiting.qsize() >= MOST_WAITING:
            self._tell(self._told(errand, "failed", f"{MOST_WAITING} messages wait for this channel already"))
        else:
            self._waiting.put_nowait(errand)

    def dismiss(self, within: Deadline) -> tuple[Told, ...]:
        """Let the carrier end, by `within` at the latest; gives what it left undone. It tells nothing any more."""
        with suppress(queue.Full):  # dismissed before
            self._waiting.put_nowait(None)
        self._thread.join(within.remaining().total_seconds())
        left = []
        with self._lock:
            self._ended.set()
            if self._under_way is not None:
                left.append(self._told(self._under_way, "unknown", "not done when the run left; it may still arrive"))
        while (errand := self._next_waiting()) is not None:
            left.append(self._told(errand, "failed", "not sent before the run left"))
        return tuple(left)

    def _next_waiting(self) -> Errand | None:
        try:
            return self._waiting.get_nowait()
        except queue.Empty:
            return None

    def _carry(self) -> None:
        while (errand := self._waiting.get()) is not None and not self._ended.is_set():
            if self._only_latest and self._overtaken():
                continue
            self._under_way = errand
            told = self._attempts(errand)
            with self._lock:
                if self._ended.is_set():
                    return
                self._tell(told)
                self._under_way = None

    def _attempts(self, errand: Errand) -> Told:
        for pause in (*_AGAIN_AFTER, None):
            try:
                errand.do(Deadline.after(self._clock, SEND_WITHIN))
            except Unavailable as error:
                if pause is None or not self._only_latest:
                    return self._told(errand, "failed", str(error))
                self._ended.wait(pause.total_seconds())
                if self._ended.is_set() or self._overtaken():
                    return self._told(errand, "failed", str(error))
            except DefibError as error:
                return self._told(errand, "failed", str(error))
            except Exception as error:  # a defect of a channel is that channel's alone
                return self._told(errand, "failed", f"{type(error).__name__}: {error}")
            else:
                return self._told(errand, "sent", "")
        raise AssertionError("the last pause is none")

    def _overtaken(self) -> bool:
        """Whether a newer errand waits; the end of all is none."""
        with self._waiting.mutex:
            return any(errand is not None for errand in self._waiting.queue)

    def _told(self, errand: Errand, outcome: str, why: str) -> Told:
        return Told(self.channel, errand.kind, errand.subject, errand.title, outcome, why)
