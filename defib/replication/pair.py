"""A bucket and its replica, ready to be asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from defib.clock import Deadline
from defib.ready.check import Check
from defib.replication.port import WritableBucket
from defib.replication.rules import BucketSettings
from defib.sitereplication import Replicated

Audit = Callable[[BucketSettings | str, BucketSettings | str, Deadline], tuple[Check, ...]]
"""Looks at the configuration of source and replica; a text says why one of them could not be read."""


@dataclass(frozen=True)
class Latency:
    """How far the replica is behind by the word of the vendor's metrics; None where they do not say, and `why` why not."""

    behind: timedelta | None = None
    why: str = "it was not asked for"


Metrics = Callable[[BucketSettings | str, Deadline], Latency]
"""Asks for the metrics of the rules that the source has."""


@dataclass(frozen=True)
class Pair:
    """One pair of a site; `folder` is where it is kept what was proved of it, and how far a comparison came."""

    config: Replicated
    source: WritableBucket
    replica: WritableBucket
    folder: Path
    audit: Audit
    metrics: Metrics

    @property
    def name(self) -> str:
        """Its name in the site file."""
        return self.config.name


@dataclass(frozen=True)
class Replicas:
    """Every pair of a site."""

    pairs: tuple[Pair, ...]
