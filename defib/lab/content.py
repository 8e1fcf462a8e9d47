"""The site that the lab serves, without the repository that it comes from: the sample's sources, built."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from defib.lab.faults import Fault
from defib.lab.flutter.compiler import compile_site
from defib.lab.flutter.project import release, sample
from defib.lab.sitebuild import SiteBuild, StoredObject

__all__ = ["STALE_BY", "SiteBuild", "StoredObject", "build_before", "make_build", "older_build"]

STALE_BY = timedelta(hours=3)


def make_build(built: datetime, version: str) -> SiteBuild:
    """The build of `version` as committed at `built`, under an id that no repository has; the same input, the same bytes."""
    built = built.replace(microsecond=0)
    build_id = hashlib.sha1(f"{version} {built.isoformat()}".encode(), usedforsecurity=False).hexdigest()
    return compile_site(release(sample(), version), build_id, built)


def older_build(build: SiteBuild, fault: Fault) -> SiteBuild:
    """The build that a stale server still has; the option `age` says how much older it is, in seconds."""
    return build_before(build, timedelta(seconds=fault.option("age", STALE_BY.total_seconds())))


def build_before(build: SiteBuild, age: timedelta) -> SiteBuild:
    """A build that is older than `build` by `age`: of the commit of that age where the history has one."""
    built = build.built - age
    known = next((each for each in build.earlier if each.built == built), None)
    return known or make_build(built, "1.4.1")
