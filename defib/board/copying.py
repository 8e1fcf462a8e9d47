"""What is known of the mirrors and replicas of a site: as they were last compared, and over the last days."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from defib.board.files import Files
from defib.board.glance import Glance
from defib.board.model import Copy
from defib.board.proving import LATE
from defib.errors import EvidenceBroken
from defib.home import Home
from defib.mirror import lag
from defib.objectives import Measure, Verdict
from defib.ready.check import State, worst
from defib.replication import past
from defib.report import words
from defib.report.mirrors import MirrorFigures
from defib.report.replicas import ReplicaFigures
from defib.sites.git import repositories
from defib.sites.site import Site

Past = tuple[tuple[datetime, timedelta | None], ...]

_SKEW = timedelta(seconds=5)
"""So much later another machine's clock may be."""

_STATES = {Verdict.MET: State.OK, Verdict.UNKNOWN: State.UNKNOWN, Verdict.MISSED: State.FAIL}


class Copies:
    """The copies of sites; files of the past are read again only where they have changed."""

    def __init__(self, home: Home, files: Files) -> None:
        self._home = home
        self._files = files

    def of(self, site: Site | None, runs: Sequence[Glance], now: datetime) -> Iterator[Copy]:
        """Every mirror and replica as the newest of `runs` that compared any saw them; they are of one procedure."""
        newest = next((run for run in runs if run.mirrors or run.replicas), None)
        if newest is None:
            return
        for mirror in newest.mirrors:
            yield _mirror(newest, mirror, self._mirror_past(site, mirror), now)
        for replica in newest.replicas:
            yield _replica(newest, replica, self._replica_past(site, replica), now)

    def _mirror_past(self, site: Site | None, mirror: MirrorFigures) -> Past:
        if site is None or mirror.repository not in {each.name for each in repositories(site.site, site.git)}:
            return ()
        path = self._home.mirrors(site.site, lab=site.lab) / f"{mirror.repository}.json"
        looks = self._files.read("mirror", path, _mirror_looks)
        return tuple((look.at, look.behind) for look in looks if look.place == mirror.mirror)

    def _replica_past(self, site: Site | None, replica: ReplicaFigures) -> Past:
        if site is None or replica.pair not in {pair.name for pair in site.replication}:
            return ()
        path = self._home.replicas(site.site, lab=site.lab) / replica.pair / "past.json"
        return tuple((look.at, look.exposure) for look in self._files.read("replica", path, _replica_looks))


def _mirror_looks(path: Path) -> tuple[lag.Looked, ...]:
    try:
        return lag.read_known(path).past
    except EvidenceBroken:
        return ()  # the picture is left out; the last comparison is in the journal


def _replica_looks(path: Path) -> tuple[past.Look, ...]:
    try:
        return past.read_past(path)
    except EvidenceBroken:
        return ()


def _mirror(run: Glance, seen: MirrorFigures, looks: Past, now: datetime) -> Copy:
    lags = (seen.was_behind_s, seen.behind_s)
    measure = Measure(run.rpo.target, None if None in lags else _seconds(max(filter(None, lags), default=0.0)))
    return Copy(
        kind="mirror",
        name=f"{seen.repository} at {seen.mirror}",
        at=run.at,
        state=_state(measure, seen.problems, run.at, now),
        says=_says(seen.problems, run.at, now),
        measure=measure,
        held=f"{seen.equal} of {words.count(seen.refs, 'ref')} equal",
        run=run.run,
        worst=_seconds(seen.worst_s),
        past=looks,
    )


def _replica(run: Glance, seen: ReplicaFigures, looks: Past, now: datetime) -> Copy:
    measure = Measure(timedelta(seconds=seen.rpo_s), _seconds(seen.exposure_s), seen.why)
    return Copy(
        kind="replica",
        name=f"{seen.pair}: {seen.source} to {seen.replica}",
        at=run.at,
        state=_state(measure, seen.problems, run.at, now),
        says=_says(seen.problems, run.at, now),
        measure=measure,
        held=f"{seen.same} of {words.count(seen.versions, 'version')} the same",
        run=run.run,
        worst=_seconds(seen.worst_s),
        past=looks,
    )


def _seconds(figure: float | None) -> timedelta | None:
    return None if figure is None else timedelta(seconds=figure)


def _is_late(at: datetime, now: datetime) -> bool:
    return not -_SKEW <= now - at <= LATE


def _state(measure: Measure, problems: Sequence[str], at: datetime, now: datetime) -> State:
    """What was so when it was last compared is not known to be so any more once a round was missed."""
    states = [_STATES[measure.verdict], *([State.FAIL] if problems else []), *([State.UNKNOWN] if _is_late(at, now) else [])]
    return worst(states)


def _says(problems: Sequence[str], at: datetime, now: datetime) -> tuple[str, ...]:
    late = (f"not looked at for {words.duration(now - at)}",) if _is_late(at, now) else ()
    return (*problems, *late)
