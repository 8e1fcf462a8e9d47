"""The bucket that releases are kept in, the bucket that logs go to, and who may read the first."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from typing import Any

from defib.clock import Deadline
from defib.privilege.permission import Permission
from defib.providers.standby.resource import Held, Services
from defib.redeploy.groundwork import (
    BUCKET,
    LOGGING,
    POLICY,
    PUBLIC_WAYS,
    BucketFacts,
    Groundwork,
    LogsFacts,
    read_facts,
    written,
)

_EMPTY = '{"Version": "2012-10-17", "Statement": []}'
WITHOUT_ACLS, WITH_ACLS = "BucketOwnerEnforced", "BucketOwnerPreferred"


_OF_LOGS = "CloudFront asks for it in the name of whoever turns its logging on"


def permissions(work: Groundwork) -> tuple[Permission, ...]:
    """Both buckets: their settings, and the policy of the first, read, written and taken back."""
    releases, logs = f"arn:aws:s3:::{work.bucket}", (f"arn:aws:s3:::{work.logs}",)
    owned = ("BucketPublicAccessBlock", "BucketOwnershipControls")
    of_releases = (*owned, "BucketVersioning", "EncryptionConfiguration", "BucketPolicy")
    found = [
        Permission(tuple(f"s3:Get{each}" for each in of_releases), (releases,)),
        Permission(("sts:GetCallerIdentity",)),
        Permission(
            ("s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", *(f"s3:Put{each}" for each in of_releases)),
            (releases,),
            acts=True,
        ),
    ]
    if work.logs and not work.shared:
        # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logging-legacy-s3.html
        making = ("s3:CreateBucket", "s3:DeleteBucket", *(f"s3:Put{each}" for each in owned))
        found += [
            Permission(("s3:GetBucketVersioning", *(f"s3:Get{each}" for each in owned)), logs),
            Permission(making, logs, acts=True),
            Permission(("s3:GetBucketAcl", "s3:PutBucketAcl"), logs, acts=True, why=_OF_LOGS),
        ]
    return tuple(found)


class _Bucket(ABC):
    """What both buckets have in common: being there, public access, and who owns what is put."""

    def __init__(self, name: str, region: str, services: Services) -> None:
        self._name = name
        self._region = region
        self._s3 = services.of("s3", region)

    @abstractmethod
    def read(self, within: Deadline) -> Held:
        """What stands."""

    @abstractmethod
    def _settle(self, before: str, after: str, within: Deadline) -> None:
        """Write what differs between the two."""

    def write(self, held: Held, text: str | None, within: Deadline) -> str:
        """Make, settle or take away; only what differs is written."""
        if text is None:
            self._s3.ask("delete_bucket", within, Bucket=self._name)  # which S3 refuses while anything is in it
            return ""
        if held.text is None:
            self._create(within)
            held = self.read(within)
        self._settle(held.text or text, text, within)
        return ""

    def _exists(self, within: Deadline) -> bool:
        return self._s3.ask_if("NoSuchBucket", "get_bucket_versioning", within, Bucket=self._name) is not None

    def _create(self, within: Deadline) -> None:
        # us-east-1 is S3's own default, and the one name that it does not take as a constraint.
        place: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": self._region}}
        self._s3.ask("create_bucket", within, Bucket=self._name, **(place if self._region != "us-east-1" else {}))

    def _blocked(self, within: Deadline) -> tuple[str, ...]:
        absent = "NoSuchPublicAccessBlockConfiguration"
        answer = self._s3.ask_if(absent, "get_public_access_block", within, Bucket=self._name)
        ways = answer["PublicAccessBlockConfiguration"] if answer else {}
        return tuple(way for way in PUBLIC_WAYS if ways.get(way))

    def _block(self, blocked: tuple[str, ...], within: Deadline) -> None:
        if not blocked:
            self._s3.ask("delete_public_access_block", within, Bucket=self._name)
            return
        ways = {way: way in blocked for way in PUBLIC_WAYS}
        self._s3.ask("put_public_access_block", within, Bucket=self._name, PublicAccessBlockConfiguration=ways)

    def _ownership(self, within: Deadline) -> str:
        absent = "OwnershipControlsNotFoundError"
        answer = self._s3.ask_if(absent, "get_bucket_ownership_controls", within, Bucket=self._name)
        return str(answer["OwnershipControls"]["Rules"][0]["ObjectOwnership"]) if answer else ""

    def _own(self, ownership: str, within: Deadline) -> None:
        if not ownership:
            self._s3.ask("delete_bucket_ownership_controls", within, Bucket=self._name)
            return
        rules = {"Rules": [{"ObjectOwnership": ownership}]}
        self._s3.ask("put_bucket_ownership_controls", within, Bucket=self._name, OwnershipControls=rules)

    def _close(self, before: BucketFacts | LogsFacts, after: BucketFacts | LogsFacts, within: Deadline) -> None:
        if before.blocked != after.blocked:
            self._block(after.blocked, within)
        if before.ownership != after.ownership:
            self._own(after.ownership, within)

    def settled(self, receipt: str, within: Deadline) -> bool:  # noqa: ARG002 - S3 is strongly consistent
        """True: a bucket is as it was written."""
        return True


class ReleasesBucket(_Bucket):
    """A private, versioned, encrypted bucket.

    S3 has no compare-and-set for a bucket's settings: what stands is read right before it is written. Versioning that was
    once on can be suspended only, which is what an undo of it does.
    """

    type = BUCKET

    def __init__(self, work: Groundwork, services: Services) -> None:
        super().__init__(work.bucket, work.region, services)

    def read(self, within: Deadline) -> Held:
        """Versioning, encryption, public access and ownership."""
        versioning = self._s3.ask_if("NoSuchBucket", "get_bucket_versioning", within, Bucket=self._name)
        if versioning is None:
            return Held(None)
        facts = BucketFacts(
            versioned=versioning.get("Status") == "Enabled",
            encryption=self._encryption(within),
            blocked=self._blocked(within),
            ownership=self._ownership(within),
        )
        return Held(written(facts), self._name)

    def wanted(self, held: Held, within: Deadline) -> str:  # noqa: ARG002 - told by what stands alone
        """All of it on; an encryption by a key of one's own stays."""
        present = read_facts(BucketFacts, held.text).encryption if held.text else ""
        return written(
            BucketFacts(versioned=True, encryption=present or "AES256", blocked=PUBLIC_WAYS, ownership=WITHOUT_ACLS)
        )

    def _settle(self, before: str, after: str, within: Deadline) -> None:
        was, now = read_facts(BucketFacts, before), read_facts(BucketFacts, after)
        self._close(was, now, within)
        if was.encryption != now.encryption:
            self._encrypt(now.encryption, within)
        if was.versioned != now.versioned:
            status = {"Status": "Enabled" if now.versioned else "Suspended"}
            self._s3.ask("put_bucket_versioning", within, Bucket=self._name, VersioningConfiguration=status)

    def _encryption(self, within: Deadline) -> str:
        absent = "ServerSideEncryptionConfigurationNotFoundError"
        answer = self._s3.ask_if(absent, "get_bucket_encryption", within, Bucket=self._name)
        if answer is None:
            return ""
        rule = answer["ServerSideEncryptionConfiguration"]["Rules"][0].get("ApplyServerSideEncryptionByDefault", {})
        return " ".join(filter(None, (rule.get("SSEAlgorithm", ""), rule.get("KMSMasterKeyID", ""))))

    def _encrypt(self, encryption: str, within: Deadline) -> None:
        if not encryption:
            self._s3.ask("delete_bucket_encryption", within, Bucket=self._name)
            return
        algorithm, _, key = encryption.partition(" ")
        default = {"SSEAlgorithm": algorithm, **({"KMSMasterKeyID": key} if key else {})}
        rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
        self._s3.ask("put_bucket_encryption", within, Bucket=self._name, ServerSideEncryptionConfiguration=rules)


