"""One channel's carrier: in order, once, never waited for, and honest about what it could not do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import pytest

from defib.alerts.messenger import MOST_WAITING, Errand, Messenger
from defib.clock import Deadline, SystemClock
from defib.entries import Told
from defib.errors import Denied, Unavailable

CLOCK = SystemClock()


@dataclass
class Post:
    """What was carried, and what was said to have become of it."""

    carried: list[str] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def messenger(self, *, only_latest: bool = False) -> Messenger:
        """A carrier of its own."""
        return Messenger("chat", CLOCK, self.told.append, only_latest=only_latest)

    def errand(self, subject: str, meet: Callable[[], None] = lambda: None) -> Errand:
        """A message that is carried unless `meet` raises."""

        def do(within: Deadline) -> None:
            assert within.remaining() > timedelta(0)
            meet()
            self.carried.append(subject)

        return Errand("start", subject, f"title of {subject}", do)

    def outcomes(self) -> list[tuple[str, str]]:
        """Subjects and outcomes, as they were told."""
        return [(told.subject, told.outcome) for told in self.told]


def soon(seconds: float = 60) -> Deadline:
    """A deadline."""
    return Deadline.after(CLOCK, timedelta(seconds=seconds))


def refuse(error: Exception) -> Callable[[], None]:
    """Something that raises `error`."""

    def meet() -> None:
        raise error

    return meet


def test_everything_is_carried_in_order() -> None:
    """Each once, each told."""
    post = Post()
    messenger = post.messenger()
    for number in range(20):
        messenger.give(post.errand(str(number)))
    assert messenger.dismiss(soon()) == ()
    assert post.carried == [str(number) for number in range(20)]
    assert post.outcomes() == [(str(number), "sent") for number in range(20)]


@pytest.mark.parametrize("error", [Unavailable("down"), Denied("no"), RuntimeError("a defect")])
def test_a_failure_is_told_and_the_next_is_tried(error: Exception) -> None:
    """Whatever one message meets, the reason is told, and the next one goes out."""
    post = Post()
    messenger = post.messenger()
    messenger.give(post.errand("one", refuse(error)))
    messenger.give(post.errand("two"))
    messenger.dismiss(soon())
    assert post.outcomes() == [("one", "failed"), ("two", "sent")]
    assert str(error) in post.told[0].why


def test_what_hangs_is_left_behind() -> None:
    """The end comes in its time; what is under way may still arrive, what waited was not sent, and neither is told twice."""
    post = Post()
    messenger = post.messenger()
    begun = threading.Event()
    messenger.give(post.errand("one", partial(hold, post.gate, begun)))
    messenger.give(post.errand("two"))
    assert begun.wait(60)
    left = messenger.dismiss(soon(0.3))
    assert [(told.subject, told.outcome) for told in left] == [("one", "unknown"), ("two", "failed")]
    post.gate.set()
    messenger.dismiss(soon(5))
    assert post.told == []


def hold(gate: threading.Event, begun: threading.Event) -> None:
    """Say that it has begun, and wait for somebody to open the gate."""
    begun.set()
    assert gate.wait(120)


def test_giving_never_waits() -> None:
    """More messages than may wait are refused at once, and that is told."""
    post = Post()
    messenger = post.messenger()
    begun = threading.Event()
    messenger.give(post.errand("first", partial(hold, post.gate, begun)))
    assert begun.wait(60)
    for number in range(MOST_WAITING + 5):
        messenger.give(post.errand(str(number)))
    assert post.carried == [], "who gave did not wait for whoever carries"
    assert post.outcomes() == [(str(MOST_WAITING + number), "failed") for number in range(5)]
    assert str(MOST_WAITING) in post.told[0].why
    post.gate.set()
    assert messenger.dismiss(soon()) == ()
    assert len(post.carried) == MOST_WAITING + 1


def test_a_page_shows_the_present() -> None:
    """What a newer word has overtaken is not said any more."""
    post = Post()
    messenger = post.messenger(only_latest=True)
    messenger.give(post.errand("investigating", partial(hold, post.gate, threading.Event())))
    for subject in ("identified", "monitoring", "resolved"):
        messenger.give(post.errand(subject))
    post.gate.set()
    messenger.dismiss(soon())
    assert post.carried[-1] == "resolved"
    assert len(post.carried) <= 2


def test_a_page_is_told_again() -> None:
    """A word that failed and may pass is said again; people are not told twice by a channel."""
    for only_latest, expected in ((True, "sent"), (False, "failed")):
        post = Post()
        tries = iter([refuse(Unavailable("down")), lambda: None])
        messenger = post.messenger(only_latest=only_latest)
        messenger.give(post.errand("one", lambda tries=tries: next(tries)()))  # type: ignore[misc]
        until(lambda post=post: bool(post.told))  # type: ignore[misc]
        messenger.dismiss(soon())
        assert post.outcomes() == [("one", expected)]


def until(holds: Callable[[], bool]) -> None:
    """Wait for something that comes."""
    deadline = soon(20)
    while not holds():
        assert not deadline.expired()
        CLOCK.sleep(timedelta(milliseconds=10))
