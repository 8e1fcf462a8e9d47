"""``defib`` as somebody half awake uses it: what is wrong, what would change, a question, a board, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from defib import entries
from defib.cli.guard import CRASHED, STOPPED, guarded
from defib.clock import Deadline, SystemClock
from defib.history import JOURNAL
from defib.journal import read_journal
from defib.lab import process
from defib.observe.outage import KnownOutage, known_outage, note_outage
from defib.ports import Health, Observation
from defib.redact import Redactor
from tests.cli.terminal import terminal
from tests.conftest import Defib, LabMaker

NET = "127.160"
USERS = "users of www.pulse-trading.test"
WIDEST = 100


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module."""
    return make_lab(NET)


def wait_until_users_are_down(lab: Defib) -> None:
    """Resolvers may still send users where the run of another test had sent them."""
    limit = Deadline.after(SystemClock(), timedelta(seconds=120))
    while lab("plan", "cdn-failover", "--site", "lab", "--json").json["seen"][0]["state"] != "down":
        assert not limit.expired()


@pytest.fixture
def down(lab: Defib) -> Iterator[Defib]:
    """The lab with its primary CDN down; afterwards everything is put back, the newest run first."""
    before = {run["run_id"] for run in lab("runs", "--json").json["runs"]}
    process.break_(lab.home, "cloudfront", "refuse")
    wait_until_users_are_down(lab)
    yield lab
    process.heal(lab.home)
    note_outage(lab.home, "lab", None)
    for run in reversed(lab("runs", "--json").json["runs"]):
        if run["run_id"] not in before and run["status"] not in {"refused", "rolled-back"}:
            assert lab("rollback", run["run_id"]).code == 3


@pytest.fixture
def recovered(down: Defib) -> tuple[Defib, str]:
    """The lab with users sent to the secondary, and the run that did it."""
    told = down("run", "cdn-failover", "--site", "lab", "--mode", "rehearsal", "--no-prefect", "--json").json
    assert told["status"] == "recovered"
    return down, told["run_id"]


def noted_outage(lab: Defib) -> KnownOutage:
    """What a running ``defib watch`` would have left of an outage that began 41 s ago."""
    now = SystemClock().now()
    began = now - timedelta(seconds=41)
    looks = (Observation("north", began, timedelta(milliseconds=1), Health.BAD, "connection refused"),)
    known = KnownOutage(began, now - timedelta(seconds=38), now, looks)
    note_outage(lab.home, "lab", known)
    return known


def notes(lab: Defib, run_id: str) -> list[entries.Noted]:
    """What a run's journal notes."""
    records, _ = read_journal(lab.home / "runs" / run_id / JOURNAL)
    return [record.entry for record in records if isinstance(record.entry, entries.Noted)]


def test_a_plan_says_what_is_wrong(down: Defib) -> None:
    """Each place that was looked at has its line, then since when, then what would change, then the command that does it."""
    told = down("plan", "cdn-failover", "--site", "lab").out
    assert f"DOWN  {USERS}: connection refused (north, east, south)\n" in told
    assert "well  origin, past every cache: build " in told
    assert "well  cloudflare: build " in told
    assert ", certificate, headers and speed as in the site file\n" in told
    assert "since unknown: give --since" in told
    assert "from www.pulse-trading.test. CNAME" in told
    assert "To do it: defib run cdn-failover --site lab --approve " in told
    known = noted_outage(down)
    assert f"since {known.first_bad:%H:%M:%S} UTC (defib watch)" in down("plan", "cdn-failover", "--site", "lab").out


def test_a_plan_says_so_in_json(down: Defib) -> None:
    """The same for programs; an unreadable build is null."""
    seen = {place["aim"]: place for place in down("plan", "cdn-failover", "--site", "lab", "--json").json["seen"]}
    assert list(seen) == ["users", "origin", "cloudflare"]
    assert (seen["users"]["state"], seen["users"]["reasons"]) == ("down", ["connection refused"])
    assert seen["users"]["observers"] == {"north": "bad", "east": "bad", "south": "bad"}
    assert (seen["users"]["build"], seen["origin"]["state"]) == (None, "well")
    assert seen["origin"]["build"] == seen["cloudflare"]["build"]


def test_a_refused_plan_says_what_it_saw(down: Defib) -> None:
    """Where no standby can take the users, what was seen comes before the refusal."""
    process.break_(down.home, "cloudflare", "5xx")
    told = down("plan", "cdn-failover", "--site", "lab")
    assert told.code == 4
    assert f"DOWN  {USERS}" in told.out
    assert "DOWN  cloudflare: HTTP 5" in told.out
    assert "no standby can take the users" in told.err
    in_json = down("plan", "cdn-failover", "--site", "lab", "--json").json
    assert (in_json["exit_code"], in_json["seen"][-1]["state"]) == (4, "down")


