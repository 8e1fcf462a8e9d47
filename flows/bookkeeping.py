"""What Prefect writes down of a run: a flow run with its tasks, artifacts, tags. All of it is best effort and bounded."""

from __future__ import annotations

import importlib
import os
import queue
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from types import ModuleType
from typing import Any
from uuid import UUID

os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "0")
os.environ.setdefault("PREFECT_API_REQUEST_TIMEOUT", "5")
# The terminal shows the run's own timeline; Prefect's log lines go to its server, its troubles into the journal.
os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
os.environ.setdefault("PREFECT_LOGGING_HANDLERS_DEBUG_LEVEL", "CRITICAL")

from prefect import flow, get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext

from defib import entries
from defib.conduct import Outcome
from defib.run import Run
from defib.timeline import timeline
from flows.engine import Once
from flows.published import publish, state_of, tags_of


def _board() -> ModuleType:
    """Imported while the run is at work: at its beginning users wait, and after its end nobody does."""
    return importlib.import_module("flows.board")


class Books:
    """Prefect's books on one run. Nothing here is waited for longer than the caller says."""

    def __init__(self, procedure: str, run: Run, body: Once[Outcome]) -> None:
        self._procedure = procedure
        self._run = run
        self._body = body
        self._orders: queue.Queue[Callable[[], object] | None] = queue.Queue()
        self._clerk = threading.Thread(target=self._work, name="prefect-books", daemon=True)
        self._kept = threading.Event()

    def keep(self) -> None:
        """Run the body as a Prefect flow; runs in a thread of its own, which may outlive its usefulness."""
        run = self._run

        @flow(name=self._procedure, flow_run_name=run.id, persist_result=False, validate_parameters=False)
        def recovery(site: str, mode: str, run_id: str) -> State[Any]:
            context = FlowRunContext.get()
            if context is None or context.flow_run is None:
                raise RuntimeError(f"run {run_id} on {site} ({mode}) is not inside a flow run")
            self._clerk.start()
            number = context.flow_run.id
            tags = tags_of(next(run.journal.of(entries.Opened)))
            self._orders.put(lambda: self._tag(number, tags))
            self._orders.put(_board)
            try:
                outcome = self._body.outcome()
                self._orders.put(lambda: publish(number, timeline(run.journal.records), tags))
                self._orders.put(lambda: _board().refresh_here(site))
            finally:
                self._orders.put(None)
            return state_of(outcome.status, outcome.reason)

        try:
            recovery(run.site.site, run.mode.value, run.id, return_state=True)
        except Exception as error:
            self._trouble(error)
        finally:
            self._body.settled.set()
            self._kept.set()

    def close(self, within: timedelta, write_within: timedelta) -> None:
        """Give Prefect until `within` to take down the end, and where it did, `write_within` for artifacts and board."""
        if self._kept.wait(within.total_seconds()) and self._clerk.is_alive():
            self._clerk.join(write_within.total_seconds())

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            try:
                order()
            except Exception as error:
                self._trouble(error)

    def _tag(self, flow_run: UUID, tags: Iterable[str]) -> None:
        with get_client(sync_client=True) as client:
            client.update_flow_run(flow_run, tags=tags)

    def _trouble(self, error: Exception) -> None:
        """Prefect's troubles are not the run's; they are noted while the run is open, and that is all."""
        if isinstance(self._run.journal.records[-1].entry, entries.Closed):
            return
        text = f"Prefect's books on this run are not complete: {type(error).__name__}: {error}"
        self._run.journal.append(entries.Noted("", text[:300], warning=True))
