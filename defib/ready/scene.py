"""What a readiness check looks at: a site, its outside, and this machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from defib.clock import Clock
from defib.home import Home
from defib.outside import Outside
from defib.ready.access import Access, Claims
from defib.redeploy.groundwork import Audit
from defib.replication.evidence import Sides
from defib.sites.site import Site

FreeSpace = Callable[[Path], int]
"""How many bytes are free where a folder is."""


def free_space(folder: Path) -> int:
    """As the file system tells."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True)
class Here:
    """The site as its file says, and what of it is on this machine. `secret` gives the value of a reference."""

    site: Site
    site_path: Path
    home: Home
    runbooks: Path
    clock: Clock
    secret: Callable[[str], str]
    free: FreeSpace = free_space

    @property
    def folder(self) -> Path:
        """``$DEFIB_HOME/sites/SITE``."""
        return self.home.site(self.site.site)


@dataclass(frozen=True)
class Scene:
    """All of it. `claims` are by the names of CDNs, `audits` by those of hosts on AWS, `replicas` by those of pairs."""

    here: Here
    outside: Outside
    accesses: tuple[Access, ...]
    claims: Mapping[str, Claims]
    audits: Mapping[str, Audit] = field(default_factory=dict)
    replicas: Mapping[str, Sides] = field(default_factory=dict)

    @property
    def site(self) -> Site:
        """What is under protection."""
        return self.here.site

    @property
    def clock(self) -> Clock:
        """What time it is."""
        return self.here.clock
