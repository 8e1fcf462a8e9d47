"""What Prefect writes down of a run: a flow run with its tasks, artifacts, tags. All of it is best effort and bounded."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any
from uuid import UUID

os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "0")
os.environ.setdefault("PREFECT_API_REQUEST_TIMEOUT", "5")
# The terminal shows the run's own timeline; Prefect's log lines go to its server, its troubles into the journal.
os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
os.environ.setdefault("PREFECT_LOGGING_HANDLERS_DEBUG_LEVEL", "CRITICAL")

from prefect import flow, get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.states import Completed, Failed

from defib import entries
from defib.conduct import Outcome
from defib.objectives import Status
from defib.report.artifacts import plan_text, timeline_text, verdict_text
from defib.run import Run
from defib.timeline import timeline
from flows.engine import Once
from flows.published import copy_artifacts


class Books:
    """Prefect's books on one run. Nothing here is waited for longer than the caller says."""

    def __init__(self, procedure: str, run: Run, body: Once[Outcome]) -> None:
        self._procedure = procedure
        self._run = run
        self._body = body
        self._orders: queue.Queue[Callable[[], None] | None] = queue.Queue()
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
            # Not through the tags of the context: every task run would inherit them, and ask the server for a slot of each.
            tags = {f"site:{site}", f"mode:{mode}"}
            self._orders.put(lambda: self._tag(number, tags))
            outcome = self._body.outcome()
            self._orders.put(lambda: self._publish(number, tags))
            self._orders.put(None)
            make = Completed if outcome.status is Status.RECOVERED else Failed
            return make(name=outcome.status.value.title(), message=outcome.reason or outcome.status.value)

        try:
            recovery(run.site.site, run.mode.value, run.id, return_state=True)
        except Exception as error:
            self._trouble(error)
        finally:
            self._body.settled.set()
            self._kept.set()

    def close(self, within: timedelta) -> None:
        """Give Prefect until `within` to finish writing."""
        self._kept.wait(within.total_seconds())

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            try:
                order()
            except Exception as error:
                self._trouble(error)

    def _tag(self, flow_run: UUID, tags: Iterable[str]) -> None:
        with get_client(sync_client=True) as client:
            client.update_flow_run(flow_run, tags=tags)

    def _publish(self, flow_run: UUID, tags: Iterable[str]) -> None:
        told = timeline(self._run.journal.records)
        site, procedure = self._run.site.site, self._procedure
        verdicts = {f"verdict:{told.status}", f"rto:{told.rto.verdict}", f"rpo:{told.rpo.verdict}"}
        documents = {
            f"{site}-{procedure}-plan": plan_text(told),
            f"{site}-{procedure}-timeline": timeline_text(told),
            f"{site}-{procedure}-verdicts": verdict_text(told),
        }
        with get_client(sync_client=True) as client:
            client.update_flow_run(flow_run, tags={*tags, *verdicts})
            for key, text in documents.items():
                client.create_artifact(ArtifactCreate(key=key, type="markdown", data=text, flow_run_id=flow_run))
            for artifact in copy_artifacts(told, flow_run):
                client.create_artifact(artifact)

    def _trouble(self, error: Exception) -> None:
        """Prefect's troubles are not the run's; they are noted while the run is open, and that is all."""
        if isinstance(self._run.journal.records[-1].entry, entries.Closed):
            return
        text = f"Prefect's books on this run are not complete: {type(error).__name__}: {error}"
        self._run.journal.append(entries.Noted("", text[:300], warning=True))
