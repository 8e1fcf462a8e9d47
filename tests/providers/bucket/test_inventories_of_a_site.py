"""A pair of a site file compared by its inventories: from the file to the finding, on the lab's two buckets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from ruamel.yaml import YAML

from defib.clock import Deadline, SystemClock
from defib.home import Home
from defib.lab.alone import RunningAws, serve_replicated
from defib.providers.open_replicas import open_replicas
from defib.replication.allowance import Allowance
from defib.replication.asof import compare_inventories
from defib.replication.findings import Kind
from defib.replication.listing import pages
from defib.replication.pair import Pair
from defib.replication.port import Bucket, Cursor, Version
from defib.sites.site import load_site
from tests.providers.bucket.inventory_stage import InventoryDesk
from tests.stage import LAB

SIDES = {"pulse-assets": "us-east-1", "pulse-assets-replica": "eu-west-1"}


@pytest.fixture
def aws() -> Iterator[RunningAws]:
    """AWS with two buckets, of which one is replicated to the other."""
    with serve_replicated() as running:
        yield running


@dataclass
class Lists:
    """The site file of a pair with inventories, and who writes them."""

    home: Path
    aws: RunningAws

    def client(self, region: str) -> Any:
        """S3 in that region."""
        keys = self.aws.credentials
        session = boto3.Session(keys.access_key, keys.secret_key, region_name=region)
        return session.client("s3", endpoint_url=self.aws.endpoint)

    def desk(self, bucket: str) -> InventoryDesk:
        """S3 writes the lists of each bucket into another one of the same region."""
        region = SIDES[bucket]
        client, lists = self.client(region), f"{bucket}-lists"
        if lists not in {each["Name"] for each in client.list_buckets()["Buckets"]}:
            place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            client.create_bucket(Bucket=lists, **place)
        return InventoryDesk(client, bucket, lists, f"daily/{bucket}/all")

    @property
    def pair(self) -> Pair:
        """As a run opens it."""
        keys = self.aws.credentials
        told = {"endpoint": self.aws.endpoint, "access_key": "env:KEY", "secret_key": "env:SECRET"}
        sides = [{"bucket": bucket, "aws": {**told, "region": region}} for bucket, region in SIDES.items()]
        lists = [{"bucket": f"{bucket}-lists", "prefix": f"daily/{bucket}/all/"} for bucket in SIDES]
        yaml, path = YAML(typ="safe"), self.home / "site.yaml"
        plain = yaml.load(LAB.read_text(encoding="utf-8"))
        plain["replication"] = [
            {
                "name": "assets",
                "source": sides[0],
                "replica": sides[1],
                "inventory": {"source": lists[0], "replica": lists[1]},
            }
        ]
        with path.open("w", encoding="utf-8") as file:
            yaml.dump(plain, file)
        secrets = {"env:KEY": keys.access_key, "env:SECRET": keys.secret_key}
        opened = open_replicas(load_site(path), Home.open(self.home / "defib"), secrets.__getitem__)
        assert opened is not None
        return opened.pairs[0]


def within() -> Deadline:
    """Far enough."""
    return Deadline.after(SystemClock(), timedelta(seconds=60))


def held(bucket: Bucket) -> list[Version]:
    """All that it lists."""
    return [each for page in pages(bucket, Cursor(), within()) for each in page.versions]


@pytest.mark.parametrize("kind", ["CSV", "Parquet"])
def test_what_a_replica_lost_after_its_list_was_made(tmp_path: Path, aws: RunningAws, kind: str) -> None:
    """Who reads the list does not see it, whatever is at the replica today; who reads the next one does."""
    lists = Lists(tmp_path, aws)
    pair = lists.pair
    desks = [lists.desk(bucket) for bucket in SIDES]
    began = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    source, replica = held(pair.source), held(pair.replica)
    for desk, versions in zip(desks, (source, replica), strict=True):
        desk.write(versions, began, kind)
    before = compare_inventories(pair, None, Allowance(500, 10**6), within())
    assert before.at == began
    assert before.tally.source == len(source) > 10
    assert Kind.MISSING not in before.tally.counts

    lost = next(each for each in replica if each.latest and not each.marker and each in source)
    pair.replica.remove(lost.key, lost.id, within=within())
    assert compare_inventories(pair, None, Allowance(500, 10**6), within()).tally.counts == before.tally.counts
    desks[1].write(held(pair.replica), began + timedelta(minutes=1), kind)
    after = compare_inventories(pair, None, Allowance(500, 10**6), within())
    assert after.at == began
    assert [(each.key, each.version) for each in after.tally.findings if each.kind is Kind.MISSING] == [(lost.key, lost.id)]
