"""A drill of replication-check: replication stalls, the exposure grows past the RPO, and a damaged object is mended."""

from __future__ import annotations

from datetime import datetime, timedelta

from defib.clock import Deadline
from defib.copyentries import ReplicaSeen
from defib.drills.drill import Stage
from defib.drills.drilled import Drill
from defib.drills.quiet import QuietDrill
from defib.errors import StepFailed
from defib.objectives import Measure, Status, Verdict
from defib.replication.canary import sweep
from defib.replication.findings import Kind
from defib.replication.pair import Pair
from defib.timeline import Timeline

_REPAIR = "replication-repair"
_STEP = "compare-the-versions"
_CORRUPT = "corrupt"
_AGAIN = timedelta(milliseconds=100)

STAMPED = timedelta(seconds=1)
"""How exact it can be: S3 stamps versions to the second."""

_AHEAD = timedelta(seconds=4)
"""So long before the RPO is missed the check begins that must see it met."""


def rehearse_stall(stage: Stage, procedure: str, site_name: str, fault: str) -> tuple[str, Drill]:
    """Check, stall, write, check as the exposure grows, heal, check, damage, check, mend; gives the drill's id and proofs.

    Proved is that the RPO is met until the second in which the oldest version that is missing is older than it, and missed
    from then on; that it is met again once replication goes on; that a copy with other bytes is found, and mended by an
    approved plan; and that nothing is left behind in either bucket.
    """
    quiet = QuietDrill(stage, procedure, site_name, fault)
    stalled = _Stall(quiet)
    return quiet.id, quiet.play(stalled.there_and_back, stalled.clean_up)


class _Stall:
    def __init__(self, quiet: QuietDrill) -> None:
        self._quiet = quiet
        self._clock = quiet.desk.clock
        replicas = quiet.outside()
        if replicas.replicas is None:
            raise StepFailed("the site has nothing replicated", where=str(quiet.site_path))
        replicas.fence.arm(lambda: None)  # a rehearsal in the lab: what it writes, it removes
        self._pair: Pair = replicas.replicas.pairs[0]
        self._prefix = f"drill/{quiet.id}/"

    def there_and_back(self) -> None:
        quiet = self._quiet
        quiet.run("before", Status.RECOVERED)
        quiet.fingerprint("before")
        quiet.break_()
        written = self._write("stalled.bin")
        self._grows(written)
        quiet.heal()
        self._arrives("stalled.bin")
        self._must_be(quiet.run("healed", Status.RECOVERED), Verdict.MET)
        self._is_mended()

    def _grows(self, written: datetime) -> None:
        """The exposure is the age of what is missing, met until it is older than the RPO, and missed from that second on."""
        quiet, rpo = self._quiet, self._pair.config.rpo or self._quiet.site.objectives.rpo
        self._until(written + rpo - _AHEAD)
        before = self._must_be(self._check("growing"), Verdict.MET)
        self._until(written + rpo)
        after = self._must_be(self._check("forward"), Verdict.MISSED)
        for seen, told in ((before, quiet.told["growing"]), (after, quiet.told["forward"])):
            self._must_agree(seen, told, written)
        missed = written + rpo
        quiet.note(f"the RPO was met until {missed:%H:%M:%S} UTC, the second in which it is missed, and missed from then on")

    def _check(self, role: str) -> Timeline:
        """While the canary cannot arrive either, a check must fail for that."""
        return self._quiet.run(role, Status.FAILED)

    def _must_agree(self, seen: ReplicaSeen, told: Timeline, written: datetime) -> None:
        """The exposure is as old as what was written: S3's own stamp, and this machine's clock when it was compared."""
        compared = next(step.started for step in told.steps if step.name == _STEP)
        apart = abs((seen.exposure or timedelta(0)) - (compared - written))
        if apart > STAMPED:
            raise StepFailed("the exposure is not as old as what is missing", expected=str(STAMPED), seen=str(apart))

    def _is_mended(self) -> None:
        """A copy that holds other bytes is found, mended, and found no more."""
        quiet = self._quiet
        quiet.break_(_CORRUPT)
        self._write("damaged.bin")
        self._arrives("damaged.bin")
        quiet.heal()
        damaged = quiet.run("damaged", Status.FAILED)
        kinds = dict(damaged.replicas[0].counts)
        if kinds != {Kind.DIFFERENT.value: 1}:
            raise StepFailed("the damaged object was not found", expected="1 different", seen=str(kinds))
        quiet.note("the object that was damaged on its way, and nothing else, was found to be different")
        quiet.run("mended", Status.RECOVERED, _REPAIR)
        self._must_be(quiet.run("failback", Status.RECOVERED), Verdict.MET)
        quiet.note("the replica has the source's bytes again")

    def _must_be(self, told: Timeline, verdict: Verdict) -> ReplicaSeen:
        seen = told.replicas[0]
        found = Measure(seen.rpo, seen.exposure).verdict
        if found is not verdict:
            raise StepFailed(f"the RPO is {found}", where=told.opened.run_id, expected=verdict, seen=seen.why)
        return seen

    def _write(self, name: str) -> datetime:
        """An object of the drill's own; gives when S3 says that it was written."""
        within, key = self._within(), f"{self._prefix}{name}"
        version = self._pair.source.put(key, f"{name} of drill {self._quiet.id}".encode(), within=within)
        told = self._pair.source.details(key, version, within=within)
        if told is None:
            raise StepFailed("what was written is not there", where=self._pair.source.where, seen=key)
        return told.modified

    def _arrives(self, name: str) -> None:
        within = self._within()
        while self._pair.replica.details(f"{self._prefix}{name}", "", within=within) is None:
            if within.expired():
                raise StepFailed("what was written never arrived", where=self._pair.replica.where, seen=name)
            self._clock.sleep(_AGAIN)

    def _until(self, moment: datetime) -> None:
        self._clock.sleep(max(moment - self._clock.now(), timedelta(0)))

    def _within(self) -> Deadline:
        return Deadline.after(self._clock, timedelta(seconds=30))

    def clean_up(self) -> None:
        """Remove every version of what the drill wrote, from both sides, and what may be left of canaries."""
        left = sweep(self._pair, self._within(), self._prefix) + sweep(self._pair, self._within())
        for each in left:
            self._quiet.note(f"not removed: {each}", warning=True)
