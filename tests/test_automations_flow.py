"""The automations of the repository against a real Prefect server: applied, the same the second time, and at work."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from defib import entries
from defib.clock import SystemClock
from defib.history import status_of
from defib.home import Home
from defib.journal import read_journal
from defib.lab import process
from tests.conftest import ROOT, Defib, LabMaker
from tests.flows.prefect_server import serving
from tests.flows.prefect_stage import Board, until
from tests.listener import listening

NET = "127.172"
CLOCK = SystemClock()
SLIP = """
name: x
trigger: {type: event, posture: Reactive, expects: [defib.alarm.down], threshold: 1, within: 0}
actions: [{type: do-nothing}]
"""
SECRET = "the-secret-of-the-webhooks-of-this-test"
OURS = len(list((ROOT / "automations").glob("*.yaml")))


class Automated(Board):
    """A lab and a Prefect server that knows nothing of it, and what is done about automations there."""

    @property
    def defib(self) -> Defib:
        """The command with the server at hand."""
        return replace(self.lab, extra={"PREFECT_API_URL": self.server.api})

    def apply(self, *options: str) -> subprocess.CompletedProcess[str]:
        """``python -m flows.automations apply``."""
        return self._python("-m", "flows.automations", "apply", *options)

    def code(self, code: str) -> subprocess.CompletedProcess[str]:
        """Some code as whoever applies automations would run it."""
        return self._python("-c", f"from pathlib import Path; from flows import automations\n{code}")

    def _python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *arguments]
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
            until(lambda: len(self.server.find("deployments")) == 1, "the deployment")
            yield
        finally:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


@pytest.fixture(scope="module")
def board(make_lab: LabMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Automated]:
    """Both for this module."""
    home = tmp_path_factory.mktemp("prefect")
    with serving(home) as server:
        lab = make_lab(NET)
        (lab.home / "webhook-secret").write_text(SECRET + "\n")
        yield Automated(lab, server, home)


def test_applied_twice_is_applied_once(board: Automated) -> None:
    """Without the deployment that one of them runs, that one is left out, and the command says so; dry runs do nothing."""
    assert set(board.applied("--dry-run").values()) == {"would be made", "would be left out"}
    assert board.automations() == {}
    first = board.apply()
    assert (first.returncode, "there is no deployment answer-alarm/answer-alarm" in first.stdout) == (1, True)
    assert sorted(board.applied().values()) == ["left out"] * 2 + ["the same"] * (OURS - 2)
    assert len(board.automations()) == OURS - 2
    shown = json.dumps([*board.automations().values(), *board.server.find("block_documents")])
    assert SECRET not in shown


def test_what_was_changed_and_what_is_gone(board: Automated, tmp_path: Path) -> None:
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
    board.code(f"automations.apply(Path({str(copy)!r}), {{}}, dry=False)")
    left = set(board.automations())
    assert "defib: a run is silent" in left, "of where defib listen is nothing was said: it stays as it was"
    assert "defib: a run crashed" not in left
    board.code(f"automations.apply(Path({str(copy)!r}), {{automations.LISTEN: ''}}, dry=False)")
    assert set(board.automations()) == {"somebody else's"}, "it is said to be nowhere, so nothing can call it"
    (foreign,) = board.automations().values()
    board.send("DELETE", f"automations/{foreign['id']}")


def test_files_that_are_none(board: Automated, tmp_path: Path) -> None:
    """One message that names the file, and nothing is applied; a slip in a word would be an automation for every event."""
    texts = ["[]", "name: x", "name: x\nactions: [1]", "name: [", SLIP]
    for number, text in enumerate(texts):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "wrong.yaml").write_text(text)
    before = board.automations()
    done = board.code(
        f"folders = [Path({str(tmp_path)!r}, str(each)) for each in range({len(texts)})]\n"
        "for automations.FOLDER in folders: print(automations.main(['apply']))"
    )
    assert done.stdout.split() == ["2"] * len(texts), done.stderr
    assert done.stderr.count("wrong.yaml") == len(texts)
    assert "expects" in done.stderr
    assert board.automations() == before


def test_an_alarm_becomes_a_run_through_prefect(board: Automated) -> None:
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
        until(lambda: begun(lab), "the run")
        (opened,) = begun(lab)
        assert opened.trigger.startswith("alarm: uptimerobot says down")
        until(lambda: "Ended" in [each["state_name"] for each in board.server.find("flow_runs")], "the answer's end")
        assert len(Home(lab.home).runs()) == 1
        until(lambda: {"defib.alarm.down", "defib.run.started", "defib.run.done"} <= board.events(), "each event")
        (answer,) = [each for each in board.server.find("flow_runs") if each["name"] == "answer-lab-uptimerobot"]
        crashed = {"state": {"type": "CRASHED", "name": "Crashed", "message": "the worker died"}, "force": True}
        known = len(lab("lab", "inbox", "--json").json["messages"])
        board.send("POST", f"flow_runs/{answer['id']}/set_state", crashed)
        listener.until("Prefect gave up answer-alarm")
        until(lambda: len(lab("lab", "inbox", "--json").json["messages"]) > known, "the message")


def test_without_a_worker_it_is_answered_all_the_same(board: Automated) -> None:
    """Prefect takes the event, and nobody takes the run: when that is late the listener answers by itself, once."""
    lab = board.lab
    (lab.home / "sites" / "lab" / "automatic.json").unlink(missing_ok=True)
    before = len(Home(lab.home).runs())
    with listening(board.defib, "--through-prefect", "--prefect-within", "3") as listener:
        assert listener.robot(99, CLOCK.now()) == "sent to Prefect"
        listener.until("Prefect has not begun to answer in time, so it is answered here")
        until(lambda: len(Home(lab.home).runs()) == before + 1, "the run")
        newest = Home(lab.home).runs()[-1] / "journal.jsonl"
        until(lambda: status_of(read_journal(newest)[0]) is not None, "its end")  # it outlives its listener, not the lab


def begun(lab: Defib) -> list[entries.Opened]:
    """How each run that has begun was asked for: a journal is there a moment before its first entry."""
    first = [each[0].entry for folder in Home(lab.home).runs() if (each := read_journal(folder / "journal.jsonl")[0])]
    return [entry for entry in first if isinstance(entry, entries.Opened)]


WITHIN = 12
"""Seconds in the place of the minutes and hours that automations wait for something that does not come."""


class Pretended:
    """Flow runs of a deployment of which only the server knows: their states are set by hand."""

    def __init__(self, board: Automated, flow: str, deployment: str, tags: tuple[str, ...] = ()) -> None:
        self._board = board
        self._flow = board.server.ask("flows/", {"name": flow})
        asked = {"name": deployment, "flow_id": self._flow["id"], "tags": tags}
        self._deployment = board.server.ask("deployments/", asked)

    def runs(self, called: str = "a-round") -> str:
        """A new flow run that runs; its id."""
        asked = {"name": called}
        run: str = self._board.server.ask(f"deployments/{self._deployment['id']}/create_flow_run", asked)["id"]
        self.set(run, "RUNNING", "Running")
        return run

    def set(self, run: str, kind: str, name: str) -> None:
        """Put a flow run into another state."""
        self._board.server.ask(f"flow_runs/{run}/set_state", {"state": {"type": kind, "name": name}, "force": True})

    def beats(self, run: str) -> None:
        """A heartbeat, as Prefect's engine sends it."""
        flow = {"prefect.resource.id": f"prefect.flow.{self._flow['id']}", "prefect.resource.role": "flow"}
        resource = {"prefect.resource.id": f"prefect.flow-run.{run}", "prefect.resource.name": run}
        event = {"id": str(uuid4()), "occurred": CLOCK.now().isoformat(), "event": "prefect.flow-run.heartbeat"}
        related = [flow | {"prefect.resource.name": self._flow["name"]}]
        self._board.send("POST", "events", [event | {"resource": resource, "related": related, "payload": {}}])


