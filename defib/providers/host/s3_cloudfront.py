"""Our own host on AWS: releases in a private bucket, behind a CloudFront distribution whose origin path names one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from defib.clock import Deadline
from defib.errors import Conflict, Denied, NotFound
from defib.ports import Attachment, Deployment, Quota
from defib.privilege.permission import Permission
from defib.providers.access_aws import CloudFrontClaims, claiming
from defib.providers.aws import AwsAccess, Clients
from defib.providers.aws_errors import asked, code_of
from defib.providers.host.acm import REGION, Acm, describing
from defib.providers.pointer.distribution import Configuration, Distribution, arn
from defib.redeploy.pointer import commit_of, path_of
from defib.releases.rules import MANIFEST, PREFIX, manifest_key

if TYPE_CHECKING:
    from mypy_boto3_cloudfront.type_defs import DistributionConfigOutputTypeDef
    from mypy_boto3_s3.client import S3Client

_MISSING_OR_FORBIDDEN = (
    "allow s3:GetObject on releases/* and s3:ListBucket on the bucket, without which absence reads as 403"
)


def attaching(distribution: str) -> tuple[Permission, ...]:
    """Under which names it is there, with which certificate, and whether it is enabled."""
    return Permission(("cloudfront:GetDistribution",), (arn(distribution),)), claiming(distribution), describing()


def serving(bucket: str, distribution: str) -> tuple[Permission, ...]:
    """Which release it serves. No procedure attaches a name, or publishes by anything but the pointer."""
    manifests = f"arn:aws:s3:::{bucket}/{PREFIX}/*/{MANIFEST}"
    return (
        Permission(("cloudfront:GetDistribution",), (arn(distribution),)),
        Permission(("s3:GetObject",), (manifests,)),
        Permission(("s3:ListBucket",), (f"arn:aws:s3:::{bucket}",), why="without it absence reads as 403"),
    )


class S3CloudFront:
    """Fulfils :class:`defib.ports.Host`: a deployment is a release, its id the commit that it was built from.

    `created` is when its manifest was put, the last object of an upload. A name is *verified* where the distribution lists
    it, because CloudFront takes none without a certificate for it. CloudFront asks for no certificate by itself: attaching
    needs one that is there.
    """

    def __init__(self, bucket: str, distribution: str, access: AwsAccess) -> None:
        self._bucket = bucket
        self._distribution = Distribution(distribution, access, bucket)
        self._claims = CloudFrontClaims(distribution, access)
        self._acm = Acm(access)
        self._clients: Clients[S3Client] = access.clients("s3")

    @property
    def vendor(self) -> str:
        """``s3-cloudfront``."""
        return "s3-cloudfront"

    @property
    def project(self) -> str:
        """The distribution's id."""
        return self._distribution.id

    def live(self, *, within: Deadline) -> Deployment | None:
        """The release that the pointer names, None where it names none, or one that is not whole in the bucket.

        None also where users get another origin. It is what CloudFront last accepted; some edges may still have the one
        before.
        """
        held = self._distribution.read(within)
        commit = "" if held.elsewhere else commit_of(held.path)
        return self._release(commit, within) if commit else None

    def attachment(self, name: str, *, within: Deadline) -> Attachment:
        """Whether the distribution lists `name`, and what ACM says of its certificate."""
        return self._described(_plain(name), self._distribution.read(within), within)

    def attach(self, name: str, *, within: Deadline) -> Attachment:
        """List `name`, where it is not, by compare-and-set.

        C14: a name that another distribution holds is :class:`Conflict` (CNAMEAlreadyExists); one that the certificate does
        not cover is :class:`NotFound` (InvalidViewerCertificate).
        """
        plain = _plain(name)
        held = self._distribution.read(within)
        if not _lists(held, plain):
            self._list(plain, held, within)
            held = self._distribution.read(within)
        return self._described(plain, held, within)

    def publish(self, deployment: str, *, within: Deadline) -> Deployment:
        """Let the pointer name the release of commit `deployment`; nothing is uploaded."""
        held = self._distribution.read(within)
        release = self._release(deployment, within) if commit_of(f"/{PREFIX}/{deployment}") else None
        if release is None:
            raise NotFound(
                f"there is no whole release {deployment!r}",
                where=self._where_in_bucket,
                expected=f"the object {PREFIX}/{deployment}/{MANIFEST}",
                then="defib releases",
            )
        if held.elsewhere or held.path != path_of(deployment):
            self._distribution.move(held, path_of(deployment), within)
        return release

    def quota(self, *, within: Deadline) -> Quota:
        """Whether the distribution is enabled; of the account AWS tells nothing."""
        if not self._distribution.read(within).config["Enabled"]:
            return Quota(suspended=True, details="the distribution is disabled")
        return Quota(suspended=None, details="unknown: AWS does not tell whether it has suspended the account")

    @property
    def _where_in_bucket(self) -> str:
        return f"S3, bucket {self._bucket}"

    def _release(self, commit: str, within: Deadline) -> Deployment | None:
        """The release as its manifest stands in the bucket, None without one."""
        key = manifest_key(commit)

        def get() -> datetime:
            found = self._clients.within(within).get_object(Bucket=self._bucket, Key=key)
            found["Body"].close()  # unread: it is for whoever verifies the release
            return found["LastModified"].astimezone(UTC)

        try:
            created = asked(get, within, "GetObject", f"{self._where_in_bucket}, object {key}")
        except NotFound as error:
            if code_of(error.__cause__) == "NoSuchKey":
                return None
            raise
        except Denied as error:
            if error.then or code_of(error.__cause__) != "AccessDenied":
                raise
            parts = {"where": error.where, "expected": error.expected, "seen": error.seen}
            raise Denied(error.what, **parts, then=_MISSING_OR_FORBIDDEN) from error.__cause__
        return Deployment(commit, created, commit)

    def _list(self, name: str, held: Configuration, within: Deadline) -> None:
        def add(config: DistributionConfigOutputTypeDef) -> None:
            aliases = [*config.get("Aliases", {}).get("Items", []), name]
            config["Aliases"] = {"Quantity": len(aliases), "Items": aliases}

        try:
            self._distribution.amend(held, add, within)
        except NotFound as error:
            code = code_of(error.__cause__)
            if code == "CNAMEAlreadyExists":
                raise Conflict(
                    f"{name} belongs to another distribution",
                    where=self._distribution.where,
                    seen=error.seen,
                    then=f"aws cloudfront associate-alias --target-distribution-id {self.project} --alias {name}",
                ) from error
            if code == "InvalidViewerCertificate":
                raise NotFound(
                    f"the distribution has no certificate for {name}",
                    where=self._distribution.where,
                    seen=error.seen,
                    then=f"request one in ACM in {REGION} and give it to the distribution",
                ) from error
            raise

    def _described(self, name: str, held: Configuration, within: Deadline) -> Attachment:
        full = f"{name}."
        if not _lists(held, name):
            problem = self._not_listed(name, held, within)
            return Attachment(full, attached=False, verified=False, certificate_until=None, problem=problem)
        until, problem = self._certified(name, held, within)
        if not held.config["Enabled"]:
            problem = "the distribution is disabled"
        return Attachment(full, attached=True, verified=True, certificate_until=until, problem=problem)

    def _not_listed(self, name: str, held: Configuration, within: Deadline) -> str:
        """Why the name is not answered for: C14, a name that is held by others is told before the incident."""
        listed = f"it lists {', '.join(held.aliases)}" if held.aliases else "it lists no name"
        try:
            holders = self._claims.holders(name, within=within)
        except (Denied, NotFound) as error:
            return f"not attached: {listed}; whether others hold it could not be told: {error.seen or error.what}"
        held_by = f"; held by {', '.join(holders)}, so adding it would be refused (CNAMEAlreadyExists)" if holders else ""
        return f"not attached: {listed}{held_by}"

    def _certified(self, name: str, held: Configuration, within: Deadline) -> tuple[datetime | None, str]:
        """Until when the distribution's certificate holds for `name`, or why it does not."""
        viewer = held.config.get("ViewerCertificate", {})
        arn = viewer.get("ACMCertificateArn", "")
        if not arn:
            of_iam = viewer.get("IAMCertificateId", "")
            held_by = f"the certificate {of_iam} is in IAM" if of_iam else "it has none but that of CloudFront itself"
            return None, f"{held_by}: ACM cannot tell its names and its end"
        certificate = self._acm.certificate(arn, within)
        problem = certificate.hindrance(name, within.clock.now())
        return (None if problem else certificate.until), problem


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


def _lists(held: Configuration, name: str) -> bool:
    return any(alias == name or (alias.startswith("*.") and name.partition(".")[2] == alias[2:]) for alias in held.aliases)
