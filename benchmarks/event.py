"""From an alarm, or a decision of ``defib watch``, to the first entry of a run's journal: how long, and where it goes.

The site is served, so the run that begins looks, refuses and ends; what leads to it is the same. Through Prefect the moments
between are the server's own: when it received the event, when it made the flow run, when that was picked up and running.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.commands import end, timed
from benchmarks.figures import Findings, Sample, Series, Target, at_most, in_turns
from benchmarks.order import Order
from benchmarks.prefect_server import Server, served
from defib.alarms.alarmbook import noted
from defib.clock import Deadline, SystemClock
from defib.errors import DefibError, LabDown
from defib.history import JOURNAL
from defib.home import Home
from defib.journal import read_journal
from defib.lab import process

COMMAND, WEBHOOK, PREFECT, WATCH = "defib event", "defib listen", "through Prefect", "defib watch"
_LIMITS = {COMMAND: 2.0, WEBHOOK: 2.0, PREFECT: 15.0, WATCH: 2.0}
"""Seconds; the slowest round counts."""

_PATIENCE = timedelta(seconds=60)
_PREFECT_WITHIN = timedelta(seconds=20)
"""For Prefect to begin, before `defib listen` answers by itself."""
_APPLY = """
import sys
from pathlib import Path
from flows import automations
automations.FOLDER = Path({!r})
sys.exit(automations.main(["apply", "--listen", sys.argv[1]]))
"""
_FILES = Path(__file__).parents[1] / "automations"
_DEFIB = (sys.executable, "-m", "defib")
_PARTS = (
    "posted to flow run made",
    "flow run made to picked up",
    "picked up to flow running",
    "flow running to alarm noted",
    "alarm noted to first entry",
)


@dataclass
class Bench:
    """A lab, and what serves alarms in it."""

    home: Path
    environment: Mapping[str, str]
    server: Server
    ports: dict[str, int] = field(default_factory=dict)
    parts: dict[str, list[float]] = field(default_factory=dict)
    alone: Deadline | None = None
    """Until then another alarm would be of the outage that Prefect was told of last."""
    clock: SystemClock = field(default_factory=SystemClock)

    def forget(self) -> None:
        """No automatic start was lately; every run has ended, and every resolver has forgotten."""
        (self.home / "sites" / "lab" / "automatic.json").unlink(missing_ok=True)

    def first_entry(self, known: set[Path]) -> tuple[Path, datetime]:
        """The run that is not among the known ones, and when its first entry was written."""
        within = Deadline.after(self.clock, _PATIENCE)
        while not within.expired():
            for folder in set(Home(self.home).runs()) - known:
                records = read_journal(folder / JOURNAL)[0]
                if records:
                    return folder, records[0].at
            self.clock.sleep(timedelta(milliseconds=10))
        raise LabDown("no run began", seen="none", expected=f"one within {_PATIENCE}")

    def over(self, folder: Path) -> None:
        """Wait until a run has ended, and until its process is gone."""
        within = Deadline.after(self.clock, _PATIENCE)
        while not (folder / "report.json").is_file() and not within.expired():
            self.clock.sleep(timedelta(milliseconds=50))


def measure(order: Order) -> Findings:
    """Each way in turn."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="defib-bench-")))
        bench = stack.enter_context(_bench(folder, order.net))
        ways = {COMMAND: _command, WEBHOOK: _webhook, PREFECT: _through_prefect, WATCH: _watched}

        def task(way: str, number: int) -> Sample:
            order.tell(f"{way}, round {number + 1} of {order.rounds}")
            try:
                return Sample.took(ways[way](bench, number))
            except (DefibError, OSError, subprocess.SubprocessError) as error:
                return Sample(None, f"{type(error).__name__}: {error}")

        found = in_turns(order.rounds, {way: lambda number, way=way: task(way, number) for way in ways})  # type: ignore[misc]
    series = {way: Series(f"{_FROM[way]} to the first entry", way, samples=samples) for way, samples in found.items()}
    parts = (Series(f"{PREFECT}: {name}", "prefect", samples=_plain(bench.parts.get(name, [])[1:])) for name in _PARTS)
    targets = tuple(_target(way, series[way]) for way in ways)
    note = "the site is served: each run looks, refuses and ends; Prefect on SQLite, its flow served by one process"
    return Findings((*series.values(), *parts), targets, (note,))


_FROM = {COMMAND: "start of the command", WEBHOOK: "webhook", PREFECT: "webhook", WATCH: "decision"}


def _target(way: str, series: Series) -> Target:
    return at_most(f"{way}: {_FROM[way]} to running procedure, the most", series, series.largest, _LIMITS[way])


def _command(bench: Bench, number: int) -> timedelta:
    bench.forget()
    known, began = set(Home(bench.home).runs()), bench.clock.now()
    alarm = ("event", "--site", "lab", "--from", "bench", "--id", f"command-{number}", "--no-prefect")
    timed([*_DEFIB, *alarm], bench.environment)
    return bench.first_entry(known)[1] - began


def _webhook(bench: Bench, number: int) -> timedelta:
    bench.forget()
    known, posted = set(Home(bench.home).runs()), bench.clock.now()
    _post(bench, WEBHOOK, number)
    folder, first = bench.first_entry(known)
    bench.over(folder)
    return first - posted