def in_a_hurry(folder: Path) -> Path:
    """The automations, of which those that wait for something do so for :data:`WITHIN`."""
    for path in (ROOT / "automations").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        waits = re.sub(r"(?m)^  within: .*$", f"  within: {WITHIN}", text) if "posture: Proactive" in text else text
        (folder / path.name).write_text(waits, encoding="utf-8")
    return folder


def test_what_does_not_come_is_told(board: Automated, tmp_path: Path) -> None:
    """Rounds that no longer come, a run that no worker takes, one whose heart has stopped: each is told to people.

    E2: what comes late is not, nor what has ended, nor the mirroring that people start, of whom nobody waits for another.
    """
    rounds = ("readiness", "git-mirror", "replication-check", "drilling")
    gone = [Pretended(board, flow, "gone", ("round",)) for flow in rounds]
    late = [Pretended(board, flow, "late", ("round",)) for flow in rounds]
    by_hand = Pretended(board, "git-mirror", "lab-with-approval", ("on-demand",))
    one = Pretended(board, "cdn-failover", "lab", ("on-demand",))
    with listening(board.defib) as listener:
        blocks = {"defib-listen": f"http://127.0.0.1:{listener.port}/tell/{SECRET}"}
        applied = board.code(f"automations.apply(Path({str(in_a_hurry(tmp_path))!r}), {blocks!r}, dry=False)")
        assert applied.returncode == 0, applied.stderr
        CLOCK.sleep(timedelta(seconds=1))  # the server loads the automations of a moment ago
        for each in (*gone, by_hand):
            each.runs()
        slow, dead, ended, waits = (one.runs(f"that-is-{called}") for called in ("slow", "dead", "over", "late"))
        one.beats(dead)
        one.beats(ended)
        one.set(ended, "COMPLETED", "Completed")
        one.set(waits, "SCHEDULED", "Late")

        def comes() -> None:
            one.beats(slow)
            for each in late:
                each.runs()

        comes()
        enough = CLOCK.every(timedelta(seconds=WITHIN * 2 / 3), comes)
        wanted = {f"{flow}/gone has not come" for flow in rounds} | {
            "No worker takes cdn-failover that-is-late",
            "nothing of cdn-failover that-is-dead",
        }
        told: list[str] = []
        while any(all(text not in each for each in told) for text in wanted):
            told.append(listener.until("")["note"])
        enough()
    everything = "\n".join(told)
    assert not [text for text in ("/late has", "with-approval", "that-is-slow", "that-is-over") if text in everything]


