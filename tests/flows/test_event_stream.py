"""What a run tells Prefect's event stream: a request each, bounded, and nothing where Prefect is not used."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from defib import entries
from defib.alarms.alarm import Says, alarm
from defib.alerts.alert import Alert, AlertKind, Severity
from defib.clock import Deadline, SystemClock
from defib.errors import Denied, Unavailable
from flows.events import EMIT_WITHIN, FOLLOWED, EventStream, emit_alarm, outlets
from tests.flows.prefect_server import impostor
from tests.stage import Stage

CLOCK = SystemClock()
USED = entries.EngineChosen(prefect=True, why="a test")


@dataclass
class Api:
    """An event endpoint that keeps what it gets, and wants a password where it has one."""

    address: str = ""
    password: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)

    def status(self, path: str, login: str, body: bytes) -> int:
        """What it answers."""
        if self.password and login != f"Basic {base64.b64encode(self.password.encode()).decode()}":
            return 401
        assert path == "/api/events"
        self.events.extend(json.loads(body))
        return 204


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Api]:
    """Prefect, as far as events go, and nothing else of this machine's settings."""
    found = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(found.status(self.path, self.headers.get("authorization", ""), body))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Not on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.address = f"http://127.0.0.1:{server.server_address[1]}/api"
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.setenv("PREFECT_API_URL", found.address)
    monkeypatch.delenv("PREFECT_API_AUTH_STRING", raising=False)
    yield found
    server.shutdown()
    server.server_close()


def said(kind: AlertKind, subject: str) -> Alert:
    """An alert about the site ``lab``."""
    return Alert(kind, subject, "a title", "a text", Severity.WARNING, "lab", "run-1")


def soon() -> Deadline:
    """Ten seconds from now."""
    return Deadline.after(CLOCK, timedelta(seconds=10))


@pytest.mark.parametrize(
    ("kind", "subject", "name"),
    [
        (AlertKind.BURN, "burn:75", "defib.rto.burn"),
        (AlertKind.BURN, "exposed:assets:90", "defib.rpo.burn"),
        (AlertKind.START, "start", "defib.run.started"),
        (AlertKind.DECISION, "decision:12ab", "defib.run.waiting"),
        (AlertKind.DONE, "closed:recovered", "defib.run.done"),
        (AlertKind.FAILED, "closed:failed", "defib.run.failed"),
    ],
)
def test_every_alert_is_an_event(api: Api, tmp_path: Path, kind: AlertKind, subject: str, name: str) -> None:
    """By names that automations match, about the site, with what of an objective is used."""
    run = Stage(tmp_path).begin()
    run.journal.append(USED)
    EventStream(run).send(said(kind, subject), within=soon())
    (event,) = api.events
    resource = event["resource"]
    assert (event["event"], resource["prefect.resource.id"], resource["defib.site"]) == (name, "defib.site.lab", "lab")
    assert (resource["defib.run"], resource["defib.procedure"]) == ("run-1", "cdn-failover")
    assert event["payload"]["title"] == "a title"
    percent = {"burn:75": "75", "exposed:assets:90": "90"}.get(subject)
    assert (resource.get("defib.percent"), event["payload"].get("percent")) == (percent, percent)


def test_a_run_without_prefect_says_nothing(api: Api, tmp_path: Path) -> None:
    """With ``--no-prefect``, or where Prefect was not ready, nothing is sent, and the journal says why."""
    run = Stage(tmp_path).begin()
    run.journal.append(entries.EngineChosen(prefect=False, why="--no-prefect"))
    with pytest.raises(Unavailable, match="does without Prefect"):
        EventStream(run).send(said(AlertKind.START, "start"), within=soon())
    assert api.events == []


def test_a_run_that_a_flow_run_follows_is_told_all_the_same(api: Api, tmp_path: Path) -> None:
    """It is carried out without Prefect, which is there; once it is taken up at a terminal, that decides again."""
    run = Stage(tmp_path).begin(trigger=f"{FOLLOWED}4711")
    without = entries.EngineChosen(prefect=False, why="--no-prefect")
    run.journal.append(without)
    EventStream(run).send(said(AlertKind.BURN, "burn:50"), within=soon())
    assert [each["event"] for each in api.events] == ["defib.rto.burn"]
    run.journal.append(entries.Reopened("resume", "ann"))
    run.journal.append(without)
    with pytest.raises(Unavailable, match="does without Prefect"):
        EventStream(run).send(said(AlertKind.BURN, "burn:75"), within=soon())


def test_no_prefect_is_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then there is nobody to tell, and an alarm is answered without."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert outlets(Stage(tmp_path).begin()) == ()
    assert "no Prefect API is configured" in emit_alarm("lab", alarm("pingdom", "1", Says.DOWN))


def test_an_alarm_is_an_event(api: Api) -> None:
    """With all that its answer needs."""
    heard = alarm("pingdom", "1@2", Says.DOWN, "Connection Timeout", datetime(2026, 1, 1, tzinfo=UTC))
    assert emit_alarm("lab", heard) == ""
    (event,) = api.events
    assert event["event"] == "defib.alarm.down"
    expected = {"source": "pingdom", "id": "1@2", "says": "Connection Timeout", "since": "2026-01-01T00:00:00+00:00"}
    assert event["payload"] == expected


def test_credentials(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one shared string that Prefect's server may want, from the environment or the profile."""
    api.password = "admin:s3cret:with:colons"
    run = Stage(tmp_path).begin()
    run.journal.append(USED)
    with pytest.raises(Denied) as caught:
        EventStream(run).send(said(AlertKind.START, "start"), within=soon())
    assert "PREFECT_API_AUTH_STRING" in str(caught.value)
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", api.password)
    EventStream(run).send(said(AlertKind.START, "start"), within=soon())
    assert len(api.events) == 1


@pytest.mark.parametrize("then", ["hangs", "breaks"])
def test_a_prefect_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, then: str) -> None:
    """It costs two seconds at the most, beside what a busy machine takes, and says why it was not told."""
    with impostor(ready=True, then=then) as address:
        monkeypatch.setenv("PREFECT_API_URL", address)
        before = CLOCK.monotonic()
        assert "Prefect does not take an event" in emit_alarm("lab", alarm("pingdom", "1", Says.DOWN))
        assert CLOCK.monotonic() - before < EMIT_WITHIN + timedelta(seconds=8)
