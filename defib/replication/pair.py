"""A bucket and its replica, ready to be asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from defib.errors import InputError
from defib.ports import DnsZone
from defib.replication.allowance import Allowance
from defib.replication.evidence import Sides
from defib.replication.inventory import Inventories
from defib.replication.jobplans import JobsZone
from defib.replication.jobs import Jobs
from defib.replication.made import MADE, Made
from defib.replication.metrics import Metrics
from defib.replication.objects import ObjectsZone
from defib.replication.port import WritableBucket
from defib.replication.proofs import Proofs
from defib.replication.sameness import Sameness
from defib.replication.spread import SpreadOf
from defib.sites.replication import Replicated

_ALL = 2**62


@dataclass(frozen=True)
class Pair:
    """One pair of a site; `folder` is where it is kept what was proved of it, and how far a comparison came."""

    config: Replicated
    source: WritableBucket
    replica: WritableBucket
    folder: Path
    sides: Sides
    metrics: Metrics
    proofs: Proofs
    others: tuple[WritableBucket, ...] = ()
    """The buckets that its objects may be restored into beside their own."""
    jobs: Jobs | None = None
    """The jobs of its source's account; None where the site file names no account."""
    spread: SpreadOf | None = None
    """Who compares its ranges elsewhere; None compares all of them here."""
    inventories: tuple[Inventories, Inventories] | None = None
    """Those of both sides, where the site file names them."""
    made: Made = field(default_factory=Made)
    """What the run made of its objects."""

    @property
    def name(self) -> str:
        """Its name in the site file."""
        return self.config.name

    def zone(self, target: WritableBucket, source: WritableBucket) -> ObjectsZone:
        """The objects of `target`, which are to hold versions of `source`. All of them may be read to tell what they are."""
        followers = (self.replica,) if target is self.source else ()
        sameness = Sameness(source, target, Allowance(_ALL, _ALL), self.proofs)
        return ObjectsZone(target, source, sameness, self.made, followers)

    def zones(self) -> tuple[DnsZone, ...]:
        """Everything that a plan may change: the replica as the source, and each bucket as either of them was."""
        targets = (self.source, self.replica, *self.others)
        objects = tuple(self.zone(target, source) for target in targets for source in (self.source, self.replica))
        return (*objects, self.batch) if self.batch else objects

    @property
    def batch(self) -> JobsZone | None:
        """The jobs about its source, None where none can be asked for."""
        return JobsZone(self.source.name, self.jobs) if self.jobs else None


@dataclass(frozen=True)
class Replicas:
    """Every pair of a site."""

    pairs: tuple[Pair, ...]

    @property
    def changeable(self) -> tuple[DnsZone, ...]:
        """What a plan may change of them."""
        return tuple(zone for pair in self.pairs for zone in pair.zones())

    def keep_made_in(self, folder: Path) -> None:
        """Write down beside the run's journal what it makes, and take what stands there for made by it."""
        for pair in self.pairs:
            pair.made.keep_in(folder / f"{MADE}-{pair.name}.jsonl")

    def spread_by(self, spread: SpreadOf) -> Replicas:
        """The same pairs, whose ranges are compared elsewhere."""
        return Replicas(tuple(replace(pair, spread=spread) for pair in self.pairs))

    def named(self, name: str) -> Pair:
        """The pair of that name; :class:`InputError` where there is none."""
        found = next((pair for pair in self.pairs if pair.name == name), None)
        if found is None:
            raise InputError(f"no pair is named {name!r}", expected=", ".join(pair.name for pair in self.pairs))
        return found
