"""CloudFront of the lab keeps versions, names, deployments and invalidations as CloudFront does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from mypy_boto3_cloudfront.client import CloudFrontClient

from defib.clock import SimulatedClock
from defib.lab.alone import RunningAws, serve_aws
from defib.lab.faults import Fault
from defib.lab.furniture import CDN_NAMES, DISTRIBUTION

CLOCK = SimulatedClock()


@pytest.fixture
def aws() -> Iterator[RunningAws]:
    """AWS alone, whose time passes when the test says so."""
    with serve_aws(clock=CLOCK, deploys_in=timedelta(minutes=5)) as running:
        yield running


@pytest.fixture
def cloudfront(aws: RunningAws) -> Iterator[CloudFrontClient]:
    """A client that does not retry."""
    made = boto3.client(
        "cloudfront",
        region_name="us-east-1",
        endpoint_url=aws.endpoint,
        aws_access_key_id=aws.credentials.access_key,
        aws_secret_access_key=aws.credentials.secret_key,
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield made
    made.close()


def config(cloudfront: CloudFrontClient, **changed: Any) -> tuple[str, Any]:
    """The present version, and the present configuration with `changed`."""
    answer = cloudfront.get_distribution_config(Id=DISTRIBUTION)
    return answer["ETag"], {**answer["DistributionConfig"], **changed}


def code(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    """Code and HTTP status of a refusal."""
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def invalidate(cloudfront: CloudFrontClient, reference: str, *paths: str) -> Any:
    """Ask for an invalidation."""
    batch: Any = {"CallerReference": reference, "Paths": {"Quantity": len(paths), "Items": list(paths)}}
    return cloudfront.create_invalidation(DistributionId=DISTRIBUTION, InvalidationBatch=batch)["Invalidation"]


def test_an_update_needs_the_present_version(cloudfront: CloudFrontClient) -> None:
    """C12: without the current ETag nothing is overwritten, and each update gives a new one."""
    first, wanted = config(cloudfront, Comment="second")
    second = cloudfront.update_distribution(Id=DISTRIBUTION, IfMatch=first, DistributionConfig=wanted)["ETag"]
    assert second != first
    assert config(cloudfront)[0] == second
    with pytest.raises(ClientError) as caught:
        cloudfront.update_distribution(Id=DISTRIBUTION, IfMatch=first, DistributionConfig=wanted | {"Comment": "third"})
    assert code(caught) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as caught:
        cloudfront.update_distribution(Id=DISTRIBUTION, IfMatch="ENOBODY", DistributionConfig=wanted)
    assert code(caught) == ("InvalidIfMatchVersion", 400)
    assert config(cloudfront)[1]["Comment"] == "second"


def test_an_update_is_in_progress_before_it_is_deployed(aws: RunningAws, cloudfront: CloudFrontClient) -> None:
    """C13: edges go on with the old configuration until the new one is deployed."""
    version, wanted = config(cloudfront, Enabled=False)
    answer = cloudfront.update_distribution(Id=DISTRIBUTION, IfMatch=version, DistributionConfig=wanted)
    assert answer["Distribution"]["Status"] == "InProgress"
    assert [live.enabled for live in aws.aws.cloudfront.live()] == [True]
    CLOCK.sleep(timedelta(minutes=4))
    assert cloudfront.get_distribution(Id=DISTRIBUTION)["Distribution"]["Status"] == "InProgress"
    CLOCK.sleep(timedelta(minutes=2))
    assert cloudfront.get_distribution(Id=DISTRIBUTION)["Distribution"]["Status"] == "Deployed"
    assert [live.enabled for live in aws.aws.cloudfront.live()] == [False]


def test_a_name_belongs_to_one_distribution(cloudfront: CloudFrontClient) -> None:
    """C14: an alias that another distribution has is refused, at creation and at update."""
    _, wanted = config(cloudfront, CallerReference="standby")
    with pytest.raises(ClientError) as caught:
        cloudfront.create_distribution(DistributionConfig=wanted)
    assert code(caught) == ("CNAMEAlreadyExists", 409)
    made = cloudfront.create_distribution(DistributionConfig=wanted | {"Aliases": {"Quantity": 0}})
    aliases = {"Quantity": 1, "Items": [CDN_NAMES[0]]}
    with pytest.raises(ClientError) as caught:
        cloudfront.update_distribution(
            Id=made["Distribution"]["Id"], IfMatch=made["ETag"], DistributionConfig=wanted | {"Aliases": aliases}
        )
    assert code(caught) == ("CNAMEAlreadyExists", 409)


def test_what_cannot_change_and_what_does_not_add_up_is_refused(cloudfront: CloudFrontClient) -> None:
    """A new CallerReference is an illegal update; a Quantity that differs from its Items is inconsistent."""
    version, wanted = config(cloudfront)
    for changed, expected in (
        ({"CallerReference": "other"}, ("IllegalUpdate", 400)),
        ({"Aliases": {"Quantity": len(CDN_NAMES) + 1, "Items": list(CDN_NAMES)}}, ("InconsistentQuantities", 400)),
    ):
        with pytest.raises(ClientError) as caught:
            cloudfront.update_distribution(Id=DISTRIBUTION, IfMatch=version, DistributionConfig=wanted | changed)
        assert code(caught) == expected


def test_an_enabled_distribution_cannot_be_deleted(cloudfront: CloudFrontClient) -> None:
    """Deleting asks for the version and for a distribution that is off."""
    version, _ = config(cloudfront)
    with pytest.raises(ClientError) as caught:
        cloudfront.delete_distribution(Id=DISTRIBUTION, IfMatch=version)
    assert code(caught) == ("DistributionNotDisabled", 409)


def test_an_invalidation_takes_time(aws: RunningAws, cloudfront: CloudFrontClient) -> None:
    """It is InProgress first, and edges forget when it is Completed."""
    made = invalidate(cloudfront, "one", "/*")
    assert made["Status"] == "InProgress"
    assert aws.aws.cloudfront.invalidations.completed(DISTRIBUTION) == ()
    CLOCK.sleep(timedelta(seconds=1))
    done = cloudfront.get_invalidation(DistributionId=DISTRIBUTION, Id=made["Id"])["Invalidation"]
    assert done["Status"] == "Completed"
    assert [each.paths for each in aws.aws.cloudfront.invalidations.completed(DISTRIBUTION)] == [("/*",)]


def test_an_invalidation_is_idempotent_by_its_reference(cloudfront: CloudFrontClient) -> None:
    """The same reference and paths give the same invalidation; other paths under it are refused."""
    first = invalidate(cloudfront, "one", "/a", "/b")
    assert invalidate(cloudfront, "one", "/a", "/b")["Id"] == first["Id"]
    with pytest.raises(ClientError) as caught:
        invalidate(cloudfront, "one", "/c")
    assert code(caught)[0] == "InvalidationBatchAlreadyExists"
    listed = cloudfront.list_invalidations(DistributionId=DISTRIBUTION)["InvalidationList"]
    assert [each["Id"] for each in listed["Items"]] == [first["Id"]]


def test_too_many_invalidations_are_refused_until_some_are_done(cloudfront: CloudFrontClient) -> None:
    """R16: fifteen wildcard paths may be in progress, a sixteenth waits."""
    for number in range(15):
        invalidate(cloudfront, f"reference {number}", "/*")
    with pytest.raises(ClientError) as caught:
        invalidate(cloudfront, "one more", "/*")
    assert code(caught) == ("TooManyInvalidationsInProgress", 400)
    CLOCK.sleep(timedelta(seconds=1))
    assert invalidate(cloudfront, "one more", "/*")["Status"] == "InProgress"


def test_a_bad_path_is_refused(cloudfront: CloudFrontClient) -> None:
    """Paths begin with a slash, and only their end may be a star."""
    for path in ("index.html", "/a*b"):
        with pytest.raises(ClientError) as caught:
            invalidate(cloudfront, path, path)
        assert code(caught) == ("InvalidArgument", 400)


def test_a_lying_update_and_invalidation_change_nothing(aws: RunningAws, cloudfront: CloudFrontClient) -> None:
    """Both are answered with success; configuration and caches stay as they were."""
    version, wanted = config(cloudfront, Comment="never")
    aws.set_fault("cloudfront", Fault("lying"))
    answer = cloudfront.update_distribution(Id=DISTRIBUTION, IfMatch=version, DistributionConfig=wanted)
    assert answer["ETag"] != version
    assert invalidate(cloudfront, "one", "/*")["Status"] == "Completed"
    aws.set_fault("cloudfront", None)
    assert config(cloudfront)[0] == version
    assert config(cloudfront)[1]["Comment"] == "Pulse Trading"
    assert aws.aws.cloudfront.invalidations.completed(DISTRIBUTION) == ()


def test_an_unknown_distribution_is_not_found(cloudfront: CloudFrontClient) -> None:
    """Every operation on it has the service's own code."""
    with pytest.raises(ClientError) as caught:
        cloudfront.get_distribution(Id="E2NOBODY")
    assert code(caught) == ("NoSuchDistribution", 404)