def test_nothing_to_do(recovered: tuple[Defib, str]) -> None:
    """A plan without a change names no command that would make one."""
    lab, _ = recovered
    told = lab("plan", "cdn-failover", "--site", "lab").out
    assert told.endswith("Nothing to do.\n")
    assert f"well  {USERS}: build " in told
    assert "To do it" not in told


def test_the_incident_on_a_terminal(down: Defib) -> None:
    """The board stands from the start, makes way for the question, and comes back; the end says what it means for users."""
    known = noted_outage(down)
    with terminal(down, "run", "cdn-failover", "--site", "lab", "--no-prefect") as screen:
        digits = screen.until(" to do this, or Enter to stop:").rpartition("Type ")[2][:4]
        assert "prove-the-standby" in screen.text.partition("Type ")[0]
        assert f"DOWN  {USERS}: connection refused (north, east, south)\n" in screen.text
        assert f"since {known.first_bad:%H:%M:%S} UTC (defib watch)" in screen.text
        screen.until("or Enter to stop:", screen.type("yes"))
        shown = screen.until("or Enter to stop:", screen.type("y"))
        answered = screen.type(digits)
        screen.until("s held", answered)
        code = screen.end()
        after = screen.text[answered:]
    assert code == 0
    assert shown.count(f"Type {digits} to do this, or Enter to stop:") == 3
    assert "'yes' is not it." in shown
    assert "steer-traffic" in after
    assert " s of 4 h" in after
    assert "users served, " in after
    end = after.rpartition("RECOVERED\n")[2]
    assert "  RTO:      met  users were out " in end
    assert "When the primary is well again: defib failback " in end
    assert known_outage(down.home, "lab", SystemClock().now()) is None


def test_enter_stops(down: Defib) -> None:
    """Nothing typed is a no: refused, nothing changed, and no standing change to resume."""
    with terminal(down, "run", "cdn-failover", "--site", "lab", "--no-prefect", columns=80, lines=24) as screen:
        screen.until("or Enter to stop:")
        answered = screen.type("")
        assert screen.end() == 4
        end = screen.text[answered:].rpartition("REFUSED\n")[2]
    assert "  why:      the plan was not approved\n" in end
    assert "  expected: the digest's first digits, " in end
    assert "  seen:     nothing\n" in end
    assert "  changed:  nothing\n" in end
    assert "  next:     defib run cdn-failover --site lab\n" in end


def test_ctrl_c_at_the_question(down: Defib) -> None:
    """Ctrl-C is heard at once, also while a question waits for its answer, and the end says how to go on."""
    with terminal(down, "run", "cdn-failover", "--site", "lab", "--no-prefect") as screen:
        screen.until("or Enter to stop:")
        asked = len(screen.text)
        clock = SystemClock()
        limit = Deadline.after(clock, timedelta(seconds=15))
        screen.interrupt()
        screen.until("stopping; ", asked)
        assert not limit.expired()
        assert screen.end() == 5
        end = screen.text[asked:].rpartition("INTERRUPTED\n")[2]
    assert "  changed:  nothing\n" in end
    assert "Next: defib resume " in end


@pytest.mark.parametrize("command", ["run", "failback"])
def test_nobody_there_to_approve_is_told_at_once(recovered: tuple[Defib, str], command: str) -> None:
    """Without a terminal and without an approval an incident ends before any proof, with the commands that go on."""
    lab, run_id = recovered
    before = len(lab("runs", "--json").json["runs"])
    what = ("run", "cdn-failover", "--site", "lab") if command == "run" else ("failback", run_id)
    plan = "defib plan cdn-failover --site lab" if command == "run" else f"defib failback {run_id} --plan"
    told = lab(*what, "--json")
    assert (told.code, told.json["error"]) == (4, "the plan needs an approval, and nobody is at the terminal")
    assert told.json["next"].startswith(f"{plan}, then defib {' '.join(what)} --approve")
    assert len(lab("runs", "--json").json["runs"]) == before


def test_a_rollback_that_harms_says_so_and_goes_on(recovered: tuple[Defib, str]) -> None:
    """Without a terminal a rollback always can; the warning comes first, and stands in the journal."""
    lab, run_id = recovered
    told = lab("rollback", run_id)
    assert told.code == 3
    worse = "rolling back takes the site from users: cloudflare serves the site and cloudfront does not"
    assert " ".join(told.err.partition("! ")[2].split()).startswith(worse)
    assert worse in [note.text for note in notes(lab, run_id) if note.warning]
    assert told.out.startswith("\nROLLED BACK\n")


