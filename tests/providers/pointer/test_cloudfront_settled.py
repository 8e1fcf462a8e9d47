"""A pointer is settled when CloudFront says that every edge has it, however long that takes."""

from __future__ import annotations

from datetime import timedelta

from defib.clock import SimulatedClock
from defib.lab.alone import serve_aws
from defib.ports import RecordChange
from defib.redeploy.pointer import path_of, pointing_at
from tests.providers.host.aws_stage import NEW, OLD, fresh_stage, soon


def test_settles_when_every_edge_has_it() -> None:
    """C13: while CloudFront deploys for 40 minutes the truth is *not yet*; whoever waits is told so each time."""
    clock = SimulatedClock()
    with serve_aws(clock=clock, deploys_in=timedelta(minutes=40)) as running:
        slow = fresh_stage(running)
        before, after = (pointing_at(slow.distribution, path_of(commit)) for commit in (NEW, OLD))
        receipt = slow.pointer().replace([RecordChange(before, after)], within=soon())
        answers = []
        for _ in range(5):
            answers.append(slow.pointer().settled(receipt, within=soon()))
            clock.sleep(timedelta(minutes=10))
        assert answers == [False, False, False, False, True]
        assert slow.commit() == OLD
