"""The ranges of a comparison as mapped tasks, each of which a worker of a work pool carries out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextvars import Context, copy_context
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, cast
from uuid import UUID

from prefect import get_client, task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterType
from prefect.deployments import run_deployment
from prefect.futures import as_completed

from defib.clock import Deadline
from defib.errors import StepFailed
from defib.replication.findings import Tally
from defib.replication.port import Cursor
from defib.replication.spread import Spread
from defib.run import Run
from flows.replication_range import FOUND, PART, TALLY

if TYPE_CHECKING:
    from prefect.client.schemas.objects import FlowRun

_POLL = 1.0
"""Seconds between two looks at a run that a worker has."""


def spread_over(deployment: str, site: str) -> Callable[[Run], None]:
    """Have the ranges of a run's replicas compared by the runs of `deployment`, ``replication-range/NAME``."""

    def prepare(run: Run) -> None:
        flow = copy_context()  # steps run in threads of their own, which do not know what flow they are in
        if run.outside.replicas is not None:
            spread = run.outside.replicas.spread_by(
                lambda pair, as_of, turns: _over(deployment, site, pair, as_of, turns, flow)
            )
            run.outside = replace(run.outside, replicas=spread)

    return prepare


def _over(deployment: str, site: str, pair: str, as_of: datetime, turns: int, flow: Context) -> Spread:
    def spread(parts: Sequence[Cursor], within: Deadline) -> Iterator[tuple[Cursor, Tally]]:
        left = within.remaining().total_seconds()
        asked = {"site": site, "pair": pair, "of": len(parts), "as_of": as_of.isoformat(), "turns": turns, "within_s": left}
        mapped = flow.copy().run(
            _by_worker.map,
            [{"number": number, "part": PART.dump_json(part).decode()} for number, part in enumerate(parts, start=1)],
            deployment=deployment,
            common=unmapped(asked),
            seconds=left,
        )
        by_future = dict(zip(mapped, parts, strict=True))
        for future in as_completed(list(mapped), timeout=left):
            yield by_future[future], FOUND.validate_json(future.result())

    return spread


@task(name="compare-a-range", cache_policy=NO_CACHE, persist_result=False)
def _by_worker(part: dict[str, object], deployment: str, common: dict[str, object], seconds: float) -> str:
    """One run of the deployment, wherever a worker takes it; gives what it found, in JSON."""
    asked = {**common, **part}
    done = cast(
        "FlowRun",  # in a task that is not asynchronous
        run_deployment(deployment, parameters=asked, timeout=seconds, poll_interval=_POLL, as_subflow=False),
    )
    if done.state is None or not done.state.is_completed():
        said = done.state.message if done.state is not None else "no state"
        raise StepFailed(
            f"range {part['number']} was not compared",
            where=deployment,
            seen=f"flow run {done.name}: {said}",
            then=f"prefect flow-run logs {done.id}",
        )
    return _told(done.id)


def _told(flow_run: UUID) -> str:
    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run]), type=ArtifactFilterType(any_=[TALLY]))
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=wanted)
    if not found:
        raise StepFailed("a range was compared, and what was found was not told", where=f"flow run {flow_run}")
    return str(found[0].data)
