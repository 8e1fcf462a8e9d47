"""What somebody asked the benchmarks for."""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Order:
    """`rounds` are those that count; `seed` makes what is random the same again; `net` is the lab's network."""

    rounds: int
    seed: int
    net: str
    all_faults: bool

    def tell(self, what: str) -> None:
        """Say on stderr what is being done: some of it takes minutes."""
        sys.stderr.write(f"  … {what}\n")
        sys.stderr.flush()
