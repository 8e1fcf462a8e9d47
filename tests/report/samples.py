"""Sample runs and drills for the reports: real journals, written under a simulated clock into memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from defib import drillentries, entries
from defib.clock import SimulatedClock
from defib.drills.drilled import Drill, drill
from defib.journal import Journal
from defib.objectives import Mode, Phase, Plane, Status
from defib.plan import Change, Plan
from defib.ports import Build, Health, Observation, RecordChange, RecordKey, RecordSet
from defib.timeline import Timeline, timeline

START = datetime(2026, 3, 7, 2, 51, 8, 250_000, tzinfo=UTC)
KEY = RecordKey("www.pulse-trading.test.", "CNAME")
OLD = RecordSet(KEY, timedelta(seconds=3), ("d2pulsetrading.cloudfront.net.",))
NEW = RecordSet(KEY, timedelta(seconds=3), ("www.pulse-trading.test.cdn.cloudflare.net.",))
CHANGE = Change("route53", "Z0PULSETRADING", (RecordChange(OLD, NEW),), "send users to cloudflare")
PLAN = Plan("cdn-failover", "lab", (CHANGE,))
BUILD = Build("4f0c9a1be27d5a33c10e8f6b7a9d2e4c5b6a7f80", START - timedelta(minutes=20))
OBSERVERS = ("north", "east", "south")
HOSTILE = '<script>alert(1)</script> | `x` *b* [l](javascript:alert(1)) ]]> \u202e\x1b[31m & "q"'


def s(seconds: float) -> timedelta:
    """Seconds."""
    return timedelta(seconds=seconds)


class Memory:
    """A sink that keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def append(self, line: bytes, *, durable: bool) -> None:
        self.lines.append(line)


@dataclass
class Pen:
    """Writes a journal as a run does, second by second."""

    start: datetime = START
    clock: SimulatedClock = field(init=False)
    journal: Journal = field(init=False)

    def __post_init__(self) -> None:
        self.clock = SimulatedClock(self.start)
        self.journal = Journal(Memory(), self.clock, lambda text: text)

    def open(self, **more: object) -> None:
        """The opening of a run of `cdn-failover`; `more` replaces fields of it."""
        facts: dict[str, object] = {
            "run_id": "20260307T025108-cdn-failover-7f3a",
            "procedure": "cdn-failover",
            "site": "lab",
            "mode": Mode.REHEARSAL,
            "operator": "ops@example.org",
            "version": "0.1.0",
            "rto": timedelta(hours=4),
            "rpo": timedelta(hours=1),
            "since": self.start - s(2.05),
            "down_at": self.start - s(0.02),
            "trigger": "detection",
            "site_digest": "a1" * 32,
            "runbook_digest": "b2" * 32,
        }
        self.write(entries.Opened(**{**facts, **more}))  # type: ignore[arg-type]
        self.write(entries.EngineChosen(True, ""))

    def write(self, *items: entries.Entry) -> None:
        """Entries, now."""
        for item in items:
            self.journal.append(item)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.sleep(s(seconds))

    def begin(self, step: str, phase: Phase, plane: Plane, budget: float) -> datetime:
        """A step begins; the moment it did."""
        self.write(entries.StepStarted(step, phase, plane, s(budget)))
        return self.clock.now()

    def end(self, step: str, began: datetime, outcome: str = "done", error: Sequence[tuple[str, str]] = ()) -> None:
        """A step ends."""
        self.write(entries.StepEnded(step, outcome, self.clock.now() - began, "null", tuple(error)))

    def look(self, step: str, aim: str, health: Health, reason: str = "", who: Sequence[str] = OBSERVERS) -> None:
        """One look by each observer."""
        for number, name in enumerate(who):
            at = self.clock.now() + s(0.003 * number)
            build = BUILD if health is Health.GOOD else None
            seen = Observation(name, at, s(0.04), health, reason, "127.77.3.1", build)
            self.write(entries.Observed(step, aim, seen))

    def timeline(self) -> Timeline:
        """What it says so far."""
        return timeline(self.journal.records)


