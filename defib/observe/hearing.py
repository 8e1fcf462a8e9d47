"""What the words of monitors and signals add to the looks of a site's own observers.

They are voices among the others, with two differences that keep anybody else's trouble from becoming ours:

- What they saw has an age. While observers are bad, a monitor's good word counts only if its check was made after the first
  bad look: one that checks every five minutes says nothing about the last thirty seconds.
- Alone they decide nothing: at least one of the observers, which look now and from here, must see the same.

Two monitors that saw the page served after the first bad look, and none that saw it down, contradict the observers: it is
our own way to the site that failed. One alone does not, because one may be wrong, or lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from defib.monitor import Word
from defib.ports import Health

CONTRADICTION = 2
"""So many monitors must agree that users are served, against what the observers see."""


@dataclass(frozen=True)
class Heard:
    """What the others say at one moment: who is a bad voice and who a good one.

    `objection` is why the site is not down although there are voices enough for it, "" where there is no reason.
    `reasons` are for people.
    """

    bad: tuple[str, ...] = ()
    good: tuple[str, ...] = ()
    objection: str = ""
    reasons: tuple[str, ...] = ()


class Hearing:
    """Keeps the newest word of each."""

    def __init__(self, wait: timedelta) -> None:
        self._wait = wait
        self._words: dict[str, Word] = {}

    def take(self, word: Word) -> None:
        """One more word, in place of the last from there."""
        self._words[word.name] = word

    def forget(self) -> None:
        """The wall clock was set: nobody knows any longer how old anything is."""
        self._words.clear()

    def at(self, now: datetime | None, onset: datetime | None) -> Heard:
        """What they say at `now`, where observers are bad since `onset`, or None are."""
        if now is None or not self._words:
            return Heard()
        voices = [(word, word.at(now)) for word in self._words.values() if word.counts]
        bad = tuple(word.name for word, health in voices if health is Health.BAD)
        up = [word for word, health in voices if health is Health.GOOD and not word.signal]
        good = tuple(word.name for word in up if onset is None or _after(word, onset))
        objection = "" if onset is None or bad else self._objection(now, onset, up, good)
        return Heard(bad, good, objection, self._reasons(now, onset))

    def _objection(self, now: datetime, onset: datetime, up: Sequence[Word], good: Sequence[str]) -> str:
        """Monitors see users served, or may be about to tell: none of them is bad."""
        if len(good) >= CONTRADICTION:
            return f"held back: {_names(good)} see users served, so that it may be our own way to the site that failed"
        end, to_come = onset + self._wait, [word.name for word in up if word.name not in good]
        return f"waiting for {_names(to_come)}, until {end:%H:%M:%SZ} at most" if to_come and now < end else ""

    def _reasons(self, now: datetime, onset: datetime | None) -> tuple[str, ...]:
        """Everybody's word while observers are bad, and otherwise those that are bad."""
        told = [word for word in self._words.values() if onset is not None or word.at(now) is Health.BAD]
        return tuple(f"{word.name}: {_told(word, now, onset)}" for word in told)


def _names(names: Sequence[str]) -> str:
    return " and ".join(names)


def _after(word: Word, onset: datetime) -> bool:
    return word.seen is not None and word.seen > onset


def _told(word: Word, now: datetime, onset: datetime | None) -> str:
    if word.seen is None:
        return word.reason
    if word.at(now) is Health.UNKNOWN:
        return f"{word.reason}, by its last word of {word.seen:%H:%M:%SZ}" if word.signal else "too old to say anything"
    before = ", before this began" if onset is not None and not word.signal and not _after(word, onset) else ""
    return f"{word.reason}{'' if word.signal else f', checked at {word.seen:%H:%M:%SZ}'}{before}"
