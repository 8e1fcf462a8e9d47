"""cdn-failover when something breaks half-way: the vendor, the standby, our own network, a signal, the clock."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from defib import entries
from defib.approval import Nobody
from defib.clock import Deadline
from defib.errors import Denied, Unavailable
from defib.objectives import Status, Verdict
from defib.observe.memory import Sight
from defib.ports import Aim, Receipt, RecordChange, RecordKey, RecordSet
from defib.providers.dns.memory import MemoryZone
from defib.providers.wrappers import RetryingZone
from defib.timeline import timeline
from flows import cdn_failover
from tests.stage import (
    GOOD,
    REFUSED,
    UNSEEN,
    Doing,
    Stage,
    impatient,
    seconds,
    steps,
)

STEPS = cdn_failover.PROCEDURE.steps


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A world whose primary CDN refuses connections."""
    stage = Stage(tmp_path)
    stage.edges["cloudfront"] = REFUSED
    return stage


@pytest.fixture
def hasty(tmp_path: Path) -> Stage:
    """The same, with runbooks that wait for users and answers no longer than 12 s."""
    folder = tmp_path / "runbooks"
    folder.mkdir()
    stage = Stage(tmp_path, runbooks=impatient(folder))
    stage.edges["cloudfront"] = REFUSED
    return stage


def not_undone(stage: Stage) -> list[str]:
    """Why changes were not put back."""
    return [record.entry.why for record in stage.seen if isinstance(record.entry, entries.ChangeNotUndone)]


def notes(stage: Stage) -> str:
    """All notes in one text."""
    return "\n".join(record.entry.text for record in stage.seen if isinstance(record.entry, entries.Noted))


