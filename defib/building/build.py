"""Building a commit: by the site file's command, and where that fails, from what an earlier build of it left."""

from __future__ import annotations

import os
import re
import shlex
import signal
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from defib.building.artefacts import Artefact, Artefacts, Recipe
from defib.building.built import Built, Checkout
from defib.building.environment import build_environment
from defib.building.kind import kind_of
from defib.building.output import check_output
from defib.clock import Deadline
from defib.errors import BudgetSpent, HomeUnwritable, InputError, LeaseHeld, LeaseLost, Refused, StepFailed
from defib.home import Home
from defib.lines import plain
from defib.process import TAIL, run_command
from defib.sites.git import Build
from defib.sites.site import Site

_RESERVE = 10
"""The part of the time that is held back for an artefact, where there is one: one in this many."""

_LAST_LINES = 12
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class _Job:
    """One build of one site, and what it may use."""

    site: Site
    how: Build
    checkout: Checkout
    home: Home
    artefacts: Artefacts
    recipe: Recipe


def build_site(
    site: Site,
    checkout: Checkout,
    home: Home,
    within: Deadline,
    line: Callable[[str], None],
    in_use: Collection[str] = (),
) -> Built:
    """Build `checkout` by the site file's command, check what came out, and keep it as an artefact.

    Each line of output goes to `line` as it comes; it may hold whatever the build prints, so `line` redacts. Where the
    build cannot be started, fails, runs out of time or leaves what must not be served, a whole artefact of the same commit
    by the same command is used instead, and the result says so. Without one :class:`StepFailed`, :class:`BudgetSpent` or
    :class:`Refused` say what happened and what became of the artefacts. Artefacts of the commits `in_use` are never
    removed, nor is this one. Safe to repeat. An interruption ends the build's processes and is no reason for an artefact.
    """
    begun = within.clock.monotonic()
    job = _job(site, checkout, home)
    try:
        built = _build(job, within, line)
    except (LeaseHeld, LeaseLost):  # of `line`: this run is over
        raise
    except (StepFailed, Refused, HomeUnwritable) as error:
        built = _from_artefact(job, error, within)
    notes = (*built.notes, *_retain(job, in_use))
    return replace(built, took=within.clock.monotonic() - begun, notes=notes)


def artefacts_of(site: str, home: Home) -> Artefacts:
    """The artefacts of the site with this name."""
    return Artefacts(home.path / "artefacts" / site)


def _job(site: Site, checkout: Checkout, home: Home) -> _Job:
    if site.build is None:
        raise InputError(f"the site {site.site} has no build", where=f"{site.site}.yaml", expected="build: in its file")
    if not _COMMIT.fullmatch(checkout.commit):
        raise InputError("not the full id of a commit", expected="40 hexadecimal digits", seen=checkout.commit)
    recipe = Recipe(site.build.command, site.build.output)
    return _Job(site, site.build, checkout, home, artefacts_of(site.site, home), recipe)


def _build(job: _Job, within: Deadline, line: Callable[[str], None]) -> Built:
    commit = job.checkout.commit
    _run(job, within, line)
    folder = _output(job)
    output = check_output(folder, job.site.page, commit, within)
    kind = kind_of(job.checkout.folder, job.how.output)
    kept = job.artefacts.keep(output, folder, commit, job.recipe, kind, within)
    return Built(commit, kept, kind, output.files, output.skipped, False, "", output.build, timedelta(0), output.notes)


def _run(job: _Job, within: Deadline, line: Callable[[str], None]) -> None:
    if not job.checkout.folder.is_dir():
        raise StepFailed("there is no work tree to build in", where=str(job.checkout.folder))
    limit = within.sooner(job.how.within)
    if job.artefacts.has(job.checkout.commit):
        limit = limit.sooner(within.remaining() - within.remaining() / _RESERVE)
    allowed = limit.remaining()
    with job.artefacts.room() as own:
        environment = build_environment(job.checkout, job.how.path, job.home.path, own)
        try:
            finished = run_command(job.how.command, environment, limit, folder=job.checkout.folder, closed=True, line=line)
        except BudgetSpent as error:
            raise BudgetSpent(
                f"the build did not end within {_seconds(allowed)}; its processes were ended",
                where=_where(job),
                seen=_last_lines(error.seen) or "no output",
                then="see where it hangs (a registry that does not answer?), or give it more time in build.within",
            ) from error
    if finished.left:
        line(f"processes of the build could not be ended: {', '.join(map(str, finished.left))}")
    if finished.status != 0:
        raise StepFailed(
            "the build failed",
            where=_where(job),
            expected="exit 0",
            seen=f"{_ending(finished.status)}; {_last_lines(finished.output) or 'no output'}",
            then="mend what its last lines complain about, and run again",
        )


def _output(job: _Job) -> Path:
    """The folder of the output, which is in the work tree also after every link on the way was followed."""
    folder = job.checkout.folder / job.how.output
    tree = Path(os.path.realpath(job.checkout.folder))
    if not Path(os.path.realpath(folder)).is_relative_to(tree):
        raise Refused(
            "the output is not in the work tree",
            where=f"build.output: {job.how.output}",
            expected="a folder of the work tree",
            seen=os.path.realpath(folder),
        )
    return folder


def _retain(job: _Job, in_use: Collection[str]) -> tuple[str, ...]:
    """What could not be removed of old artefacts, which is no reason to fail a build that is there."""
    try:
        job.artefacts.retain({job.checkout.commit, *in_use})
    except HomeUnwritable as error:
        return (str(error),)
    return ()


def _from_artefact(job: _Job, error: StepFailed | Refused | HomeUnwritable, within: Deadline) -> Built:
    """The build as it was kept, or `error` again with what was found in its stead."""
    commit = job.checkout.commit
    try:
        artefact, wrong = job.artefacts.find(commit, job.recipe, job.site.page, within)
    except BudgetSpent:  # what failed first says more
        artefact, wrong = None, ("no time was left to check the artefact of this commit",)
    if artefact is None:
        found = "; ".join(wrong) or f"no artefact of this commit in {job.artefacts.folder}"
        raise type(error)(
            error.what, where=error.where, expected=error.expected, seen=f"{error.seen} ({found})".lstrip(), then=error.then
        ) from error
    return _as_built(artefact, "; ".join(part for part in (error.what, error.seen) if part))


def _as_built(artefact: Artefact, why: str) -> Built:
    kept, output = artefact.manifest, artefact.output
    return Built(
        kept.commit,
        artefact.files,
        kept.kind,
        output.files,
        kept.skipped,
        True,
        why,
        output.build,
        timedelta(0),
        output.notes,
    )


def _where(job: _Job) -> str:
    return f"{shlex.join(job.how.command)}, at {job.checkout.commit}"


def _last_lines(output: str) -> str:
    """The last whole lines."""
    lines = output.split("\n")
    whole = lines[1:] if len(output) >= TAIL else lines  # half of a secret is not known as one
    return "\n".join([text for line in whole if (text := plain(line).rstrip())][-_LAST_LINES:])


def _ending(status: int) -> str:
    if status >= 0:
        return f"exit {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"ended by {name}" + (", as the kernel does where memory is short" if name == "SIGKILL" else "")


def _seconds(span: timedelta) -> str:
    return f"{span.total_seconds():.0f} s" if span >= timedelta(seconds=10) else f"{span.total_seconds():.1f} s"
