"""An alarm answered through Prefect: the deployment that the automation ``alarm-to-answer`` runs.

The answer is ``defib event`` in a session of its own, so that neither a worker that dies nor a server that does takes the
recovery with it; whatever else answers the same alarm, one of them does. ``python -m flows.answering`` serves it; a worker
takes it by its entrypoint ``flows.answering.answering``, as the deployment ``answer-alarm/answer-alarm``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Annotated, Any, cast

from prefect import flow, serve
from prefect.client.schemas.objects import State
from prefect.deployments.runner import RunnerDeployment
from prefect.states import Completed, Failed
from prefect.types.entrypoint import EntrypointType

from defib.home import Home
from flows.forms import shown
from flows.terminal import ended, must_have_a_server

NAME = "answer-alarm"

LOOKED_FOR_EVERY = 1
"""Seconds between two looks for runs that are due: Prefect's own ten would be most of the way from an event to a run."""


@flow(name=NAME, flow_run_name="answer-{site}-{source}", persist_result=False)
def answering(
    site: Annotated[str, shown("Site", "The name of a site file.")],
    source: Annotated[str, shown("Source", "Who says it, such as uptimerobot.")],
    id: Annotated[str, shown("Alarm", "What tells it from the source's other alarms.")],  # noqa: A002
    says: Annotated[str, shown("Says", "What it says, in its own words.")] = "",
    since: Annotated[str, shown("Since", "When it began, ISO 8601 with a time zone.")] = "",
) -> State[Any]:
    """Start the right recovery of a site that somebody says is down, once, and follow it to its end."""
    words = ["event", f"--site={site}", f"--from={source}", f"--id={id}", f"--says={says}", "--json"]
    words += [f"--since={since}"] if since else []
    home = Home.open().path
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "defib", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "DEFIB_HOME": str(home)},
    ) as process:
        told, _ = process.communicate()
    return _state(told, process.returncode)


def _state(told: bytes, code: int) -> State[Any]:
    """By what the command said; what nobody can read is a failure."""
    try:
        answer = json.loads(told)
        name, why = str(answer["outcome"]), f"{answer['why']} {answer['run_id'] or ''}".strip()
    except (ValueError, KeyError, TypeError):
        return Failed(name="Not answered", message=told.decode(errors="replace")[:500] or f"exit code {code}")
    make = Completed if code == 0 else Failed
    return make(name=name.replace("-", " ").capitalize(), message=why)


def main() -> None:
    """Serve the deployment until a signal comes."""
    must_have_a_server()
    from flows.answering import answering as served  # noqa: PLC0415 - under its own name, not as `__main__`

    made = served.to_deployment(name=NAME, entrypoint_type=EntrypointType.MODULE_PATH)
    serve(cast("RunnerDeployment", made), query_seconds=LOOKED_FOR_EVERY)


if __name__ == "__main__":
    sys.exit(ended(main))
