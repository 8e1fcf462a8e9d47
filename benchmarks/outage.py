"""The whole recovery: how long users are without service when CDN or host fail in the lab, as the eyewitness saw it."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, ValidationError

from benchmarks.commands import Ended, timed
from benchmarks.figures import Findings, Sample, Series, Target, at_most, in_turns
from benchmarks.order import Order
from defib.drills.drilled import AGREEMENT
from defib.errors import LabDown
from defib.lab import process
from defib.objectives import Phase
from defib.sites.site import Site, load_site

FAULTS = ("refuse", "hang")
MORE_FAULTS = ("5xx", "wrong-page", "expired-certificate")
PROCEDURES = ("cdn-failover", "dns-switch")
MOST_OF_THE_WINDOW = 1.5
_PHASE = "CDN or host break at a random moment of the interval; detect is counted from the first bad look, as in the reports"
_DEFIB = (sys.executable, "-m", "defib")


@dataclass(frozen=True)
class Case:
    """What is drilled."""

    procedure: str
    fault: str

    def __str__(self) -> str:
        return f"{self.procedure}, {self.fault}"


class Seen(BaseModel):
    """What the eyewitness saw of one drill."""

    outage_s: float | None
    disagreement_s: float | None


class Drill(BaseModel):
    """The part of what ``defib drill --json`` prints that counts here."""

    status: str | None
    reason: str
    eyewitness: Seen
    residue: tuple[str, ...] | None
    phases: dict[str, float | None]


@dataclass
class Told:
    """What the drills of one fault had to say beside the outage, in the order in which they ran."""

    disagreement: list[float] = field(default_factory=list)
    phases: dict[str, list[float]] = field(default_factory=dict)

    def note(self, drill: Drill) -> None:
        """Keep the figures of one drill that was right."""
        if drill.eyewitness.disagreement_s is not None:
            self.disagreement.append(drill.eyewitness.disagreement_s)
        for name, took in drill.phases.items():
            if took is not None:
                self.phases.setdefault(name, []).append(took)


def measure(order: Order) -> Findings:
    """Drills with each fault in turn, one lab for all of them."""
    faults = (*FAULTS, *MORE_FAULTS) if order.all_faults else FAULTS
    cases = {str(case): case for case in (Case(procedure, fault) for procedure in PROCEDURES for fault in faults)}
    told = {name: Told() for name in cases}
    with tempfile.TemporaryDirectory(prefix="defib-bench-") as name, _lab(Path(name), order.net) as site:

        def task(case: Case) -> Callable[[int], Sample]:
            def sample(number: int) -> Sample:
                order.tell(f"drill {number + 1} of {order.rounds}, {case}")
                counted = told[str(case)] if number >= 0 else Told()
                return _drilled(case, Path(name), counted)

            return sample

        found = in_turns(order.rounds, {each: task(case) for each, case in cases.items()})
    findings = [_of_case(each, found[each], told[each], window(site, case.fault)) for each, case in cases.items()]
    series = tuple(each for group, _ in findings for each in group)
    targets = tuple(target for _, group in findings for target in group)
    return Findings(series, targets, (_setting(site), _PHASE))


def window(site: Site, fault: str) -> timedelta:
    """What detection and the cached answers of resolvers take at least in the worst case."""
    detection = site.detection
    late = detection.probe_deadline if fault == "hang" else timedelta(0)
    return detection.fall * detection.interval + late + site.steered.ttl


@contextmanager
def _lab(home: Path, net: str) -> Iterator[Site]:
    """A lab on a network of its own for as long as the context lasts; gives its site."""
    try:
        started = timed([*_DEFIB, "lab", "up", "--net", net], {"DEFIB_HOME": str(home)})
        if started.status != 0:
            raise LabDown(
                "the lab of the benchmark does not start",
                seen=_last_words(started).removeprefix("seen:").strip(),
                then="another --net",
            )
        yield load_site(home / "lab" / "sites" / "lab.yaml")
    finally:
        process.down(home)


def _drilled(case: Case, home: Path, told: Told) -> Sample:
    command = [*_DEFIB, "drill", case.procedure, "--site", "lab", "--fault", case.fault, "--json", "--no-prefect"]
    ended = timed(command, {"DEFIB_HOME": str(home)})
    try:
        drill = Drill.model_validate_json(ended.output)
    except ValidationError:
        return Sample(None, f"no figures, exit {ended.status}: {_last_words(ended)}")
    wrong = _wrong(drill, ended)
    if wrong or drill.eyewitness.outage_s is None:
        return Sample(None, wrong or "the eyewitness saw no outage")
    told.note(drill)
    return Sample(drill.eyewitness.outage_s)


def _wrong(drill: Drill, ended: Ended) -> str:
    """Why a drill proves nothing, "" if it does.

    One that fails only because report and eyewitness differ did recover: how far they differ has a target of its own.
    """
    if drill.residue is None or drill.residue:
        return f"the drill left a trace: {drill.reason}"
    if ended.status == 0 and drill.status == "recovered":
        return ""
    differs = drill.eyewitness.disagreement_s
    only_differs = differs is not None and differs > AGREEMENT.total_seconds() and "disagree" in drill.reason
    return "" if only_differs else f"{drill.status}, exit {ended.status}: {drill.reason or _last_words(ended)}"


def _last_words(ended: Ended) -> str:
    return " / ".join(ended.errors.strip().splitlines()[-2:])


def _of_case(
    case: str, samples: tuple[Sample, ...], told: Told, whole: timedelta
) -> tuple[tuple[Series, ...], tuple[Target, ...]]:
    outage = Series(f"{case}: outage", "eyewitness", samples=samples)
    ratio = replace(outage, job=f"{case}: outage in windows", unit="times", samples=_parts(samples, whole))
    differs = Series(f"{case}: report against eyewitness", "defib", samples=_plain(told.disagreement))
    phases = tuple(
        Series(f"{case}: {phase.value}", "defib", samples=_plain(told.phases[phase.value]))
        for phase in Phase
        if phase.value in told.phases
    )
    limit = AGREEMENT.total_seconds()
    targets = (
        at_most(f"{case}: outage, {whole.total_seconds():g} s being the window", ratio, ratio.median, MOST_OF_THE_WINDOW),
        at_most(f"{case}: report against eyewitness, the most", differs, differs.largest, limit),
    )
    return (outage, ratio, differs, *phases), targets


def _parts(samples: tuple[Sample, ...], whole: timedelta) -> tuple[Sample, ...]:
    return tuple(sample if sample.value is None else Sample(sample.value / whole.total_seconds()) for sample in samples)


def _plain(values: list[float]) -> tuple[Sample, ...]:
    return tuple(Sample(value) for value in values)


def _setting(site: Site) -> str:
    def seconds(settings: Mapping[str, timedelta]) -> str:
        return ", ".join(f"{name} {span.total_seconds():g} s" for name, span in settings.items())

    detection = site.detection
    spans = {"interval": detection.interval, "probe deadline": detection.probe_deadline, "TTL": site.steered.ttl}
    return (
        f"{seconds(spans)}, fall {detection.fall}; the window is fall x interval + TTL, and the probe deadline where the "
        "fault is a hang; drills run without Prefect"
    )
