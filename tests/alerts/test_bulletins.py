"""What is news in a run, derived from its journal: each news once, said so that nobody has to guess."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from defib import copyentries, entries
from defib.alerts.alert import Alert, AlertKind, Notice, Severity, Stage
from defib.alerts.bulletins import Bulletins, PublicWords, Resolution, Word
from defib.objectives import Mode, Phase, Plane, Status
from defib.question import ApprovalAwaited
from defib.redact import MARK, Redactor
from defib.sites.site import load_site
from tests.report.samples import PLAN, Pen, confirm, decide, s, steer, verify, watch
from tests.stage import LAB

SITE = load_site(LAB)
HOURS_4 = timedelta(hours=4)


def opened(pen: Pen) -> entries.Opened:
    """The opening that a pen wrote."""
    return next(pen.journal.of(entries.Opened))


def news(pen: Pen, redact: Redactor | None = None) -> tuple[Bulletins, list[Alert]]:
    """What the whole journal was worth, entry by entry."""
    bulletins = Bulletins(SITE, opened(pen), redact or Redactor())
    return bulletins, [alert for record in pen.journal.records for alert in bulletins.hear(record)]


def words(pen: Pen) -> list[Word]:
    """What the status page was to say, entry by entry."""
    public = PublicWords(SITE, opened(pen), Redactor())
    said = [public.hear(record) for record in pen.journal.records]
    return [word for word in said if word is not None]


def recovery(**more: object) -> Pen:
    """A recovery from first to last entry."""
    pen = Pen()
    pen.open(**more)
    for part in (confirm, decide, steer, watch, verify):
        part(pen)
    pen.write(entries.Closed(Status.RECOVERED))
    return pen


def stopped(status: Status, reason: str, **more: object) -> Pen:
    """A run that ends after the outage was confirmed."""
    pen = Pen()
    pen.open(**more)
    confirm(pen)
    pen.write(entries.Closed(status, reason))
    return pen


def test_a_recovery_is_told_twice() -> None:
    """Its start with the cause and what was promised, its end with both verdicts, what next, and the seal."""
    pen = recovery(mode=Mode.INCIDENT)
    _, alerts = news(pen)
    assert [(alert.kind, alert.severity) for alert in alerts] == [
        (AlertKind.START, Severity.WARNING),
        (AlertKind.DONE, Severity.SUCCESS),
    ]
    start, done = alerts
    assert start.title == "Pulse Trading, in the lab: cdn-failover started"
    assert "Users lost service at 2026-" in start.text
    assert "2.05 s ago" in start.text
    assert "RTO 4 h, RPO 1 h" in start.text
    assert done.title == "Pulse Trading, in the lab: cdn-failover recovered"
    assert "RTO: met, " in done.text
    assert "RPO: met, " in done.text
    assert f"defib failback {opened(pen).run_id}" in done.text
    assert pen.journal.head in done.text


def test_a_drill_says_so_in_its_titles() -> None:
    """Nobody takes one for the real thing, and it does not cry."""
    _, alerts = news(recovery(mode=Mode.REHEARSAL))
    assert all(alert.title.startswith("[drill] ") for alert in alerts)
    assert Severity.FAILURE not in {alert.severity for alert in alerts}


@pytest.mark.parametrize(
    ("status", "then"),
    [
        (Status.FAILED, "defib report"),
        (Status.ROLLED_BACK, "defib report"),
        (Status.REFUSED, "defib report"),
        (Status.INTERRUPTED, "defib resume"),
    ],
)
def test_what_did_not_recover_is_a_failure(status: Status, then: str) -> None:
    """C7: whatever else it is called, people are told that the site is not recovered, why, and what next."""
    _, alerts = news(stopped(status, "no standby can take the users", mode=Mode.INCIDENT))
    assert (alerts[-1].kind, alerts[-1].severity) == (AlertKind.FAILED, Severity.FAILURE)
    assert "no standby can take the users" in alerts[-1].text
    assert f"Next: {then}" in alerts[-1].text


def test_an_unknown_rto_is_no_success() -> None:
    """A recovery whose RTO nobody can tell is worth a warning."""
    pen = Pen()
    pen.open(since=None, mode=Mode.INCIDENT)
    pen.write(entries.Closed(Status.RECOVERED))
    _, alerts = news(pen)
    assert "When users lost service is unknown." in alerts[0].text
    assert (alerts[-1].kind, alerts[-1].severity) == (AlertKind.DONE, Severity.WARNING)
    assert "unknown" in alerts[-1].text


def test_the_rto_runs_out_once_at_each_mark() -> None:
    """50, 75 and 90 % of the RTO since users lost service, each once, however often the time is looked at."""
    pen = Pen()
    pen.open(mode=Mode.INCIDENT)
    confirm(pen)
    pen.begin("approve-the-plan", *_decision())
    bulletins, _ = news(pen)
    heard: list[tuple[int, Alert]] = []
    began = pen.clock.monotonic() - s(2.15)
    for percent in range(130):
        pen.clock.sleep(began + HOURS_4 * percent / 100 - pen.clock.monotonic())
        for _ in range(2):
            heard += [(percent, alert) for alert in bulletins.due(pen.clock.now(), pen.clock.monotonic())]
    assert [(percent, alert.subject, alert.severity) for percent, alert in heard] == [
        (50, "burn:50", Severity.WARNING),
        (75, "burn:75", Severity.WARNING),
        (90, "burn:90", Severity.FAILURE),
    ]
    assert heard[0][1].text == ("Users are without service for 2 h of 4 h, 2 h left.\nThe run is at approve-the-plan.")


def test_marks_passed_at_once_are_told_once() -> None:
    """Who takes a run up after hours is told of the last mark, not of all."""
    pen = Pen()
    pen.open(since=pen.start - timedelta(hours=5))
    bulletins, _ = news(pen)
    (alert,) = bulletins.due(pen.clock.now(), pen.clock.monotonic())
    assert alert.subject == "burn:90"
    assert "1 h beyond it" in alert.text
    assert bulletins.due(pen.clock.now(), pen.clock.monotonic()) == ()


def test_nothing_burns_when_users_are_served() -> None:
    """Users that are served, a run that is over, and a failback use up no RTO."""
    for pen in (recovery(), stopped(Status.FAILED, "x"), _followed()):
        bulletins, _ = news(pen)
        assert bulletins.due(pen.clock.now(), pen.clock.monotonic() + timedelta(hours=9)) == ()


def test_the_first_bad_look_starts_an_unknown_outage() -> None:
    """Where nobody said when users lost service, it burns from the first look that saw it."""
    pen = Pen()
    pen.open(since=None)
    confirm(pen)
    bulletins, _ = news(pen)
    later = pen.clock.monotonic() + timedelta(hours=2)
    assert [alert.subject for alert in bulletins.due(pen.clock.now(), later)] == ["burn:50"]


def test_a_plan_that_waits_needs_a_person() -> None:
    """After a second without an approval, once, with what it would do and how it is approved."""
    pen = Pen()
    pen.open(mode=Mode.INCIDENT)
    pen.write(entries.Planned(PLAN.digest(), PLAN.changes))
    bulletins, _ = news(pen)
    assert bulletins.due(pen.clock.now(), pen.clock.monotonic() + s(0.9)) == ()
    (alert,) = bulletins.due(pen.clock.now(), pen.clock.monotonic() + s(1))
    assert (alert.kind, alert.severity) == (AlertKind.DECISION, Severity.WARNING)
    assert PLAN.digest()[:12] in alert.text
    assert PLAN.changes[0].target in alert.text
    assert bulletins.due(pen.clock.now(), pen.clock.monotonic() + s(9)) == ()


def test_a_plan_that_waits_elsewhere_says_how_to_answer() -> None:
    """Whoever reads it has no terminal before him with the question on it."""
    pen = Pen()
    pen.open(mode=Mode.INCIDENT)
    pen.write(entries.Planned(PLAN.digest(), PLAN.changes))
    pen.write(ApprovalAwaited(PLAN.digest(), pen.clock.now() + s(60)))
    bulletins, _ = news(pen)
    (alert,) = bulletins.due(pen.clock.now(), pen.clock.monotonic() + s(1))
    run_id = opened(pen).run_id
    assert f"defib approve {run_id} --digest {PLAN.short_digest}" in alert.text
    assert "no answer refuses" in alert.text
    assert "where the run was started" not in alert.text


def test_a_plan_that_is_approved_needs_nobody() -> None:
    """Automatic or given beforehand: no decision is asked for."""
    pen = Pen()
    pen.open()
    decide(pen)
    bulletins, _ = news(pen)
    assert bulletins.due(pen.clock.now(), pen.clock.monotonic() + s(60)) == ()


def test_the_same_news_five_hundred_times() -> None:
    """E15: a run that is taken up again and again within ten minutes says so once, and again after that."""
    pen = Pen()
    pen.open(mode=Mode.INCIDENT)
    told: list[str] = []
    for _ in range(500):
        pen.wait(0.1)
        past = pen.journal.records
        pen.write(entries.Reopened("resume", "a supervisor"))
        bulletins = Bulletins(SITE, opened(pen), Redactor())
        bulletins.recall(past)
        for alert in bulletins.hear(pen.journal.records[-1]):
            told.append(alert.subject)
            pen.write(entries.Told("chat", alert.kind, alert.subject, alert.title))
    assert told == ["resume"]
    pen.wait(601)
    past = pen.journal.records
    pen.write(entries.Reopened("resume", "a person"))
    bulletins = Bulletins(SITE, opened(pen), Redactor())
    bulletins.recall(past)
    assert [alert.subject for alert in bulletins.hear(pen.journal.records[-1])] == ["resume"]


def test_what_could_not_be_told_is_news_again() -> None:
    """A message that certainly did not arrive is not counted as told."""
    pen = Pen()
    pen.open()
    pen.write(entries.Told("chat", "burn", "burn:50", "…", "failed", "refused"))
    past = pen.journal.records
    pen.write(entries.Reopened("resume", "a person"))
    bulletins = Bulletins(SITE, opened(pen), Redactor())
    bulletins.recall(past)
    bulletins.hear(pen.journal.records[-1])
    half = pen.clock.monotonic() + HOURS_4 / 2
    assert [alert.subject for alert in bulletins.due(pen.clock.now(), half)] == ["burn:50"]


def test_putting_back_on_request_is_done() -> None:
    """An operator's rollback that succeeds is no failure."""
    pen = recovery(mode=Mode.INCIDENT)
    pen.write(entries.Reopened("rollback", "a person"), entries.Closed(Status.ROLLED_BACK, "rolled back by the operator"))
    _, alerts = news(pen)
    assert (alerts[-1].kind, alerts[-1].severity) == (AlertKind.DONE, Severity.SUCCESS)