class TestFailure:
    """What happens when something breaks half-way."""

    def test_old_cdn_is_still_dead(self, hasty: Stage) -> None:
        """A failure after the steer does not send users back to what is still dead."""
        hasty.servers[3].lag = timedelta(hours=1)
        run, outcome = hasty.recover()
        assert outcome.status is Status.FAILED
        assert "ns-4" in outcome.reason
        assert hasty.writes == [(hasty.standby.hostname,)]
        assert not_undone(hasty) == ["cloudflare serves the site and cloudfront does not"]
        assert [change.state for change in timeline(run.journal.records).changes] == ["not undone"]

    def test_old_cdn_is_well_again(self, hasty: Stage) -> None:
        """A failure after the steer puts users back where they are served again."""
        hasty.at(2, cloudfront=GOOD, cloudflare=REFUSED)
        _, outcome = hasty.recover()
        assert outcome.status is Status.ROLLED_BACK
        assert hasty.writes == [(hasty.standby.hostname,), (hasty.primary.hostname,)]
        assert hasty.record == hasty.before

    def test_both_are_well_again(self, hasty: Stage) -> None:
        """With both well, what failed is put back, as ever."""
        hasty.servers[3].lag = timedelta(hours=1)
        hasty.at(2, cloudfront=GOOD)
        assert hasty.recover()[1].status is Status.ROLLED_BACK

    def test_nobody_can_tell_whether_undoing_harms(self, hasty: Stage) -> None:
        """When our own network goes after the steer, users are not sent back to what was dead when last seen."""
        hasty.at(2, cloudfront=UNSEEN, cloudflare=UNSEEN)
        _, outcome = hasty.recover()
        assert (outcome.status, hasty.record) == (Status.FAILED, hasty.after)
        assert "nobody can tell" in not_undone(hasty)[0]

    def test_undo_that_fails_is_told(self, hasty: Stage) -> None:
        """A change that cannot be put back is listed with the reason, and the run has failed."""
        hasty.at(2, cloudfront=GOOD, cloudflare=REFUSED)
        hasty.zone = OnceOnly(hasty.memory)
        _, outcome = hasty.recover()
        assert outcome.status is Status.FAILED
        assert "not everything could be put back" in outcome.reason
        assert "the door fell shut" in not_undone(hasty)[0]

    def test_second_signal_during_the_undo(self, hasty: Stage) -> None:
        """E5: a signal while changes are put back lists the rest as not done; the exit code is not zero."""
        hasty.at(2, cloudfront=GOOD, cloudflare=REFUSED)
        hasty.zone = OnceOnly(hasty.memory, then=hasty.clock.interrupt)
        _, outcome = hasty.recover()
        assert (outcome.status, outcome.status.exit_code) == (Status.INTERRUPTED, 5)
        assert not_undone(hasty) == ["a signal stopped the undoing"]
        assert isinstance(hasty.seen[-1].entry, entries.Closed)

    def test_signal_while_judging_the_undo(self, hasty: Stage) -> None:
        """E5: a signal before the first change is put back is no different, and the run is closed."""
        hasty.at(2, cloudfront=GOOD, cloudflare=REFUSED)

        def interrupting(observer: str, aim: Aim, at: datetime) -> Sight:
            if aim.connect_to == hasty.primary.hostname:
                hasty.clock.interrupt()
            return hasty.see(observer, aim, at)

        hasty.view = interrupting
        _, outcome = hasty.recover()
        assert outcome.status is Status.FAILED
        assert not_undone(hasty) == ["a signal stopped the undoing"]
        assert hasty.seen[-1].entry == entries.Closed(Status.FAILED, outcome.reason)

    def test_signal_in_mid_step(self, stage: Stage) -> None:
        """E3: SIGTERM in the middle of a step: the journal says so, and why nothing was undone."""
        stage.clock.at(seconds(1), stage.clock.interrupt)
        run, outcome = stage.recover()
        assert outcome.status is Status.INTERRUPTED
        assert outcome.reason == ("stopped by a signal; 1 change(s) may stand; nothing was undone: resume or roll back")
        assert steps(run)[-1][1] == "interrupted"
        assert stage.writes == [(stage.standby.hostname,)]
        assert run.journal.records[-1].entry == entries.Closed(Status.INTERRUPTED, outcome.reason)

    def test_signal_before_any_change(self, stage: Stage) -> None:
        """E3: a signal at the approval stops everything before the first write."""
        _, outcome = stage.recover(approver=Doing(stage.clock.interrupt))
        assert (outcome.status, stage.writes) == (Status.INTERRUPTED, [])
        assert "nothing was changed" in outcome.reason

    def test_interrupted_and_resumed(self, stage: Stage) -> None:
        """A run that was stopped goes on where it was, with the approval it had, and writes nothing twice."""
        stage.clock.at(seconds(1), stage.clock.interrupt)
        stopped, _ = stage.recover()
        stage.clock.resume()
        run, outcome = stage.resume(stopped.id, Nobody("defib run"))
        assert (outcome.status, stage.writes) == (Status.RECOVERED, [(stage.standby.hostname,)])
        assert [s.outcome for s in timeline(run.journal.records).steps].count("interrupted") == 1

    def test_interrupted_and_rolled_back(self, stage: Stage) -> None:
        """A run that was stopped is put back because an operator says so."""
        stage.clock.at(seconds(1), stage.clock.interrupt)
        stopped, _ = stage.recover()
        stage.clock.resume()
        _, outcome = stage.rollback(stopped.id)
        assert (outcome.status, stage.record) == (Status.ROLLED_BACK, stage.before)

    def test_service_since_the_resumption(self, stage: Stage) -> None:
        """Nobody looked between a stop and the resumption, so service is not claimed for that time."""
        stage.clock.at(seconds(5), stage.clock.interrupt)
        stopped, _ = stage.recover(since=stage.clock.now())
        stage.clock.resume()
        stage.clock.sleep(timedelta(hours=5))
        resumed_at = stage.clock.now()
        run, _ = stage.resume(stopped.id)
        told = timeline(run.journal.records)
        assert told.served is not None
        assert told.served.since >= resumed_at
        assert told.rto.verdict is Verdict.MISSED

    def test_wall_clock_set_back(self, stage: Stage) -> None:
        """When the wall clock is set back during the run, its stamps prove nothing and the RTO is unknown."""

        def set_back() -> None:
            stage.clock.set_wall(-timedelta(hours=1))

        since = stage.clock.now()
        run, outcome = stage.recover(approver=Doing(set_back), since=since)
        told = timeline(run.journal.records)
        assert outcome.status is Status.RECOVERED
        assert (told.rto.verdict, told.rto.actual) == (Verdict.UNKNOWN, None)
        assert "set back" in told.rto.why


