"""One range of a pair's keys, compared by whichever worker takes it, and told to whoever asked in an artifact.

Workers share nothing but the site file and Prefect's API. Deployed as ``replication-range/SITE`` by its entrypoint
``flows.replication_range.replication_range``, it is what ``replication-check`` spreads its ranges over:
see :mod:`flows.spreading`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from prefect import flow, get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.context import FlowRunContext
from pydantic import TypeAdapter

from defib.clock import Deadline
from defib.errors import InputError, ProviderError
from defib.replication.allowance import Allowance
from defib.replication.comparison import Comparer
from defib.replication.findings import Tally
from defib.replication.pair import Pair
from defib.replication.port import Cursor
from defib.replication.rules import BucketSettings
from defib.sites.site import load_site
from flows.scheduled import desk

TALLY = "replication-tally"
"""The type of the artifact that holds what was found."""

PART = TypeAdapter(Cursor)
FOUND = TypeAdapter(Tally)


@flow(name="replication-range", flow_run_name="replication-range-{site}-{number}", persist_result=False)
def replication_range(
    site: str, pair: str, part: str, number: int, of: int, as_of: datetime, turns: int, within_s: float
) -> None:
    """Compare the range `part` (a cursor in JSON), which is `number` of `of`; each may ask and read its share."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError(f"range {number} of {pair} is not inside a flow run")
    at = desk()
    known = load_site(at.site_path(site))
    replicas = at.opener(known, at.home, at.redact, at.clock).replicas
    if replicas is None:
        raise InputError(f"the site {site} has nothing replicated", expected="replication: in its file")
    found, within = replicas.named(pair), Deadline.after(at.clock, timedelta(seconds=within_s))
    allowance = Allowance(max(found.config.ask_at_most // of, 1), found.config.read_at_most // of)
    young = found.config.rpo or known.objectives.objectives().rpo
    tally = Comparer(found, _settings(found, within), allowance, as_of, young, turns).range(PART.validate_json(part), within)
    _tell(context.flow_run.id, tally)


def _settings(pair: Pair, within: Deadline) -> BucketSettings | None:
    """Those of the source; None where nobody may read them, which the check itself tells."""
    try:
        return pair.source.settings(within=within)
    except ProviderError:
        return None


def _tell(flow_run: UUID, tally: Tally) -> None:
    artifact = ArtifactCreate(type=TALLY, data=FOUND.dump_json(tally).decode(), flow_run_id=flow_run)
    with get_client(sync_client=True) as client:
        client.create_artifact(artifact)