def test_nothing_secret_is_said() -> None:
    """E13: a token in the cause of a run or the reason of its end is cut out of every alert."""
    redact = Redactor()
    redact.learn("hush-hush-token-1")
    pen = stopped(Status.FAILED, "HTTP 403 at https://x.test/hush-hush-token-1", trigger="saw hush-hush-token-1")
    _, alerts = news(pen, redact)
    said = "\n".join(alert.title + alert.text for alert in alerts)
    assert "hush-hush" not in said
    assert said.count(MARK) == 2


def test_the_page_follows_the_outage() -> None:
    """Nothing before it is confirmed, then one word at each turn, and the last when users stayed served."""
    said = words(recovery(mode=Mode.INCIDENT))
    assert [word.stage if isinstance(word, Notice) else "resolved" for word in said] == [
        Stage.INVESTIGATING,
        Stage.IDENTIFIED,
        Stage.MONITORING,
        "resolved",
    ]
    assert isinstance(said[0], Notice)
    assert said[0].title == "Pulse Trading, in the lab is not available"


def test_the_page_keeps_silent_where_nothing_is_confirmed() -> None:
    """A run that refuses because nothing is wrong alarms no user; nor does a failback, nor a look at the plan."""
    pen = Pen()
    pen.open(mode=Mode.INCIDENT)
    pen.write(entries.Closed(Status.REFUSED, "users are served"))
    for silent in (pen, _followed(), recovery(mode=Mode.PLAN)):
        assert words(silent) == []


