"""What must be seen before users are sent somewhere, and before a recovery calls itself done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from defib import entries
from defib.errors import ProviderError, Refused, StepFailed
from defib.objectives import Mode
from defib.ports import Aim, Build, Expect, Health, Observation
from defib.process import run_command
from defib.run import Run, Step
from defib.site import CloudflareDistribution, CloudFrontDistribution, Site

CdnOfSite = CloudFrontDistribution | CloudflareDistribution

ROUNDS = 3
"""Looks by every observer that a standby must stand, one after the other, before it is trusted with users."""


ONLINE_WITHIN = timedelta(seconds=3)
"""For the question whether it is our own network that is down."""


@dataclass(frozen=True)
class Judged:
    """What several observers together say of one place."""

    good: int
    bad: int
    unknown: int
    reasons: tuple[str, ...]
    build: Build | None

    def is_served(self) -> bool:
        """True when somebody saw it good and nobody saw it bad."""
        return self.good > 0 and self.bad == 0

    def __str__(self) -> str:
        seen = f"{self.good} good, {self.bad} bad, {self.unknown} unknown"
        return f"{seen}: {'; '.join(self.reasons)}" if self.reasons else seen


def judge(observations: Sequence[Observation]) -> Judged:
    """The observers' views of one look, counted; the build is the oldest that any of them saw."""
    health = [seen.health for seen in observations]
    builds = [seen.build for seen in observations if seen.build and seen.health is Health.GOOD]
    return Judged(
        good=health.count(Health.GOOD),
        bad=health.count(Health.BAD),
        unknown=health.count(Health.UNKNOWN),
        reasons=tuple(dict.fromkeys(seen.reason for seen in observations if seen.reason)),
        build=min(builds, key=lambda build: build.built, default=None),
    )


def users(site: Site) -> Aim:
    """The site as users come to it."""
    return Aim(site.page.url)


def edge(site: Site, cdn: CdnOfSite) -> Aim:
    """The site through one CDN, whatever the DNS says."""
    return Aim(site.page.url, connect_to=cdn.hostname)


def origin(site: Site) -> Aim:
    """The origin, past every cache."""
    return Aim(site.origin.url, connect_to=site.origin.connect_to, past_cache=True, expect=Expect.CONTENT)


def named(site: Site, name: str) -> CdnOfSite:
    """The site's CDN of that name."""
    return next(cdn for cdn in site.cdns if cdn.name == name)


def insist(step: Step, text: str, then: str) -> None:
    """Refuse for the reason `text`, unless the operator forces the run; then the reason is a warning in the journal."""
    if not step.run.forced:
        raise Refused(text, then=then)
    step.note(f"{text}; going on because of --force", warning=True)


def recovery_point(source: str, expected: Build | None, found: Build | None) -> entries.RecoveryPointRead:
    """How far `found`, which users get, lags behind `expected`, which they had: the time between the two builds."""
    if expected is None or found is None:
        missing = "the origin's" if expected is None else f"{source}'s"
        return entries.RecoveryPointRead(source, None, f"{missing} build could not be read", expected, found)
    if found.id == expected.id:
        return entries.RecoveryPointRead(source, timedelta(0), f"{source} serves the origin's build", expected, found)
    lag = max(expected.built - found.built, timedelta(0))
    return entries.RecoveryPointRead(source, lag, f"{source} serves an older build than the origin", expected, found)


def prove_standby(step: Step, cdn: CdnOfSite, expected: Build | None) -> Build | None:
    """Prove that `cdn` can take the users, and give the build it serves; :class:`Refused` says why it cannot."""
    _ask_the_vendor(step, cdn)
    for number in range(ROUNDS):
        judged = judge(step.look(cdn.name, edge(step.site, cdn)))
        if not judged.is_served():
            raise Refused(
                f"{cdn.name} does not serve the site as expected (look {number + 1} of {ROUNDS})",
                where=cdn.hostname,
                expected="content, certificate, headers and speed as in the site file",
                seen=str(judged),
            )
    _fresh_enough(step, cdn, expected, judged.build)
    _accepted(step, cdn)
    return judged.build


def prove_stable(step: Step, cdn: CdnOfSite, expected: Build | None) -> None:
    """Wait until `cdn` served the site, no older than users have it now, without a break for the stable time.

    An older build is what the CDN cached before it failed: it is told once to forget the page, and looked at again.
    """
    rules = step.site.verification
    planning = step.run.mode is Mode.PLAN
    purged, complaint = False, ""
    for judged in keep_looking(step, rules.stable_for, cdn.name, edge(step.site, cdn), rules.interval):
        if not judged.is_served() and str(judged) != complaint:
            complaint = str(judged)
            step.note(f"{cdn.name} is not stable yet: {complaint}")
        stale = expected and judged.build and judged.build.built < expected.built
        if stale and not purged:
            step.note(
                f"{cdn.name} serves an older build than users have; {'to be purged' if planning else 'purging it'}",
                warning=True,
            )
            if not planning:
                _purge(step, cdn)
            purged = True
    read = recovery_point(cdn.name, expected, judged.build)
    step.record(read)
    if read.lag and not planning:
        insist(
            step,
            f"{cdn.name} serves a build that is {read.lag} older than the one users have",
            then=f"purge {cdn.name}, or add --force to accept the loss",
        )


