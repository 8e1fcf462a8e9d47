"""One record changed in zones of 51, 510 and 2,000: what it takes, how many calls, and what octodns-sync takes for it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

from benchmarks.change_once import change, cname
from benchmarks.dns_change import LIMIT, CountedAccess
from benchmarks.figures import Findings, Sample, Series, Target, at_most, in_turns, no_more_than
from benchmarks.octodns import NAME, Octodns, find
from benchmarks.order import Order
from defib.clock import SystemClock
from defib.lab.alone import RunningAws, serve_aws
from defib.lab.faults import FaultSwitch
from defib.ports import RecordChange, RecordKey, RecordSet
from defib.providers.dns.records import canonical
from defib.providers.dns.route53 import Route53

SIZES = (51, 510, 2_000)
CALLS = 3
"""Look, change, look again."""

_TARGETS = ("a.example.net.", "b.example.net.")
_ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Told:
    """What is known beside how long a change took: calls by what made them, and our own part of it."""

    calls: dict[str, list[float]] = field(default_factory=dict)
    own: list[float] = field(default_factory=list)


def measure(order: Order) -> Findings:
    """Three sizes, each with Defib kept, Defib as a process, and octodns-sync as a process, in turns."""
    program = find()
    if program is None:
        order.tell(f"{NAME} is not installed: nothing to compare with (make peers)")
    with ExitStack() as stack:
        aws = stack.enter_context(serve_aws())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-zones-")))
        counter = stack.enter_context(_counted(aws))
        zones = [_Zone(aws, counter, size, folder, program) for size in SIZES]
        tasks: dict[tuple[int, str], Callable[[int], Sample]] = {}
        for zone in zones:
            tasks |= {(zone.size, name): task for name, task in zone.tasks().items()}
        order.tell(f"{order.rounds} rounds of {len(tasks)} changes")
        found = in_turns(order.rounds, tasks)
    series: list[Series] = []
    targets: list[Target] = []
    for zone in zones:
        more, promised = _findings(zone, {name: found[zone.size, name] for name in zone.tasks()}, program is not None)
        series += more
        targets += promised
    return Findings(tuple(series), tuple(targets), _NOTES)


_NOTES = (
    "a change is what a run makes of it: look, compare-and-set, look again",
    "`a process` begins with an empty interpreter for both; `kept` is one more change by an adapter that has made some",
    "after each change the whole zone must be as expected, or the figure does not count",
    "octodns-sync reads the whole zone and writes what differs, without compare-and-set or a second look",
    "its zone file is ready beforehand",
)


def _findings(zone: _Zone, found: dict[str, tuple[Sample, ...]], peer: bool) -> tuple[list[Series], list[Target]]:
    job = f"{zone.size:,} records"
    missing = "" if peer else "is not installed"
    kept = Series(f"{job}, kept", "defib", samples=found["kept"])
    own = Series(f"{job},   of it: our own", "defib", samples=tuple(map(Sample, zone.told.own)))
    ours = Series(f"{job}, a process", "defib", samples=found["process"])
    theirs = Series(f"{job}, a process", NAME, samples=found.get("octodns", ()), missing=missing)
    calls = _calls(zone, "process", job, "defib")
    peers = _calls(zone, "octodns", job, NAME) if peer else Series(f"{job}, calls", NAME, "", missing=missing)
    series = [kept, own, ours, theirs, calls, peers]
    targets = [
        at_most(own.job, own, own.median, LIMIT),
        at_most(calls.job, calls, calls.largest, CALLS),
        no_more_than(calls, peers),
    ]
    return series, targets


def _calls(zone: _Zone, task: str, job: str, tool: str) -> Series:
    return Series(f"{job}, calls", tool, "", tuple(map(Sample, zone.told.calls.get(task, ()))))


class _Zone:
    """One zone of one size, whose CNAME is turned to and fro by whoever's turn it is."""

    def __init__(self, aws: RunningAws, counter: FaultSwitch, size: int, folder: Path, program: Path | None) -> None:
        self.size, self.told = size, Told()
        self._aws, self._counter, self._clock = aws, counter, SystemClock()
        self._name, self._zone_id, self._now = f"zone-{size}.test.", f"ZBENCH{size}", 0

        async def add() -> None:
            aws.aws.route53.add_zone(self._zone_id, self._name, self._content(0))

        aws.loop.run(add())
        self._access = CountedAccess(
            endpoint=aws.endpoint, access_key=aws.credentials.access_key, secret_key=aws.credentials.secret_key
        )
        self._kept = Route53(self._zone_id, self._access)
        self._octodns = Octodns(program, folder / str(size), self._name, self._access) if program else None
        if self._octodns:
            for number in (0, 1):
                self._octodns.prepare(str(number), self._content(number))

    def tasks(self) -> dict[str, Callable[[int], Sample]]:
        """Whoever can turn it."""
        turns: dict[str, Callable[[int], str]] = {"kept": self._by_adapter, "process": self._by_process}
        if self._octodns is not None:
            octodns = self._octodns
            turns["octodns"] = lambda number: octodns.sync(str(number))
        return {name: partial(self._turned, name, turn) for name, turn in turns.items()}

    def _turned(self, task: str, turn: Callable[[int], str], number: int) -> Sample:
        """One turn, timed, counted and checked."""
        wanted, before = 1 - self._now, self._counter.requests
        self._access.calls.forget()
        started = self._clock.monotonic()
        wrong = turn(wanted)
        took = self._clock.monotonic() - started
        if wrong or self._held() != self._content(wanted):
            return Sample(None, f"{self.size} records: {wrong or 'the zone is not as expected after the change'}")
        self._now = wanted
        if number >= 0:
            self.told.calls.setdefault(task, []).append(self._counter.requests - before)
            if task == "kept":
                self.told.own.append((took - self._access.calls.waited).total_seconds())
        return Sample.took(took)

    def _by_adapter(self, number: int) -> str:
        name = self._www.name
        change(self._kept, RecordChange(cname(name, _TARGETS[1 - number]), cname(name, _TARGETS[number])))
        return ""

    def _by_process(self, number: int) -> str:
        arguments = (self._aws.endpoint, self._zone_id, self._www.name, _TARGETS[1 - number], _TARGETS[number])
        keys = {"AWS_ACCESS_KEY_ID": self._access.access_key, "AWS_SECRET_ACCESS_KEY": self._access.secret_key}
        ended = subprocess.run(
            [sys.executable, "-m", "benchmarks.change_once", *arguments],
            env={"PATH": os.environ.get("PATH", ""), **keys},
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        return "" if ended.returncode == 0 else ended.stderr.strip().splitlines()[-1]

    @property
    def _www(self) -> RecordKey:
        return RecordKey(f"www.{self._name}", "CNAME")

    def _content(self, number: int) -> tuple[RecordSet, ...]:
        """The whole zone while the CNAME leads to target `number`, without SOA and NS."""
        others = [
            RecordSet(
                RecordKey(f"host-{n:04}.{self._name}", "A"), timedelta(minutes=5), (f"192.0.{2 + n // 250}.{n % 250 + 1}",)
            )
            for n in range(1, self.size)
        ]
        return tuple(sorted((cname(self._www.name, _TARGETS[number]), *others), key=lambda each: each.key))

    def _held(self) -> tuple[RecordSet, ...]:
        held = (canonical(each) for each in self._aws.aws.route53.content(self._zone_id))
        return tuple(sorted((each for each in held if each.key.type not in {"SOA", "NS"}), key=lambda each: each.key))


@contextmanager
def _counted(aws: RunningAws) -> Iterator[FaultSwitch]:
    before, counter = aws.aws.switches["route53"], FaultSwitch()
    aws.aws.switches["route53"] = counter
    try:
        yield counter
    finally:
        aws.aws.switches["route53"] = before
