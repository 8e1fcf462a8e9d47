"""The automations of the repository against a real Prefect server: applied, the same the second time, and at work."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from defib import entries
from defib.clock import Deadline, SystemClock
from defib.history import status_of
from defib.home import Home
from defib.journal import read_journal
from defib.lab import process
from tests.conftest import ROOT, Defib, LabMaker
from tests.flows.prefect_server import PrefectServer, serving
from tests.listener import listening

NET = "127.164"
CLOCK = SystemClock()
SLIP = """
name: x
trigger: {type: event, posture: Reactive, expects: [defib.alarm.down], threshold: 1, within: 0}
actions: [{type: do-nothing}]
"""
SECRET = "the-secret-of-the-webhooks-of-this-test"
OURS = len(list((ROOT / "automations").glob("*.yaml")))


@dataclass(frozen=True)
class Board:
    """A lab, and a Prefect server that knows nothing of it."""

    lab: Defib
    server: PrefectServer
    home: Path

    @property
    def defib(self) -> Defib:
        """The command with the server at hand."""
        return replace(self.lab, extra={"PREFECT_API_URL": self.server.api})

    def apply(self, *options: str) -> subprocess.CompletedProcess[str]:
        """``python -m flows.automations apply``."""
        command = [sys.executable, "-m", "flows.automations", "apply", *options]
        environment = self.defib.environment()
        return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        """Some code as whoever applies automations would run it."""
        command = [sys.executable, "-c", f"from pathlib import Path; from flows import automations\n{code}"]
        environment = self.defib.environment()
        return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)

    def applied(self, *options: str) -> dict[str, str]:
        """What was done about each automation, by its name without the beginning that all share."""
        done = self.apply(*options)
        lines = (line.removeprefix("defib: ").split(": ") for line in done.stdout.splitlines())
        return {name: deed for name, deed, *_ in lines}

    def automations(self) -> dict[str, dict[str, Any]]:
        """What the server holds, by name."""
        found = self.server.find("automations")
        assert len(found) == len({each["name"] for each in found}), "one of them is there twice"
        return {each["name"]: each for each in found}

    def events(self) -> set[str]:
        """The names of Defib's own events that the server has seen."""
        found: Any = self.server.find("events", filter={"event": {"prefix": ["defib."]}})
        return {str(each["event"]) for each in found["events"]}

    def send(self, method: str, path: str, body: object = None) -> None:
        """One request to the server's API."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.server.api}/{path}", data, {"Content-Type": "application/json"}, method=method
        )
        urllib.request.urlopen(request, timeout=60).close()

    @contextmanager
    def serving_answers(self) -> Iterator[None]:
        """``python -m flows.answering``."""
        environment = self.defib.environment()
        with (self.home / "answering.log").open("wb") as log:
            command = [sys.executable, "-m", "flows.answering"]
            server = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
        try:
            _until(lambda: len(self.server.find("deployments")) == 1)
            yield
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


@pytest.fixture(scope="module")
def board(make_lab: LabMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    """Both for this module."""
    home = tmp_path_factory.mktemp("prefect")
    with serving(home) as server:
        lab = make_lab(NET)
        (lab.home / "webhook-secret").write_text(SECRET + "\n")
        yield Board(lab, server, home)


def test_applied_twice_is_applied_once(board: Board) -> None:
    """Without the deployment that one of them runs, that one is left out, and the command says so; dry runs do nothing."""
    assert set(board.applied("--dry-run").values()) == {"would be made", "would be left out"}
    assert board.automations() == {}
    first = board.apply()
    assert (first.returncode, "there is no deployment answer-alarm/answer-alarm" in first.stdout) == (1, True)
    assert sorted(board.applied().values()) == ["left out"] * 2 + ["the same"] * (OURS - 2)
    assert len(board.automations()) == OURS - 2
    shown = json.dumps([*board.automations().values(), *board.server.find("block_documents")])
    assert SECRET not in shown


def test_what_was_changed_and_what_is_gone(board: Board, tmp_path: Path) -> None:
    """A changed automation becomes that of its file, another's is left alone, and one whose file is gone is removed."""
    board.apply()
    found = board.automations()
    crashed = found["defib: a run crashed"]
    changed = {name: value for name, value in crashed.items() if name not in {"id", "created", "updated", "account"}}
    board.send("PUT", f"automations/{crashed['id']}", {**changed, "enabled": False})
    foreign = {**changed, "name": "somebody else's", "tags": []}
    board.send("POST", "automations/", foreign)
    assert board.applied()["a run crashed"] == "changed"
    assert board.automations()["defib: a run crashed"]["enabled"] is True
    copy = tmp_path / "automations"
    shutil.copytree(ROOT / "automations", copy)
    (copy / "run-crashed.yaml").unlink()
    board.python(f"automations.apply(Path({str(copy)!r}), {{}}, dry=False)")
    assert set(board.automations()) == {"somebody else's"}, "nobody said where defib listen is, so nothing can call it"
    (left,) = board.automations().values()
    board.send("DELETE", f"automations/{left['id']}")


