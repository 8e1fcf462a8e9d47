"""``python -m flows.deploy SITE …``: the deployments of ``prefect.yaml`` for each of these sites, made or made anew.

It may be called as often as one likes: what stands already is changed to what the file says. The folder of the flows, which
workers work in, is this one unless ``DEFIB_FLOWS`` names where they have it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from prefect import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists

from defib.errors import InputError, StepFailed
from defib.objectives import Mode
from defib.sites.site import Site, load_site
from flows.forms import SITE
from flows.scheduled import desk
from flows.terminal import ended, must_have_a_server

POOL = "defib"
"""The work pool that ``prefect.yaml`` names."""

_HERE = Path(__file__).parents[1]


def deploy(sites: Sequence[str]) -> None:
    """Make the work pool and the deployments; a site without a file is refused before anything is made."""
    if not sites:
        raise InputError("no site is named", expected="python -m flows.deploy SITE …")
    if not (_HERE / "prefect.yaml").is_file():
        raise InputError("there is no prefect.yaml beside flows/", where=str(_HERE), expected="a clone of the repository")
    must_have_a_server()
    at = desk()
    known = [load_site(at.site_path(site)) for site in sites]
    _ensure_pool()
    for site in known:
        _deploy(site)


def _ensure_pool() -> None:
    with get_client(sync_client=True) as client:
        try:
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))
        except ObjectAlreadyExists:
            return


def _deploy(site: Site) -> None:
    filled_in = {
        SITE: site.site,
        "DEFIB_MODE": (Mode.REHEARSAL if site.lab else Mode.INCIDENT).value,
        "DEFIB_FLOWS": os.environ.get("DEFIB_FLOWS", str(_HERE)),
    }
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"]
    done = subprocess.run(  # noqa: S603 - our own command
        command, cwd=_HERE, env={**os.environ, **filled_in}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise StepFailed(f"the deployments of {site.site} were not made", seen=(done.stdout + done.stderr)[-2000:])
    print(f"{site.site}: deployed")  # noqa: T201 - the result of a command


if __name__ == "__main__":
    sys.exit(ended(lambda: deploy(sys.argv[1:])))
