"""The tags by which flow runs are found on Prefect's pages and by automations."""

from __future__ import annotations

from uuid import uuid4

from prefect.client.schemas.objects import FlowRun

from flows.mirroring import EVERY, mirroring
from flows.published import tags_left
from flows.scheduled import for_sites


def test_a_retry_has_one_verdict() -> None:
    """What the time before has come to is gone, and what the deployment says of its runs stays."""
    before = FlowRun(flow_id=uuid4(), tags=["site:lab", "on-demand", "mode:rehearsal", "verdict:interrupted", "rto:unknown"])
    assert tags_left(before) == {"site:lab", "on-demand", "mode:rehearsal"}


def test_what_is_served_has_the_tags_of_what_is_deployed() -> None:
    """A round is a round, whoever carries it out: the automation that misses it goes by that."""
    assert [(each.name, set(each.tags)) for each in for_sites(mirroring, ["lab", "other"], EVERY)] == [
        ("lab", {"site:lab", "round"}),
        ("other", {"site:other", "round"}),
    ]
