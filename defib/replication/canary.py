"""An object that is written at the source, timed until the replica has it, and removed from both, whatever happens.

What CloudWatch calls latency is an estimate over a minute, and an empty minute has none
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/repl-metrics.html). What arrived was replicated.
"""

from __future__ import annotations

import re
from datetime import timedelta

from defib.clock import Deadline
from defib.copyentries import CanaryIntended, CanaryTimed
from defib.errors import BudgetSpent, DefibError, Interrupted, ProviderError
from defib.replication.pair import Pair
from defib.replication.port import Cursor, Version, WritableBucket
from defib.run import Step

_AGAIN = timedelta(milliseconds=500)
_OFTEN = timedelta(seconds=30)
"""After this time the replica is asked every :data:`_SELDOM`: what is late is rarely a matter of a second more."""
_SELDOM = timedelta(seconds=5)
_OF_A_RUN = re.compile(r"\d{8}-\d{9}-[a-z0-9-]+-[0-9a-f]{4}")
_CLEAN_UP = timedelta(seconds=60)


def time_canary(step: Step, pair: Pair, rpo: timedelta) -> CanaryTimed:
    """How long the canary took; what an earlier run left of its own is removed first, and this one's in any case.

    It is waited for as long as the site file says, the step lasts, and the RPO at most: later than that is too late anyhow.
    """
    try:
        took, why = _swept_and_timed(step, pair, min(pair.config.canary_within, rpo))
        left = sweep(pair, Deadline.after(step.clock, _CLEAN_UP))
    except Interrupted:
        step.clock.resume()  # as when changes are put back: what was begun is cleared away, and then the run stops
        sweep(pair, Deadline.after(step.clock, _CLEAN_UP))
        step.clock.interrupt()
        raise
    return CanaryTimed(step.name, pair.name, took, why, left)


def _swept_and_timed(step: Step, pair: Pair, at_most: timedelta) -> tuple[timedelta | None, str]:
    left = sweep(pair, step.within)
    if left:
        return None, f"{len(left)} objects of earlier canaries could not be removed"
    try:
        return _timed(step, pair, f"{pair.config.canary}{step.run.id}", at_most)
    except (ProviderError, BudgetSpent) as error:
        return None, str(error)


def _timed(step: Step, pair: Pair, key: str, at_most: timedelta) -> tuple[timedelta | None, str]:
    step.record(CanaryIntended(step.name, pair.name, pair.source.where, pair.replica.where, key))
    until = step.within.sooner(at_most)
    began = step.clock.monotonic()
    version = pair.source.put(key, step.run.id.encode(), within=until)
    if not version or version == "null":
        version = ""  # the source keeps no versions
    while not _arrived(pair, key, version, step.within):
        waited = step.clock.monotonic() - began
        if until.expired():
            return None, f"it had not arrived after {waited.total_seconds():.0f} s"
        step.wait(min(_AGAIN if waited < _OFTEN else _SELDOM, until.remaining()))
    return step.clock.monotonic() - began, ""


def _arrived(pair: Pair, key: str, version: str, within: Deadline) -> bool:
    return pair.replica.details(key, version, within=within) is not None


def sweep(pair: Pair, within: Deadline, prefix: str = "") -> tuple[str, ...]:
    """Remove every canary from both buckets, or everything below another `prefix`; what could not be removed, by name.

    A canary is called as the run that wrote it. What else somebody keeps below its prefix is not ours to remove.
    """
    below, left = prefix or pair.config.canary, []
    for bucket in (pair.source, pair.replica):
        try:
            for version in _versions(bucket, below, within):
                if prefix or _OF_A_RUN.fullmatch(version.key.removeprefix(below)):
                    bucket.remove(version.key, version.id, within=within)
        except Interrupted:
            raise  # the caller clears away what is left, and stops
        except DefibError as error:
            left.append(f"{bucket.where}, {below}: {error.what}")
    return tuple(left)


def _versions(bucket: WritableBucket, prefix: str, within: Deadline) -> list[Version]:
    found: list[Version] = []
    onwards: Cursor | None = Cursor(prefix)
    while onwards is not None:
        page = bucket.page(onwards, within=within)
        found += page.versions
        onwards = page.onwards
    return found
