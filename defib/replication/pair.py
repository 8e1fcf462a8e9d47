"""A bucket and its replica, ready to be asked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from defib.replication.port import WritableBucket
from defib.sitereplication import Replicated


@dataclass(frozen=True)
class Pair:
    """One pair of a site; `folder` is where it is kept what was proved of it, and how far a comparison came."""

    config: Replicated
    source: WritableBucket
    replica: WritableBucket
    folder: Path

    @property
    def name(self) -> str:
        """Its name in the site file."""
        return self.config.name
