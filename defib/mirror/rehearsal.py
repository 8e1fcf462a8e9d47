"""A drill of git-mirror: the source fails on purpose, mirrors keep everything, and the right commit can still be built."""

from __future__ import annotations

from collections.abc import Mapping

from defib.drills.drill import Stage
from defib.drills.drilled import Drill
from defib.drills.quiet import QuietDrill
from defib.errors import StepFailed
from defib.mirror.copies import Mirrors
from defib.mirror.port import compared
from defib.objectives import Status
from defib.redeploy.source import choose

_ASK_WITHIN_BUDGET_OF = "ask-the-remotes"

Held = Mapping[str, Mapping[str, Mapping[str, str]]]
"""By repository and mirror, what each ref leads to."""


def rehearse_loss(stage: Stage, procedure: str, site_name: str, fault: str) -> tuple[str, Drill]:
    """Mirror, break the source, mirror again, heal, mirror once more; gives the drill's id and what it proved.

    Proved is that the run is red while the source fails, that every mirror has by its own answer what it had, that a
    redeploy would build the commit that the mirrors hold, and that nothing is left behind.
    """
    quiet = QuietDrill(stage, procedure, site_name, fault)
    return quiet.id, quiet.play(lambda: _there_and_back(quiet))


def _there_and_back(quiet: QuietDrill) -> None:
    quiet.run("before", Status.RECOVERED)
    quiet.fingerprint("before")
    held = _held(quiet)
    quiet.break_()
    quiet.run("forward", Status.REFUSED)
    if _held(quiet) != held:
        raise StepFailed("a mirror no longer has what it had", where=quiet.told["forward"].opened.run_id)
    quiet.note("every mirror has, by its own answer, exactly what it had before")
    _right_commit_is_built(quiet, held)
    quiet.heal()
    quiet.run("failback", Status.RECOVERED)


def _right_commit_is_built(quiet: QuietDrill, held: Held) -> None:
    """The commit at the mirrors is what users had; a redeploy must find it while the source fails."""
    outside = quiet.outside()
    (_, mirrors), *_ = held.items()
    branch = quiet.site.git.branch if quiet.site.git else ""
    wanted = next((refs.get(f"refs/heads/{branch}", "") for refs in mirrors.values()), "")
    if outside.workshop is None:
        quiet.note("the site file does not say how it is built, so nobody could rebuild it", warning=True)
        return
    told = outside.workshop.ask([wanted], within=quiet.within(_ASK_WITHIN_BUDGET_OF))
    choice = choose(told.offers, told.bundle, told.deployed)
    if choice.commit != wanted:
        raise StepFailed("a redeploy would build another commit", expected=wanted, seen=f"{choice.commit} ({choice.source})")
    quiet.note(f"a redeploy would build {choice.commit[:12]} from {choice.source}, which is what users had")
    for refused in choice.refused:
        quiet.note(f"not from {refused}")


def _held(quiet: QuietDrill) -> Held:
    """What every mirror says that it holds."""
    found: dict[str, dict[str, Mapping[str, str]]] = {}
    for each in _mirrors(quiet).repositories:
        listings = each.ask(within=quiet.within(_ASK_WITHIN_BUDGET_OF))
        found[each.name] = {place: listings[place].refs for place in compared(each)}
    return found


def _mirrors(quiet: QuietDrill) -> Mirrors:
    mirrors = quiet.outside().mirrors
    if mirrors is None:
        raise StepFailed("the site has nothing to mirror", where=str(quiet.site_path))
    return mirrors
