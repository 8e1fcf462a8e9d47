"""What Prefect writes down of a run: a flow run with its tasks, artifacts, tags. All of it is best effort and bounded."""

from __future__ import annotations

import logging
import os
import queue
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "0")
os.environ.setdefault("PREFECT_API_REQUEST_TIMEOUT", "5")
os.environ.setdefault("PREFECT_LOGGING_LEVEL", "WARNING")

from prefect import flow, get_client, tags
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.states import Completed, Failed

from defib.objectives import Status
from defib.report import as_markdown
from defib.run import Run
from defib.timeline import timeline
from flows.engine import Once


class Books:
    """Prefect's books on one run. Nothing here is waited for longer than the caller says."""

    def __init__(self, procedure: str, run: Run, body: Once) -> None:
        self._procedure = procedure
        self._run = run
        self._body = body
        self._orders: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._clerk = threading.Thread(target=self._work, name="prefect-books", daemon=True)
        self._kept = threading.Event()
        _only_to_the_api()

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
            outcome = self._body.outcome()
            self._orders.put(lambda: self._publish(number))
            self._orders.put(None)
            make = Completed if outcome.status is Status.RECOVERED else Failed
            return make(name=outcome.status.value.title(), message=outcome.reason or outcome.status.value)

        try:
            with tags(f"site:{run.site.site}", f"mode:{run.mode.value}"):
                recovery(run.site.site, run.mode.value, run.id, return_state=True)
        except Exception:
            logging.getLogger("defib.prefect").exception("Prefect could not keep its books on run %s", run.id)
        finally:
            self._body.settled.set()
            self._kept.set()

    def close(self, within: timedelta) -> None:
        """Give Prefect until `within` to finish writing."""
        self._kept.wait(within.total_seconds())

    def _work(self) -> None:
        while (order := self._orders.get()) is not None:
            order()

    def _publish(self, flow_run: UUID) -> None:
        told = timeline(self._run.journal.records)
        documents = {"recovery": as_markdown.run(told), "plan": as_markdown.plan(told)}
        verdicts = [f"verdict:{told.status}", f"rto:{told.rto.verdict}", f"rpo:{told.rpo.verdict}"]
        with get_client(sync_client=True) as client:
            for key, text in documents.items():
                client.create_artifact(
                    ArtifactCreate(key=f"{self._run.site.site}-{key}", type="markdown", data=text, flow_run_id=flow_run)
                )
            known = client.read_flow_run(flow_run).tags
            client.update_flow_run(flow_run, tags={*known, *verdicts})


def _only_to_the_api() -> None:
    """The terminal shows the run's own timeline; Prefect's log lines go to its server."""
    for name in ("prefect", "prefect.flow_runs", "prefect.task_runs", "prefect._internal"):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            if type(handler).__name__ == "PrefectConsoleHandler":
                logger.removeHandler(handler)