class LogsBucket(_Bucket):
    """The bucket that CloudFront writes access logs to, which needs access control lists and stays private all the same."""

    type = LOGGING

    def __init__(self, work: Groundwork, services: Services) -> None:
        super().__init__(work.logs, work.region, services)

    def read(self, within: Deadline) -> Held:
        """Public access and ownership."""
        if not self._exists(within):
            return Held(None)
        facts = LogsFacts(self._blocked(within), self._ownership(within))
        return Held(written(facts), self._name)

    def wanted(self, held: Held, within: Deadline) -> str:  # noqa: ARG002 - the same whatever stands
        """Private, with access control lists."""
        return written(LogsFacts(blocked=PUBLIC_WAYS, ownership=WITH_ACLS))

    def _settle(self, before: str, after: str, within: Deadline) -> None:
        self._close(read_facts(LogsFacts, before), read_facts(LogsFacts, after), within)


class BucketPolicy:
    """Who may read the bucket: the distribution, and nobody without TLS. Statements of others stay.

    With ``s3:ListBucket`` CloudFront is told that an object is not there (404), not that it may not be read (403).
    """

    type = POLICY

    def __init__(self, work: Groundwork, services: Services) -> None:
        self._work = work
        self._s3 = services.of("s3", work.region)
        self._sts = services.of("sts")

    def read(self, within: Deadline) -> Held:
        """The whole policy; none where there is no bucket."""
        if self._s3.ask_if("NoSuchBucket", "get_bucket_versioning", within, Bucket=self._work.bucket) is None:
            return Held(None)
        answer = self._s3.ask_if("NoSuchBucketPolicy", "get_bucket_policy", within, Bucket=self._work.bucket)
        return Held(_canonical(json.loads(answer["Policy"])) if answer else None, self._work.bucket)

    def wanted(self, held: Held, within: Deadline) -> str:
        """What stands, with our statements in the place of any of their names."""
        policy: dict[str, Any] = json.loads(held.text or _EMPTY)
        account = str(self._sts.ask("get_caller_identity", within)["Account"])
        arn = f"arn:aws:cloudfront::{account}:distribution/{self._work.distribution}"
        ours = statements(self._work.bucket, arn)
        names = {each["Sid"] for each in ours}
        others = [each for each in policy["Statement"] if each.get("Sid") not in names]
        return _canonical({**policy, "Statement": [*others, *ours]})

    def write(self, held: Held, text: str | None, within: Deadline) -> str:  # noqa: ARG002 - S3 has no versions of policies
        """Put the whole policy, or take it away."""
        if text is None:
            self._s3.ask("delete_bucket_policy", within, Bucket=self._work.bucket)
        else:
            self._s3.ask("put_bucket_policy", within, Bucket=self._work.bucket, Policy=text)
        return ""

    def settled(self, receipt: str, within: Deadline) -> bool:  # noqa: ARG002 - S3 is strongly consistent
        """True: a policy is as it was written."""
        return True


def statements(name: str, distribution: str) -> list[dict[str, Any]]:
    """Our statements of the bucket's policy, for the distribution with this ARN.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html
    """
    bucket = f"arn:aws:s3:::{name}"
    cloudfront = {
        "Effect": "Allow",
        "Principal": {"Service": "cloudfront.amazonaws.com"},
        "Condition": {"StringEquals": {"AWS:SourceArn": distribution}},
    }
    return [
        {"Sid": "DefibReadReleases", **cloudfront, "Action": "s3:GetObject", "Resource": f"{bucket}/releases/*"},
        {"Sid": "DefibTellMissing", **cloudfront, "Action": "s3:ListBucket", "Resource": bucket},
        {
            "Sid": "DefibTlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket, f"{bucket}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]


def _canonical(policy: Any) -> str:
    return json.dumps(policy, sort_keys=True, separators=(",", ":"))
