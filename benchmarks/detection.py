"""From the fault to the decision that the site is down: Defib's watcher against HAProxy's health checks."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from benchmarks import haproxy
from benchmarks.figures import Findings, Sample, Series, Target, at_most, in_turns, no_more_than
from benchmarks.order import Order
from benchmarks.victim import CONTAINS, NAME, PATIENCE, Strike, Surroundings, surroundings
from defib.clock import Clock, Deadline, SystemClock
from defib.observe.detect import Decision, Detector, State
from defib.observe.watch import Watcher
from defib.observe.web import WebObservers
from defib.sites.site import Detection, Site

FAULTS = {"5xx": "503", "wrong-page": "wrong body", "hang": "hang", "refuse": "refuse"}
"""The faults of the lab's web servers, and what they are called here."""

LONGEST_HANG = 3.5
"""Seconds: what a decision may take at interval 1 s and fall 3 while the server hangs."""

_REASONS = {"5xx": "HTTP 503", "wrong-page": "expected text missing", "hang": "no answer within", "refuse": "refused"}


class Tool(Protocol):
    """Something that watches a site and says when it is down."""

    name: str

    def detect(self, strike: Strike) -> Sample:
        """Watch a healthy site until the fault is noticed; from the fault to the decision, or what was wrong."""
        ...


class Defib:
    """Defib's watcher as ``defib watch`` runs it, with new observers for each sample."""

    name = "defib"

    def __init__(self, around: Surroundings, site: Site, clock: Clock) -> None:
        self._around = around
        self._site = site
        self._clock = clock

    def detect(self, strike: Strike) -> Sample:
        """Watch until the decision is that the site is down."""
        patience = Deadline.after(self._clock, 2 * PATIENCE)
        ended: list[timedelta] = []

        def until(decision: Decision) -> bool:
            if decision.state is State.DOWN:
                ended.append(self._clock.monotonic())
            elif decision.state is State.HEALTHY and not decision.mute:
                strike.allow()
            return bool(ended) or patience.expired()

        with WebObservers(self._site, self._around.folder, self._clock) as observers:
            detector = Detector(observers.names, self._site.detection)
            decision = Watcher(self._site, observers, detector, self._clock).run(until)
        return _judged(strike, decision, ended)


def _judged(strike: Strike, decision: Decision, ended: Sequence[timedelta]) -> Sample:
    if not ended:
        return Sample(None, f"never said down, but {decision.state.value}")
    if strike.at is None:
        return Sample(None, f"said down before the fault: {'; '.join(decision.reasons)}")
    if not all(_REASONS[strike.fault] in complaint.reason for complaint in decision.complaints):
        return Sample(None, f"said down for another reason: {'; '.join(decision.reasons)}")
    return Sample.took(ended[0] - strike.at)


def measure(order: Order) -> Findings:
    """All faults, all rounds, both tools in turns."""
    clock = SystemClock()
    program = haproxy.installed()
    with tempfile.TemporaryDirectory(prefix="defib-bench-") as name, surroundings(Path(name)) as around:
        site = _site(around)
        tools: list[Tool] = [Defib(around, site, clock)]
        notes = [_setting(site.detection)]
        if program is not None:
            peer = haproxy.HaProxy(program, around, site.detection, clock)
            tools.append(peer)
            notes.append(f"the peer is {peer.version()}, with our probe deadline as its connect and check time-outs")
        chance = random.Random(order.seed)
        phases = {fault: spread(order.rounds, site.detection.interval, chance) for fault in FAULTS}

        def task(fault: str, tool: Tool) -> Callable[[int], Sample]:
            def sample(number: int) -> Sample:
                order.tell(f"round {number + 1} of {order.rounds}, {FAULTS[fault]}, {tool.name}")
                with Strike(around.victim, fault, phases[fault][number], clock) as strike:
                    return tool.detect(strike)

            return sample

        tasks = {(fault, tool.name): task(fault, tool) for fault in FAULTS for tool in tools}
        found = in_turns(order.rounds, tasks)
    series = {key: Series(FAULTS[key[0]], key[1], samples=samples) for key, samples in found.items()}
    for fault, called in FAULTS.items():
        missing = Series(called, haproxy.HaProxy.name, missing=haproxy.MISSING)
        series.setdefault((fault, haproxy.HaProxy.name), missing)
    ordered = tuple(series[fault, tool] for fault in FAULTS for tool in (Defib.name, haproxy.HaProxy.name))
    return Findings(ordered, _targets(series), tuple(notes))


def spread(rounds: int, interval: timedelta, chance: random.Random) -> list[timedelta]:
    """When in the interval the fault strikes, for each round and, at the end, for the one that is dropped.

    Each round draws from an equal part of the interval of its own, in random order: few rounds then cover the interval
    as many would.
    """
    parts = [(number + chance.random()) / rounds for number in range(rounds)]
    chance.shuffle(parts)
    return [part * interval for part in (*parts, chance.random())]


def _targets(series: dict[tuple[str, str], Series]) -> tuple[Target, ...]:
    against = [no_more_than(series[fault, Defib.name], series[fault, haproxy.HaProxy.name]) for fault in FAULTS]
    hang = series["hang", Defib.name]
    return (*against, at_most("hang, the slowest", hang, hang.largest, LONGEST_HANG))


def _setting(settings: Detection) -> str:
    interval, deadline = settings.interval.total_seconds(), settings.probe_deadline.total_seconds()
    return (
        f"interval {interval:g} s, fall {settings.fall}, probe deadline {deadline:g} s, quorum {settings.quorum} of 3; "
        "both tools check status, content and certificate over TLS; the phase of the fault is the same for both"
    )


def _site(around: Surroundings) -> Site:
    """The lab's detection settings on a site whose three observers share one name server."""
    names = ("north", "east", "south")
    elsewhere = {"provider": "cloudflare", "token": "env:NOBODY_ASKS"}
    return Site.model_validate(
        {
            "site": "victim",
            "title": "The victim of a benchmark",
            "lab": True,
            "objectives": {"rto": "4h", "rpo": "1h"},
            "page": {
                "url": f"https://{NAME}:{around.victim.port}/",
                "contains": CONTAINS,
                "build": '<meta name="build" content="(?P<id>[0-9a-f]{40}) (?P<built>[0-9TZ:+-]+)">',
            },
            "origin": {"url": "https://origin.test/"},
            "dns": {"provider": "route53", "zone": "test", "zone_id": "Z1", "servers": [around.resolver]},
            "steering": {"name": NAME, "ttl": "3s"},
            "cdns": [
                {"name": "one", "role": "primary", "hostname": "one.test", "zone_id": "1", **elsewhere},
                {"name": "two", "role": "secondary", "hostname": "two.test", "zone_id": "2", **elsewhere},
            ],
            "resolvers": [around.resolver],
            "observers": [{"name": name, "resolver": around.resolver.name} for name in names],
            "detection": {
                "interval": "1s",
                "fall": 3,
                "rise": 2,
                "quorum": 2,
                "probe_deadline": "800ms",
                "references": around.references,
            },
            "verification": {"resolvers_moved": 1},
            "trust": "ca.pem",
        }
    )