class TestVendorTrouble:
    """The DNS vendor's API fails; the retries are the wrapper's."""

    def test_throttled_for_a_second_then_for_minutes(self, stage: Stage) -> None:
        """C10: Retry-After 1 is honoured; one beyond the budget fails fast, with the way to do it by hand."""
        throttled = [Unavailable("429", retry_after=seconds(1)), Unavailable("429", retry_after=seconds(300))]
        for error in throttled:
            stage.memory.failures.schedule(error, methods=("replace",))
        stage.zone = RetryingZone(stage.memory, random.Random(1))
        run, outcome = stage.recover()
        ended = next(e for e in run.journal.of(entries.StepEnded) if e.step == "steer-traffic")
        assert outcome.status is Status.FAILED
        assert seconds(1) <= ended.took < seconds(2)
        assert "by hand" in dict(ended.error)["next"]
        assert "300 s" in outcome.reason
        assert outcome.reason.endswith("nothing was changed")
        assert (stage.writes, run.changes.standing(), not_undone(stage)) == ([], (), [])

    def test_throttled_and_resumed(self, stage: Stage) -> None:
        """C10: what was found not to be in effect is done when the run is taken up again."""
        stage.memory.failures.schedule(Unavailable("429", retry_after=seconds(300)), methods=("replace",))
        stage.zone = RetryingZone(stage.memory, random.Random(1))
        failed, _ = stage.recover()
        run, outcome = stage.resume(failed.id)
        assert (outcome.status, stage.record) == (Status.RECOVERED, stage.after)
        assert [number for number, _ in run.changes.standing()] == [1]

    def test_transient_errors(self, stage: Stage) -> None:
        """Errors that pass are retried within the step's budget, and the change is made once."""
        stage.memory.failures.schedule(Unavailable("503"), calls=3, methods=("replace",))
        stage.zone = RetryingZone(stage.memory, random.Random(1))
        assert stage.recover()[1].status is Status.RECOVERED
        assert stage.writes == [(stage.standby.hostname,)]

    def test_lost_answer(self, stage: Stage) -> None:
        """A write whose answer is lost and that landed all the same is not done a second time by the run."""
        stage.memory.failures.schedule(Unavailable("timed out"), methods=("replace",), lands_after=timedelta(0))
        run, outcome = stage.recover()
        assert outcome.status is Status.FAILED
        assert stage.record == stage.after
        assert [number for number, _ in run.changes.standing()] == [1]
        assert not_undone(stage) == ["cloudflare serves the site and cloudfront does not"]
        assert stage.resume(run.id)[1].status is Status.RECOVERED
        assert stage.writes == [(stage.standby.hostname,)]

    def test_wrong_credentials(self, stage: Stage) -> None:
        """A refusal of the vendor's is not retried, and nothing is put back that was never made."""
        stage.memory.failures.schedule(Denied("no right to edit"), methods=("replace",))
        run, outcome = stage.recover()
        assert outcome.status is Status.FAILED
        assert "no right to edit" in outcome.reason
        assert run.changes.standing() == ()

    def test_secret_in_an_error(self, stage: Stage) -> None:
        """E13: a secret in an error's text or URL reaches neither the journal nor the outcome."""
        stage.desk.redact.learn("hunter2hunter2")
        text = "GET https://ann:pa@ss/word@api.example/?q=hunter2hunter2 failed"
        stage.memory.failures.schedule(Denied(text, where="token=0123456789"), methods=("replace",))
        run, outcome = stage.recover()
        journal = (stage.desk.home.path / "runs" / run.id / "journal.jsonl").read_text(encoding="utf-8")
        for secret in ("hunter2", "ann:pa", "0123456789"):
            assert secret not in journal
            assert secret not in outcome.reason
        assert "[redacted]" in outcome.reason


@dataclass
class OnceOnly:
    """A zone that takes one write; the next ones meet whatever `then` does, or an error that is nobody's own."""

    inner: MemoryZone
    then: object = None

    @property
    def vendor(self) -> str:
        """The vendor of the zone inside."""
        return self.inner.vendor

    @property
    def zone(self) -> str:
        """The zone inside."""
        return self.inner.zone

    def read(self, keys: Sequence[RecordKey], *, within: Deadline) -> tuple[RecordSet | None, ...]:
        """As it stands."""
        return self.inner.read(keys, within=within)

    def replace(self, changes: Sequence[RecordChange], *, within: Deadline) -> Receipt:
        """Once."""
        if not self.inner.applied:
            return self.inner.replace(changes, within=within)
        if callable(self.then):
            self.then()
            within.clock.sleep(seconds(1))
        raise TypeError("the door fell shut")

    def settled(self, receipt: Receipt, *, within: Deadline) -> bool:
        """As the zone inside says."""
        return self.inner.settled(receipt, within=within)
