"""What differs between two buckets is what rclone says, on its own S3 server and on the lab's."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defib.clock import Deadline, SystemClock
from defib.lab.alone import serve_aws
from defib.providers.aws import AwsAccess
from defib.providers.bucket.s3 import S3Bucket
from defib.replication.allowance import Allowance
from defib.replication.comparison import Comparer
from defib.replication.evidence import Sides
from defib.replication.findings import Kind
from defib.replication.pair import Pair
from defib.replication.progress import Progress
from defib.replication.proofs import Proofs
from defib.sites.replication import BucketAt, Replicated
from defib.sites.values import Aws
from tests.replication.buckets import Generous, Silent
from tests.replication.rclone_stage import DIFFERS, EXTRA, MISSING, REGION, Told, program, serving

KEYS = st.sampled_from(
    [
        "a/b c.txt", "a/b+c.txt", "a/d/e.bin", "a/d/f.bin", "b.txt", "ä/ö.png", "ä/\U0001f600.png", "k/%41.txt",
        "k/&'(2x).png",
        "k/~!@$.js", "K/a.txt", "zz/1/2/3/4.css", "zz/1/2.css",
    ]
)  # fmt: skip
EDITS = st.lists(
    st.tuples(st.sampled_from(["same", "flipped", "resized", "missing", "extra", "deleted", "again"]), KEYS), max_size=30
)
NUMBER = itertools.count()
SIGNS = {
    Kind.DIFFERENT: DIFFERS,
    Kind.NOT_COVERED: MISSING,  # neither server has replication, and so no status
    Kind.EXTRA: EXTRA,
    Kind.EXPECTED: EXTRA,  # the lab's source tells that it was deleted there
}


@pytest.fixture(scope="module", params=["rclone", "lab"])
def told(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """An S3 server: rclone's own knows no versions, the lab's keeps them."""
    folder = tmp_path_factory.mktemp("rclone")
    program()
    if request.param == "rclone":
        with serving(folder) as server:
            yield server
    else:
        with serve_aws() as aws:
            yield Told(AwsAccess(REGION, aws.endpoint, aws.credentials.access_key, aws.credentials.secret_key), folder)


@dataclass
class Twins:
    """Two new buckets, and what they should hold."""

    told: Told
    source: str = ""
    replica: str = ""
    here: dict[str, bytes] = field(default_factory=dict)
    there: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        number = next(NUMBER)
        self.source, self.replica = f"twin-{number}", f"twin-{number}-replica"
        for bucket in (self.source, self.replica):
            self.told.client.create_bucket(Bucket=bucket)

    def edit(self, what: str, key: str, number: int) -> None:
        """Make both sides of a key as `what` says."""
        content = b"%08d" % number
        other = {"flipped": content[:-1] + b"x", "resized": content + b"x"}.get(what, content)
        if what == "again":  # at another time, and of the same bytes
            if key in self.there:
                self._put(self.replica, self.there, key, self.there[key])
            return
        for bucket, held, body in ((self.source, self.here, content), (self.replica, self.there, other)):
            absent = {"missing": self.replica, "extra": self.source, "deleted": bucket}.get(what)
            if bucket != absent:
                self._put(bucket, held, key, body)
            elif held.pop(key, None) is not None:
                self.told.client.delete_object(Bucket=bucket, Key=key)

    def _put(self, bucket: str, held: dict[str, bytes], key: str, body: bytes) -> None:
        held[key] = body
        self.told.client.put_object(Bucket=bucket, Key=key, Body=body)

    @property
    def apart(self) -> Mapping[str, str]:
        """What is not the same, by key."""
        signs = {key: MISSING if key not in self.there else DIFFERS for key in self.here}
        signs |= {key: EXTRA for key in self.there if key not in self.here}
        return {key: sign for key, sign in signs.items() if self.here.get(key) != self.there.get(key)}

    def compare(self, folder: Path) -> Mapping[str, str]:
        """What Defib finds, in rclone's signs."""
        clock, access = SystemClock(), self.told.access
        within = Deadline.after(clock, timedelta(seconds=60))
        at = {name: BucketAt(bucket=name, aws=Aws(region=REGION)) for name in (self.source, self.replica)}
        config = Replicated(name="twins", source=at[self.source], replica=at[self.replica], unversioned=True)
        ours, theirs = (S3Bucket(name, access) for name in at)
        proofs = Proofs(folder / f"{self.source}.sqlite3")
        pair = Pair(config, ours, theirs, folder, Sides(ours, theirs, Generous(), Generous()), Silent(), proofs)
        comparer = Comparer(pair, None, Allowance(1000, 1000), clock.now(), timedelta(0))
        progress = Progress(folder / self.source, clock.now(), timedelta(hours=1))
        tally = comparer.compare(comparer.parts(within), progress, within)
        proofs.close()
        return {finding.key: SIGNS[finding.kind] for finding in tally.findings}


@settings(max_examples=25, deadline=None)
@given(edits=EDITS)
def test_differences_are_those_of_rclone(
    told: Told, tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, str]]
) -> None:
    """Whatever was written, flipped, deleted or left out on either side, and whatever the keys are called."""
    twins = Twins(told)
    for number, (what, key) in enumerate(edits):
        twins.edit(what, key, number)
    found = twins.compare(tmp_path_factory.mktemp("twins"))
    assert found == told.check(twins.source, twins.replica)
    assert found == twins.apart
