"""A drill of git-mirror: the source fails on purpose, mirrors keep everything, and the right commit can still be built."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from defib import entries
from defib.approval import Automatic
from defib.clock import Deadline
from defib.drill import Stage, open_drill
from defib.drilled import Drill, drill
from defib.errors import DefibError, Interrupted, StepFailed
from defib.mirror.copies import Mirrors
from defib.objectives import Mode, Status
from defib.outside import Outside
from defib.redeploy.source import choose
from defib.runbook import load_runbook
from defib.site import Site, load_site
from defib.start import Order, new_run
from defib.timeline import Timeline, timeline

_ASK_WITHIN_BUDGET_OF = "ask-the-remotes"

Held = Mapping[str, Mapping[str, Mapping[str, str]]]
"""By repository and mirror, what each ref leads to."""


def rehearse_loss(stage: Stage, procedure: str, site_name: str, fault: str) -> tuple[str, Drill]:
    """Mirror, break the source, mirror again, heal, mirror once more; gives the drill's id and what it proved.

    Proved is that the run is red while the source fails, that every mirror has by its own answer what it had, that a
    redeploy would build the commit that the mirrors hold, and that nothing is left behind.
    """
    path = stage.desk.site_path(site_name)
    rehearsal = _Loss(stage, procedure, fault, load_site(path), path)
    return rehearsal.id, rehearsal.play()


class _Loss:
    def __init__(self, stage: Stage, procedure: str, fault: str, site: Site, site_path: Path) -> None:
        self._stage, self._desk, self._site, self._site_path = stage, stage.desk, site, site_path
        self._procedure = procedure
        self._runbook = load_runbook(procedure, self._desk.runbooks)
        self._faults = self._runbook.failing(site, fault)
        self.id, self._journal = open_drill(self._desk, self._runbook, site, site_path, self._faults)
        self._told: dict[str, Timeline] = {}

    def play(self) -> Drill:
        status, reason = Status.FAILED, ""
        try:
            self._there_and_back()
            status = Status.RECOVERED
        except Interrupted as error:
            status, reason = Status.INTERRUPTED, error.what
        except DefibError as error:
            reason = str(error)
        finally:
            self._desk.clock.resume()
            self._heal()
        told = self._drill()
        if status is Status.RECOVERED and told.residue != ():
            status, reason = Status.FAILED, "the drill left a trace, or what it left could not be compared"
        self._journal.append(entries.Closed(status, reason))
        return self._drill()

    def _drill(self) -> Drill:
        return drill(self._journal.records, self._told.get("forward"), self._told.get("failback"))

    def _there_and_back(self) -> None:
        self._mirror("before", Status.RECOVERED)
        self._journal.append(entries.Fingerprinted.of("before", self._stage.bench.fingerprint()))
        held = self._held()
        for target, fault in self._faults:
            self._stage.bench.break_(target, fault)
            self._journal.append(entries.FaultSet(target, fault))
        self._mirror("forward", Status.REFUSED)
        if self._held() != held:
            raise StepFailed("a mirror no longer has what it had", where=self._told["forward"].opened.run_id)
        self._note("every mirror has, by its own answer, exactly what it had before")
        self._right_commit_is_built(held)
        self._heal()
        self._mirror("failback", Status.RECOVERED)
        self._journal.append(entries.Fingerprinted.of("after", self._stage.bench.fingerprint()))

    def _mirror(self, role: str, wanted: Status) -> None:
        site = str(self._site_path)
        run = new_run(self._desk, Order(self._procedure, site, Mode.REHEARSAL, Automatic(f"drill {self.id}")))
        outcome = self._stage.carry_out(run)
        self._told[role] = timeline(run.journal.records)
        self._journal.append(entries.DrillRun(role, run.id, outcome.status, outcome.head))
        if outcome.status is not wanted:
            raise StepFailed(
                f"run {run.id} ended {outcome.status}", where=role, expected=str(wanted), seen=outcome.reason or "no reason"
            )
        self._note(f"{role}: run {run.id} ended {outcome.status}, as it must")

    def _right_commit_is_built(self, held: Held) -> None:
        """The commit at the mirrors is what users had; a redeploy must find it while the source fails."""
        outside = self._outside()
        (_, mirrors), *_ = held.items()
        wanted = next((refs.get(f"refs/heads/{self._branch}", "") for refs in mirrors.values()), "")
        if outside.workshop is None:
            self._note("the site file does not say how it is built, so nobody could rebuild it", warning=True)
            return
        told = outside.workshop.ask([wanted], within=self._within())
        choice = choose(told.offers, told.bundle, told.deployed)
        if choice.commit != wanted:
            raise StepFailed(
                "a redeploy would build another commit", expected=wanted, seen=f"{choice.commit} ({choice.source})"
            )
        self._note(f"a redeploy would build {choice.commit[:12]} from {choice.source}, which is what users had")
        for refused in choice.refused:
            self._note(f"not from {refused}")

    @property
    def _branch(self) -> str:
        return self._site.git.branch if self._site.git else ""

    def _held(self) -> Held:
        """What every mirror says that it holds."""
        found: dict[str, dict[str, Mapping[str, str]]] = {}
        for each in self._mirrors().repositories:
            listings = each.ask(within=self._within())
            found[each.name] = {place: listings[place].refs for place in each.mirrors}
        return found

    def _mirrors(self) -> Mirrors:
        mirrors = self._outside().mirrors
        if mirrors is None:
            raise StepFailed("the site has nothing to mirror", where=str(self._site_path))
        return mirrors

    def _outside(self) -> Outside:
        return self._desk.opener(self._site, self._desk.home, self._desk.redact, self._desk.clock)

    def _within(self) -> Deadline:
        return Deadline.after(self._desk.clock, self._runbook.step(_ASK_WITHIN_BUDGET_OF).budget)

    def _heal(self) -> None:
        faults = list(self._journal.of(entries.FaultSet))
        if not faults or not faults[-1].fault:
            return
        self._stage.bench.heal()
        for target, _ in self._faults:
            self._journal.append(entries.FaultSet(target, ""))

    def _note(self, text: str, *, warning: bool = False) -> None:
        self._journal.append(entries.Noted("", text, warning))
