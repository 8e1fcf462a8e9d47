"""Every 15 minutes: every replica compared with its source, as an artifact that everybody sees.

``python -m flows.replicating SITE …`` serves one deployment for each site, every 15 minutes, until it is stopped; a worker
takes the flow by its entrypoint ``flows.replicating.replicating``. Without Prefect ``defib replicas`` does the same.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.forms import Ranges, RoundSite
from flows.replication_check import PROCEDURE
from flows.rounds import come_round
from flows.scheduled import serve_sites
from flows.spreading import spread_over
from flows.terminal import ended

EVERY = timedelta(minutes=15)


@flow(name="replication-check", flow_run_name="replication-check-{site}", persist_result=False)
def replicating(site: RoundSite, ranges: Ranges = "") -> State[Any]:
    """Compare one site's replicas, publish ``SITE-replicas``, and fail where one is not as it must be.

    `ranges` is the deployment (``replication-range/NAME``) whose runs compare the parts, on as many workers as its work pool
    has; without it this process compares all of them.
    """
    return come_round(PROCEDURE, site, "Compared", spread_over(ranges, site) if ranges else lambda _: None)


def main(sites: list[str]) -> None:
    """One deployment for each site."""
    from flows.replicating import replicating as served  # noqa: PLC0415 - under its own name, not as `__main__`

    serve_sites(served, sites, EVERY)


if __name__ == "__main__":
    sys.exit(ended(lambda: main(sys.argv[1:])))
