"""What an attacker did to the procedures: old proofs, lying vendors, blind observers, other runs' work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from defib.approval import Nobody
from defib.clock import Deadline
from defib.errors import Refused
from defib.objectives import Status, Verdict
from defib.observe.memory import Sight
from defib.ports import Aim, Health, Receipt, RecordChange, RecordKey, RecordSet
from defib.providers.dns.memory import MemoryZone
from defib.timeline import timeline
from tests.stage import DEAD, GOOD, REFUSED, Killed, Killing, PlainFile, Stage, impatient, older, steps


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A healthy world; the steps that wait give up after 12 s."""
    books = tmp_path / "books"
    books.mkdir()
    return Stage(tmp_path / "home", runbooks=impatient(books))


def refused_for_want_of_approval(stage: Stage) -> str:
    """A run that proved everything, and that nobody approved."""
    stage.edges["cloudfront"] = REFUSED
    run, outcome = stage.recover(approver=Nobody("defib run"))
    assert outcome.status is Status.REFUSED
    return run.id


def test_outage_is_over_when_the_run_is_resumed(stage: Stage) -> None:
    """A proof of yesterday moves nobody: a run that changed nothing confirms the outage anew before it goes on."""
    run_id = refused_for_want_of_approval(stage)
    stage.edges["cloudfront"] = GOOD
    _, outcome = stage.resume(run_id)
    assert (outcome.status, stage.writes) == (Status.REFUSED, [])
    assert "nothing to recover from" in outcome.reason


def test_standby_went_stale_before_the_run_was_resumed(stage: Stage) -> None:
    """C8: the standby is proved anew, so a build beyond the RPO is refused however fresh it was at first."""
    run_id = refused_for_want_of_approval(stage)
    stage.edges["cloudflare"] = older(timedelta(hours=3))
    _, outcome = stage.resume(run_id)
    assert (outcome.status, stage.writes) == (Status.REFUSED, [])
    assert "3:00:00 older" in outcome.reason


def test_killed_before_its_end_with_everything_down_since(stage: Stage) -> None:
    """Green means green: a run that only lacks its last entry looks at users again before it says recovered."""
    stage.edges["cloudfront"] = REFUSED
    whole, _ = stage.recover()
    length = len(whole.journal.records)
    stage.rollback(whole.id)
    stage.clock.sleep(timedelta(seconds=10))
    stage.sink = lambda path: Killing(path, length, "before")
    with pytest.raises(Killed):
        stage.recover()
    stage.die()
    stage.edges["cloudflare"] = DEAD
    killed = stage.desk.home.runs()[-1].name
    stage.sink = PlainFile
    run, outcome = stage.resume(killed)
    assert outcome.status is not Status.RECOVERED
    assert steps(run)[-1] == ("verify-the-users", "failed")


def test_standby_turns_stale_between_proof_and_steer(stage: Stage) -> None:
    """C8: what is served right before the change is what was proved, or nobody is sent there."""
    stage.edges["cloudfront"] = REFUSED

    def see(observer: str, aim: Aim, at: datetime) -> Sight:
        planned = any(type(record.entry).__name__ == "Approved" for record in stage.seen)
        if planned and aim.connect_to == stage.standby.hostname:
            return older(timedelta(hours=3))
        return stage.see(observer, aim, at)

    stage.view = see
    _, outcome = stage.recover()
    assert (outcome.status, stage.writes) == (Status.REFUSED, [])


def test_old_run_is_not_taken_back_after_a_later_one(stage: Stage) -> None:
    """A value that is equal by chance is not one's own: a rollback of an old run would undo the newest recovery."""
    first = stage.recovered()
    assert stage.recover("failback", follows=first.id)[1].status is Status.RECOVERED
    stage.clock.sleep(timedelta(seconds=10))
    stage.recovered()
    with pytest.raises(Refused, match="a later run has changed the site"):
        stage.rollback(first.id)
    assert stage.record == stage.after


def test_old_run_is_taken_back_once_the_later_one_was(stage: Stage) -> None:
    """Of a later run that was rolled back nothing stands, and to roll it back once more would be refused."""
    first = stage.recovered()
    failback = stage.recover("failback", follows=first.id)[0]
    stage.rollback(failback.id)
    assert stage.record == stage.after
    assert stage.rollback(first.id)[1].status is Status.ROLLED_BACK
    assert stage.record == stage.before


def test_observer_without_network_vetoes_nothing(stage: Stage) -> None:
    """C2: one of three that reaches nobody's site is left out of the proof, as detection leaves it out."""
    stage.edges["cloudfront"] = REFUSED
    blind = stage.site.observers[0].name

    def see(observer: str, aim: Aim, at: datetime) -> Sight:
        if observer == blind:
            return Sight(Health.BAD, f"DNS: no answer from {blind}")
        return stage.see(observer, aim, at)

    stage.view = see
    stage.reaches = lambda observer: observer != blind
    run, outcome = stage.recover()
    assert outcome.status is Status.RECOVERED, outcome
    assert timeline(run.journal.records).rpo.verdict is Verdict.MET


def test_one_observer_is_no_quorum(stage: Stage) -> None:
    """Unknown is never success: one good look and two that could not tell prove nothing."""
    stage.edges["cloudfront"] = REFUSED
    seeing = stage.site.observers[0].name

    def see(observer: str, aim: Aim, at: datetime) -> Sight:
        if observer != seeing and aim.connect_to == stage.standby.hostname:
            return Sight(Health.UNKNOWN, "no time was left to look")
        return stage.see(observer, aim, at)

    stage.view = see
    assert stage.recover()[1].status is Status.REFUSED
    assert stage.writes == []


def test_dns_outage_is_not_the_cdns(stage: Stage) -> None:
    """The CDN serves and users do not find it: another CDN would not be found either, so nothing is changed."""

    def see(observer: str, aim: Aim, at: datetime) -> Sight:
        if not aim.connect_to:
            return Sight(Health.BAD, "DNS: SERVFAIL")
        return stage.see(observer, aim, at)

    stage.view = see
    _, outcome = stage.recover()
    assert (outcome.status, stage.writes) == (Status.REFUSED, [])
    assert "what fails is the DNS" in outcome.reason


def test_vendor_that_says_yes_and_does_nothing(stage: Stage) -> None:
    """A lying success is found out at once by reading back, not when a budget of ten minutes is over."""
    stage.edges["cloudfront"] = REFUSED
    stage.zone = Liar(stage.memory)
    began = stage.clock.monotonic()
    _, outcome = stage.recover()
    assert outcome.status is Status.FAILED
    assert "accepted the change" in outcome.reason
    assert stage.clock.monotonic() - began < timedelta(seconds=10)


def test_secondary_fails_while_users_are_there(stage: Stage) -> None:
    """Users go to whatever serves: when the standby that they are on dies, the primary is a candidate like any other."""
    stage.recovered()
    stage.clock.sleep(timedelta(seconds=10))
    stage.edges["cloudflare"] = REFUSED
    _, outcome = stage.recover()
    assert (outcome.status, stage.record) == (Status.RECOVERED, stage.before)


class Liar:
    """A vendor that accepts every change and makes none."""

    def __init__(self, inner: MemoryZone) -> None:
        self._inner = inner
        self.vendor, self.zone = inner.vendor, inner.zone

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """The truth."""
        return self._inner.read(keys, within=within)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Say yes."""
        del changes, within
        return Receipt("yes")

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """Say yes again."""
        del receipt, within
        return True
