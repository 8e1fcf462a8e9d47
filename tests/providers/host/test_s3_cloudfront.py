"""The host on AWS keeps the contract against the lab's CloudFront, S3 and ACM, and tells what they tell."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from defib.clock import Deadline, SystemClock
from defib.errors import Conflict, Denied, NotFound
from defib.lab.alone import RunningAws, serve_aws
from defib.lab.faults import Fault
from defib.ports import Deployment
from defib.providers.host.acm import Certificate
from defib.redeploy.pointer import path_of
from tests.contracts.host import HostContract, HostWorld
from tests.providers.host.aws_stage import NEW, OLD, AwsStage, certificate, fresh_stage, soon


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """AWS of the lab, for all tests of this file."""
    with serve_aws(deploys_in=timedelta(milliseconds=50)) as running:
        yield running


@pytest.fixture
def stage(aws: RunningAws) -> AwsStage:
    """A host of its own for each test."""
    return fresh_stage(aws)


class TestS3CloudFront(HostContract):
    """The adapter against the lab."""

    @pytest.fixture
    def world(self, stage: AwsStage) -> HostWorld:
        """A distribution that serves the newer of two releases."""
        return HostWorld(
            host=stage.host(),
            live=NEW,
            older=OLD,
            held=f"www.{stage.zone}.",
            free=f"free.{stage.zone}.",
            taken=f"taken.{stage.zone}.",
            stands=stage.commit,
            names=stage.names,
            suspend=lambda: stage.change(Enabled=False),
            denied=stage.host(secret_key="wrong"),
            unknown=stage.host(distribution="EGONE"),
        )


def attachment_problem(stage: AwsStage, name: str = "www") -> str:
    """Why a name of the site would not be served."""
    found = stage.host().attachment(f"{name}.{stage.zone}", within=soon())
    assert not found.ready
    assert found.certificate_until is None
    return found.problem


def viewer(arn: str) -> dict[str, Any]:
    """A distribution's certificate, in the shape of CloudFront's API."""
    return {"ACMCertificateArn": arn, "SSLSupportMethod": "sni-only", "MinimumProtocolVersion": "TLSv1.2_2021"}


def in_use(stage: AwsStage) -> str:
    """The ARN of the certificate that the distribution has."""
    return str(stage.config()["ViewerCertificate"]["ACMCertificateArn"])


def test_release_is_as_old_as_its_manifest(stage: AwsStage) -> None:
    """The deployment is the commit; it was made when the last object of its upload was put."""
    head = stage.s3.head_object(Bucket=stage.bucket, Key=f"releases/{NEW}/.defib-release.json")
    assert stage.host().live(within=soon()) == Deployment(NEW, head["LastModified"].astimezone(UTC), NEW)


@pytest.mark.parametrize("path", ["", "/maintenance", "/releases/main", f"/releases/{'c' * 40}"])
def test_what_is_no_whole_release_is_not_live(stage: AwsStage, path: str) -> None:
    """R6: a pointer to nothing, to something else, or to a release without its manifest gives no deployment."""
    origins = stage.config()["Origins"]
    origins["Items"][0]["OriginPath"] = path
    stage.change(Origins=origins)
    assert stage.host().live(within=soon()) is None


def test_release_without_manifest_is_not_published(stage: AwsStage) -> None:
    """R8: what was uploaded in part is never pointed at."""
    stage.s3.delete_object(Bucket=stage.bucket, Key=f"releases/{OLD}/.defib-release.json")
    with pytest.raises(NotFound) as caught:
        stage.host().publish(OLD, within=soon())
    assert caught.value.expected == f"the object releases/{OLD}/.defib-release.json"
    assert stage.commit() == NEW


def test_publishing_touches_nothing_but_the_path(stage: AwsStage) -> None:
    """R17: going back is one write of the pointer; access control, certificate and names stay."""
    before = stage.config()
    stage.host().publish(OLD, within=soon())
    after = stage.config()
    assert after["Origins"]["Items"][0].pop("OriginPath") == path_of(OLD)
    assert before["Origins"]["Items"][0].pop("OriginPath") == path_of(NEW)
    assert before == after
    assert after["Origins"]["Items"][0]["OriginAccessControlId"] == "E327GJI25M56DG"


def test_missing_bucket_is_a_matter_of_configuration(stage: AwsStage) -> None:
    """A bucket that is not there is not the same as a release that is not there."""
    for listed in stage.s3.list_objects_v2(Bucket=stage.bucket)["Contents"]:
        stage.s3.delete_object(Bucket=stage.bucket, Key=listed["Key"])
    stage.s3.delete_bucket(Bucket=stage.bucket)
    with pytest.raises(NotFound) as caught:
        stage.host().live(within=soon())
    assert "NoSuchBucket" in caught.value.seen


def test_name_that_others_hold_is_found_by_reading(stage: AwsStage) -> None:
    """C14: that adding the name would be refused is told beforehand, with who holds it."""
    problem = attachment_problem(stage, "taken")
    assert "held by distribution *******" in problem
    assert "CNAMEAlreadyExists" in problem


def test_name_that_others_hold_is_a_conflict_with_the_way_out(stage: AwsStage) -> None:
    """C14: CloudFront's own word, and the command that takes the name over."""
    with pytest.raises(Conflict) as caught:
        stage.host().attach(f"taken.{stage.zone}", within=soon())
    assert "CNAMEAlreadyExists" in caught.value.seen
    assert caught.value.then.startswith("aws cloudfront associate-alias")


