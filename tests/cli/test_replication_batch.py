"""``defib run replication-repair`` in the real lab: what S3 failed to replicate is replicated by a job of its own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from defib.clock import Deadline, SystemClock
from defib.home import Home
from defib.lab import process
from defib.providers.open_replicas import open_replicas
from defib.providers.secret import resolve
from defib.replication.pair import Pair
from defib.replication.port import Status
from defib.sites.site import load_site
from tests.conftest import Defib, LabMaker

NET = "127.86"
KEY = "by-a-test/failed.bin"


@pytest.fixture(scope="module")
def lab(make_lab: LabMaker) -> Defib:
    """A lab for this module."""
    return make_lab(NET)


def pair(lab: Defib) -> Pair:
    """Both buckets, as anybody reaches them who has the keys."""
    site = load_site(lab.home / "lab" / "sites" / "lab.yaml")
    opened = open_replicas(site, Home(lab.home), lambda reference: resolve(reference, lab.home))
    assert opened is not None
    return opened.pairs[0]


def soon() -> Deadline:
    """Far enough."""
    return Deadline.after(SystemClock(), timedelta(seconds=120))


def fail(lab: Defib, content: bytes) -> str:
    """Write a version that S3 fails to replicate; gives its id."""
    source, within = pair(lab).source, soon()
    process.break_(lab.home, "s3-replication", "fail")
    version = source.put(KEY, content, within=within)
    while (told := source.details(KEY, version, within=within)) is not None and told.status is Status.PENDING:
        within.clock.sleep(timedelta(milliseconds=50))
    process.heal(lab.home)
    return version


def test_what_failed_comes_with_its_older_version(lab: Defib) -> None:
    """FAILED is found, planned as a job, approved by its digest, and nothing is wrong any more."""
    versions = [fail(lab, b"older"), fail(lab, b"newest")]
    found = lab("replicas", "--site", "lab", "--json", "--no-prefect")
    assert (found.code, found.json["replicas"][0]["counts"]) == (1, {"failed": 2})
    planned = lab("plan", "replication-repair", "--site", "lab", "--json")
    (change,) = planned.json["changes"]
    assert change["target"].startswith("s3-batch/pulse-assets/")
    assert "--statuses FAILED,NONE" in change["target"]
    digest = planned.json["digest"]
    mended = lab("run", "replication-repair", "--site", "lab", "--approve", digest, "--json", "--no-prefect")
    assert (mended.code, mended.json["status"]) == (0, "recovered"), mended.out
    there = [pair(lab).replica.details(KEY, version, within=soon()) for version in versions]
    assert [told.size if told else None for told in there] == [5, 6]
    assert lab("replicas", "--site", "lab", "--no-prefect").code == 0
    again = lab("plan", "replication-repair", "--site", "lab")
    assert (again.code, "Nothing to do." in again.out) == (0, True)
