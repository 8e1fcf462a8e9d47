"""The calendar of drills, told the time over years: what is due, when, how often, and what was missed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from defib.drills.calendar import PUNCTUAL, Calendar, Due, Ending, Missed, PastDrill, day_of
from defib.sites.drills import Drills

ALL = ("cdn-failover", "dns-switch", "aws-redeploy", "git-mirror", "replication-check")
BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2028, 1, 1, tzinfo=UTC)
KNOWN = dict.fromkeys(ALL, BEGIN)


def calendar(day: str = "second Tuesday", at: str = "10:00", procedures: tuple[str, ...] = ALL, **more: object) -> Calendar:
    """A calendar in Berlin, where clocks are set on 2026-03-29, 2026-10-25, 2027-03-28 and 2027-10-31."""
    config = Drills.model_validate({"owner": "ann", "zone": "Europe/Berlin", "day": day, "at": at, **more})
    return Calendar(config, procedures)


def local(at: datetime) -> str:
    """A moment as a clock on a wall in Berlin shows it."""
    return f"{at.astimezone(BERLIN):%Y-%m-%d %H:%M}"


@dataclass
class Worker:
    """Whoever asks the calendar every hour, as a schedule does, and holds what is due unless something is in the way."""

    calendar: Calendar
    away: Callable[[datetime], bool] = lambda _: False
    hindered: Callable[[datetime], bool] = lambda _: False
    changed: dict[str, str] = field(default_factory=dict)
    past: list[PastDrill] = field(default_factory=list)
    held: list[tuple[datetime, Due]] = field(default_factory=list)
    missed: list[tuple[datetime, Missed]] = field(default_factory=list)

    def work(self, times: Iterable[datetime], since: datetime = BEGIN) -> Worker:
        """Ask at each of these times."""
        known = dict.fromkeys(self.calendar.procedures, since)
        for now in times:
            if not self.away(now):
                self._ask(now, known)
        return self

    def _ask(self, now: datetime, known: dict[str, datetime]) -> None:
        for missed in self.calendar.missed(now, self.past, known):
            self.missed.append((now, missed))
            self.past.append(PastDrill(missed.procedure, now, Ending.MISSED, missed.occasion))
        known.update({each: max(known[each], at) for each, at in self.calendar.settled(now).items()})
        due = self.calendar.due(now, self.past, known, self.changed)
        if due is None:
            return
        ending = Ending.SKIPPED if self.hindered(now) else Ending.DONE
        self.past.append(PastDrill(due.procedure, now + timedelta(seconds=1), ending, due.occasion))
        if ending is Ending.DONE:
            self.held.append((now, due))
            self.changed.pop(due.procedure, None)


def every_hour(begin: datetime = BEGIN, end: datetime = END) -> Iterable[datetime]:
    """The full hours in between."""
    now = begin
    while now < end:
        yield now
        now += HOUR


def test_two_years_of_a_worker_that_is_always_there() -> None:
    """Every procedure is held once a month, at its hour by the wall through four changes of clocks, and none is missed."""
    of = calendar()
    worker = Worker(of).work(every_hour())
    planned = sorted((at, each) for each in ALL for at in of.occasions(each, BEGIN, END))
    assert [(at, due.procedure) for at, due in worker.held] == planned
    assert len(planned) == 24 * len(ALL)
    assert {local(at)[-5:] for at, _ in planned} == {"10:00"}
    assert {at.hour for at, _ in planned} == {8, 9}
    assert worker.missed == []


@pytest.mark.parametrize("day", ["second Tuesday", "last Friday", "1", "15", "31", "fifth Wednesday", "first Sunday"])
def test_no_two_procedures_fall_on_the_same_day(day: str) -> None:
    """Staggered over working days, in every month of ten years, whatever the rule."""
    of = calendar(day)
    end = datetime(2036, 1, 1, tzinfo=UTC)
    days = [at.astimezone(BERLIN).date() for each in ALL for at in of.occasions(each, BEGIN, end)]
    assert len(set(days)) == len(days)
    assert abs(len(days) - 120 * len(ALL)) < len(ALL)  # the last ones of a year may be due in the next


def test_a_procedure_that_is_added_moves_no_other() -> None:
    """Stable over time: what comes at the end of the list has a day of its own."""
    fewer, more = calendar(procedures=ALL[:2]), calendar(procedures=ALL)
    for each in ALL[:2]:
        assert list(fewer.occasions(each, BEGIN, END)) == list(more.occasions(each, BEGIN, END))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("31", ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30"]),
        ("fifth friday", ["2026-01-30", "2026-02-27", "2026-03-27", "2026-04-24"]),
        ("last friday", ["2026-01-30", "2026-02-27", "2026-03-27", "2026-04-24"]),
        ("second tuesday", ["2026-01-13", "2026-02-10", "2026-03-10", "2026-04-14"]),
        ("first sunday", ["2026-01-04", "2026-02-01", "2026-03-01", "2026-04-05"]),
    ],
)
def test_a_month_that_lacks_the_day_has_its_last(rule: str, expected: list[str]) -> None:
    """No month goes without: the 31st of February is the 28th, a fifth Friday the fourth."""
    assert [day_of(rule, 2026, month).isoformat() for month in (1, 2, 3, 4)] == expected
    assert day_of("31", 2028, 2) == date(2028, 2, 29)


def test_an_hour_that_a_clock_skips_or_shows_twice() -> None:
    """02:30 on the day that clocks are set on is 03:30; on the day that they are set back it is the first; each once."""
    of = calendar("last Sunday", "02:30", procedures=("cdn-failover",))
    found = {local(at)[:10]: at for at in of.occasions("cdn-failover", BEGIN, END)}
    assert local(found["2026-03-29"]) == "2026-03-29 03:30"
    assert found["2026-10-25"] == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    worker = Worker(of).work(BEGIN + timedelta(minutes=15) * n for n in range(4 * 24 * 730))
    assert [at for at, _ in worker.held] == list(found.values())


def test_a_worker_that_was_away_for_three_days() -> None:
    """What it was away for is missed once, with every chance that passed; it is held at the next one, not on its return."""
    gone, back = datetime(2026, 3, 9, 18, tzinfo=UTC), datetime(2026, 3, 12, 22, tzinfo=UTC)  # from Monday to Thursday night
    of = calendar(procedures=ALL[:1])
    worker = Worker(of, away=lambda now: gone <= now < back).work(every_hour())
    ((told_at, missed),) = worker.missed
    assert (told_at, missed.procedure, local(missed.occasion)) == (back, "cdn-failover", "2026-03-10 10:00")
    assert [local(at) for at in missed.chances] == ["2026-03-10 10:00", "2026-03-11 10:00", "2026-03-12 10:00"]
    assert missed.again is None
    assert "2026-03" not in {local(at)[:7] for at, _ in worker.held}
    assert len(worker.held) == 23
    sooner = Worker(of, away=lambda now: gone <= now < back - timedelta(days=1)).work(every_hour())
    ((_, missed),) = sooner.missed
    assert missed.again is not None
    assert local(missed.again) == "2026-03-12 10:00"
    assert "2026-03-12 10:00" in {local(at) for at, _ in sooner.held}
    assert of.said(missed).endswith("as when a worker is down; it is tried again on Thu 2026-03-12 10:00 CET")


def test_a_worker_that_was_away_for_months() -> None:
    """Each month that went without is told, once each."""
    gone, back = datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 8, 1, tzinfo=UTC)
    worker = Worker(calendar(), away=lambda now: gone <= now < back).work(every_hour())
    told = [(missed.procedure, local(missed.occasion)[:7]) for _, missed in worker.missed]
    assert sorted(told) == sorted((each, f"2026-0{month}") for each in ALL for month in (4, 5, 6, 7))
    assert {at for at, _ in worker.missed} == {back}


def test_a_worker_that_comes_back_within_the_hour_of_grace() -> None:
    """Whoever is there within two hours of a chance is punctual; later, and nobody has agreed to it."""
    of = calendar(procedures=ALL[:1])
    occasion = next(of.occasions("cdn-failover", BEGIN, END))
    assert of.due(occasion - timedelta(microseconds=1), [], KNOWN) is None
    assert of.due(occasion, [], KNOWN) == Due("cdn-failover", "monthly", occasion, occasion)
    assert of.due(occasion + PUNCTUAL, [], KNOWN) is not None
    assert of.due(occasion + PUNCTUAL + timedelta(microseconds=1), [], KNOWN) is None


def test_an_incident_on_the_day_of_a_drill() -> None:
    """It is skipped once that day, not every hour, and held at the next chance; the other procedures keep their days."""
    day = date(2026, 6, 9)
    of = calendar()
    worker = Worker(of, hindered=lambda now: now.astimezone(BERLIN).date() == day).work(every_hour())
    skipped = [each for each in worker.past if each.ending is Ending.SKIPPED]
    assert [(each.procedure, local(each.at)[:10]) for each in skipped] == [("cdn-failover", "2026-06-09")]
    june = [(local(at), due.procedure) for at, due in worker.held if local(at).startswith("2026-06")]
    assert june == [
        ("2026-06-10 10:00", "dns-switch"),
        ("2026-06-11 10:00", "aws-redeploy"),
        ("2026-06-12 10:00", "git-mirror"),
        ("2026-06-15 10:00", "replication-check"),
        ("2026-06-16 10:00", "cdn-failover"),
    ]
    assert (len(worker.held), worker.missed) == (24 * len(ALL), [])


def test_an_incident_that_lasts() -> None:
    """Skipped at each chance, told each time, and then not before the next month."""
    begin, end = datetime(2026, 6, 8, tzinfo=UTC), datetime(2026, 6, 20, tzinfo=UTC)
    worker = Worker(calendar(procedures=ALL[:1]), hindered=lambda now: begin <= now < end).work(every_hour())
    skipped = [local(each.at)[:10] for each in worker.past if each.ending is Ending.SKIPPED]
    assert skipped == ["2026-06-09", "2026-06-10", "2026-06-11"]
    assert (len(worker.held), worker.missed) == (23, [])


def test_a_blackout() -> None:
    """The drill that falls into it is tried once, so that it is written down, and held on the first working day after it."""
    blackout = {"first": "2026-11-09", "last": "2026-11-22", "why": "the busiest weeks"}
    of = calendar(procedures=ALL[:1], blackouts=[blackout])
    worker = Worker(of, hindered=lambda now: of.blackout(now) is not None).work(every_hour())
    skipped = [local(each.at)[:10] for each in worker.past if each.ending is Ending.SKIPPED]
    assert skipped == ["2026-11-10"]
    assert "2026-11-23 10:00" in {local(at) for at, _ in worker.held}
    assert (len(worker.held), worker.missed) == (24, [])


def test_what_has_changed_is_drilled_on_the_next_working_day() -> None:
    """At the hour of drills, one a day, and after it the month goes on as planned."""
    of = calendar()
    friday = datetime(2026, 7, 3, 12, tzinfo=UTC)
    worker = Worker(of, changed={"git-mirror": "the runbook", "dns-switch": "hosts"})
    worker.work(every_hour(friday, datetime(2026, 8, 1, tzinfo=UTC)), since=friday)
    found = [(local(at), due.procedure, due.why) for at, due in worker.held]
    assert found[:3] == [
        ("2026-07-06 10:00", "dns-switch", "changed since it was proved: hosts"),
        ("2026-07-07 10:00", "git-mirror", "changed since it was proved: the runbook"),
        ("2026-07-14 10:00", "cdn-failover", "monthly"),
    ]
    assert [procedure for _, procedure, _ in found[2:]] == list(ALL)


def test_a_change_that_cannot_be_drilled_waits_for_its_month() -> None:
    """Nobody is told every day for weeks that the kill switch is on."""
    monday, end = datetime(2026, 7, 27, tzinfo=UTC), datetime(2026, 8, 10, tzinfo=UTC)
    worker = Worker(calendar(), hindered=lambda _: True, changed={"git-mirror": "the runbook"})
    worker.work(every_hour(monday, end), since=monday)
    assert [local(each.at)[:10] for each in worker.past] == ["2026-07-27", "2026-07-28", "2026-07-29"]


def test_a_drill_that_failed_is_not_repeated_by_itself() -> None:
    """It was held; people look at it, and the next month proves what they did."""
    of = calendar(procedures=ALL[:1])
    occasion = next(of.occasions("cdn-failover", BEGIN, END))
    failed = [PastDrill("cdn-failover", occasion, Ending.FAILED, occasion)]
    assert not [now for now in every_hour(occasion, occasion + timedelta(days=20)) if of.due(now, failed, KNOWN)]


@pytest.mark.parametrize("ending", [Ending.OPEN, Ending.INTERRUPTED, Ending.SKIPPED])
def test_a_drill_that_came_to_nothing_has_another_chance(ending: Ending) -> None:
    """Cut off, interrupted or skipped: not again this hour, and again on the next working day."""
    of = calendar(procedures=ALL[:1])
    occasion = next(of.occasions("cdn-failover", BEGIN, END))
    past = [PastDrill("cdn-failover", occasion + timedelta(minutes=1), ending, occasion)]
    assert of.due(occasion + HOUR, past, KNOWN) is None
    assert of.due(occasion + timedelta(days=1), past, KNOWN) == Due(
        "cdn-failover", "monthly", occasion, occasion + timedelta(days=1)
    )


def test_nothing_is_missed_before_anybody_knew_of_it() -> None:
    """A site that has a calendar since today has no past."""
    of, now = calendar(), datetime(2026, 9, 30, tzinfo=UTC)
    assert of.missed(now, [], dict.fromkeys(ALL, now)) == ()
    assert not [at for at in every_hour(now, now + timedelta(days=12)) if of.due(at, [], dict.fromkeys(ALL, now))]
    assert of.missed(now, [], {}) == ()
    assert len(of.missed(now, [], dict.fromkeys(ALL, BEGIN))) == 9 * len(ALL)
