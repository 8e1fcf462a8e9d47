"""A flow run that pauses while its run waits for an approval: the form, and what somebody puts into it.

What is put in is an answer like any other: it goes into the run's folder, once, and counts for that question alone. Prefect
does not say who resumed a flow run, so the form asks for a name. It has nothing filled in, so that an empty answer is none,
and each pause has keys of its own, so that a retry never finds an earlier answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, cast
from uuid import UUID

from prefect import get_client
from prefect.client.schemas.objects import State, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.input import RunInput
from prefect.input.run_input import Keyset, keyset_from_base_key
from prefect.states import Paused, Running
from pydantic import Field, ValidationError, create_model

from defib.clock import Clock, Deadline
from defib.errors import DefibError, StepFailed
from defib.question import Answer, Question, answer_to, put_answer
from defib.report.artifacts import question_text
from defib.timeline import Timeline

LOOK = timedelta(seconds=1)
"""Between two looks whether somebody has answered."""

GRACE = timedelta(minutes=1)
"""Prefect itself ends a pause so long after the run has stopped waiting, where nobody follows it any more."""

TYPED = 4
"""So many digits of the digest have to be typed, as on a terminal."""


class Approval(RunInput):
    """The form. Its first digits are checked by the server, against the pattern of :func:`form_for`."""

    digest: str
    decision: Literal["approve", "refuse"] = Field(title="Decision", description="Nothing is changed unless you approve.")
    name: str = Field(title="Your name", description="For the journal: who decided this.", min_length=1, pattern=r"\S")
    note: str = Field(default="", title="Note", description="Why, if that is worth keeping.")


def form_for(question: Question) -> type[Approval]:
    """The form in which exactly this plan's digest has to be typed."""
    digits = question.digest[:TYPED]
    field: Any = Field(
        title="Digest",
        description=f"Type {digits}, the first digits of the plan's digest, or more of them.",
        pattern="^" + "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits),
    )
    return create_model("Approval", __base__=Approval, digest=(str, field))


class Pauses:
    """The pauses of one flow run, one after the other."""

    def __init__(self, flow_run: UUID, clock: Clock) -> None:
        self._flow_run, self._clock = flow_run, clock
        self._pause: _Pause | None = None
        self._next_look = Deadline.after(clock, timedelta(0))

    def follow(self, folder: Path, question: Question | None, told: Timeline, tell: Callable[[str], object]) -> None:
        """Begin a pause where there is a question, end it where that is gone, and hand on what was put into the form."""
        if question is not None and answer_to(folder, question) is not None:
            question = None  # the run will take it in a moment
        if self._pause is not None and (question is None or question.key != self._pause.question.key):
            self.end()
        if question is None:
            return
        if self._pause is None:
            self._pause = _Pause.begin(self._flow_run, question, question_text(told, question))
            tell(f"The plan waits for an approval: choose Resume in the menu of this page. {_otherwise(question)}")
        if not self._next_look.expired():
            return
        self._next_look = Deadline.after(self._clock, LOOK)
        if not self._pause.is_over():
            return
        pause, self._pause = self._pause, None  # what does not count is asked for again, in a new form
        try:
            put_answer(folder, question, _answer(question, pause.put_in(), self._clock))
        except (DefibError, ValidationError) as error:
            tell(f"what was put into the form does not count: {error}")

    def end(self) -> None:
        """Let the flow run go on, where nobody has to answer any more."""
        pause, self._pause = self._pause, None
        if pause is not None:
            pause.end()


class _Pause:
    def __init__(self, flow_run: UUID, question: Question, form: type[Approval], keyset: Keyset) -> None:
        self.question = question
        self._flow_run, self._form, self._keyset = flow_run, form, keyset

    @classmethod
    def begin(cls, flow_run: UUID, question: Question, description: str) -> _Pause:
        form = form_for(question).with_initial_data(description=description)
        key = secrets.token_hex(8)
        keyset = keyset_from_base_key(f"approval-{key}")
        paused: State[Any] = Paused(
            name="AwaitingApproval",
            message=f"Until {question.until:%H:%M:%S} UTC. {_otherwise(question)}",
            pause_expiration_time=question.until + GRACE,
            pause_key=key,
        )
        paused.state_details.run_input_keyset = {str(part): name for part, name in keyset.items()}
        form.save(keyset, flow_run)  # before the pause: whoever is quick finds the form
        with get_client(sync_client=True) as client:
            result = client.set_flow_run_state(flow_run, paused)
        if result.status is not SetStateStatus.ACCEPT:
            raise StepFailed("the flow run cannot be paused", seen=str(result.details), then="defib approve")
        return cls(flow_run, question, form, keyset)

    def is_over(self) -> bool:
        """Whether somebody has put something into the form, or let the flow run go on otherwise."""
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(self._flow_run).state
        return state is not None and state.type is StateType.RUNNING

    def put_in(self) -> Approval:
        """What stands in the form; :class:`pydantic.ValidationError` where that is not all that has to."""
        return cast("Approval", self._form.load(self._keyset, self._flow_run))  # no coroutine outside of a loop

    def end(self) -> None:
        """Past the rules of Prefect, which would have an answer first."""
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(self._flow_run).state
            if state is not None and state.type is StateType.PAUSED:
                client.set_flow_run_state(self._flow_run, Running(), force=True)


def _otherwise(question: Question) -> str:
    return f"Or at a terminal: defib approve {question.run_id} --digest {question.short_digest}"


def _answer(question: Question, put_in: Approval, clock: Clock) -> Answer:
    typed = put_in.digest.strip().lower()
    digest = question.digest if question.digest.startswith(typed) else typed
    by = f"{put_in.name.strip()}, as typed into Prefect's form"
    return Answer(digest, put_in.decision == "approve", by, "prefect", clock.now(), put_in.note.strip())
