"""A plan that waits in its run's folder: one answer, to exactly that question, and silence refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from defib import entries
from defib.approval import AskElsewhere
from defib.cli.screen import Screen
from defib.clock import Deadline, SimulatedClock
from defib.conduct import Outcome
from defib.errors import EvidenceBroken, Interrupted, Refused
from defib.question import QUESTION, Answer, ApprovalAwaited, Question, answer_to, new_question, open_question, put_answer
from defib.question import wait_for_answer as wait
from defib.run import Run
from tests.stage import REFUSED, Stage, seconds
from tests.test_plan import PLAN


@pytest.fixture
def clock() -> SimulatedClock:
    """Waiting takes no time."""
    return SimulatedClock()


def ask(clock: SimulatedClock, within: float = 60) -> Question:
    """A question that waits for a minute."""
    return new_question("a-run", PLAN, "what is wrong, and what would change", clock, Deadline.after(clock, seconds(within)))


def yes(question: Question, clock: SimulatedClock, **more: object) -> Answer:
    """Somebody approves it."""
    return replace(Answer(question.digest, True, "ann@desk", "command", clock.now()), **more)  # type: ignore[arg-type]


def test_an_answer_ends_the_wait(tmp_path: Path, clock: SimulatedClock) -> None:
    """It counts as soon as it is there, and nothing waits any more."""
    question = ask(clock)
    clock.at(seconds(7), lambda: put_answer(tmp_path, question, yes(question, clock)))
    assert wait(tmp_path, question, clock) == yes(question, SimulatedClock(clock.now()), at=answered(tmp_path, question).at)
    assert seconds(7) <= clock.monotonic() < seconds(7.5)
    assert open_question(tmp_path) is None


def answered(folder: Path, question: Question) -> Answer:
    """What was said."""
    answer = answer_to(folder, question)
    assert answer is not None
    return answer


def test_silence_ends_before_the_budget_does(tmp_path: Path, clock: SimulatedClock) -> None:
    """Nobody answered: that is a refusal of a person who was not there, and no failure of the step."""
    assert wait(tmp_path, ask(clock), clock) is None
    assert clock.monotonic() == seconds(59)
    assert not (tmp_path / QUESTION).exists()


def test_a_question_is_withdrawn_when_the_run_is_stopped(tmp_path: Path, clock: SimulatedClock) -> None:
    """Whoever would answer then is told that nobody waits."""
    clock.at(seconds(1), clock.interrupt)
    with pytest.raises(Interrupted):
        wait(tmp_path, ask(clock), clock)
    assert open_question(tmp_path) is None


def test_one_answer(tmp_path: Path, clock: SimulatedClock) -> None:
    """Who comes second is told who was first, and what that one said stays."""
    question = ask(clock)
    first = yes(question, clock, approved=False, note="not at noon")
    put_answer(tmp_path, question, first)
    with pytest.raises(Refused, match="answered already") as caught:
        put_answer(tmp_path, question, yes(question, clock, by="bob", how="prefect"))
    assert "refused by ann@desk (command)" in caught.value.seen
    assert "not at noon" in caught.value.seen
    assert answer_to(tmp_path, question) == first
    assert [path.name for path in tmp_path.iterdir()] == [f"answer-{question.key}.json"]


def test_an_answer_to_another_plan(tmp_path: Path, clock: SimulatedClock) -> None:
    """It is refused, and leaves the question open."""
    question = ask(clock)
    with pytest.raises(Refused, match="not the one that was answered") as caught:
        put_answer(tmp_path, question, yes(question, clock, digest="f" * 64))
    assert (caught.value.expected, caught.value.seen) == (f"digest {PLAN.short_digest}", "digest ffffffffffff")
    assert answer_to(tmp_path, question) is None


def test_an_answer_that_comes_too_late(tmp_path: Path, clock: SimulatedClock) -> None:
    """Nobody waits for it any more."""
    question = ask(clock)
    clock.sleep(seconds(61))
    with pytest.raises(Refused, match="too late"):
        put_answer(tmp_path, question, yes(question, clock))


def test_an_answer_does_not_outlive_its_question(tmp_path: Path, clock: SimulatedClock) -> None:
    """A run that was killed and taken up asks anew: what somebody said before it died counts for nothing."""
    before, after = ask(clock), ask(clock)
    assert before.digest == after.digest
    put_answer(tmp_path, before, yes(before, clock))
    assert wait(tmp_path, after, clock) is None


def test_what_cannot_be_read_is_no_answer(tmp_path: Path, clock: SimulatedClock) -> None:
    """Neither yes nor no."""
    question = ask(clock)
    (tmp_path / f"answer-{question.key}.json").write_text("{}")
    with pytest.raises(EvidenceBroken, match="the answer cannot be read"):
        wait(tmp_path, question, clock)


class Asking:
    """A run whose plan waits in its folder, and somebody who is to answer it after three seconds."""

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(folder)
        self.stage.edges[self.stage.primary.name] = REFUSED
        self.screen = Screen(self.stage.clock, board=False)
        self.run: Run = self.stage.begin(approver=AskElsewhere("defib run", self.screen.ask_elsewhere))
        self.folder = self.stage.desk.home.run(self.run.id)

    def play(self) -> Outcome:
        """The run to its end."""
        with self.screen.showing(self.run, self.folder):
            return self.stage.play(self.run)

    def answer(self, *, approved: bool) -> None:
        """Once the question is there."""
        clock = self.stage.clock
        question = open_question(self.folder)
        if question is None:
            clock.at(clock.monotonic() + seconds(1), lambda: self.answer(approved=approved))
            return
        put_answer(self.folder, question, yes(question, clock, approved=approved, how="prefect"))


def test_a_run_that_is_approved_elsewhere(tmp_path: Path) -> None:
    """It does what was approved, and its journal says by whom, how, and until when it would have waited."""
    asking = Asking(tmp_path)
    asking.answer(approved=True)
    assert asking.play().status == "recovered"
    approved = next(asking.run.journal.of(entries.Approved))
    assert (approved.by, approved.how) == ("ann@desk", "prefect")
    awaited = next(asking.run.journal.of(ApprovalAwaited))
    assert awaited.digest == approved.digest


def test_a_run_that_is_refused_elsewhere(tmp_path: Path) -> None:
    """It changes nothing."""
    asking = Asking(tmp_path)
    asking.answer(approved=False)
    outcome = asking.play()
    assert (outcome.status, asking.stage.writes) == ("refused", [])
    assert "refused by ann@desk (prefect)" in outcome.reason


def test_a_run_that_nobody_answers(tmp_path: Path) -> None:
    """It is refused when its step's 15 minutes are over."""
    asking = Asking(tmp_path)
    outcome = asking.play()
    assert (outcome.status, asking.stage.writes) == ("refused", [])
    assert "nobody approved the plan in time" in outcome.reason


def test_a_question_tells_what_a_terminal_would(tmp_path: Path) -> None:
    """What is wrong, what would change, and the digest."""
    asking = Asking(tmp_path)
    seen: list[Question] = []
    asking.stage.clock.at(seconds(60), lambda: seen.extend(filter(None, [open_question(asking.folder)])))
    asking.play()
    (question,) = seen
    assert question.run_id == asking.run.id
    assert f"digest {question.short_digest}" in question.text
    assert "connection refused" in question.text
    assert asking.stage.standby.hostname in question.text
