"""``defib replicas``, its repair and its drill in the real lab: two buckets in two regions."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from defib.clock import Deadline, SystemClock
from defib.home import Home
from defib.lab import process
from defib.providers.open_replicas import open_replicas
from defib.providers.secret import resolve
from defib.replication.canary import sweep
from defib.replication.pair import Pair
from defib.replication.port import Status
from defib.sites.site import load_site
from tests.conftest import Defib, LabMaker

NET = "127.85"
PREFIX = "by-a-test/"


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


@pytest.fixture(autouse=True)
def healed(lab: Defib) -> Iterator[None]:
    """Nothing stays broken, and nothing of a test stays in the buckets."""
    yield
    process.heal(lab.home)
    assert sweep(pair(lab), soon(), PREFIX) == ()


def write(lab: Defib, name: str) -> Status | None:
    """Write at the source; wait until S3 says what became of it, and give that."""
    source, within = pair(lab).source, soon()
    version = source.put(f"{PREFIX}{name}", b"content", within=within)
    while (told := source.details(f"{PREFIX}{name}", version, within=within)) and told.status is Status.PENDING:
        within.clock.sleep(timedelta(milliseconds=50))
    return told.status if told else None


def test_replicas_that_are_the_same(lab: Defib) -> None:
    """One command, exit 0, the canary timed, and nothing left of it."""
    before = process.client(lab.home).fingerprint()
    ended = lab("replicas", "--site", "lab", "--json", "--no-prefect")
    (told,) = ended.json["replicas"]
    assert (ended.code, ended.json["status"], told["verdict"], told["counts"]) == (0, "recovered", "met", {})
    assert told["versions"] == told["same"] > 40
    assert 0 < told["canary_s"] < 60
    assert process.client(lab.home).fingerprint() == before


def test_what_somebody_reads_at_three_in_the_morning(lab: Defib) -> None:
    """Status, what would be lost, what is wrong with what, and what to run next."""
    process.break_(lab.home, "s3-replication", "fail")
    assert write(lab, "failed.bin") is Status.FAILED
    ended = lab("replicas", "--site", "lab", "--no-prefect")
    assert ended.code == 1
    assert "1 failed" in ended.out
    assert "replication-repair" in ended.out
    assert "would be lost" in ended.out


def test_an_unreachable_region_is_unknown(lab: Defib) -> None:
    """S15: what the replica holds is not known, which is no success, and the source has been audited."""
    process.break_(lab.home, "s3-eu-west-1", "denied")
    ended = lab("replicas", "--site", "lab", "--json", "--no-prefect")
    (told,) = ended.json["replicas"]
    assert (ended.code, told["verdict"], told["exposure_s"]) == (1, "unknown", None)
    assert "unreachable" in ended.json["reason"]


def test_a_damaged_object_is_mended_by_an_approved_plan(lab: Defib) -> None:
    """Found by a check, planned, approved by its digest, mended, and found no more."""
    process.break_(lab.home, "s3-replication", "corrupt")
    assert write(lab, "damaged.bin") is Status.COMPLETED
    process.heal(lab.home)
    found = lab("replicas", "--site", "lab", "--json", "--no-prefect")
    assert (found.code, found.json["replicas"][0]["counts"]) == (1, {"different": 1})
    planned = lab("plan", "replication-repair", "--site", "lab", "--json")
    (change,) = planned.json["changes"]
    (record,) = change["records"]
    assert f"{PREFIX}damaged.bin OBJECT" in record["after"]
    digest = planned.json["digest"]
    mended = lab("run", "replication-repair", "--site", "lab", "--approve", digest, "--json", "--no-prefect")
    assert (mended.code, mended.json["status"]) == (0, "recovered"), mended.out
    assert pair(lab).replica.digest(f"{PREFIX}damaged.bin", "", within=soon()) == pair(lab).source.digest(
        f"{PREFIX}damaged.bin", "", within=soon()
    )
    assert lab("replicas", "--site", "lab", "--no-prefect").code == 0


def test_a_drill_sees_the_objective_missed_and_leaves_no_trace(lab: Defib) -> None:
    """Stalled, seen to be met and then missed, healed, damaged, mended; and both buckets as they were."""
    before = process.client(lab.home).fingerprint()
    ended = lab("drill", "replication-check", "--site", "lab", "--json", "--no-prefect")
    assert (ended.code, ended.json["status"], ended.json["reason"]) == (0, "recovered", "")
    assert ended.json["residue"] == []
    assert ended.json["rpo"]["verdict"] == "missed"
    assert process.client(lab.home).fingerprint() == before


def test_the_repair_is_drilled_with_the_check(lab: Defib) -> None:
    """A clear word instead of a drill that proves nothing."""
    ended = lab("drill", "replication-repair", "--site", "lab", "--no-prefect")
    assert ended.code == 2
    assert "defib drill replication-check" in ended.err
