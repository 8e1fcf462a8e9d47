"""Steps that check replicas: configuration, every version, what CloudWatch says, a canary, and what all of it amounts to.

They share the looks of one run. What was compared is kept range by range beside the journal, so that a run that is taken up
again goes on there; the rest is asked anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from defib.copyentries import Audited, CanaryTimed, ReplicaSeen, VersionSeen
from defib.errors import DefibError, InputError, Interrupted, ProviderError, StepFailed
from defib.objectives import Mode
from defib.plan import Plan
from defib.ready.check import Check, State
from defib.replication import past
from defib.replication.allowance import Allowance
from defib.replication.audit import audit as judged
from defib.replication.canary import time_canary
from defib.replication.comparison import Comparer
from defib.replication.evidence import gather
from defib.replication.exposure import Exposure, exposure
from defib.replication.findings import REMEDY, WRONG, Kind, Tally
from defib.replication.latency import Latency, of_rules
from defib.replication.pair import Pair, Replicas
from defib.replication.progress import Progress
from defib.replication.rules import BucketSettings, leading
from defib.replication.spotcheck import turns_for
from defib.run import PlanReady, Run, Step
from defib.sites.site import Site

_PAIRS_AT_ONCE = 4
_TOLD = 100
"""So many versions of each kind stand in the journal one by one."""

_SHOWN = 3


@dataclass
class Look:
    """One pair, with what was seen of it. `settings` are those of the source, None where they could not be read."""

    pair: Pair
    rpo: timedelta
    settings: BucketSettings | None = None
    tally: Tally | None = None
    at: datetime | None = None
    checks: tuple[Check, ...] = ()
    canary: CanaryTimed | None = None
    latency: Latency = field(default_factory=Latency)
    problems: list[str] = field(default_factory=list)

    def trouble(self, text: str) -> None:
        """Something is not as it must be, or could not be looked at."""
        if text not in self.problems:
            self.problems.append(text)


def replicas_of(run: Run) -> Replicas:
    """The pairs of the site; :class:`InputError` where it has none."""
    if run.outside.replicas is None:
        expected = "replication: in its file"
        raise InputError(f"the site {run.site.site} has nothing replicated", where=_file(run.site), expected=expected)
    return run.outside.replicas


def _file(site: Site) -> str:
    return f"{site.site}.yaml"


def looks_of(run: Run) -> tuple[Look, ...]:
    """Every pair of the site, of which nothing is known yet."""
    return tuple(Look(pair, pair.config.rpo or run.objectives.rpo) for pair in replicas_of(run).pairs)


def audit(step: Step, looks: Sequence[Look]) -> None:
    """Look at how both sides of every pair are configured; who cannot be asked keeps nothing else from being looked at."""
    _each(looks, lambda look: _audit(step, look))


def _audit(step: Step, look: Look) -> None:
    pair = look.pair
    evidence = gather(pair.config, step.run.objectives, pair.sides, step.within)
    look.settings = evidence.source if isinstance(evidence.source, BucketSettings) else None
    found = look.checks = judged(evidence)
    for check in found:
        step.record(Audited(pair.name, f"{check.name} ({check.about})", check.state.value, check.text, check.then))
        if check.state is State.FAIL:
            look.trouble(f"{check.name}: {check.text}")
    unknown = sum(check.state is State.UNKNOWN for check in found)
    if unknown:
        step.note(f"{pair.name}: {unknown} of {len(found)} things of the configuration cannot be told", warning=True)


def compare(step: Step, looks: Sequence[Look]) -> None:
    """Compare every pair version by version; a side that cannot be listed makes its pair unreachable, and no other."""
    _each(looks, lambda look: _compare(step, look))


def _compare(step: Step, look: Look) -> None:
    pair, look.at = look.pair, step.clock.now()
    # What was written since a range was compared is younger than the RPO, or the range is compared again.
    progress = Progress(pair.folder / f"{step.run.id}.jsonl", look.at, look.rpo)
    if progress.done:
        step.note(f"{pair.name}: {len(progress.done)} ranges of keys were compared before, and are not compared again")
    allowance = Allowance(pair.config.ask_at_most, pair.config.read_at_most)
    comparer = Comparer(pair, look.settings, allowance, look.at, look.rpo, _turns(pair))
    try:
        spread = pair.spread and pair.spread(pair.name, look.at, comparer.turns)
        look.tally = comparer.compare(comparer.parts(step.within), progress, step.within, spread)
    except ProviderError as error:
        look.trouble(f"unreachable, and so not compared: {error}")
        step.note(f"{pair.name}: {error}", warning=True)
        return
    finally:
        pair.proofs.close()
    progress.over()
    step.note(f"{pair.name}: {_counted(look.tally)}")


def _turns(pair: Pair) -> int:
    """By what the bucket held at the last look."""
    looks = past.read_past(pair.folder / "past.json")
    return turns_for(looks[-1].versions if looks else 0, pair.config.ask_at_most)


def _counted(tally: Tally) -> str:
    wrong = ", ".join(f"{number} {kind.value}" for kind, number in tally.counts.items())
    compared = f"{tally.source} versions, {tally.same} of them the same at the replica"
    return f"{compared}; {wrong or 'nothing else'}; headers and tags of {tally.checked} compared"


def ask_metrics(step: Step, looks: Sequence[Look]) -> None:
    """Ask CloudWatch how far each replica is behind; what it does not say is unknown, and no proof of anything."""
    _each(looks, lambda look: _ask_metrics(step, look))


def _ask_metrics(step: Step, look: Look) -> None:
    if look.settings is None or "rules" in dict(look.settings.unread):
        look.latency = Latency(why="the rules are not known")
        return
    rules = leading(look.settings.rules, look.pair.replica.name)
    look.latency = of_rules(look.pair.metrics.of([rule.id for rule in rules], within=step.within))


def time_canaries(step: Step, looks: Sequence[Look]) -> None:
    """Write an object at each source and time its arrival; it is removed from both sides in any case."""
    if step.run.mode is not Mode.PLAN:
        _each(looks, lambda look: _time_canary(step, look))


def _time_canary(step: Step, look: Look) -> None:
    look.canary = time_canary(step, look.pair, look.rpo)
    step.record(look.canary)
    if look.canary.took is None:
        look.trouble(f"the canary did not arrive: {look.canary.why}")
    for each in look.canary.left:
        look.trouble(f"a canary could not be removed: {each}")


def judge(step: Step, looks: Sequence[Look]) -> None:
    """Say how much would be lost now; whatever is not as it must be, and no matter of time, fails the run."""
    tell(step, looks)
    if step.run.mode is Mode.PLAN:
        raise PlanReady(Plan(step.run.runbook.procedure, step.site.site, ()))
    wrong = [f"{look.pair.name}: {text}" for look in looks for text in look.problems]
    if wrong:
        then = f"defib report {step.run.id}"
        raise StepFailed("not every replica is as it must be", seen="; ".join(wrong[:_SHOWN]), then=then)


def tell(step: Step, looks: Sequence[Look]) -> None:
    """Write down how much would be lost now, and what is wrong."""
    for look in looks:
        seen = exposure(look.tally, look.at or step.clock.now(), look.rpo)
        step.note(f"{look.pair.name}: {seen.why}")
        _tell_versions(step, look)
        for kind in WRONG:
            number = look.tally.counts.get(kind, 0) if look.tally else 0
            if number:
                look.trouble(f"{number} {kind.value}: {REMEDY[kind]}")
        step.record(_seen(step, look, seen))


def _tell_versions(step: Step, look: Look) -> None:
    told: dict[Kind, int] = {}
    for finding in look.tally.findings if look.tally else ():
        told[finding.kind] = told.get(finding.kind, 0) + 1
        if told[finding.kind] <= _TOLD:
            then = REMEDY.get(finding.kind, "")
            parts = (finding.key, finding.version, finding.since, finding.size, finding.why, then)
            step.record(VersionSeen(look.pair.name, finding.kind.value, *parts))


def _seen(step: Step, look: Look, seen: Exposure) -> ReplicaSeen:
    pair, tally = look.pair, look.tally or Tally()
    path, now = pair.folder / "past.json", look.at or step.clock.now()
    looks = (*past.read_past(path), past.Look(now, seen.lag, tally.source))
    if step.run.mode is not Mode.PLAN:
        past.write_past(path, looks, now)
    return ReplicaSeen(
        pair=pair.name,
        source=pair.source.where,
        replica=pair.replica.where,
        rpo=look.rpo,
        versions=tally.source,
        same=tally.same,
        size=tally.size,
        counts=tuple((kind.value, number) for kind, number in tally.counts.items()),
        exposure=seen.lag,
        why=seen.why,
        canary=look.canary.took if look.canary else None,
        canary_why=look.canary.why if look.canary else "none was written",
        latency=look.latency.behind,
        latency_why=look.latency.why,
        pending=look.latency.pending,
        worst=past.worst([each for each in looks if now - each.at < past.KEPT]),
        past=tuple((each.at, each.exposure) for each in looks if now - each.at < past.DRAWN),
        problems=tuple(look.problems),
    )


def _each(looks: Sequence[Look], work: Callable[[Look], None]) -> None:
    """Do it for every pair; what goes wrong with one stops that one alone."""

    def one(look: Look) -> None:
        try:
            work(look)
        except Interrupted:
            raise
        except DefibError as error:
            look.trouble(str(error))

    with ThreadPoolExecutor(_PAIRS_AT_ONCE, thread_name_prefix="defib-pairs") as pool:
        list(pool.map(one, looks))