def test_a_rollback_that_harms_asks_on_a_terminal(recovered: tuple[Defib, str]) -> None:
    """A no leaves everything as it was, the run recovered; a yes puts back."""
    lab, run_id = recovered
    with terminal(lab, "rollback", run_id) as screen:
        screen.until("Type yes, or Enter to stop:")
        screen.type("")
        assert screen.end() == 4
    assert [run["status"] for run in lab("runs", "--json").json["runs"] if run["run_id"] == run_id] == ["recovered"]
    assert lab("verify", run_id, "--json").json["intact"] is True
    with terminal(lab, "rollback", run_id) as screen:
        screen.until("Type yes, or Enter to stop:")
        screen.type("yes")
        assert screen.end() == 3


def test_a_report_that_cannot_be_written_is_a_warning(recovered: tuple[Defib, str]) -> None:
    """The command ends as the run did; the lease is back."""
    lab, run_id = recovered
    report = lab.home / "runs" / run_id / "report.html"
    report.unlink()
    report.mkdir()
    told = lab("rollback", run_id)
    assert told.code == 3
    assert "warning:  the report could not be written: " in told.err
    assert f"Report: not written; defib report {run_id} makes it" in told.out
    report.rmdir()


def test_prefect_is_imported_while_other_things_are_done(down: Defib) -> None:
    """Where an API of Prefect is configured, its import begins at once, although nobody answers there in the end."""
    extra = {"PREFECT_API_URL": f"http://{NET}.9.9:4200/api", "PYTHONPROFILEIMPORTTIME": "1"}
    told = replace(down, extra=extra)("run", "cdn-failover", "--site", "lab", "--mode", "rehearsal", "--json")
    assert told.json["prefect"]["used"] is False
    assert "| prefect" in told.err or "|   prefect" in told.err
    without = replace(down, extra=extra)("plan", "cdn-failover", "--site", "lab", "--json")
    assert " prefect" not in without.err


def test_a_drill_in_lines(lab: Defib) -> None:
    """A drill's lines fit, say of Prefect once that it is not used, and end with what was proved and how the lab is left."""
    told = lab("drill", "cdn-failover", "--site", "lab", "--no-prefect")
    assert told.code == 0
    assert told.err.count("Prefect is not used") == 1
    assert [line for line in told.err.splitlines() if len(line) > WIDEST] == []
    lines = [line.strip() for line in told.err.splitlines()]
    at = lines.index("at route53/Z0PULSETRADING")
    assert lines[at + 1].startswith("from www.pulse-trading.test. CNAME")
    assert "RECOVERED, and put back as it was\n  RTO:      met  users were out " in told.out
    assert ", eyewitness " in told.out
    assert "  after:    no trace left; the lab is still up\n" in told.out
    drill_id = next(run["run_id"] for run in lab("runs", "--json").json["runs"] if "drill" in run["run_id"])
    for command in ("resume", "rollback", "failback"):
        refused = lab(command, drill_id, "--json")
        assert (refused.code, refused.json["error"]) == (2, "that is a drill, not a run")
        assert "(forward)" in refused.json["expected"]
        assert "(failback)" in refused.json["expected"]


def test_a_broken_run_does_not_widen_the_table(defib: Defib) -> None:
    """The reason stands below the table."""
    folder = defib.home / "runs" / "20260101-000000000-cdn-failover-lab-0000"
    folder.mkdir(parents=True)
    (folder / JOURNAL).write_text("{}\n", encoding="utf-8")
    told = defib("runs")
    table, _, below = told.out.partition("\n\n")
    assert max(map(len, table.splitlines())) < 80
    assert below.startswith(f"{folder.name}: BROKEN: not a journal entry")


def test_runs_of_an_unknown_site(defib: Defib) -> None:
    """A slip of the pen is no empty list."""
    assert defib("runs", "--site", "nope", "--json").json["exit_code"] == 12
    assert defib("runs", "--site", "lab").code == 0


def test_a_start_of_the_outage_long_ago(defib: Defib) -> None:
    """A year mistyped would be the evidence of the RTO."""
    told = defib("run", "cdn-failover", "--site", "lab", "--since", "2020-01-01T00:00:00Z", "--json")
    assert (told.code, told.json["error"]) == (2, "--since is more than 30 days ago")


def test_help_is_no_error_and_not_cut(defib: Defib) -> None:
    """Who types the bare name is helped; every summary is whole."""
    for arguments in ((), ("lab",), ("--help",)):
        told = defib(*arguments)
        assert "Usage: defib" in told.err + told.out
        assert "error:" not in told.err
        assert "..." not in (told.err + told.out).partition("Commands:")[2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home for commands of this process."""
    monkeypatch.setenv("DEFIB_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("raised", "code", "words"),
    [(KeyboardInterrupt(), STOPPED, "stopped at the keyboard"), (ZeroDivisionError("x"), CRASHED, "a defect in Defib")],
)
def test_an_end_without_a_run_is_an_object_too(
    raised: BaseException, code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit codes 130 and 70 come with one object on stdout, as every other error does."""

    def command() -> None:
        raise raised

    assert guarded(command, Redactor(), as_json=True) == code
    told = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == code
    assert words in told["error"]
