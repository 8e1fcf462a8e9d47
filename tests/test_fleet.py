"""Many sites at once: each has its own run, and none stands in another's way."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from defib import entries
from defib.approval import ByDigest
from defib.clock import Deadline
from defib.conduct import Outcome
from defib.errors import Interrupted, LeaseHeld, StepFailed, UnknownSite
from defib.fleet import AT_VENDORS, Switched, plan_fleet, switch_fleet
from defib.history import JOURNAL
from defib.journal import read_journal
from defib.lease import Holder, Lease, current_holder
from defib.objectives import Status
from defib.run import Run
from defib.start import Desk
from tests.fleet_stage import FleetStage
from tests.stage import REFUSED

NAMES = ("shop", "blog", "docs", "wiki")


@pytest.fixture
def fleet(tmp_path: Path) -> FleetStage:
    """Four sites whose primary CDN has failed."""
    return FleetStage(tmp_path, NAMES)


def test_one_broken_site_stops_no_other(fleet: FleetStage) -> None:
    """A site whose standby fails is refused, one whose world cannot be opened is told, and the others recover."""
    broken = fleet.stages["blog"]
    broken.edges[broken.standby.name] = REFUSED
    del fleet.stages["docs"]
    orders = [*fleet.orders(), replace(fleet.orders()[0], site="nowhere")]
    result = switch_fleet(fleet.desk, orders, fleet.carry_out)
    shop, blog, docs, wiki, nowhere = result.parts
    assert [part.site for part in result.parts] == [order.site for order in orders]
    ended = [part.outcome.status for part in (shop, blog, wiki) if part.outcome]
    assert ended == [Status.RECOVERED, Status.REFUSED, Status.RECOVERED]
    assert isinstance(docs.refusal, StepFailed)
    assert "KeyError" in docs.refusal.what
    assert isinstance(nowhere.refusal, UnknownSite)


def test_each_site_has_its_own_lease_and_journal(fleet: FleetStage) -> None:
    """A site that somebody else holds is refused and left alone; the others take and give back their own lease."""
    folder = fleet.desk.home.site("blog")
    held = Lease.take(folder, fleet.clock, Holder.me("somebody-else"))
    try:
        result = switch_fleet(fleet.desk, fleet.orders(), fleet.carry_out)
    finally:
        held.release()
    assert isinstance(result.parts[1].refusal, LeaseHeld)
    assert fleet.stages["blog"].writes == []
    ended = {part.outcome.run_id: part.outcome for part in result.parts if part.outcome}
    assert len(ended) == 3
    for run_id, outcome in ended.items():
        records, _ = read_journal(fleet.desk.home.run(run_id) / JOURNAL)
        assert outcome.head == records[-1].hash
        assert isinstance(records[0].entry, entries.Opened)
        assert current_holder(fleet.desk.home.site(records[0].entry.site)) is None


def test_a_site_that_is_named_twice_is_changed_once(tmp_path: Path) -> None:
    """Of two orders for one site one has the lease, and the other is refused or finds nothing to recover from."""
    fleet = FleetStage(tmp_path, ["shop"])
    result = switch_fleet(fleet.desk, fleet.orders() * 2, fleet.carry_out)
    assert len(fleet.stages["shop"].writes) == 1
    assert [part.outcome.status for part in result.parts if part.outcome].count(Status.RECOVERED) == 1


def test_digest_is_over_all_plans(fleet: FleetStage) -> None:
    """The digest does not change with the order of the sites, and does when any plan changes or falls out."""
    planned = plan_fleet(fleet.desk, fleet.orders(), fleet.play)
    assert len(planned.plans) == len(NAMES)
    assert planned.digest() == plan_fleet(fleet.desk, fleet.orders()[::-1], fleet.play).digest()
    stage = fleet.stages["wiki"]
    stage.memory.replace(
        [replace(stage.change, after=replace(stage.before, ttl=timedelta(seconds=7)))],
        within=Deadline.after(fleet.clock, timedelta(seconds=1)),
    )
    other = plan_fleet(fleet.desk, fleet.orders(), fleet.play)
    assert other.digest() != planned.digest()
    stage.edges[stage.standby.name] = REFUSED
    fewer = plan_fleet(fleet.desk, fleet.orders(), fleet.play)
    assert len(fewer.plans) == len(NAMES) - 1
    assert fewer.parts[-1].refusal is not None
    assert fewer.digest() not in {planned.digest(), other.digest()}


def test_planning_changes_nothing(fleet: FleetStage) -> None:
    """A plan over a fleet leaves no run, no lease and no write behind."""
    plan_fleet(fleet.desk, fleet.orders(), fleet.play)
    assert fleet.desk.home.runs() == []
    assert [stage.writes for stage in fleet.stages.values()] == [[]] * len(NAMES)


def test_each_run_is_approved_by_its_own_plan(fleet: FleetStage) -> None:
    """A site whose plan is no longer the approved one is refused; the others are switched by theirs."""
    planned = plan_fleet(fleet.desk, fleet.orders(), fleet.play)
    orders = [
        replace(order, approver=ByDigest(plan.digest(), "a test", "defib fleet"))
        for order, plan in zip(fleet.orders(), planned.plans, strict=True)
    ]
    stage = fleet.stages["docs"]
    stage.memory.replace(
        [replace(stage.change, after=replace(stage.before, ttl=timedelta(seconds=7)))],
        within=Deadline.after(fleet.clock, timedelta(seconds=1)),
    )
    result = switch_fleet(fleet.desk, orders, fleet.carry_out)
    ended = [part.outcome.status for part in result.parts if part.outcome]
    assert ended == [Status.RECOVERED, Status.RECOVERED, Status.REFUSED, Status.RECOVERED]


def test_runs_wait_for_their_turn_at_the_vendors_and_not_for_others_users(tmp_path: Path) -> None:
    """No more than `AT_VENDORS` are before the end of their last control step or undoing, and any number in between."""
    many = AT_VENDORS + 3
    fleet = FleetStage(tmp_path, [f"site-{number}" for number in range(many)])
    at_vendors = Inside()
    all_watch = threading.Barrier(many, timeout=60)

    def carry_out(_: Desk, run: Run) -> Outcome:
        assert run.changes.lease is not None
        with at_vendors:
            fleet.clock.sleep(timedelta(milliseconds=20))
        run.journal.append(entries.StepEnded("steer-traffic", "done", timedelta(0)))
        all_watch.wait()
        run.journal.append(entries.StepEnded("verify-the-users", "failed", timedelta(0)))
        with at_vendors:
            fleet.clock.sleep(timedelta(milliseconds=20))
        run.changes.lease.release()
        return Outcome(run.id, Status.ROLLED_BACK, "", "")

    result = switch_fleet(fleet.desk, fleet.orders(), carry_out)
    assert [part.refusal for part in result.parts] == [None] * many
    assert 1 < at_vendors.most <= AT_VENDORS


class Inside:
    """Counts how many are in it at once."""

    def __init__(self) -> None:
        self.most = self._now = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._now -= 1


def test_after_a_signal_nothing_begins(fleet: FleetStage) -> None:
    """Sites whose run had not begun when the fleet was interrupted are left as they are, and named."""
    fleet.clock.interrupt()
    told: list[Switched] = []
    result = switch_fleet(fleet.desk, fleet.orders(), fleet.carry_out, workers=1, tell=told.append)
    assert [type(part.refusal) for part in result.parts] == [Interrupted] * len(NAMES)
    assert tuple(told) == result.parts
    assert fleet.desk.home.runs() == []