def test_the_page_stays_open_while_the_site_is_down() -> None:
    """A recovery that failed does not say that all is well."""
    last = words(stopped(Status.FAILED, "secret details", mode=Mode.INCIDENT))[-1]
    assert isinstance(last, Notice)
    assert last.stage is Stage.IDENTIFIED
    assert "secret details" not in last.text


def test_a_rehearsal_closes_its_incident_whatever_comes() -> None:
    """What is broken on purpose is healed, so nothing stays open."""
    for status in (Status.FAILED, Status.INTERRUPTED, Status.REFUSED, Status.ROLLED_BACK):
        last = words(stopped(status, "x", mode=Mode.REHEARSAL))[-1]
        assert last == Resolution("This was a rehearsal, and it is over.")


def _followed() -> Pen:
    pen = Pen()
    pen.open(follows="20260307T025108-cdn-failover-7f3a", procedure="failback", mode=Mode.INCIDENT)
    confirm(pen)
    return pen


def _decision() -> tuple[Phase, Plane, float]:
    return Phase.DECIDE, Plane.HUMAN, 900


def _replica(exposure: timedelta | None, *before: timedelta | None) -> copyentries.ReplicaSeen:
    """A replica with an hour to lose, and what was seen of it at the looks before."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    past = tuple((now, each) for each in (*before, exposure))
    return copyentries.ReplicaSeen(
        "assets", "s3://assets", "s3://replica", timedelta(hours=1), 9, 8, 1, (), exposure, "1 pending", past=past
    )


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (0, 29, []),
        (0, 31, ["exposed:assets:50"]),
        (31, 44, []),
        (31, 46, ["exposed:assets:75"]),
        (0, 55, ["exposed:assets:90"]),
        (55, 61, ["exposed:assets:100"]),
        (61, 90, []),
        (90, 5, []),
        (None, 40, ["exposed:assets:50"]),
        (40, None, []),
    ],
)
def test_people_hear_as_more_of_the_recovery_point_is_used(before: int | None, now: int | None, told: list[str]) -> None:
    """At 50, 75, 90 and 100 per cent of what may be lost, each once as it is passed, and not at every look."""
    pen = Pen()
    pen.open(mode=Mode.INCIDENT)
    looks = (None if each is None else timedelta(minutes=each) for each in (before, now))
    earlier, exposure = looks
    pen.write(_replica(exposure, earlier))
    _, alerts = news(pen)
    assert [alert.subject for alert in alerts if alert.kind is AlertKind.BURN] == told
