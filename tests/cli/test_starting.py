"""The recovery that ``defib watch`` starts: whatever goes wrong with a start is said, and the next decision tries again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from defib.cli.starting import Starter, What
from defib.cli.watching import Teller, Vigil, sentence
from defib.clock import Deadline, SystemClock
from defib.home import Home
from defib.observe.admission import RETRY, admit, last_automatic_start
from defib.observe.detect import Complaint, Decision, Detector, State
from defib.observe.outage import KnownOutage, OutageMemory
from defib.ports import Health, Observation
from defib.redact import Redactor
from defib.sites.vendors import Server
from tests.observe.loopback import site_with
from tests.ports import free_port

NOISE = "x" * 1000


class World:
    """A starter in a home of its own, and what it said."""

    def __init__(
        self, folder: Path, site_file: str = "nowhere.yaml", procedures: tuple[str, ...] = ("cdn-failover",)
    ) -> None:
        self.home = Home(folder)
        self.folder = self.home.site("pulse")
        self.said: list[str] = []
        self.clock = SystemClock()
        self.acted = self.clock.now()
        self.site = site_with("https://a.test/", [Server(name="a", address="127.0.0.1", port=free_port())])
        self.detector = Detector(["from-a"], self.site.detection)
        self.memory = OutageMemory(folder, "pulse", 60, self.clock.now())
        what = What(self.home, self.site, folder / site_file, procedures, prefect=False)
        self.starter = Starter(what, self.detector, self.clock, Redactor(), self.said.append)

    def look(self, when: datetime, *, good: bool = False) -> Decision:
        """One look, and the decision after it."""
        health, reason = (Health.GOOD, "") if good else (Health.BAD, NOISE)
        observation = Observation("from-a", when, timedelta(0), health, reason)
        self.memory.saw(observation)
        return self.detector.feed([observation], {"from-a": True})

    def down(self) -> Decision:
        """Look until it is time to act."""
        now = self.clock.now()
        for second in range(-5, 0):
            decision = self.look(now + timedelta(seconds=second))
            if decision.act:
                self.memory.follow(decision, now)
                self.acted = now
                return decision
        raise AssertionError("it was never time to act")

    def next_act(self) -> timedelta:
        """How long after it was time to act it is so again, if it stays down."""
        now = self.clock.now()
        for second in range(1200):
            if self.look(now + timedelta(seconds=second)).act:
                return now + timedelta(seconds=second) - self.acted
        raise AssertionError("it was never again time to act")

    def ended(self) -> str:
        """What is said when the process that was started has ended."""
        limit = Deadline.after(self.clock, timedelta(seconds=300))
        while not limit.expired():
            self.starter.check()
            if any("ended with" in line for line in self.said):
                return self.said[-1]
            self.clock.sleep(timedelta(milliseconds=50))
        raise AssertionError("it never ended")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A starter whose run cannot begin, because there is no such site file."""
    return World(tmp_path)


def soon(seconds: Sequence[timedelta]) -> bool:
    """Whether the next try comes after a minute rather than after a cool-down of ten."""
    return all(RETRY <= wait <= RETRY + timedelta(seconds=30) for wait in seconds)


def test_a_start_that_fails_is_withdrawn(tmp_path: Path) -> None:
    """A process that cannot be started leaves no cool-down behind: it is said, and tried again after a minute."""
    world = World(tmp_path, "a\0b.yaml")
    world.starter.start(world.down(), world.memory.outage)
    assert ["would start cdn-failover now, but embedded null byte"] == world.said
    recorded = last_automatic_start(tmp_path, "pulse")
    assert recorded is not None
    assert recorded.withdrawn
    assert soon([world.next_act()])
    later = recorded.at + RETRY
    assert admit(tmp_path, "pulse", "cdn-failover", later, timedelta(minutes=10)).admitted


def test_a_run_that_never_began_is_withdrawn(world: World) -> None:
    """A run that was refused, or could not begin, does not use up the cool-down; its words are in the log."""
    world.starter.start(world.down(), world.memory.outage)
    assert f"cdn-failover ended with exit code 12 before a run began; its words are in {world.folder}/automatic.log" == (
        world.ended()
    )
    assert "there is no site" in (world.folder / "automatic.log").read_text()
    recorded = last_automatic_start(world.home.path, "pulse")
    assert recorded is not None
    assert recorded.withdrawn
    assert soon([world.next_act()])


