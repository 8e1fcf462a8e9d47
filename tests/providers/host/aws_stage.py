"""A host on AWS in the lab: a private bucket with two releases, a certificate, and a distribution that serves the newer."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

import trustme

from defib.clock import Deadline, SystemClock
from defib.lab.alone import RunningAws
from defib.providers.aws import AwsAccess
from defib.providers.host.s3_cloudfront import S3CloudFront
from defib.providers.pointer.cloudfront import CloudFrontPointer
from defib.redeploy.pointer import commit_of, path_of
from defib.releases.rules import MANIFEST

_NUMBERS = itertools.count(1)

NEW, OLD = "b" * 40, "a" * 40
"""The commits of the two releases."""


def soon(seconds: float = 10) -> Deadline:
    """A deadline that is far enough."""
    return Deadline.after(SystemClock(), timedelta(seconds=seconds))


def access(aws: RunningAws, secret_key: str = "") -> AwsAccess:
    """The lab's credentials, or its key with another secret."""
    return AwsAccess(
        endpoint=aws.endpoint,
        access_key=aws.credentials.access_key,
        secret_key=secret_key or aws.credentials.secret_key,
    )


@dataclass(frozen=True)
class AwsStage:
    """One host with names of its own, seen through the adapters and past them."""

    aws: RunningAws
    number: int

    @property
    def distribution(self) -> str:
        """The distribution's id, in capitals as CloudFront's are."""
        return f"EAWS{self.number:09d}"

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return f"releases-{self.number}"

    @property
    def zone(self) -> str:
        """The domain whose names the certificate is for."""
        return f"site-{self.number}.test"

    @cached_property
    def cloudfront(self) -> Any:
        """CloudFront itself."""
        return self._client("cloudfront")

    @cached_property
    def s3(self) -> Any:
        """S3 itself."""
        return self._client("s3")

    @cached_property
    def acm(self) -> Any:
        """ACM itself."""
        return self._client("acm")

    def host(self, secret_key: str = "", distribution: str = "") -> S3CloudFront:
        """The adapter of the host."""
        return S3CloudFront(self.bucket, distribution or self.distribution, access(self.aws, secret_key))

    def pointer(self, secret_key: str = "", distribution: str = "", bucket: str = "") -> CloudFrontPointer:
        """The adapter of its pointer; with the bucket's name also where users get another origin."""
        return CloudFrontPointer(distribution or self.distribution, access(self.aws, secret_key), bucket)

    def put_in_front_of_a_host(self) -> None:
        """Let users get a host by this distribution, as a CDN does, with the releases as an origin beside it."""
        config = self.config()
        host = {
            "Id": "vercel",
            "DomainName": "site.vercel.app",
            "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": "https-only"},
        }
        origins = {"Quantity": 2, "Items": [host, *config["Origins"]["Items"]]}
        self.change(Origins=origins, DefaultCacheBehavior={**config["DefaultCacheBehavior"], "TargetOriginId": "vercel"})

    def path_of_releases(self) -> str:
        """The path of the origin that holds the releases."""
        return str(next(each["OriginPath"] for each in self.config()["Origins"]["Items"] if each["Id"] == "releases"))

    def gets(self) -> str:
        """The id of the origin that users get."""
        return str(self.config()["DefaultCacheBehavior"]["TargetOriginId"])

    def config(self) -> dict[str, Any]:
        """The configuration as CloudFront tells it."""
        return dict(self.cloudfront.get_distribution_config(Id=self.distribution)["DistributionConfig"])

    def path(self) -> str:
        """The origin path."""
        return str(self.config()["Origins"]["Items"][0]["OriginPath"])

    def commit(self) -> str:
        """The release that the pointer names."""
        return commit_of(self.path())

    def names(self) -> tuple[str, ...]:
        """The names that the distribution lists."""
        return tuple(self.config()["Aliases"].get("Items", ()))

    def change(self, **parts: Any) -> None:
        """Change the configuration as somebody else does."""
        held = self.cloudfront.get_distribution_config(Id=self.distribution)
        config = {**held["DistributionConfig"], **parts}
        self.cloudfront.update_distribution(Id=self.distribution, IfMatch=held["ETag"], DistributionConfig=config)

    def put_release(self, commit: str) -> None:
        """A release with one file, and the manifest that makes it whole."""
        prefix = path_of(commit)[1:]
        self.s3.put_object(Bucket=self.bucket, Key=f"{prefix}/index.html", Body=b"<title>Pulse Trading</title>")
        self.s3.put_object(Bucket=self.bucket, Key=f"{prefix}/{MANIFEST}", Body=json.dumps({"commit": commit}).encode())

    def _client(self, service: str) -> Any:
        make: Any = access(self.aws).session().client
        return make(service, endpoint_url=self.aws.endpoint)


def certificate(stage: AwsStage, *names: str, instead_of: str = "") -> str:
    """A certificate in ACM that is issued, by its ARN; one that is put `instead_of` another has that one's ARN."""
    issued = trustme.CA().issue_cert(*names)
    leaf, key = issued.cert_chain_pems[0].bytes(), issued.private_key_pem.bytes()
    again = {"CertificateArn": instead_of} if instead_of else {}
    return str(stage.acm.import_certificate(Certificate=leaf, PrivateKey=key, **again)["CertificateArn"])


def distribution_config(stage: AwsStage, names: list[str], arn: str, path: str) -> dict[str, Any]:
    """What the distribution of a standby on AWS is, in the shape of CloudFront's API."""
    bucket = {
        "Id": "releases",
        "DomainName": f"{stage.bucket}.s3.us-east-1.amazonaws.com",
        "OriginPath": path,
        "OriginAccessControlId": "E327GJI25M56DG",
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    return {
        "CallerReference": stage.distribution,
        "Aliases": {"Quantity": len(names), "Items": names},
        "DefaultRootObject": "index.html",
        "Origins": {"Quantity": 1, "Items": [bucket]},
        "DefaultCacheBehavior": {"TargetOriginId": "releases", "ViewerProtocolPolicy": "redirect-to-https"},
        "ViewerCertificate": {"ACMCertificateArn": arn, "MinimumProtocolVersion": "TLSv1.2_2021"},
        "Comment": "standby",
        "Enabled": True,
    }


def add_distribution(aws: RunningAws, distribution: str, config: dict[str, Any]) -> None:
    """A distribution under an id of our choice, deployed."""

    async def add() -> None:
        aws.aws.cloudfront.add_distribution(distribution, f"{distribution.lower()}.cloudfront.net", config)

    aws.loop.run(add())


def fresh_stage(aws: RunningAws) -> AwsStage:
    """A host that serves :data:`NEW` at ``www`` and keeps :data:`OLD`; somebody else's distribution holds ``taken``."""
    stage = AwsStage(aws, next(_NUMBERS))
    stage.s3.create_bucket(Bucket=stage.bucket)
    for commit in (OLD, NEW):
        stage.put_release(commit)
    arn = certificate(stage, stage.zone, f"*.{stage.zone}")
    held = distribution_config(stage, [f"www.{stage.zone}"], arn, path_of(NEW))
    add_distribution(aws, stage.distribution, held)
    others = {**distribution_config(stage, [f"taken.{stage.zone}"], arn, ""), "CallerReference": f"other-{stage.number}"}
    add_distribution(aws, f"EOTHER{stage.number:07d}", others)
    return stage
