"""A thousand names in 200 zones whose host has failed: planned and switched inside one account's limit of calls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from time import process_time
from typing import IO

from benchmarks.figures import Findings, Sample, Series, Target, at_most
from benchmarks.fleet_aws import SPAN, Address, Asked
from benchmarks.fleet_world import FleetWorld, site_file
from benchmarks.order import Order
from defib.approval import ByDigest, Nobody
from defib.cli import procedures
from defib.cli.fleet import to_its_end
from defib.clock import SystemClock
from defib.fleet import Fleet, plan_fleet, switch_fleet
from defib.home import Home
from defib.objectives import Mode, Status
from defib.start import Desk
from defib.start import Order as RunOrder

PROCEDURE = "dns-switch"
FLEETS = ((10, 1), (10, 50), (200, 5))
"""So many zones, of so many names each: the first two tell what the number of calls grows with."""

LIMIT = 5
"""Calls a second that Route 53 allows an account."""

CALLS = 8
"""For each zone two reads to plan it; to switch it those two, a read before, the change, and a read after; one to spare."""

BROKEN = 1
"""So many sites beside them have no zone at Route 53 any more, and must stop no other."""

_NO_PLAN = "0" * 64

_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class _Phase:
    """One part of the work: how long, what Route 53 was asked, and the processor time that it cost us."""

    took: timedelta
    asked: Asked
    busy: float


@dataclass(frozen=True)
class _Found:
    zones: int
    names: int
    planning: _Phase
    switching: _Phase
    wrong: str

    @property
    def calls(self) -> float:
        """Of planning and switching, for each zone."""
        return (self.planning.asked.calls + self.switching.asked.calls) / self.zones


def measure(order: Order) -> Findings:
    """Each fleet once: what counts is the number of calls, and the limit decides how long they take."""
    series: list[Series] = []
    targets: list[Target] = []
    for zones, names in FLEETS:
        order.tell(f"{zones} zones of {names} names; about {zones * CALLS / LIMIT:.0f} s")
        found = run_fleet(zones, names)
        more, promised = _findings(found)
        series += more
        targets += promised
    return Findings(tuple(series), tuple(targets), _NOTES)


_NOTES = (
    f"Route 53, in a process of its own, is asked no more than {LIMIT} times a second, which is what the time goes into",
    f"it may get the calls of one second more within {SPAN:g} s: what is held up on the way arrives together",
    "users and hosts are scripted: their TTL is 1 s and the hold 1 s; journals, leases and reports are real",
    "our own is the processor time of the process that plans and switches, for each zone",
    f"beside them, {BROKEN} site has lost its zone: it must be told, and stop no other",
    "planned once, approved by one digest, and planned again by each run before it changes anything",
)


def run_fleet(zones: int, names: int) -> _Found:
    """One fleet of its own, planned and switched."""
    with tempfile.TemporaryDirectory(prefix="bench-fleet-") as folder, _route53(zones, names) as route53:
        paths = [site_file(Path(folder), number, names, route53.address.endpoint) for number in range(zones + BROKEN)]
        clock = SystemClock()
        world = FleetWorld(route53.address, names, clock)
        desk = Desk(Home.open(Path(folder) / "home"), _ROOT / "runbooks", clock, world.open)
        orders = [RunOrder(PROCEDURE, str(path), Mode.INCIDENT, Nobody("")) for path in paths]
        started, busy = clock.monotonic(), process_time()
        planned = plan_fleet(desk, orders, procedures.procedure(PROCEDURE).play)
        planning = _Phase(clock.monotonic() - started, route53.asked(), process_time() - busy)
        digests = [part.plan.digest() if part.plan else _NO_PLAN for part in planned.parts]
        orders = [
            replace(each, approver=ByDigest(digest, "the benchmark", ""))
            for each, digest in zip(orders, digests, strict=True)
        ]
        started, busy = clock.monotonic(), process_time()
        result = switch_fleet(desk, orders, to_its_end)
        switching = _Phase(clock.monotonic() - started, route53.asked(), process_time() - busy)
        return _Found(zones, names, planning, switching, _wrong(zones, digests, result, switching.asked.switched))


def _wrong(zones: int, digests: list[str], result: Fleet, switched: int) -> str:
    """What is not as it should be: every site recovered but the broken ones, which have no plan."""
    recovered = [part.outcome is not None and part.outcome.status is Status.RECOVERED for part in result.parts]
    wanted = [True] * zones + [False] * BROKEN
    if recovered == wanted == [digest != _NO_PLAN for digest in digests] and switched == zones:
        return ""
    odd = next((part for part, *was in zip(result.parts, recovered, wanted, strict=True) if was[0] != was[1]), None)
    why = "" if odd is None else odd.outcome.reason if odd.outcome else str(odd.refusal)
    return f"{sum(recovered)} of {zones} recovered, {switched} zones as expected: {why}"


def _findings(found: _Found) -> tuple[list[Series], list[Target]]:
    job = f"{found.zones} x {found.names} names"

    def series(what: str, value: float, unit: str = "") -> Series:
        return Series(f"{job}, {what}", "defib", unit, (Sample(None, found.wrong) if found.wrong else Sample(value),))

    calls = series("calls a zone", found.calls)
    busiest = series(f"calls in {SPAN:g} s", max(found.planning.asked.busiest, found.switching.asked.busiest))
    rows = [
        series("planned in", found.planning.took.total_seconds(), "s"),
        series("switched in", found.switching.took.total_seconds(), "s"),
        calls,
        busiest,
        series("our own, a zone", (found.planning.busy + found.switching.busy) / found.zones, "s"),
    ]
    targets = [
        at_most(calls.job, calls, calls.largest, CALLS),
        at_most(busiest.job, busiest, busiest.largest, LIMIT * (SPAN + 1)),
    ]
    return rows, targets


class _Route53:
    """The process that serves it."""

    def __init__(self, to: IO[str], told: IO[str]) -> None:
        self._to, self._told = to, told
        self.address = Address(**json.loads(told.readline()))

    def asked(self) -> Asked:
        """What it was asked since the last time."""
        self._to.write("\n")
        self._to.flush()
        return Asked(**json.loads(self._told.readline()))


@contextmanager
def _route53(zones: int, names: int) -> Iterator[_Route53]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fleet_aws", str(zones), str(names)],
        cwd=_ROOT,
        env=dict(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield _Route53(process.stdin, process.stdout)
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
