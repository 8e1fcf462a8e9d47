"""Readiness tells what of a pair of buckets is configured wrong, before the copy is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from defib.clock import Deadline
from defib.errors import Unavailable
from defib.providers.access import open_pairs
from defib.providers.bucket.authority import AwsAuthority
from defib.providers.bucket.settings import ConfiguredBucket
from defib.ready.check import Check, State
from defib.ready.inspect import Instruments, inspect
from defib.replication.authority import Key, Need, Role
from defib.replication.evidence import Sides
from defib.replication.rules import BucketSettings
from defib.sites.site import load_site
from tests.replication.audit_stage import ROLE, WELL_REPLICA, WELL_SOURCE, trust
from tests.stage import LAB, Stage

PART = """
replication:
  - name: assets
    source: {bucket: assets, aws: {region: us-east-1, access_key: "env:KEY", secret_key: "env:SECRET"}}
    replica: {bucket: assets-copy, aws: {region: eu-west-1, access_key: "env:KEY", secret_key: "env:SECRET"}}
"""


@dataclass(frozen=True)
class Told:
    """A bucket that tells this."""

    given: BucketSettings | None

    def settings(self, *, within: Deadline) -> BucketSettings:
        """Tell it, or do not answer."""
        if self.given is None or within.expired():
            raise Unavailable("get bucket versioning: no answer")
        return self.given


@dataclass(frozen=True)
class Iam:
    """IAM that knows the role."""

    def role(self, arn: str, needs: Sequence[Need], *, within: Deadline) -> Role:
        """It is there."""
        assert needs
        assert within.remaining()
        return Role(ROLE, arn == ROLE, trust("s3.amazonaws.com"))

    def key(self, key: str, *, within: Deadline) -> Key:
        """No pair of these tests has one."""
        raise Unavailable(f"{key} {within.remaining()}")


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The lab's site with a pair of buckets of its own."""
    yaml, path = YAML(typ="safe"), tmp_path / "with-assets.yaml"
    told = yaml.load(LAB.read_text(encoding="utf-8")) | yaml.load(PART)
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(told, file)
    return path


def found(tmp_path: Path, site: Path, source: BucketSettings | None, replica: BucketSettings | None) -> tuple[Check, ...]:
    """What readiness says of the pair, where all else is well."""
    stage = Stage(tmp_path / "home", site)
    sides = Sides(Told(source), Told(replica), Iam(), Iam())
    none: dict[str, Any] = {"claims": lambda *_: {}, "audits": lambda *_: {}}
    tools = Instruments(lambda *_: (), free=lambda _: 10**12, at_once=1, replicas=lambda *_: {"assets": sides}, **none)
    return tuple(check for check in inspect(stage.desk, str(site), tools).checks if check.name == "replication")


def test_a_pair_that_is_configured_as_it_should_be_is_ready(tmp_path: Path, site: Path) -> None:
    """One finding that says so."""
    (check,) = found(tmp_path, site, WELL_SOURCE, WELL_REPLICA)
    assert (check.about, check.state) == ("assets", State.OK)
    assert check.text.endswith("points of its configuration are as they must be")


def test_each_fault_is_named_by_its_point(tmp_path: Path, site: Path) -> None:
    """S10: red in readiness, with the command; what is well is not listed."""
    (check,) = found(tmp_path, site, WELL_SOURCE, replace(WELL_REPLICA, versioning="Suspended"))
    assert (check.about, check.state) == ("assets: replica, versioning", State.FAIL)
    assert check.then.startswith("aws s3api put-bucket-versioning --bucket assets-copy")


def test_a_region_that_is_away_is_unknown(tmp_path: Path, site: Path) -> None:
    """S15: no failure of ours, and no success."""
    checks = found(tmp_path, site, WELL_SOURCE, None)
    assert {check.state for check in checks} == {State.UNKNOWN}
    assert checks[0].about == "assets: replica, bucket"


def test_pairs_of_a_site_file_are_opened_at_their_own_sides(site: Path) -> None:
    """Each side with its own region and credentials; nothing is asked yet."""
    (name, sides), *others = open_pairs(load_site(site), lambda reference: f"value of {reference}").items()
    assert (name, others) == ("assets", [])
    assert isinstance(sides.source, ConfiguredBucket)
    assert isinstance(sides.replica, ConfiguredBucket)
    assert (sides.source.where, sides.replica.where) == ("s3://assets (us-east-1)", "s3://assets-copy (eu-west-1)")
    assert isinstance(sides.at_source, AwsAuthority)


def test_a_site_without_pairs_is_asked_nothing() -> None:
    """Most sites have none."""
    assert open_pairs(load_site(LAB).model_copy(update={"replication": ()}), lambda name: name) == {}