def keep_looking(step: Step, duration: timedelta, whose: str, aim: Aim, interval: timedelta) -> Iterable[Judged]:
    """One judgement each `interval`, until every one of them was good for `duration` without a break."""
    since: timedelta | None = None
    while True:
        started = step.clock.monotonic()
        judged = judge(step.look(whose, aim))
        since = (since or started) if judged.is_served() else None
        yield judged
        if since is not None and step.clock.monotonic() - since >= duration:
            return
        step.wait(max(interval - (step.clock.monotonic() - started), timedelta(0)))


def hold_users(step: Step) -> entries.UsersServed:
    """Wait until users were served without a break for the hold time; the row may have begun in an earlier step."""
    rules = step.site.verification
    complaint = ""
    for judged in keep_looking(step, rules.hold, "users", users(step.site), rules.interval):
        if not judged.is_served() and str(judged) != complaint:
            complaint = str(judged)
            step.note(f"users are not served yet: {complaint}")
    since = served_since(step.run)
    held = step.clock.now() - since
    return entries.UsersServed(since, held, judged.build)


def served_since(run: Run) -> datetime:
    """When the last of the observers began its unbroken row of good looks at the users' service."""
    rows: dict[str, datetime] = {}
    for seen in (record.entry for record in run.journal.records):
        if isinstance(seen, entries.Reopened):
            rows.clear()  # nobody looked while the run was down
        if not isinstance(seen, entries.Observed):
            continue
        observer, health = seen.observation.observer, seen.observation.health
        if seen.aim == "users" and health is Health.GOOD:
            rows.setdefault(observer, seen.observation.at)
        elif seen.aim == "users" and health is Health.BAD:
            rows.pop(observer, None)
    if not rows:
        raise StepFailed("users are not served")
    return max(rows.values())


def warm(step: Step, cdn: CdnOfSite) -> None:
    """Fetch the page's large files through `cdn`, so that the first users need not wait; a file that fails is a warning."""
    parts = urlsplit(step.site.page.url)
    for path in step.site.page.warm:
        aim = Aim(parts._replace(path=path).geturl(), connect_to=cdn.hostname, expect=Expect.ASSET)
        judged = judge(step.look(f"{cdn.name}, files", aim))
        if not judged.is_served():
            step.note(f"{path} could not be fetched through {cdn.name}: {judged}", warning=True)


def worse_off(run: Run) -> str:
    """Why putting the run's changes back now would take the site away from users; "" when it would not."""
    by_host = {cdn.hostname: cdn for cdn in run.site.cdns}
    for _, change in run.changes():
        before, after = change.record.before, change.record.after
        back = by_host.get(before.values[0]) if before else None
        here = by_host.get(after.values[0]) if after else None
        if back is None or here is None:
            continue
        there, now = _judged(run, back), _judged(run, here)
        if there.is_served():
            continue
        if now.good > there.good:
            return f"{here.name} serves the site and {back.name} does not"
        if not now.bad:
            return f"nobody can tell whether {here.name} serves the site, and {back.name} was not seen to"
    return ""


def _judged(run: Run, cdn: CdnOfSite) -> Judged:
    return judge(run.look(cdn.name, edge(run.site, cdn)))


def _purge(step: Step, cdn: CdnOfSite) -> None:
    try:
        step.run.outside.cdns[cdn.name].purge(["/", "/index.html"], within=step.within.sooner(timedelta(seconds=10)))
    except ProviderError as error:
        step.note(f"{cdn.name} could not be purged: {error}", warning=True)  # the build that it serves decides


def _ask_the_vendor(step: Step, cdn: CdnOfSite) -> None:
    """What the vendor's own API says is a warning, not a proof: the standby is judged by what it serves."""
    try:
        status = step.run.outside.cdns[cdn.name].status(within=step.within.sooner(timedelta(seconds=5)))
    except ProviderError as error:
        step.note(f"{cdn.name} could not be asked about its configuration: {error}", warning=True)
        return
    if not status.enabled:
        raise Refused(f"{cdn.name} says that the distribution is disabled", where=cdn.hostname)
    if not status.deployed:
        step.note(f"{cdn.name} is still deploying its last change", warning=True)
    if status.uncovered_methods:
        methods = ", ".join(status.uncovered_methods)
        step.note(f"{cdn.name} does not fail over between origins for {methods}", warning=True)


def _fresh_enough(step: Step, cdn: CdnOfSite, expected: Build | None, found: Build | None) -> None:
    read = recovery_point(cdn.name, expected, found)
    step.record(read)
    if read.lag is None:
        insist(step, f"nobody can tell how old the build at {cdn.name} is: {read.why}", then="--force to accept the loss")
    elif read.lag > step.run.objectives.rpo:
        text = f"{cdn.name} serves a build that is {read.lag} older than the origin's; the RPO is {step.run.objectives.rpo}"
        insist(step, text, then="purge the standby, or add --force to accept the loss")


def _accepted(step: Step, cdn: CdnOfSite) -> None:
    test = step.site.acceptance
    if test is None:
        return
    environment = {"DEFIB_URL": step.site.page.url, "DEFIB_CONNECT_TO": cdn.hostname.rstrip(".")}
    finished = run_command(test.command, environment, step.within.sooner(test.within))
    if finished.status != 0:
        raise Refused(
            f"the acceptance command found {cdn.name} wanting",
            where=" ".join(test.command),
            expected="exit 0",
            seen=f"exit {finished.status}: {finished.output.strip()[-300:]}",
        )
