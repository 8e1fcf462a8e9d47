"""Alarms from outside as they come in the night: the right recovery starts once, whoever else says the same."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from defib import entries
from defib.clock import Deadline, SystemClock
from defib.home import Home
from defib.journal import Record, read_journal
from defib.lab import process
from tests.conftest import Defib, LabMaker
from tests.listener import Listener, listening
from tests.ports import free_port

NET = "127.164"
CLOCK = SystemClock()
FLOOD = 200


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module."""
    return make_lab(NET)


@pytest.fixture(autouse=True)
def healed(lab: Defib) -> Iterator[None]:
    """Whatever a test broke, and whatever started by itself, is not there for the next."""
    (lab.home / "sites" / "lab" / "automatic.json").unlink(missing_ok=True)
    yield
    process.heal(lab.home)


def runs(lab: Defib) -> list[str]:
    """The ids of all runs, oldest first."""
    return [folder.name for folder in Home(lab.home).runs()]


def the_new_run(lab: Defib, before: list[str]) -> str:
    """The one that was not there before, once it is: whoever was told that it is started can be quicker than its folder."""
    limit = Deadline.after(CLOCK, timedelta(seconds=120))
    while not (new := set(runs(lab)) - set(before)):
        assert not limit.expired(), "none began"
        CLOCK.sleep(timedelta(milliseconds=50))
    (run,) = new
    return run


def journal(lab: Defib, run: str) -> list[Record]:
    """What a run wrote."""
    return list(read_journal(Home(lab.home).run(run) / "journal.jsonl")[0])


def ended(lab: Defib, run: str) -> str:
    """How a run ended, once it has."""
    limit = Deadline.after(CLOCK, timedelta(seconds=300))
    while not limit.expired():
        closed = [each.entry for each in journal(lab, run) if isinstance(each.entry, entries.Closed)]
        if closed:
            return closed[-1].status.value
        CLOCK.sleep(timedelta(milliseconds=100))
    raise AssertionError("it never ended")


def test_an_alarm_about_a_site_that_is_served(lab: Defib) -> None:
    """An alarm is no proof: the recovery looks, sees users served, and refuses; no other procedure looks again."""
    before = runs(lab)
    alarm = (
        "event",
        "--site",
        "lab",
        "--from",
        "uptimerobot",
        "--id",
        "1@1",
        "--says=-5 % of users",
        "--json",
        "--no-prefect",
    )
    first = lab(*alarm)
    assert (first.code, first.json["outcome"], first.json["status"]) == (4, "ended", "refused")
    (new,) = set(runs(lab)) - set(before)
    assert "-cdn-failover-" in new
    assert first.json["run_id"] == new
    again = lab(*alarm)
    assert (again.code, again.json["outcome"]) == (0, "answered"), "it came to nothing a moment ago"
    assert len(runs(lab)) == len(before) + 1


def test_the_kill_switch_holds_it_back(lab: Defib) -> None:
    """C16: nothing starts; and the same alarm, when it comes again after the switch was cleared, is not taken for known."""
    before = runs(lab)
    alarm = ("event", "--site", "lab", "--from", "pagerduty", "--id", "7", "--json", "--no-prefect")
    assert lab("kill-switch", "on", "maintenance", "--site", "lab").code == 0
    held = lab(*alarm)
    assert (held.code, held.json["outcome"]) == (4, "held-back")
    assert "kill switch is on" in held.json["why"]
    assert runs(lab) == before
    assert lab("kill-switch", "off", "done", "--site", "lab").code == 0
    assert lab(*alarm).json["outcome"] == "ended"


def test_prefect_is_what_failed(lab: Defib) -> None:
    """E11: the event would go through Prefect, which is not there: it is answered here, at once."""
    before = runs(lab)
    dead = replace(lab, extra={"PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api"})
    with listening(dead, "--through-prefect", "--no-prefect") as listener:
        assert listener.robot(11, CLOCK.now()) == "taken"
        assert "Prefect does not take the event, so it is answered here" in listener.until("warning")["note"]
        assert ended(lab, the_new_run(lab, before)) == "refused"


