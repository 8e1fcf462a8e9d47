"""What must be seen of the place that users are sent to, before they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from defib import entries
from defib.errors import ProviderError, Refused
from defib.objectives import Mode
from defib.plan import Decides
from defib.ports import Aim, Build, Expect
from defib.process import run_command
from defib.run import Step
from defib.users.looking import Judged, insist, judge, keep_looking, look_at_origin, look_through
from defib.users.ways import Way

ROUNDS = 3
"""Looks by every observer that a standby must stand, one after the other, before it is trusted with users."""

_ASK_WITHIN = timedelta(seconds=5)
"""For what the vendor's own API has to say, which is never a proof."""


@dataclass(frozen=True)
class Standby:
    """Who was proved able to take the users, and the build that is served there."""

    name: str
    build: Build | None


def first_that_can(step: Step, places: Mapping[str, Callable[[], Build | None]], kind: str) -> Standby:
    """The first of `places` whose proof holds; each gives the build that it serves, or raises :class:`Refused`.

    Raises :class:`Refused` where none does; `kind` is what they are called.
    """
    refusals = []
    for name, prove in places.items():
        try:
            return Standby(name, prove())
        except Refused as refusal:
            step.note(str(refusal), warning=True)
            refusals.append(str(refusal))
    text = f"no {kind} can take the users; they stay where they are"
    raise Refused(text, seen=" | ".join(refusals), then=f"repair a {kind} first")


def prove_standby(step: Step, way: Way, expected: Build | None, of_whom: str) -> Build | None:
    """Prove that `cdn` can take the users, and give the build it serves; :class:`Refused` says why it cannot."""
    if way.cdn is not None:
        _ask_the_cdn(step, way)
    for number in range(ROUNDS):
        judged = look_through(step, way)
        if not judged.is_served():
            raise Refused(
                f"{way.name} does not serve the site as expected (look {number + 1} of {ROUNDS})",
                where=way.connect_to,
                expected="content, certificate, headers and speed as in the site file",
                seen=str(judged),
            )
    _fresh_enough(step, way, expected, judged.build, of_whom)
    _accepted(step, way)
    return judged.build


def prove_stable(step: Step, way: Way, expected: Build | None) -> Build | None:
    """Wait until `cdn` served the site without a break for the stable time, and serves what users have now; gives its build.

    An older build is what the CDN cached before it failed: it is told once to forget the page, and looked at again. In
    plan mode, which changes nothing, one look is enough.
    """
    planning = step.run.mode is Mode.PLAN
    purged, complaint = False, ""
    for judged in keep_looking(step, step.site.verification.stable_for, _looks(step, way), expected=None):
        if judged.is_older_than(expected) and not purged:
            remedy = "; it is to be purged" if way.cdn else ""
            step.note(f"{way.name} serves an older build than users have{remedy}", warning=True)
            purged = True
            if not planning and way.cdn is not None:
                step.purge(way.name, (urlsplit(step.site.page.url).path or "/", "/index.html", *step.site.page.warm))
        elif not judged.is_served() and str(judged) != complaint:
            complaint = str(judged)
            step.note(f"{way.name} is not stable yet: {complaint}")
        if planning:
            break
    read = recovery_point(way.name, expected, judged.build, "users have")
    step.record(read)
    if not planning and (read.lag is None or read.lag):
        how = "an unknown age" if read.lag is None else f"{read.lag} older"
        text = f"{way.name} would not give users what they have now ({how}): {read.why}"
        insist(step, text, then=f"give {way.name} the newer build, or add --force to accept the loss")
    return judged.build


def recovery_point(
    source: str, expected: Build | None, found: Build | None, of_whom: str, verb: str = "serves"
) -> entries.RecoveryPointRead:
    """How far `found`, which users get, lags behind `expected`: the time between the two builds."""
    if expected is None or found is None:
        missing = f"the build that {of_whom}" if expected is None else f"{source}'s build"
        return entries.RecoveryPointRead(source, None, f"{missing} could not be read", expected, found)
    if found.id == expected.id:
        why = f"{source} {verb} the build that {of_whom}"
        return entries.RecoveryPointRead(source, timedelta(0), why, expected, found)
    lag = max(expected.built - found.built, timedelta(0))
    compared = "an older build than" if lag else "another build, and no older, than"
    return entries.RecoveryPointRead(source, lag, f"{source} {verb} {compared} the one that {of_whom}", expected, found)


def warm(step: Step, way: Way) -> None:
    """Fetch the page's large files through `cdn`, so that the first users need not wait; a file that fails is a warning."""
    parts = urlsplit(step.site.page.url)
    for path in step.site.page.warm:
        aim = Aim(parts._replace(path=path).geturl(), connect_to=way.connect_to, expect=Expect.ASSET)
        judged = judge(step.look(f"{way.name}, files", aim), step.site.detection.quorum)
        if not judged.is_served():
            step.note(f"{path} could not be fetched through {way.name}: {judged}", warning=True)


def _looks(step: Step, way: Way) -> Iterator[Judged]:
    """Looks at what `way` will lead to: past a CDN that serves a release meanwhile, and not what the host would give."""
    past = way.cdn is not None and any(change.decides is Decides.RELEASE for change in step.run.follows)
    while True:
        yield look_at_origin(step) if past else look_through(step, way)


def _ask_the_cdn(step: Step, way: Way) -> None:
    """What the vendor's own API says is a warning, not a proof: the standby is judged by what it serves."""
    try:
        status = step.run.outside.cdns[way.name].status(within=step.within.sooner(_ASK_WITHIN))
    except ProviderError as error:
        step.note(f"{way.name} could not be asked about its configuration: {error}", warning=True)
        return
    if not status.enabled:
        raise Refused(f"{way.name} says that the distribution is disabled", where=way.connect_to)
    if not status.deployed:
        step.note(f"{way.name} is still deploying its last change", warning=True)
    if status.uncovered_methods:
        methods = ", ".join(status.uncovered_methods)
        step.note(f"{way.name} does not fail over between origins for {methods}", warning=True)


def _fresh_enough(step: Step, way: Way, expected: Build | None, found: Build | None, of_whom: str) -> None:
    read = recovery_point(way.name, expected, found, of_whom)
    step.record(read)
    rpo = step.run.objectives.rpo
    if read.lag is None:
        insist(step, f"nobody can tell how old the build at {way.name} is: {read.why}", then="--force to accept the loss")
    elif read.lag > rpo:
        text = f"{way.name} serves a build that is {read.lag} older than the one that {of_whom}; the RPO is {rpo}"
        refresh = f"purge {way.name}" if way.cdn else f"publish the newer build at {way.name}"
        insist(step, text, then=f"{refresh}, or add --force to accept the loss")


def _accepted(step: Step, way: Way) -> None:
    test = step.site.acceptance
    if test is None:
        return
    environment = {"DEFIB_URL": step.site.page.url, "DEFIB_CONNECT_TO": way.connect_to.rstrip(".")}
    finished = run_command(test.command, environment, step.within.sooner(test.within))
    if finished.status != 0:
        raise Refused(
            f"the acceptance command found {way.name} wanting",
            where=" ".join(test.command),
            expected="exit 0",
            seen=f"exit {finished.status}: {finished.output.strip()[-300:]}",
        )