def confirm(pen: Pen, reason: str = "TLS: connection refused") -> None:
    """The first step: users are not served, the origin is."""
    began = pen.begin("confirm-the-outage", Phase.DETECT, Plane.DATA, 60)
    pen.look("confirm-the-outage", "users", Health.BAD, reason, OBSERVERS[:2])
    pen.look("confirm-the-outage", "users", Health.UNKNOWN, "its own network is down", OBSERVERS[2:])
    pen.wait(0.05)
    pen.look("confirm-the-outage", "origin", Health.GOOD)
    pen.wait(0.05)
    pen.write(entries.Noted("confirm-the-outage", "users are not served, the origin is: the CDN is what failed"))
    pen.end("confirm-the-outage", began)


def decide(pen: Pen) -> None:
    """The standby is proved and the plan approved."""
    began = pen.begin("prove-the-standby", Phase.DECIDE, Plane.DATA, 60)
    pen.look("prove-the-standby", "cloudflare", Health.GOOD)
    pen.wait(0.12)
    pen.write(
        entries.RecoveryPointRead("origin", timedelta(minutes=4, seconds=10), "age of the standby's build", BUILD, BUILD)
    )
    pen.end("prove-the-standby", began)
    began = pen.begin("approve-the-plan", Phase.DECIDE, Plane.HUMAN, 900)
    pen.write(entries.Planned(PLAN.digest(), PLAN.changes))
    pen.wait(0.01)
    pen.write(entries.Approved(PLAN.digest(), "runbook cdn-failover", "automatic"))
    pen.end("approve-the-plan", began)


def steer(pen: Pen) -> None:
    """The one change is made."""
    began = pen.begin("steer-traffic", Phase.ACT, Plane.CONTROL, 120)
    pen.write(entries.ChangeIntended(1, CHANGE, 7))
    pen.wait(0.07)
    pen.write(entries.ChangeMade(1, "C2PULSE"))
    pen.end("steer-traffic", began)


def watch(pen: Pen) -> None:
    """Users look while answers move."""
    began = pen.begin("watch-the-answers", Phase.PROPAGATE, Plane.DATA, 600)
    for _ in range(13):
        pen.look("watch-the-answers", "users", Health.BAD, "TLS: connection refused")
        pen.wait(0.2)
    pen.write(entries.Noted("watch-the-answers", "waiting for 2 of 6 resolvers"))
    pen.wait(0.4)
    pen.write(entries.AnswersMoved(pen.clock.now(), 4, 5, 6, ("resolver-6",)))
    pen.write(entries.Noted("watch-the-answers", "resolver-6 keeps the old answer beyond its TTL", warning=True))
    pen.end("watch-the-answers", began)


def verify(pen: Pen, hold: float = 3) -> None:
    """Users are served, and stay so."""
    began = pen.begin("verify-the-users", Phase.VERIFY, Plane.DATA, 600)
    pen.look("verify-the-users", "users", Health.BAD, "HTTP 503", OBSERVERS[:1])
    pen.wait(0.85)
    since = pen.clock.now()
    for _ in range(int(hold / 0.2)):
        pen.look("verify-the-users", "users", Health.GOOD)
        pen.wait(0.2)
    pen.write(entries.UsersServed(since, s(hold), BUILD))
    pen.end("verify-the-users", began)


def recovered(start: datetime = START, **more: object) -> Timeline:
    """Users were without service for 6.25 s."""
    pen = Pen(start)
    pen.open(**more)
    for part in (confirm, decide, steer, watch, verify):
        part(pen)
    pen.write(entries.Closed(Status.RECOVERED))
    return pen.timeline()


def rto_unknown() -> Timeline:
    """Recovered, but nobody knows since when users had no service."""
    return recovered(since=None, down_at=None, trigger="operator")


def late() -> Timeline:
    """Found 50 minutes after users first lost service (E12), so that the RTO of half an hour is missed."""
    return recovered(since=START - timedelta(minutes=50), rto=timedelta(minutes=30), trigger="operator")


def rolled_back() -> Timeline:
    """The answers never moved within the budget, and the change was put back."""
    pen = Pen()
    pen.open()
    for part in (confirm, decide, steer):
        part(pen)
    began = pen.begin("watch-the-answers", Phase.PROPAGATE, Plane.DATA, 10)
    for _ in range(50):
        pen.look("watch-the-answers", "users", Health.BAD, "TLS: certificate expired 2 h ago")
        pen.wait(0.2)
    what = "watch-the-answers was not done within its budget of 0:00:10"
    by_hand = "by hand: cdn-failover.md, heading '## watch-the-answers'"
    error = (("error", what), ("seen", "ns-3 still gives the old answer"), ("next", by_hand))
    pen.end("watch-the-answers", began, "failed", error)
    pen.write(entries.ChangeIntended(1, CHANGE.reversed(), 7, undo=True))
    pen.wait(0.1)
    pen.write(entries.ChangeMade(1, "C3PULSE", undo=True), entries.Closed(Status.ROLLED_BACK, what))
    return pen.timeline()


