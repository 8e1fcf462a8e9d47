"""A run that somebody asked for in Prefect: started as a process of its own, and followed by its journal.

A worker that dies or is told to stop takes its flows with it, and a recovery must not go that way. So the flow run carries
nothing out: it starts the command that a person would type, in a session of its own, and shows what its journal says.
Steps are task runs with their real times; a plan that waits for an approval pauses the flow run with a form. Whatever
becomes of the flow run, of its worker or of the API, the recovery goes on, and ``defib runs`` knows it.

Cancelling a flow run, therefore, ends the following and not the recovery: ``defib stop RUN`` does that. A flow run that is
retried follows the run that it has started, and never starts a second one.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from prefect import get_client, get_run_logger
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.states import Failed

from defib import entries
from defib.clock import Deadline
from defib.detached import start_detached
from defib.errors import DefibError, HomeUnwritable
from defib.history import JOURNAL, is_alive, run_asked_for, status_of
from defib.journal import Follower, Record
from defib.question import open_question
from defib.sites.site import load_site
from defib.start import Desk
from defib.timeline import Timeline, timeline
from flows.board import refreshed
from flows.commands import Wanted
from flows.events import FOLLOWED
from flows.pausing import Pauses
from flows.published import plan_artifact, publish, state_of, tags_left, tags_of
from flows.scheduled import desk
from flows.tasks import Tasks
from flows.words import Words

POLL = timedelta(milliseconds=200)
"""Between two looks into the journal."""

AGAIN = timedelta(seconds=5)
"""Before a pause is tried again that could not be had."""

_SKEW = timedelta(minutes=1)
"""So far may this machine's clock be behind the server's, which says when a flow run was made."""

_NOT_STARTED = "Not started"
"""The name of the state of a flow run that no run came of."""


def carry_out(wanted: Wanted) -> State[Any]:
    """Have it done, and follow it to its end, inside the flow run that this is called in; gives the state to end in."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError(f"defib {wanted.command[0]} on {wanted.site} is not inside a flow run")
    try:
        following = _Following(desk(), context.flow_run, wanted)
    except DefibError as error:
        return Failed(name=_NOT_STARTED, message=str(error))
    try:
        return following.to_its_end()
    except DefibError as error:
        return Failed(name="Not followed", message=f"whatever became of it, defib runs knows: {error}")


class _Following:
    """One flow run, the process that it started unless it is a retry, and the run that this became."""

    def __init__(self, at: Desk, flow_run: FlowRun, wanted: Wanted) -> None:
        self._at, self._clock, self._home, self._flow_run = at, at.clock, at.home, flow_run
        self._site = load_site(at.site_path(wanted.site)).site
        self._trigger = f"{FOLLOWED}{flow_run.id}"
        self._since = (flow_run.created or at.clock.now()) - _SKEW
        self._words = Words(at.home.site(self._site) / "on-demand" / f"{flow_run.id}.log")
        self._log = get_run_logger()
        self._tags: set[str] = tags_left(flow_run)
        self._tasks, self._pauses = Tasks(flow_run.id), Pauses(flow_run.id, at.clock)
        self._may_ask = Deadline.after(at.clock, timedelta(0))
        self._records: list[Record] = []
        self._folder = self._find()
        self._journal: Follower | None = None
        self._process = self._start(wanted) if self._folder is None else None

    def to_its_end(self) -> State[Any]:
        """Show what happens until the process is gone."""
        while True:
            over = self._is_over()  # before its last words are read
            self._hear()
            self._ask()
            if over:
                break
            self._clock.sleep(POLL)
        self._safely(self._pauses.end)
        if self._folder is None:
            return Failed(name=_NOT_STARTED, message=self._words.end() or "it ended without a word")
        self._safely(lambda: publish(self._flow_run.id, self._told(), self._tags))
        refreshed(self._at, self._site)
        return self._state(self._folder.name)

    def _start(self, wanted: Wanted) -> subprocess.Popen[bytes]:
        with self._words.opened() as output:
            try:
                return start_detached(wanted.words(self._trigger), self._home.path, output)
            except OSError as error:
                raise HomeUnwritable(f"defib cannot be started: {error.strerror}", where=str(error.filename)) from error

    def _find(self) -> Path | None:
        """The run that this flow run has asked for, once it has begun."""
        return run_asked_for(self._home, self._site, self._trigger, self._since)

    def _is_over(self) -> bool:
        if self._process is not None:
            return self._process.poll() is not None
        return self._folder is None or not is_alive(self._folder)

    def _hear(self) -> None:
        for line in self._words.new():
            self._log.info("%s", line)
        self._folder = self._folder or self._find()
        if self._folder is None:
            return
        self._journal = self._journal or Follower(self._folder / JOURNAL)
        for record in self._journal.new():
            self._records.append(record)
            self._show(record)

    def _show(self, record: Record) -> None:
        match record.entry:
            case entries.Opened() as opened:
                self._tags |= tags_of(opened)
                self._safely(lambda: self._name(opened.run_id))
            case entries.StepStarted(step=step):
                self._safely(lambda: self._tasks.begin(step, record.at))
            case entries.StepEnded() as ended:
                self._safely(lambda: self._tasks.end(ended, record.at))
            case entries.Planned():
                self._safely(lambda: _create(plan_artifact(self._flow_run.id, self._told())))
            case _:
                pass

    def _ask(self) -> None:
        """Pause where the run waits for an approval, and go on where it does not any more."""
        folder = self._folder
        if folder is None or not self._may_ask.expired():
            return
        if not self._safely(lambda: self._pauses.follow(folder, open_question(folder), self._told(), self._log.warning)):
            self._may_ask = Deadline.after(self._clock, AGAIN)

    def _told(self) -> Timeline:
        return timeline(tuple(self._records))

    def _state(self, run_id: str) -> State[Any]:
        status = status_of(self._records)
        if status is None:
            return Failed(name="Died", message=f"its process is gone: defib resume {run_id}, or defib rollback {run_id}")
        closed = [each.entry for each in self._records if isinstance(each.entry, entries.Closed)]
        return state_of(status, closed[-1].reason)

    def _name(self, run_id: str) -> None:
        with get_client(sync_client=True) as client:
            client.update_flow_run(self._flow_run.id, name=run_id, tags=self._tags)

    def _safely(self, work: Callable[[], object]) -> bool:
        """Whether that could be done: Prefect's troubles are not the run's, so they are told, and the following goes on."""
        try:
            work()
        except Exception as error:
            self._log.warning("the flow run does not show everything: %s: %s", type(error).__name__, error)
            return False
        return True


def _create(artifact: ArtifactCreate) -> None:
    with get_client(sync_client=True) as client:
        client.create_artifact(artifact)
