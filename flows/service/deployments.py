"""Deploys the flows that come round by themselves, for each site that is named."""

from __future__ import annotations

import sys
from datetime import timedelta

from prefect import Flow
from prefect.types.entrypoint import EntrypointType

from flows import mirroring, readiness, replicating
from flows.service.settings import POOL


def deploy(sites: list[str]) -> int:
    """Ensure that they are there; how many there are."""
    rounds = [
        (readiness.readiness, readiness.EVERY),
        (mirroring.mirroring, mirroring.EVERY),
        (replicating.replicating, replicating.EVERY),
    ]
    for flow, every in rounds:
        for site in sites:
            _deploy(flow, site, every)
    return len(rounds) * len(sites)


def _deploy(flow: Flow, site: str, every: timedelta) -> None:
    made = flow.to_deployment(
        name=site, parameters={"site": site}, interval=every, entrypoint_type=EntrypointType.MODULE_PATH, work_pool_name=POOL
    )
    made.apply()


if __name__ == "__main__":
    deploy(sys.argv[1:] or ["lab"])