def refused(reason: str = "the standby's build is 3 h 12 min older than the origin's") -> Timeline:
    """Refused before any change (C8)."""
    pen = Pen()
    pen.open()
    confirm(pen)
    began = pen.begin("prove-the-standby", Phase.DECIDE, Plane.DATA, 60)
    pen.look("prove-the-standby", "cloudflare", Health.BAD, reason)
    pen.write(entries.RecoveryPointRead("origin", timedelta(hours=3, minutes=12), "age of the standby's build"))
    pen.wait(0.2)
    error = (("error", reason), ("expected", "at most 1 h"), ("next", "defib run cdn-failover --force"))
    pen.end("prove-the-standby", began, "refused", error)
    pen.write(entries.Closed(Status.REFUSED, reason))
    return pen.timeline()


def interrupted() -> Timeline:
    """Stopped by a signal after the change (E3)."""
    pen = Pen()
    pen.open(mode=Mode.INCIDENT)
    for part in (confirm, decide, steer):
        part(pen)
    began = pen.begin("watch-the-answers", Phase.PROPAGATE, Plane.DATA, 600)
    for _ in range(6):
        pen.look("watch-the-answers", "users", Health.BAD, "HTTP 503")
        pen.wait(0.2)
    pen.end("watch-the-answers", began, "interrupted", (("error", "stopped by a signal"),))
    reason = "stopped by a signal; 1 change(s) stand; nothing was undone: resume or roll back"
    pen.write(entries.Closed(Status.INTERRUPTED, reason))
    return pen.timeline()


def unfinished() -> Timeline:
    """Killed in the middle of the write."""
    pen = Pen()
    pen.open()
    confirm(pen)
    decide(pen)
    pen.begin("steer-traffic", Phase.ACT, Plane.CONTROL, 120)
    pen.write(entries.ChangeIntended(1, CHANGE, 7))
    return pen.timeline()


def hostile() -> Timeline:
    """Everything that comes from outside tries to break out of the document."""
    pen = Pen()
    pen.open(operator=HOSTILE, trigger=HOSTILE, site=HOSTILE)
    confirm(pen, HOSTILE)
    began = pen.begin(HOSTILE, Phase.DECIDE, Plane.DATA, 60)
    nasty = RecordSet(KEY, s(60), (HOSTILE,), (("comment", HOSTILE),))
    change = Change(HOSTILE, HOSTILE, (RecordChange(nasty, nasty),), HOSTILE)
    pen.look(HOSTILE, HOSTILE, Health.BAD, HOSTILE, (HOSTILE,))
    pen.write(entries.Planned("0" * 64, (change,)), entries.Noted(HOSTILE, HOSTILE, warning=True))
    pen.wait(0.2)
    pen.end(HOSTILE, began, "failed", (("error", HOSTILE),))
    pen.write(entries.Closed(Status.FAILED, HOSTILE))
    return pen.timeline()


def empty() -> Timeline:
    """Opened, and nothing else."""
    pen = Pen()
    pen.open(since=None, down_at=None)
    return pen.timeline()