def test_up_starts_nothing(lab: Defib) -> None:
    """Good news is remembered, once."""
    before = runs(lab)
    alarm = ("event", "--site", "lab", "--from", "uptimerobot", "--id", "2@1", "--up", "--json")
    assert [lab(*alarm).json["outcome"] for _ in range(2)] == ["noted", "known"]
    assert runs(lab) == before


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--site", "nowhere", "--from", "x", "--id", "1"), 12),
        (("--site", "lab", "--from", "a b", "--id", "1"), 2),
        (("--site", "lab", "--from", "x", "--id", " "), 2),
        (("--site", "lab", "--from", "x", "--id", "1", "--since", "yesterday"), 2),
        (("--site", "lab", "--from", "x", "--id", "1", "--since", "2999-01-01T00:00:00Z"), 2),
    ],
)
def test_bad_input(lab: Defib, options: tuple[str, ...], code: int) -> None:
    """One clear message, an exit code, and nothing is remembered."""
    done = lab("event", *options)
    assert (done.code, done.err.startswith("error:")) == (code, True)
    assert not (lab.home / "sites" / "nowhere").exists()


def test_many_alarms_about_one_outage(lab: Defib) -> None:
    """E15: a flood from two vendors at once, from webhooks and from two commands beside them: one run, which recovers.

    Its clock began when the first of them said so, and what comes later about the same outage starts nothing more.
    """
    before = runs(lab)
    process.break_(lab.home, "cloudfront", "refuse")
    since = CLOCK.now() - timedelta(seconds=30)
    with listening(lab, "--no-prefect") as listener, ThreadPoolExecutor(8) as pool:
        posted = CLOCK.now()
        outcomes = list(pool.map(lambda number: _one_of_many(listener, number, since.replace(microsecond=0)), range(FLOOD)))
        assert "taken" in outcomes
        assert set(outcomes) <= {"taken", "known", "remembered"}
        by_hand = [
            lab.start("event", "--site", "lab", "--from", "me", "--id", str(each), "--no-prefect") for each in range(2)
        ]
        assert {each.wait(240) for each in by_hand} == {0}
        new = the_new_run(lab, before)
        assert ended(lab, new) == "recovered"
        records = journal(lab, new)
        assert records[0].at - posted < timedelta(seconds=60)
        opened = records[0].entry
        assert isinstance(opened, entries.Opened)
        assert (opened.automatic, opened.since) == (True, since.replace(microsecond=0))
        assert opened.trigger.startswith(("alarm: uptimerobot says down", "alarm: pingdom says down"))
        (lab.home / "sites" / "lab" / "automatic.json").unlink()
        late = lab("event", "--site", "lab", "--from", "late", "--id", "1", "--since", since.isoformat(), "--json")
        assert (late.code, late.json["outcome"]) == (0, "answered")
        assert new in late.json["why"]
        assert runs(lab) == [*before, new]
    for file in (lab.home / "sites" / "lab").glob("*.log"):
        assert listener.secret not in file.read_text(encoding="utf-8")
    process.heal(lab.home)
    assert lab("failback", new, "--mode", "rehearsal", "--no-prefect").code == 0


def _one_of_many(listener: Listener, number: int, since: datetime) -> str:
    """A third of them are the same alarm, the others are each their own."""
    post = listener.robot if number % 2 else listener.pingdom
    return post(number % 3 and number, since)


def test_the_listener_looks_after_runs(lab: Defib) -> None:
    """A run of this machine that is killed is found dead, and the people of its site are told over their channels."""
    process.break_(lab.home, "cloudfront", "refuse")
    process.break_(lab.home, "cloudflare", "hang")
    known = len(lab("lab", "inbox", "--json").json["messages"])
    before = set(runs(lab))
    started = lab.start("run", "cdn-failover", "--site", "lab", "--mode", "rehearsal", "--no-prefect")
    limit = Deadline.after(CLOCK, timedelta(seconds=120))
    while not (new := set(runs(lab)) - before) or len(journal(lab, *new)) < 3:
        assert not limit.expired()
        CLOCK.sleep(timedelta(milliseconds=50))
    started.kill()
    started.communicate()
    with listening(lab) as listener:
        listener.until("[drill] lab: cdn-failover died: Its process is gone")
        listener.until("mail: sent")
    told = lab("lab", "inbox", "--json").json["messages"][known:]
    assert any("cdn-failover died" in each["title"] + each["text"] for each in told)
    assert lab("sentinel").code == 1
    assert lab("rollback", *new).code in {0, 3}
    assert lab("sentinel").code == 0