def _through_prefect(bench: Bench, number: int) -> timedelta:
    bench.forget()
    if bench.alone is not None:
        bench.clock.sleep(bench.alone.remaining())
    known, posted = set(Home(bench.home).runs()), bench.clock.now()
    alarm = _post(bench, PREFECT, number)
    bench.alone = Deadline.after(bench.clock, _PREFECT_WITHIN)
    folder, first = bench.first_entry(known)
    bench.over(folder)
    followed = bench.server.moments("answer-lab-pingdom", alarm, bench.clock)
    if not followed:
        raise LabDown("Prefect did not make a flow run of the alarm, which was answered without", seen=f"{first - posted}")
    moments = [posted, *followed, _noted(bench, alarm), first]
    for name, start, stop in zip(_PARTS, moments, moments[1:], strict=False):
        bench.parts.setdefault(name, []).append((stop - start).total_seconds())
    return first - posted


def _noted(bench: Bench, alarm: str) -> datetime:
    return next(entry.at for entry in noted(bench.home / "sites" / "lab") if entry.alarm.id == alarm)


def _watched(bench: Bench, number: int) -> timedelta:
    """Both CDNs refuse, so that detection decides, and the procedure begins, finds no standby, and refuses."""
    del number
    bench.forget()
    known = set(Home(bench.home).runs())
    words = ["watch", "--site", "lab", "--json", "--no-prefect", "--procedure", "cdn-failover"]
    watcher = subprocess.Popen(
        [*_DEFIB, *words], env=dict(bench.environment), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        _said(watcher, "healthy")
        for cdn in ("cloudfront", "cloudflare"):
            process.break_(bench.home, cdn, "refuse")
        decided = _said(watcher, "down")
        folder, first = bench.first_entry(known)
        bench.over(folder)
        return first - decided
    finally:
        watcher.send_signal(signal.SIGTERM)
        end(watcher)
        process.heal(bench.home)


def _said(watcher: subprocess.Popen[str], state: str) -> datetime:
    """When it decided so; for ``down`` when that was to act upon."""
    assert watcher.stdout is not None
    for line in watcher.stdout:
        told = json.loads(line)
        if told.get("state") == state and (state != "down" or told["act"]):
            return datetime.fromisoformat(told["at"])
    raise LabDown("defib watch ended", expected=state, seen="nothing")


def _post(bench: Bench, way: str, number: int) -> str:
    """An alarm of Pingdom; gives its id."""
    now = int(bench.clock.now().timestamp())
    check = 2 * (number + 1) + (way == PREFECT)
    body = {"check_id": check, "current_state": "DOWN", "state_changed_timestamp": now}
    secret = (bench.home / "webhook-secret").read_text(encoding="utf-8").strip()
    address = f"http://127.0.0.1:{bench.ports[way]}/lab/pingdom/{secret}"
    request = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).close()
    return f"{check}@{now}"


@contextmanager
def _bench(folder: Path, net: str) -> Iterator[Bench]:
    """A lab, a Prefect server with our automations, the flow served, and two that listen: one answers itself."""
    home = folder / "home"
    home.mkdir()
    environment = {"DEFIB_HOME": str(home), "HOME": str(folder)}
    with ExitStack() as stack:
        server = stack.enter_context(served(folder))
        stack.callback(process.down, home)
        started = timed([*_DEFIB, "lab", "up", "--net", net], environment)
        if started.status:
            raise LabDown("the lab of the benchmark does not start", seen=started.errors.strip(), then="another --net")
        with_prefect = {**environment, "PREFECT_API_URL": server.api}
        bench = Bench(home, server.seen_by(environment), server)
        bench.ports[WEBHOOK] = stack.enter_context(_listening(server.seen_by(environment), "--no-prefect"))
        bench.ports[PREFECT] = stack.enter_context(
            _listening(server.seen_by(with_prefect), "--through-prefect", f"--prefect-within={_PREFECT_WITHIN.seconds}")
        )
        stack.enter_context(server.running([sys.executable, "-m", "flows.answering"], with_prefect))
        server.until_there_is("deployments")
        address = f"http://127.0.0.1:{bench.ports[PREFECT]}"
        applied = timed([sys.executable, "-c", _APPLY.format(_every_time(folder)), address], with_prefect)
        if applied.status:
            raise LabDown("the automations were not applied", seen=(applied.output + applied.errors).strip())
        yield bench


def _every_time(folder: Path) -> str:
    """The automation as it is, but that it answers every alarm, and not one a minute: a round is to take less."""
    copy = folder / "automations"
    copy.mkdir()
    text = (_FILES / "alarm-to-answer.yaml").read_text(encoding="utf-8")
    (copy / "alarm-to-answer.yaml").write_text(text.replace("within: 60", "within: 0"), encoding="utf-8")
    return str(copy)


@contextmanager
def _listening(environment: Mapping[str, str], *options: str) -> Iterator[int]:
    """``defib listen`` on a free port."""
    words = ["listen", "--site", "lab", "--port", "0", "--json", *options]
    listener = subprocess.Popen(
        [*_DEFIB, *words], env=dict(environment), stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        assert listener.stdout is not None
        told: dict[str, Any] = json.loads(listener.stdout.readline())
        yield int(told["note"].rpartition(":")[2])
    finally:
        end(listener)


def _plain(values: list[float]) -> tuple[Sample, ...]:
    return tuple(Sample(value) for value in values)
