"""asset-restore against the lab's S3: versions that are weeks old, two regions, and a process that is killed anywhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from ruamel.yaml import YAML

from defib.approval import Automatic
from defib.clock import Deadline, SystemClock
from defib.conduct import Outcome, roll_back
from defib.copyentries import ObjectsRestored, PastWanted
from defib.home import Home
from defib.journal import Sink, read_journal
from defib.lab.alone import RunningAws, serve_replicated
from defib.objectives import Mode, Status
from defib.outside import Fence, Outside
from defib.providers.aws import AwsAccess
from defib.providers.open_replicas import open_replicas
from defib.replication.listing import versions
from defib.replication.pair import Pair, Replicas
from defib.replication.port import Bucket, Cursor, Version
from defib.run import Run
from defib.sites.site import Site, load_site
from defib.start import Desk, Order, new_run, take_up
from flows.asset_restore import PROCEDURE
from flows.engine import perform
from tests.stage import LAB, RUNBOOKS, WITHOUT_PREFECT, Killed, Killing, PlainFile

LABORATORY = "pulse-laboratory"


@dataclass
class S3Stage:
    """The lab's two buckets, furnished weeks ago, and a third."""

    home: Path
    aws: RunningAws
    sink: Callable[[Path], Sink] = field(default=PlainFile)

    def __post_init__(self) -> None:
        self.clock = SystemClock()
        self.desk = Desk(Home.open(self.home / "defib"), RUNBOOKS, self.clock, self._open, sink=self._sink)
        self.site_path = self.home / "lab.yaml"
        keys = {"endpoint": self.aws.endpoint, "access_key": "env:LAB_KEY", "secret_key": "env:LAB_SECRET"}
        yaml = YAML(typ="safe")
        plain = yaml.load(LAB.read_text(encoding="utf-8"))
        plain["replication"] = [
            {
                "name": "assets",
                "source": {"bucket": "pulse-assets", "aws": keys},
                "replica": {"bucket": "pulse-assets-replica", "aws": {**keys, "region": "eu-west-1"}},
                "restore_into": [{"bucket": LABORATORY, "aws": keys}],
            }
        ]
        with self.site_path.open("w", encoding="utf-8") as file:
            yaml.dump(plain, file)

    def _sink(self, path: Path) -> Sink:
        return self.sink(path)

    def _open(self, site: Site, home: Home, *_: object) -> Outside:
        fence, none = Fence(), cast("Any", None)
        return Outside((), {}, none, none, none, none, replicas=self._replicas(site, home, fence), fence=fence)

    def _replicas(self, site: Site, home: Home, fence: Fence) -> Replicas:
        keys = self.aws.credentials
        secrets = {"env:LAB_KEY": keys.access_key, "env:LAB_SECRET": keys.secret_key}
        opened = open_replicas(site, home, secrets.__getitem__, fence)
        assert opened is not None
        return opened

    @property
    def pair(self) -> Pair:
        """Both buckets, to be looked at, and written to by hand."""
        fence = Fence()
        fence.arm(lambda: None)
        return self._replicas(load_site(self.site_path), self.desk.home, fence).pairs[0]

    def restore(self, at: datetime, **more: str) -> tuple[Run, Outcome]:
        """A run to its end."""
        wanted = PastWanted("assets", at, **more)
        order = Order("asset-restore", str(self.site_path), Mode.REHEARSAL, Automatic("a test"), past=wanted)
        return self.play(new_run(self.desk, order))

    def play(self, run: Run) -> tuple[Run, Outcome]:
        """A run to its end, its lease given back."""
        try:
            return run, perform(PROCEDURE, run, WITHOUT_PREFECT)
        finally:
            assert run.changes.lease is not None
            run.changes.lease.release()

    def resume(self, run_id: str) -> tuple[Run, Outcome]:
        """An earlier run, taken up again."""
        return self.play(take_up(self.desk, run_id, Automatic("a test"), "resume"))

    def rollback(self, run_id: str) -> Outcome:
        """An earlier run, put back."""
        run = take_up(self.desk, run_id, Automatic("a test"), "rollback")
        try:
            return roll_back(run)
        finally:
            assert run.changes.lease is not None
            run.changes.lease.release()

    def die(self) -> None:
        """The process of the last run is dead, and everybody on this machine can tell."""
        path = self.desk.home.lease("lab", "asset-restore") / "lease.json"
        held = json.loads(path.read_bytes())
        if held["holder"]:
            held["holder"]["started"] = "long ago"
            path.write_text(json.dumps(held), encoding="utf-8")

    def soon(self) -> Deadline:
        """Enough for a listing."""
        return Deadline.after(self.clock, timedelta(seconds=30))

    def listed(self, bucket: Bucket, prefix: str) -> dict[str, list[Version]]:
        """Every version below a prefix, by key, newest first."""
        return dict(versions(bucket, Cursor(prefix), self.soon()))

    def held(self, bucket: Bucket, prefix: str) -> dict[str, tuple[str, dict[str, str], dict[str, str]]]:
        """The bytes, headers and tags of what every key holds."""
        found = {}
        for key, kept in self.listed(bucket, prefix).items():
            if kept[0].marker:
                continue
            told = bucket.details(key, kept[0].id, within=self.soon())
            assert told is not None
            tags = dict(bucket.tags(key, kept[0].id, within=self.soon()))
            found[key] = (bucket.digest(key, kept[0].id, within=self.soon()), dict(told.headers), tags)
        return found

    def then(self, bucket: Bucket, prefix: str, at: datetime) -> dict[str, tuple[str, dict[str, str], dict[str, str]]]:
        """The same of a moment, by asking for each version that was the newest by then."""
        found = {}
        for key, kept in self.listed(bucket, prefix).items():
            newest = next((version for version in kept if version.modified <= at), None)
            if newest is None or newest.marker:
                continue
            told = bucket.details(key, newest.id, within=self.soon())
            assert told is not None
            tags = dict(bucket.tags(key, newest.id, within=self.soon()))
            found[key] = (bucket.digest(key, newest.id, within=self.soon()), dict(told.headers), tags)
        return found


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """AWS with two buckets in two regions, and a third."""
    with serve_replicated(replicates_in=timedelta(milliseconds=20)) as running:
        keys = running.credentials
        access = AwsAccess("us-east-1", running.endpoint, keys.access_key, keys.secret_key)
        make: Any = access.session().client
        s3 = make("s3", endpoint_url=running.endpoint)
        s3.create_bucket(Bucket=LABORATORY)
        s3.put_bucket_versioning(Bucket=LABORATORY, VersioningConfiguration={"Status": "Enabled"})
        yield running


