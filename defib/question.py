"""A plan that waits in its run's folder for an approval, and the answer that somebody puts there from elsewhere.

::

    runs/<run id>/question.json         the plan that waits now: its digest, what a terminal would show, until when
    runs/<run id>/answer-<key>.json     what somebody said to it, once

Every question has a key of its own, so an answer counts for the question that it was given to and for no other: not for
the same plan when the run is taken up again, and not for another plan.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from defib.clock import Clock, Deadline
from defib.errors import EvidenceBroken, Refused
from defib.plan import Plan
from defib.wholefile import put, put_once

QUESTION = "question.json"

MARGIN = timedelta(seconds=1)
"""The wait ends so long before its step's budget does, so that nobody's silence is a refusal and no failure."""

_BLINK = timedelta(milliseconds=100)
"""Between two looks for the answer."""


@dataclass(frozen=True)
class ApprovalAwaited:
    """In the journal: a plan waits in the run's folder for an approval from elsewhere, until then."""

    digest: str
    until: datetime


@dataclass(frozen=True)
class Question:
    """A plan that waits. `text` is what is wrong and what would change, as a terminal shows it."""

    key: str
    run_id: str
    digest: str
    text: str
    asked_at: AwareDatetime
    until: AwareDatetime

    @property
    def short_digest(self) -> str:
        """The first twelve digits, as shown to people and accepted from them."""
        return self.digest[:12]


@dataclass(frozen=True)
class Answer:
    """What somebody said to a question: to which digest, by whom, and how: ``command`` or ``prefect``."""

    digest: str
    approved: bool
    by: str
    how: str
    at: AwareDatetime
    note: str = ""

    def __str__(self) -> str:
        said = f"{'approved' if self.approved else 'refused'} by {self.by} ({self.how}) at {self.at:%H:%M:%S} UTC"
        return f"{said}: {self.note}" if self.note else said


_QUESTION, _ANSWER = TypeAdapter(Question), TypeAdapter(Answer)


def new_question(run_id: str, plan: Plan, text: str, clock: Clock, within: Deadline) -> Question:
    """A question about `plan` that may be answered within the time that is left, less :data:`MARGIN`."""
    now = clock.now()
    until = now + max(within.remaining() - MARGIN, timedelta(0))
    return Question(secrets.token_hex(8), run_id, plan.digest(), text, now, until)


def wait_for_answer(folder: Path, question: Question, clock: Clock) -> Answer | None:
    """Put the question into the run's folder and wait there; None where nobody answered in time.

    However the wait ends, the question is withdrawn.
    """
    put(folder / QUESTION, _QUESTION.dump_json(question, indent=2), "the question")
    until = Deadline.after(clock, question.until - question.asked_at)
    try:
        while (answer := answer_to(folder, question)) is None and not until.expired():
            clock.sleep(min(_BLINK, until.remaining()))
        return answer or answer_to(folder, question)
    finally:
        with suppress(OSError):  # one that is left behind has no process that waits for its answer, and is refused for it
            (folder / QUESTION).unlink()


def open_question(folder: Path) -> Question | None:
    """The question that stands in a run's folder, or None. Whether anybody still waits for it, its process tells."""
    try:
        return _QUESTION.validate_json((folder / QUESTION).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise EvidenceBroken("the question cannot be read", where=str(folder / QUESTION)) from error


def answer_to(folder: Path, question: Question) -> Answer | None:
    """What somebody said to exactly this question, or None."""
    path = _answer_path(folder, question)
    try:
        return _ANSWER.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise EvidenceBroken("the answer cannot be read", where=str(path)) from error


def put_answer(folder: Path, question: Question, answer: Answer) -> None:
    """Answer a question, once: :class:`Refused` where somebody has, where it is over, or where the digest is another's."""
    if answer.digest != question.digest:
        raise Refused(
            "the plan that waits is not the one that was answered",
            where=question.run_id,
            expected=f"digest {question.short_digest}",
            seen=f"digest {answer.digest[:12]}",
            then="read the plan that waits",
        )
    if answer.at > question.until:
        raise Refused(
            "the answer comes too late: nobody waits for it any more",
            where=question.run_id,
            expected=f"until {question.until:%H:%M:%S} UTC",
            seen=f"{answer.at:%H:%M:%S} UTC",
            then=f"defib report {question.run_id} --form md",
        )
    try:
        put_once(_answer_path(folder, question), _ANSWER.dump_json(answer, indent=2), "the answer")
    except FileExistsError as error:
        raise Refused(
            "somebody has answered already", where=question.run_id, seen=str(answer_to(folder, question)), then="defib runs"
        ) from error


def _answer_path(folder: Path, question: Question) -> Path:
    return folder / f"answer-{question.key}.json"