def test_files_that_are_none(board: Board, tmp_path: Path) -> None:
    """One message that names the file, and nothing is applied; a slip in a word would be an automation for every event."""
    texts = ["[]", "name: x", "name: x\nactions: [1]", "name: [", SLIP]
    for number, text in enumerate(texts):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "wrong.yaml").write_text(text)
    before = board.automations()
    done = board.python(
        f"folders = [Path({str(tmp_path)!r}, str(each)) for each in range({len(texts)})]\n"
        "for automations.FOLDER in folders: print(automations.main(['apply']))"
    )
    assert done.stdout.split() == ["2"] * len(texts), done.stderr
    assert done.stderr.count("wrong.yaml") == len(texts)
    assert "expects" in done.stderr
    assert board.automations() == before


def test_an_alarm_becomes_a_run_through_prefect(board: Board) -> None:
    """From the vendor's webhook over the event, the automation and the deployment to one recovery.

    Nobody else would have answered it for ten minutes. Prefect then knows of its start and end by events; and a flow run
    that crashes is told by the site's own channels.
    """
    lab = board.lab
    with board.serving_answers(), listening(board.defib, "--through-prefect", "--prefect-within", "600") as listener:
        assert "made" in board.applied("--listen", f"http://127.0.0.1:{listener.port}").values()
        process.break_(lab.home, "cloudfront", "refuse")
        CLOCK.sleep(timedelta(seconds=1))  # the server loads the automations of a moment ago
        posted = CLOCK.now()
        outcomes = [listener.robot(number, posted) for number in range(20)]
        assert outcomes == ["sent to Prefect"] + ["remembered"] * 19
        _until(lambda: bool(begun(lab)))
        (opened,) = begun(lab)
        assert opened.trigger.startswith("alarm: uptimerobot says down")
        _until(lambda: any(each["state_name"] == "Ended" for each in board.server.find("flow_runs")))
        assert len(Home(lab.home).runs()) == 1
        _until(lambda: {"defib.alarm.down", "defib.run.started", "defib.run.done"} <= board.events())
        (answer,) = [each for each in board.server.find("flow_runs") if each["name"] == "answer-lab-uptimerobot"]
        crashed = {"state": {"type": "CRASHED", "name": "Crashed", "message": "the worker died"}, "force": True}
        known = len(lab("lab", "inbox", "--json").json["messages"])
        board.send("POST", f"flow_runs/{answer['id']}/set_state", crashed)
        listener.until("Prefect gave up answer-alarm")
        _until(lambda: len(lab("lab", "inbox", "--json").json["messages"]) > known)


def test_without_a_worker_it_is_answered_all_the_same(board: Board) -> None:
    """Prefect takes the event, and nobody takes the run: when that is late the listener answers by itself, once."""
    lab = board.lab
    (lab.home / "sites" / "lab" / "automatic.json").unlink(missing_ok=True)
    before = len(Home(lab.home).runs())
    with listening(board.defib, "--through-prefect", "--prefect-within", "3") as listener:
        assert listener.robot(99, CLOCK.now()) == "sent to Prefect"
        listener.until("Prefect has not begun to answer in time, so it is answered here")
        _until(lambda: len(Home(lab.home).runs()) == before + 1)
        newest = Home(lab.home).runs()[-1] / "journal.jsonl"
        _until(lambda: status_of(read_journal(newest)[0]) is not None)  # it outlives its listener, and must not the lab


def begun(lab: Defib) -> list[entries.Opened]:
    """How each run that has begun was asked for: a journal is there a moment before its first entry."""
    first = [each[0].entry for folder in Home(lab.home).runs() if (each := read_journal(folder / "journal.jsonl")[0])]
    return [entry for entry in first if isinstance(entry, entries.Opened)]


def _until(holds: Callable[[], bool]) -> None:
    within = Deadline.after(CLOCK, timedelta(minutes=6))
    while not holds():
        assert not within.expired(), "it never came"
        CLOCK.sleep(timedelta(milliseconds=200))