def test_wildcard_covers_one_label(stage: AwsStage) -> None:
    """A name under a wildcard that is listed is attached; one two labels deeper is not."""
    stage.change(Aliases={"Quantity": 1, "Items": [f"*.{stage.zone}"]})
    assert stage.host().attachment(f"app.{stage.zone}", within=soon()).ready
    assert "not attached" in attachment_problem(stage, "a.b")


def test_certificate_for_other_names_is_a_problem(stage: AwsStage) -> None:
    """D14: users would be shown a certificate for somebody else, since another was imported in its place."""
    certificate(stage, "elsewhere.test", instead_of=in_use(stage))
    assert "the certificate is for elsewhere.test" in attachment_problem(stage)


def test_certificate_that_ended_is_a_problem() -> None:
    """D14: an end in the past is no certificate, and one whose end is not told is not believed."""
    now = SystemClock().now()
    held = Certificate("arn", ("site.test",), "ISSUED", now - timedelta(days=1))
    assert held.hindrance("site.test", now).startswith("the certificate ended at")
    assert replace(held, status="REVOKED").hindrance("site.test", now) == "the certificate is REVOKED"
    assert replace(held, until=None).hindrance("site.test", now) == "ACM does not tell until when the certificate is valid"
    assert replace(held, until=now + timedelta(days=1)).hindrance("site.test", now) == ""


def test_name_that_the_certificate_is_not_for_cannot_be_attached(stage: AwsStage) -> None:
    """D14: CloudFront's own word, and where the certificate has to come from; nothing is changed."""
    with pytest.raises(NotFound) as caught:
        stage.host().attach("www.elsewhere.test", within=soon())
    assert "InvalidViewerCertificate" in caught.value.seen
    assert caught.value.then.startswith("request one in ACM in us-east-1")
    assert stage.names() == (f"www.{stage.zone}",)


def test_certificate_that_waits_for_validation_is_not_taken(stage: AwsStage) -> None:
    """D14: the lab's CloudFront refuses what CloudFront refuses: a certificate that was asked for and is not issued."""
    asked = stage.acm.request_certificate(DomainName=f"www.{stage.zone}", ValidationMethod="DNS")["CertificateArn"]
    with pytest.raises(ClientError) as caught:
        stage.change(ViewerCertificate=viewer(asked))
    assert caught.value.response["Error"]["Code"] == "InvalidViewerCertificate"


def test_distribution_without_certificate_of_its_own_is_a_problem(stage: AwsStage) -> None:
    """CloudFront's own certificate is for its own names alone."""
    stage.change(ViewerCertificate={"CloudFrontDefaultCertificate": True})
    assert "none but that of CloudFront itself" in attachment_problem(stage)


def test_disabled_distribution_serves_nobody(stage: AwsStage) -> None:
    """A name at a distribution that is switched off is not ready, whatever its certificate."""
    stage.change(Enabled=False)
    found = stage.host().attachment(f"www.{stage.zone}", within=soon())
    assert (found.ready, found.problem) == (False, "the distribution is disabled")


def test_account_is_not_judged(stage: AwsStage) -> None:
    """What AWS does not tell is unknown, neither good nor bad."""
    told = stage.host().quota(within=soon())
    assert told.suspended is None
    assert told.details.startswith("unknown")


def test_role_without_listing_is_told_what_it_lacks(aws: RunningAws, stage: AwsStage) -> None:
    """A 403 for an object may be its absence: the message says which permission is missing."""
    aws.set_fault("s3", Fault("denied"))
    try:
        with pytest.raises(Denied) as caught:
            stage.host().live(within=soon())
    finally:
        aws.set_fault("s3", None)
    assert "s3:ListBucket" in caught.value.then


def test_two_that_attach_at_once_both_stay(stage: AwsStage) -> None:
    """C12: whoever comes second reads again and adds to what the first wrote; nobody's name is lost."""
    wanted = [f"n{number}.{stage.zone}" for number in range(2)]

    def attach(name: str) -> None:
        stage.host().attach(name, within=Deadline.after(SystemClock(), timedelta(seconds=10)))

    with ThreadPoolExecutor() as pool:
        results = [pool.submit(attach, name) for name in wanted]
    assert [each.exception() for each in results] == [None, None]
    assert {*wanted, f"www.{stage.zone}"} == set(stage.names())
