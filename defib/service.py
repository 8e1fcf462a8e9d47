"""What is asked of ``flows.service``, which starts Prefect on one machine; here, so that neither side imports the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Wish:
    """What shall be up: where, and for which sites.

    `asks` is whether Prefect shall ask for a password, None where it is for the place to say. `at_first` are the sites where
    none is named and nothing was ever deployed.
    """

    host: str
    port: int
    asks: bool | None
    sites: Sequence[str]
    at_first: Sequence[str]
