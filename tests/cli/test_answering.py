"""``defib approve`` and ``defib stop``: what is said to a run from another terminal."""

from __future__ import annotations

import fcntl
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from defib import entries
from defib.clock import Deadline, SystemClock
from defib.journal import ALIVE
from defib.question import QUESTION, Answer, Question, new_question, open_question, wait_for_answer
from defib.run import Run
from tests.conftest import Defib
from tests.stage import Stage
from tests.test_plan import PLAN


class Waiting:
    """A run of this process, which waits in earnest for an approval."""

    def __init__(self, home: Path) -> None:
        stage = Stage(home)
        self.run: Run = stage.begin()
        self.folder = stage.desk.home.run(self.run.id)
        self.alive = (self.folder / ALIVE).open("wb")
        fcntl.flock(self.alive, fcntl.LOCK_EX)
        self.defib = Defib(home)
        self.said: list[Answer | None] = []

    @contextmanager
    def asking(self) -> Iterator[Question]:
        """For as long as the context lasts, or until there is an answer."""
        clock = SystemClock()
        within = Deadline.after(clock, timedelta(seconds=300))
        question = new_question(self.run.id, PLAN, "users get connection refused", clock, within)

        def body() -> None:
            self.said.append(wait_for_answer(self.folder, question, clock))

        thread = threading.Thread(target=body)
        thread.start()
        try:
            while open_question(self.folder) is None:
                assert thread.is_alive(), "nothing waits for an answer"
                clock.sleep(timedelta(milliseconds=5))
            yield question
            thread.join(60)
        finally:
            clock.interrupt()
            thread.join()


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Waiting]:
    """A run that has begun."""
    made = Waiting(tmp_path)
    yield made
    made.alive.close()


def test_it_shows_what_waits(waiting: Waiting) -> None:
    """Without an answer it only shows: what is wrong, until when, and what to type."""
    with waiting.asking() as question:
        shown = waiting.defib("approve", waiting.run.id)
        assert shown.code == 0, shown.err
        assert "users get connection refused" in shown.out
        assert f"defib approve {waiting.run.id} --digest {PLAN.short_digest}" in shown.out
        told = waiting.defib("approve", waiting.run.id, "--json").json
        assert (told["digest"], told["text"]) == (question.digest, question.text)
        refused = waiting.defib("approve", waiting.run.id, "--digest", "f" * 12)
        assert (refused.code, "another digest" in refused.err) == (4, True)
        short = waiting.defib("approve", waiting.run.id, "--digest", PLAN.short_digest[:4])
        assert short.code == 4
        both = waiting.defib("approve", waiting.run.id, "--digest", PLAN.short_digest, "--refuse")
        assert both.code == 2
        assert waiting.said == []
        assert waiting.defib("approve", waiting.run.id, "--refuse").code == 0
    assert [said and said.approved for said in waiting.said] == [False]


def test_a_digest_approves(waiting: Waiting) -> None:
    """By the person at that terminal; whoever comes later is refused."""
    with waiting.asking():
        approved = waiting.defib("approve", waiting.run.id, "--digest", PLAN.digest().upper(), "--note", "go", "--json")
        assert (approved.code, approved.json["approved"]) == (0, True)
    (said,) = waiting.said
    assert said is not None
    assert (said.approved, said.how, said.note, said.by) == (True, "command", "go", approved.json["by"])
    late = waiting.defib("approve", waiting.run.id, "--refuse")
    assert (late.code, "waits for no approval" in late.err) == (4, True)


def test_a_run_that_died_while_it_waited(waiting: Waiting) -> None:
    """Nobody waits behind a question that its process left; the way on is named."""
    with waiting.asking():
        left = json.loads((waiting.folder / QUESTION).read_text())
        waiting.defib("approve", waiting.run.id, "--refuse")
    dead = Stage(waiting.defib.home / "other").begin()
    folder = waiting.defib.home / "other" / "runs" / dead.id
    (folder / QUESTION).write_text(json.dumps({**left, "run_id": dead.id}))
    ended = Defib(waiting.defib.home / "other")("approve", dead.id, "--digest", PLAN.short_digest)
    assert ended.code == 4
    assert "died while it waited" in ended.err
    assert f"defib resume {dead.id} --await-approval" in ended.err


def test_stopping_a_run_that_nobody_carries_out(waiting: Waiting) -> None:
    """Its process is gone, or another run has the site: no process gets a signal that was not meant."""
    assert waiting.run.changes.lease is not None
    waiting.run.changes.lease.release()
    ended = waiting.defib("stop", waiting.run.id)
    assert (ended.code, "no process carries out that run" in ended.err) == (4, True)
    assert next(waiting.run.journal.of(entries.Opened)).run_id == waiting.run.id


HOLDER = """
import sys
from pathlib import Path
from defib.clock import SystemClock
from defib.lease import Holder, Lease

Lease.take(Path(sys.argv[1]), SystemClock(), Holder.me(sys.argv[2]))
print("held", flush=True)
sys.stdin.read()
"""


def test_stopping_a_run(waiting: Waiting) -> None:
    """The process that carries it out gets the signal that ends runs in good order."""
    assert waiting.run.changes.lease is not None
    waiting.run.changes.lease.release()
    folder = str(waiting.defib.home / "sites" / waiting.run.site.site)
    command = [sys.executable, "-c", HOLDER, folder, waiting.run.id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        ended = waiting.defib("stop", waiting.run.id)
        assert (ended.code, holder.wait(60)) == (0, -signal.SIGTERM)
    assert f"defib rollback {waiting.run.id}" in ended.out


def test_a_run_without_terminal_and_approval_says_how_to_give_one(defib: Defib) -> None:
    """Both ways are named."""
    ended = defib("run", "cdn-failover", "--site", "lab")
    assert ended.code == 4
    assert "--approve DIGEST, or --await-approval" in ended.err