@pytest.fixture
def stage(aws: RunningAws, tmp_path: Path) -> S3Stage:
    """A home of its own."""
    return S3Stage(tmp_path, aws)


def among_quotes(stage: S3Stage) -> datetime:
    """A moment at which half of the quotes were there, one of them in its first version."""
    oldest = sorted(kept[-1].modified for kept in stage.listed(stage.pair.source, "data/quotes/").values())
    return oldest[len(oldest) // 2] + timedelta(seconds=30)


def test_there_and_back(stage: S3Stage) -> None:
    """Bytes, headers, metadata and tags of weeks ago; rolled back, version by version as before."""
    source, at = stage.pair.source, among_quotes(stage)
    before, model = stage.listed(source, "data/"), stage.then(source, "data/quotes/", at)
    assert model != stage.held(source, "data/quotes/")
    run, outcome = stage.restore(at, prefix="data/quotes/")
    assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
    assert stage.held(source, "data/quotes/") == model
    (told,) = run.journal.of(ObjectsRestored)
    assert (told.held, told.apart, told.left) == (len(model), 0, 0)
    assert stage.rollback(run.id).status is Status.ROLLED_BACK
    assert stage.listed(source, "data/") == before


@pytest.mark.parametrize(("side", "into"), [("replica", "pulse-assets"), ("source", LABORATORY), ("replica", LABORATORY)])
def test_across_buckets_and_regions(stage: S3Stage, side: str, into: str) -> None:
    """The past of one in the place of another; what was uploaded in parts is whole."""
    pair = stage.pair
    target = pair.source if into == pair.source.name else pair.others[0]
    past = pair.replica if side == "replica" else pair.source
    before = stage.listed(target, "data/")
    at = stage.listed(past, "data/history.bin")["data/history.bin"][0].modified + timedelta(seconds=1)
    model = stage.then(past, "data/", at)
    run, outcome = stage.restore(at, prefix="data/", side=side, into=into)
    assert (outcome.status, outcome.reason) == (Status.RECOVERED, "")
    assert stage.held(target, "data/") == model
    assert "data/history.bin" in model
    assert stage.rollback(run.id).status is Status.ROLLED_BACK
    assert stage.listed(target, "data/") == before


def test_what_was_removed_for_good_is_told_by_the_other_region(stage: S3Stage) -> None:
    """From the replica it comes back."""
    pair = stage.pair
    (font,) = [key for key in stage.listed(pair.source, "fonts/") if key.endswith("bold.woff2")]
    (version,) = stage.listed(pair.source, font)[font]
    at = stage.clock.now() - timedelta(seconds=5)
    pair.source.remove(font, version.id, within=stage.soon())
    _, outcome = stage.restore(at, prefix="fonts/")
    assert outcome.status is Status.REFUSED
    assert f"{font}: the replica has it, and the source has it no more" in outcome.reason
    _, outcome = stage.restore(at, prefix="fonts/", side="replica", into=pair.source.name)
    assert outcome.status is Status.RECOVERED
    assert stage.held(pair.source, "fonts/") == stage.then(pair.replica, "fonts/", at)


def test_killed_at_any_line_it_ends_either_way(aws: RunningAws, tmp_path: Path) -> None:
    """E1: resumed it is as it was then, once; rolled back nothing of it is left."""
    for at in range(1, 60):
        folder = tmp_path / f"{at}"
        folder.mkdir()
        stage = S3Stage(folder, aws)
        source, moment = stage.pair.source, among_quotes(stage)
        before, model = stage.listed(source, "data/quotes/"), stage.then(source, "data/quotes/", moment)
        stage.sink = lambda path, at=at: Killing(path, at, "after")  # type: ignore[misc]
        try:
            stage.restore(moment, prefix="data/quotes/")
        except Killed:
            stage.die()
            stage.sink = PlainFile
        else:
            assert at > 15
            return
        run_id = stage.desk.home.runs()[-1].name
        assert read_journal(stage.desk.home.run(run_id) / "journal.jsonl")[0]
        if at % 2:
            _, outcome = stage.resume(run_id)
            assert (at, outcome.status, outcome.reason) == (at, Status.RECOVERED, "")
            assert stage.held(source, "data/quotes/") == model
        assert stage.rollback(run_id).status is Status.ROLLED_BACK
        assert (at, stage.listed(source, "data/quotes/")) == (at, before)
