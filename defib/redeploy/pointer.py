"""Which release of a site users get, at a host that keeps many: a prefix that one value names.

A release lies under a prefix that never changes, ``releases/<commit>/`` of the host's bucket. The pointer, a CloudFront
distribution's origin path, names one of them. It stands in a plan beside record sets, under a type of its own, so that
moving it is approved, written down and put back as any other change.
"""

from __future__ import annotations

import re
from datetime import timedelta

from defib.plan import POINTER_VENDOR
from defib.ports import RecordKey, RecordSet
from defib.releases.rules import prefix_of

VENDOR = POINTER_VENDOR
"""The vendor of a pointer in a plan; the zone is the distribution's id."""

RELEASE = "RELEASE"
"""The type under which a pointer stands in a plan; its one value is the origin path, ``/`` where that is empty."""

NOWHERE = "/"
"""The value of a pointer that names no prefix: users get what lies at the top of the bucket."""

ELSEWHERE = "origin"
"""The attribute of a pointer that users do not get: the origin that they get."""

_PATH = re.compile(r"/releases/(?P<commit>[0-9a-f]{7,64})")


def path_of(commit: str) -> str:
    """The origin path of a release, without a slash at its end as CloudFront wants it."""
    return f"/{prefix_of(commit)}".rstrip("/")


def commit_of(path: str) -> str:
    """The commit of the release that an origin path names, "" where it names none."""
    found = _PATH.fullmatch(path)
    return found["commit"] if found else ""


def pointer_key(distribution: str) -> RecordKey:
    """The key under which the pointer of a distribution stands."""
    return RecordKey(f"{distribution}.".lower(), RELEASE)


def pointing_at(distribution: str, path: str, elsewhere: str = "") -> RecordSet:
    """The pointer of a distribution as it stands when the origin path of its releases is `path`.

    `elsewhere` is the id of another origin that users get instead of any release, as while a CDN fetches from a host.
    """
    attributes = ((ELSEWHERE, elsewhere),) if elsewhere else ()
    return RecordSet(pointer_key(distribution), timedelta(0), (path or NOWHERE,), attributes)
