"""The pointer of a distribution in front of a host: users get a release instead of the host, by one write, and back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from defib.errors import Conflict, NotFound
from defib.lab.alone import RunningAws, serve_aws
from defib.ports import RecordChange
from defib.providers.pointer.cloudfront import CloudFrontPointer
from defib.providers.pointer.distribution import Configuration
from defib.redeploy.pointer import ELSEWHERE, path_of, pointer_key, pointing_at
from tests.providers.host.aws_stage import NEW, OLD, AwsStage, fresh_stage, soon


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """AWS of the lab, for all tests of this file."""
    with serve_aws(deploys_in=timedelta(milliseconds=50)) as running:
        yield running


@pytest.fixture
def stage(aws: RunningAws) -> AwsStage:
    """A CDN's distribution, by which users get a host."""
    made = fresh_stage(aws)
    made.put_in_front_of_a_host()
    return made


def pointer(stage: AwsStage) -> CloudFrontPointer:
    """Its pointer."""
    return stage.pointer(bucket=stage.bucket)


def to_release(stage: AwsStage, commit: str = OLD) -> RecordChange:
    """The change that gives users a release instead of the host."""
    before = pointing_at(stage.distribution, path_of(NEW), "vercel")
    return RecordChange(before, pointing_at(stage.distribution, path_of(commit)))


def test_reads_what_users_get_instead_of_a_release(stage: AwsStage) -> None:
    """The pointer has its path, and says that users get another origin."""
    (stands,) = pointer(stage).read([pointer_key(stage.distribution)], within=soon())
    assert stands == pointing_at(stage.distribution, path_of(NEW), "vercel")
    assert stands.attributes == ((ELSEWHERE, "vercel"),)


def test_one_write_gives_users_the_release(stage: AwsStage) -> None:
    """R17: path and target change together, so that users never get the release that stood there before."""
    pointer(stage).replace([to_release(stage)], within=soon())
    config = stage.config()
    paths = {each["Id"]: each["OriginPath"] for each in config["Origins"]["Items"]}
    assert (stage.gets(), paths) == ("releases", {"vercel": "", "releases": path_of(OLD)})


def test_undo_gives_users_the_host_again(stage: AwsStage) -> None:
    """D19: exactly the configuration that stood before."""
    before = stage.config()
    pointer(stage).replace([to_release(stage)], within=soon())
    pointer(stage).replace([to_release(stage).reversed()], within=soon())
    assert before == stage.config()


def test_from_release_to_release_the_host_stays_out(stage: AwsStage) -> None:
    """R17: going back to the release before does not bring back the host that failed."""
    pointer(stage).replace([to_release(stage)], within=soon())
    older, newer = (pointing_at(stage.distribution, path_of(commit)) for commit in (OLD, NEW))
    pointer(stage).replace([RecordChange(older, newer)], within=soon())
    assert (stage.gets(), stage.path_of_releases()) == ("releases", path_of(NEW))


def test_somebody_else_who_moved_users_first_is_not_overruled(stage: AwsStage) -> None:
    """R15: a plan made while users had the host is refused once they have a release."""
    pointer(stage).replace([to_release(stage)], within=soon())
    with pytest.raises(Conflict):
        pointer(stage).replace([to_release(stage, NEW)], within=soon())
    assert stage.path_of_releases() == path_of(OLD)


def test_distribution_without_the_bucket_is_refused(stage: AwsStage) -> None:
    """A distribution that has no origin for the releases is told so, and the host's origin is never given a path."""
    other = stage.pointer(bucket="another-bucket")
    for call in (
        lambda: other.read([pointer_key(stage.distribution)], within=soon()),
        lambda: other.replace([to_release(stage)], within=soon()),
    ):
        with pytest.raises(NotFound) as caught:
            call()
        assert caught.value.expected == "an S3 origin another-bucket.s3.REGION.amazonaws.com"
    assert stage.gets() == "vercel"


def test_host_tells_that_no_release_is_live(stage: AwsStage) -> None:
    """What is prepared in the bucket is not what users get."""
    assert stage.host().live(within=soon()) is None
    stage.host().publish(OLD, within=soon())
    found = stage.host().live(within=soon())
    assert found is not None
    assert (found.commit, stage.gets()) == (OLD, "releases")


def test_group_of_origins_is_elsewhere_too() -> None:
    """C15: a CDN whose default behaviour leads to an origin group is read, and moved away from it."""
    grouped: Any = {
        "Enabled": True,
        "DefaultCacheBehavior": {"TargetOriginId": "both"},
        "Origins": {"Items": [{"Id": "one", "DomainName": "one.example"}, {"Id": "s3", "DomainName": "b.s3.amazonaws.com"}]},
    }
    held = Configuration(grouped, "E1", deployed=True, bucket="b")
    assert (held.path, held.elsewhere, held.told()) == ("", "both", "origin both")
    assert held.leads() == (True, "both", "s3", "b.s3.amazonaws.com", "")