def test_a_log_that_cannot_be_written_stops_no_recovery(world: World) -> None:
    """The recovery starts without its log."""
    (world.folder / "automatic.log").mkdir(parents=True)
    world.starter.start(world.down(), world.memory.outage)
    assert world.said[0].startswith("warning: its words are lost")
    assert "started cdn-failover as process" in world.said[1]
    world.ended()


def test_an_admission_that_cannot_be_recorded(world: World) -> None:
    """With a home that cannot be written nothing starts, the watching goes on, and it is tried again after a minute."""
    world.folder.parent.mkdir()
    world.folder.write_text("a file where a folder should be")
    world.starter.start(world.down(), world.memory.outage)
    assert len(world.said) == 1
    assert "cannot record the automatic start" in world.said[0]
    assert soon([world.next_act()])


def test_what_holds_it_back_is_said_once(world: World) -> None:
    """In a long outage the same obstacle is not told again at each try."""
    assert admit(world.home.path, "pulse", "cdn-failover", world.clock.now(), timedelta(minutes=10)).admitted
    decision = world.down()
    for _ in range(3):
        world.starter.start(decision, world.memory.outage)
    assert len(world.said) == 1
    assert "cooling until" in world.said[0]


def test_what_goes_wrong_with_the_books_is_said(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A withdrawal or a note that cannot be written is a warning; the looks go on."""
    teller = Teller(world.clock, Redactor(), as_json=False)
    vigil = Vigil(world.memory, world.starter, world.clock, teller, automatic=True)
    decision = world.down()
    vigil.decided(decision)
    limit = Deadline.after(world.clock, timedelta(seconds=300))
    for file in world.folder.iterdir():
        file.unlink()
    world.folder.rmdir()
    world.folder.write_text("a file where a folder should be")
    while "ended with" not in "".join(world.said) and not limit.expired():
        vigil.looked(decision)
        world.clock.sleep(timedelta(milliseconds=50))
    vigil.looked(Decision(State.HEALTHY, world.clock.now(), verdict=Health.GOOD))
    printed = capsys.readouterr().out
    assert "warning: cannot withdraw the automatic start" in printed
    assert "warning: the note of the outage cannot be written" in printed
    assert "users are served again; they were out since" in printed


def command_of(world: World) -> list[str]:
    """The command line of the process that was started, as the kernel has it; it is empty for a moment at first."""
    path = Path("/proc") / world.said[-1].split("process ")[1].split(";")[0] / "cmdline"
    limit = Deadline.after(world.clock, timedelta(seconds=20))
    while not (found := path.read_text()) and not limit.expired():
        world.clock.sleep(timedelta(milliseconds=1))
    return found.split("\0")


def test_what_the_run_is_told(world: World) -> None:
    """The run gets the reasons, capped, and the start of the outage, whether or not the note can be read."""
    outage = KnownOutage(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 1, tzinfo=UTC), world.clock.now())
    world.starter.start(world.down(), outage)
    command = command_of(world)
    told = dict(pairwise(command))
    assert "2026-01-01T00:00:00+00:00" == told["--since"]
    assert "2026-01-01T00:01:00+00:00" == told["--down-at"]
    assert len(told["--trigger"]) <= 300
    assert told["--trigger"].startswith("detection: from-a: xxx")
    assert "--json" not in command
    world.ended()


AT = datetime(2026, 1, 1, 17, 25, tzinfo=UTC)
OUT = AT - timedelta(minutes=2)
UNTIL = AT + timedelta(minutes=8)
NORTH = (Complaint("north", OUT, "HTTP 503", counted=True),)


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (Decision(State.DOWN, AT, NORTH, verdict=Health.BAD), "down since 17:23:00: north: HTTP 503"),
        (
            Decision(State.COOLING, AT, NORTH, verdict=Health.BAD, until=UNTIL),
            "cooling until 17:33:00; users are out since 17:23:00: north: HTTP 503",
        ),
        (Decision(State.COOLING, AT, verdict=Health.GOOD, until=UNTIL), "cooling until 17:33:00; users are served"),
        (
            Decision(State.COOLING, AT, mute=("north",), until=UNTIL),
            "cooling until 17:33:00; nobody can tell whether users are served: north: cannot tell",
        ),
    ],
)
def test_what_people_read(decision: Decision, said: str) -> None:
    """A cool-down says until when, and whether users are out meanwhile."""
    assert said == sentence(decision, OUT if decision.verdict is Health.BAD else None)
