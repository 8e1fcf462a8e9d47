"""What ``approve`` and ``stop`` do: they find the run that is meant, and whether its process still listens."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from defib.cli.lookup import find_run
from defib.cli.say import say, say_json
from defib.clock import SystemClock
from defib.errors import InputError, Refused
from defib.history import JOURNAL, is_alive, opening_of, status_of
from defib.home import Home
from defib.journal import read_journal
from defib.lease import Holder, current_holder, operator
from defib.question import Answer, Question, open_question, put_answer
from defib.redact import Redactor


def approve(redact: Redactor, run_id: str, digest: str, note: str, *, refuse: bool, as_json: bool) -> int:
    """Answer the question of a run, or show it."""
    if digest and refuse:
        raise InputError("--digest approves and --refuse does not", expected="one of them")
    home = Home.open()
    folder = find_run(home, run_id, "approve")
    question = _waiting(folder)
    if not digest and not refuse:
        return _show(question, as_json=as_json)
    if digest and not _means(question, digest):
        raise Refused(
            "the plan that waits has another digest",
            where=folder.name,
            expected=f"digest {question.short_digest}",
            seen=f"digest {digest}",
            then=f"read the plan: defib approve {folder.name}",
        )
    answer = Answer(question.digest, not refuse, operator(), "command", SystemClock().now(), redact(note))
    put_answer(folder, question, answer)
    if as_json:
        facts = {"run_id": folder.name, "approved": answer.approved, "by": answer.by, "digest": question.digest}
        say_json(facts)
    else:
        say(f"{folder.name}: {answer}")
    return 0


def stop(run_id: str, *, as_json: bool) -> int:
    """Send the process of a run the signal that stops it in good order."""
    home = Home.open()
    folder = find_run(home, run_id, "stop")
    opened = opening_of(read_journal(folder / JOURNAL)[0], folder)
    holder = current_holder(home.lease(opened.site, opened.procedure))
    if holder is None or holder.run_id != folder.name:
        raise Refused("no process carries out that run", where=folder.name, then="defib runs")
    _interrupt(holder)
    if as_json:
        say_json({"run_id": folder.name, "process": holder.pid, "signal": "SIGTERM"})
    else:
        say(f"{folder.name}: process {holder.pid} was told to stop; then defib resume or defib rollback {folder.name}")
    return 0


def _interrupt(holder: Holder) -> None:
    """SIGTERM to exactly the process that holds the lease, and to none that has its number since."""
    try:
        process = os.pidfd_open(holder.pid)
    except ProcessLookupError as error:
        raise Refused("no process carries out that run any more", where=holder.run_id, then="defib runs") from error
    try:
        if holder.is_elsewhere() or holder.is_dead():
            raise Refused(
                "that run is not carried out on this machine", where=holder.run_id, seen=str(holder), then="defib stop there"
            )
        signal.pidfd_send_signal(process, signal.SIGTERM)
    finally:
        os.close(process)


def _waiting(folder: Path) -> Question:
    """The question for whose answer the run's process waits; :class:`Refused` where none does."""
    question = open_question(folder)
    if question is not None and is_alive(folder):
        return question
    status = status_of(read_journal(folder / JOURNAL)[0])
    died = question is not None and status is None
    raise Refused(
        "the run died while it waited for an approval" if died else "that run waits for no approval",
        where=folder.name,
        seen="" if died else f"{status or 'it is under way'}",
        then=f"defib resume {folder.name} --await-approval asks again" if died else "defib runs",
    )


def _means(question: Question, digest: str) -> bool:
    return len(digest) >= len(question.short_digest) and question.digest.startswith(digest.lower())


def _show(question: Question, *, as_json: bool) -> int:
    if as_json:
        facts = {"run_id": question.run_id, "digest": question.digest, "text": question.text}
        say_json({**facts, "asked_at": question.asked_at.isoformat(), "until": question.until.isoformat()})
        return 0
    say(question.text)
    say(f"\nWaits until {question.until:%H:%M:%S} UTC; no answer refuses.")
    say(f"next: defib approve {question.run_id} --digest {question.short_digest}, or --refuse")
    return 0
