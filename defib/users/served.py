"""Whether users are served again, since when, and whether it would harm them to put a change back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from defib import entries
from defib.errors import StepFailed
from defib.ports import Build, Health, Observation
from defib.run import Run, Step
from defib.users.looking import USERS, Judged, keep_looking, look_at_users, look_through
from defib.users.ways import way_of


def hold_users(step: Step, expected: Build | None) -> entries.UsersServed:
    """Wait until users were served `expected`, or newer, without a break for the hold time, and write that down.

    The unbroken row may have begun in an earlier step.
    """
    complaint = ""
    for judged in keep_looking(step, step.site.verification.hold, _looks(step), expected):
        trouble = "an older build than expected" if judged.is_older_than(expected) else str(judged)
        if (not judged.is_served() or judged.is_older_than(expected)) and trouble != complaint:
            complaint = trouble
            step.note(f"users are not served yet: {complaint}")
    since = served_since(step.run, expected)
    served = entries.UsersServed(since, step.clock.now() - since, judged.build)
    step.record(served)
    return served


def served_since(run: Run, expected: Build | None) -> datetime:
    """When the last of the observers began its unbroken row of good looks at the users' service."""
    rows: dict[str, datetime] = {}
    for seen in (record.entry for record in run.journal.records):
        if isinstance(seen, entries.Reopened):
            rows.clear()  # nobody looked while the run was down
        elif isinstance(seen, entries.Observed) and seen.aim == USERS:
            if _is_good(seen.observation, expected):
                rows.setdefault(seen.observation.observer, seen.observation.at)
            elif seen.observation.health is not Health.UNKNOWN:
                rows.pop(seen.observation.observer, None)
    if not rows:
        raise StepFailed("users are not served")
    return max(rows.values())


def worse_off(run: Run) -> str:
    """Why putting the run's changes back now would take the site away from users; "" when it would not."""
    for _, change in run.changes.standing():
        back = way_of(run.site, [(change.vendor, record.key, record.before) for record in change.records])
        here = way_of(run.site, [(change.vendor, record.key, record.after) for record in change.records])
        if back is None or here is None:
            continue
        there, now = look_through(run, back), look_through(run, here)
        if there.is_served():
            continue
        if now.good > there.good:
            return f"{here.name} serves the site and {back.name} does not"
        if not now.bad:
            return f"nobody can tell whether {here.name} serves the site, and {back.name} was not seen to"
    return ""


def _looks(step: Step) -> Iterator[Judged]:
    while True:
        yield look_at_users(step)


def _is_good(seen: Observation, expected: Build | None) -> bool:
    older = expected and seen.build and seen.build.built < expected.built
    return seen.health is Health.GOOD and not older
