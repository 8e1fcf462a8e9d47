"""Every half an hour: what would stop a recovery now, as an artifact that everybody sees.

``python -m flows.readiness SITE …`` serves one deployment for each site, every 30 minutes, until it is stopped; a worker
takes the flow by its entrypoint ``flows.readiness.readiness``. Without Prefect ``defib ready`` gives the same findings.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any

from prefect import flow, get_client, get_run_logger
from prefect.client.schemas.actions import ArtifactCreate
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.objects import State as FlowState
from prefect.context import FlowRunContext
from prefect.states import Completed, Failed

from defib.ready.check import Readiness, State
from defib.ready.inspect import inspect
from defib.ready.kept import keep
from defib.report.artifacts import readiness_rows, readiness_text
from flows.board import OFTEN, refreshed
from flows.forms import RoundSite
from flows.published import tags_left
from flows.scheduled import desk, serve_sites
from flows.terminal import ended

EVERY = timedelta(minutes=30)
_NAMES = {State.OK: "Ready", State.WARN: "Ready with warnings", State.UNKNOWN: "Unknown", State.FAIL: "Not ready"}


@flow(name="readiness", flow_run_name="readiness-{site}", persist_result=False)
def readiness(site: RoundSite) -> FlowState[Any]:
    """Check one site, publish ``readiness-SITE``, and fail where something would stop a recovery or could not be told."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError(f"readiness of {site} is not inside a flow run")
    at = desk()
    found = inspect(at, site)
    if trouble := keep(at.home, found):
        get_run_logger().warning("the board will not know of this: %s", trouble)
    _publish(context.flow_run, found)
    refreshed(at, found.site, OFTEN)
    make = Completed if found.exit_code == 0 else Failed
    return make(name=_NAMES[found.state], message=_said(found))


def _publish(flow_run: FlowRun, found: Readiness) -> None:
    """Tags are set on the flow run alone, as :mod:`flows.bookkeeping` does: those of the context would cost slots."""
    tags = {*tags_left(flow_run), f"site:{found.site}", f"readiness:{found.state.value}"}
    artifact = ArtifactCreate(
        key=f"readiness-{found.site}",
        type="table",
        description=readiness_text(found),
        data=json.dumps(readiness_rows(found)),
        flow_run_id=flow_run.id,
    )
    with get_client(sync_client=True) as client:
        client.update_flow_run(flow_run.id, tags=tags)
        client.create_artifact(artifact)


def _said(found: Readiness) -> str:
    """The worst findings, for whoever reads only the state of the run."""
    bad = [f"{check.name} of {check.about}: {check.text}" for check in found.checks if check.state is found.state]
    return "; ".join(bad)[:1000] if found.exit_code else f"{len(found.checks)} checks"


def main(sites: list[str]) -> None:
    """One deployment for each site."""
    from flows.readiness import readiness as served  # noqa: PLC0415 - under its own name, not as `__main__`

    serve_sites(served, sites, EVERY)


if __name__ == "__main__":
    sys.exit(ended(lambda: main(sys.argv[1:])))