def failback() -> Timeline:
    """The way back, during which users lose service for half a second."""
    pen = Pen(START + s(40))
    pen.open(
        run_id="20260307T025148-failback-19cc",
        procedure="failback",
        since=None,
        down_at=None,
        follows="20260307T025108-cdn-failover-7f3a",
    )
    began = pen.begin("prove-stability", Phase.DETECT, Plane.DATA, 7200)
    for _ in range(6):
        pen.look("prove-stability", "cloudfront", Health.GOOD)
        pen.wait(0.5)
    pen.end("prove-stability", began)
    back = Plan("failback", "lab", (CHANGE.reversed(),))
    began = pen.begin("approve-the-plan", Phase.DECIDE, Plane.HUMAN, 900)
    pen.write(entries.Planned(back.digest(), back.changes), entries.Approved(back.digest(), "drill", "option"))
    pen.write(entries.RecoveryPointRead("origin", s(0), "both serve the same build", BUILD, BUILD))
    pen.end("approve-the-plan", began)
    began = pen.begin("steer-back", Phase.ACT, Plane.CONTROL, 120)
    pen.write(entries.ChangeIntended(1, back.changes[0], 8))
    pen.wait(0.06)
    pen.write(entries.ChangeMade(1, "C4PULSE"))
    pen.end("steer-back", began)
    began = pen.begin("watch-the-answers", Phase.PROPAGATE, Plane.DATA, 600)
    pen.look("watch-the-answers", "users", Health.BAD, "HTTP 502", OBSERVERS[:1])
    pen.wait(0.5)
    pen.look("watch-the-answers", "users", Health.GOOD)
    pen.wait(2)
    pen.write(entries.AnswersMoved(pen.clock.now(), 4, 6, 6))
    pen.end("watch-the-answers", began)
    began = pen.begin("verify-the-users", Phase.VERIFY, Plane.DATA, 600)
    since = pen.clock.now()
    for _ in range(15):
        pen.look("verify-the-users", "users", Health.GOOD)
        pen.wait(0.2)
    pen.write(entries.UsersServed(since, s(3), BUILD))
    pen.end("verify-the-users", began)
    pen.write(entries.Closed(Status.RECOVERED))
    return pen.timeline()


BEFORE = ("route53 Z0PULSETRADING www CNAME d2pulsetrading.cloudfront.net.", "cloudfront E2PULSETRADING enabled")


def drilled(
    after: tuple[str, ...] | None = BEFORE,
    outage: timedelta | None = timedelta(seconds=6.31),
    status: Status = Status.RECOVERED,
    reason: str = "",
) -> Drill:
    """A drill; `after` is the outside state at its end, None where it was not read."""
    forward, back = recovered(), failback()
    assert forward.instants.first_bad is not None
    pen = Pen(START - s(4))
    pen.open(run_id="20260307T025104-drill-52aa", mode=Mode.REHEARSAL, since=None, down_at=None)
    pen.write(
        drillentries.DrillAsked("cdn-failover", "monthly", START, "Ann", ("on call", "support lead")),
        drillentries.PreconditionSeen("nothing under way", met=True, text="none"),
        drillentries.PreconditionSeen("no blackout", met=False, text="blackout: the sales weeks", binding=False),
    )
    pen.write(entries.Fingerprinted("before", "c3" * 32, BEFORE))
    pen.wait(1.8)
    pen.write(entries.FaultSet("cloudfront", "refuse"))
    broke = pen.clock.now()
    pen.wait(20)
    pen.write(entries.DrillRun("forward", forward.opened.run_id, Status.RECOVERED, forward.head))
    if outage is None:
        pen.write(entries.EyewitnessSaw("forward", None, looks=214))
    else:
        began = broke + s(0.09)
        pen.write(entries.EyewitnessSaw("forward", outage, began, began + outage, 214, "lab/eyewitness.jsonl"))
    pen.write(entries.FaultSet("cloudfront", ""))
    pen.wait(40)
    pen.write(entries.DrillRun("failback", back.opened.run_id, Status.RECOVERED, back.head))
    pen.write(entries.EyewitnessSaw("failback", None, looks=130))
    if after is not None:
        pen.write(entries.Fingerprinted("after", "d4" * 32, after))
    pen.write(entries.Noted("drill", "detection noticed the fault after 2.03 s"), entries.Closed(status, reason))
    return drill(pen.journal.records, forward, back)


def drilled_with_residue() -> Drill:
    """The drill left a record behind."""
    left = (*BEFORE, 'route53 Z0PULSETRADING _probe TXT "defib"')
    return drilled(left, status=Status.FAILED, reason="the outside state is not as it was before the drill")


RUNS: dict[str, Callable[[], Timeline]] = {
    "recovered": recovered,
    "late": late,
    "rto-unknown": rto_unknown,
    "rolled-back": rolled_back,
    "refused": refused,
    "interrupted": interrupted,
    "unfinished": unfinished,
    "hostile": hostile,
    "empty": empty,
    "failback": failback,
}
DRILLS: dict[str, Callable[[], Drill]] = {
    "drill": drilled,
    "drill-residue": drilled_with_residue,
    "drill-unknown": lambda: drilled(None, None),
}
