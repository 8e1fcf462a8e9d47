"""Every 15 minutes: every repository brought to all of its mirrors, as an artifact that everybody sees.

``python -m flows.mirroring SITE …`` serves one deployment for each site, every 15 minutes, until it is stopped; a worker
takes the flow by its entrypoint ``flows.mirroring.mirroring``. Without Prefect ``defib mirror`` does the same. A worker that
dies in the middle leaves nothing that the next run would not put right.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.forms import RoundSite
from flows.git_mirror import PROCEDURE
from flows.rounds import come_round
from flows.scheduled import serve_sites
from flows.terminal import ended

EVERY = timedelta(minutes=15)


@flow(name="git-mirror", flow_run_name="git-mirror-{site}", persist_result=False)
def mirroring(site: RoundSite) -> State[Any]:
    """Mirror one site's repositories, publish ``SITE-mirrors``, and fail where not every mirror holds everything."""
    return come_round(PROCEDURE, site, "Mirrored")


def main(sites: list[str]) -> None:
    """One deployment for each site."""
    from flows.mirroring import mirroring as served  # noqa: PLC0415 - under its own name, not as `__main__`

    serve_sites(served, sites, EVERY)


if __name__ == "__main__":
    sys.exit(ended(lambda: main(sys.argv[1:])))