def test_burning_objectives_go_to_the_escalation(board: Automated) -> None:
    """50, 75 and 90 % of an RTO and of an RPO: each as it comes, with its words; here to somebody who tells it on."""
    with listening(board.defib) as listener:
        address = f"http://127.0.0.1:{listener.port}/tell/{SECRET}"
        (board.lab.home / "escalation").write_text(address + "\n", encoding="utf-8")
        done = board.apply("--listen", f"http://127.0.0.1:{listener.port}", "--escalation", "file:escalation")
        assert "an objective burns: made" in done.stdout, done.stderr
        CLOCK.sleep(timedelta(seconds=1))  # the server loads the automations of a moment ago
        for objective in ("rto", "rpo"):
            for percent in (50, 75, 90):
                _burns(board, objective, percent)
        told: set[str] = set()
        while len(told) < 6:
            note = listener.until("of the r")["note"]
            told.add(note.removeprefix("lab: "))
    assert told == {f"{percent} % of the {objective} is used" for objective in ("rto", "rpo") for percent in (50, 75, 90)}
    again = board.apply("--listen", "http://127.0.0.1:1")
    assert "an objective burns: the same" in again.stdout, again.stdout + again.stderr
    nobody = board.apply("--listen", "http://127.0.0.1:1", "--escalation", "")
    assert "an objective burns: removed" in nobody.stdout, nobody.stdout + nobody.stderr


def _burns(board: Automated, objective: str, percent: int) -> None:
    """The event of a run, as :mod:`flows.events` sends it."""
    payload = {"title": f"{percent} % of the {objective} is used", "text": "a text", "subject": f"{objective}:{percent}"}
    labels = {"defib.site": "lab", "defib.run": "run-1", "defib.procedure": "cdn-failover", "defib.percent": str(percent)}
    event = {"id": str(uuid4()), "occurred": CLOCK.now().isoformat(), "event": f"defib.{objective}.burn"}
    resource = {"prefect.resource.id": "defib.site.lab", "prefect.resource.name": "lab", **labels}
    board.send("POST", "events", [event | {"resource": resource, "payload": payload | {"severity": "warning"}}])
