"""What flows that run by themselves have in common: the desk they work at, and being served for each site."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

from prefect import Flow, serve
from prefect.deployments.runner import RunnerDeployment
from prefect.types.entrypoint import EntrypointType

from defib.clock import SystemClock
from defib.errors import InputError
from defib.home import Home
from defib.outside import open_outside
from defib.redact import Redactor
from defib.sites.site import load_site
from defib.start import Desk
from flows.terminal import must_have_a_server


def desk() -> Desk:
    """The desk of this machine: ``$DEFIB_HOME``, and the runbooks of ``$DEFIB_RUNBOOKS`` or of this folder."""
    chosen = os.environ.get("DEFIB_RUNBOOKS")
    runbooks = Path(chosen) if chosen else Path(__file__).parents[1] / "runbooks"
    return Desk(Home.open(), runbooks, SystemClock(), open_outside, redact=Redactor())


def for_sites(served: Flow[[str], Any], sites: Sequence[str], every: timedelta) -> list[RunnerDeployment]:
    """One deployment for each site, by the dotted entrypoint: a file's would put this folder first on the path."""
    module = EntrypointType.MODULE_PATH
    made = (
        served.to_deployment(
            name=site, parameters={"site": site}, interval=every, entrypoint_type=module, tags=[f"site:{site}", "round"]
        )
        for site in sites
    )
    return [*cast("Iterator[RunnerDeployment]", made)]


def serve_sites(served: Flow[[str], Any], sites: Sequence[str], every: timedelta) -> None:
    """Serve them until a signal comes; what is wrong with a site or with Prefect's address is told at once."""
    if not sites:
        raise InputError("no site is named", expected=f"python -m {served.fn.__module__} SITE …")
    must_have_a_server()
    at = desk()
    for site in sites:
        load_site(at.site_path(site))
    serve(*for_sites(served, sites, every))
