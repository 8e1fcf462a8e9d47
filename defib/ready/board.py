"""Asking many questions at once and in time, whatever hangs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from defib.clock import Clock, Deadline
from defib.errors import BudgetSpent, DefibError, Unavailable
from defib.ready.check import Check, Question, State

EACH = timedelta(seconds=6)
"""For one question. Adapters may take a few seconds more to clean up behind themselves."""

WHOLE = timedelta(seconds=12)
"""For all of them: what has not answered by then is unknown."""

AT_ONCE = 32


def ask_all(
    questions: Sequence[Question], clock: Clock, *, at_once: int = AT_ONCE, whole: timedelta = WHOLE
) -> tuple[Check, ...]:
    """The findings of all `questions`, in their order, by the end of `whole`; `at_once` of them are asked at the same time.

    With one at a time they are asked in this thread, as a simulated clock needs it. Otherwise whatever hangs beyond its
    deadline is left behind in a thread that keeps no process alive.
    """
    deadline = Deadline.after(clock, whole)
    if at_once == 1:
        found = {number: _answer(question, deadline) for number, question in enumerate(questions)}
    else:
        found = _ask_in_threads(questions, deadline, at_once)
    late = f"no answer within {whole.total_seconds():g} s"
    answers = [found.get(number, (question.unknown(late),)) for number, question in enumerate(questions)]
    return tuple(check for checks in answers for check in checks)


_Found = tuple[int, tuple[Check, ...]]


def _ask_in_threads(questions: Sequence[Question], whole: Deadline, at_once: int) -> dict[int, tuple[Check, ...]]:
    waiting: queue.SimpleQueue[tuple[int, Question]] = queue.SimpleQueue()
    answered: queue.SimpleQueue[_Found] = queue.SimpleQueue()
    for each in enumerate(questions):
        waiting.put(each)

    def work() -> None:
        with suppress(queue.Empty):
            while not whole.expired():
                number, question = waiting.get_nowait()
                answered.put((number, _answer(question, whole)))

    for _ in range(min(at_once, len(questions))):
        threading.Thread(target=work, name="defib-ready", daemon=True).start()
    found: dict[int, tuple[Check, ...]] = {}
    with suppress(queue.Empty):
        while len(found) < len(questions):
            number, checks = answered.get(timeout=whole.remaining().total_seconds())
            found[number] = checks
    return found


def _answer(question: Question, whole: Deadline) -> tuple[Check, ...]:
    within = whole.sooner(EACH)
    if within.expired():
        return (question.unknown("no time was left to ask"),)
    try:
        return tuple(question.ask(within))
    except (Unavailable, BudgetSpent) as error:
        return (question.unknown(_words(error)),)  # what a run would do next is not for a check
    except DefibError as error:
        return (Check(question.name, question.about, State.FAIL, _words(error), error.then),)
    except Exception as error:  # a defect in one check must not hide what the others found
        return (question.unknown(f"a defect in Defib: {type(error).__name__}: {error}"),)


def _words(error: DefibError) -> str:
    return "; ".join(text for text in (error.what, error.seen and f"seen: {error.seen}") if text)
