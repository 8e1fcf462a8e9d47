"""What IAM is asked for a request that came over the wire: the actions, their resources, and what conditions see.

Which operation a request is, botocore's own descriptions of the services tell; which actions an operation of S3 needs, AWS's
list does (https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

import botocore.session

ACCOUNT = "123456789012"
_MODELS = {"monitoring": "cloudwatch"}
"""Services that sign under another name than botocore's."""

_S3 = {
    "HeadBucket": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "HeadObject": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetBucketLifecycle": "GetLifecycleConfiguration",  # of the same address
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
}
_OF_VERSIONS = {
    "GetObject": "GetObjectVersion",
    "DeleteObject": "DeleteObjectVersion",
    "GetObjectTagging": "GetObjectVersionTagging",
}
_KINDS = {
    "Distribution": "distribution",
    "Invalidation": "distribution",
    "OriginAccessControl": "origin-access-control",
    "ResponseHeadersPolicy": "response-headers-policy",
}

Context = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Asked:
    """One thing that IAM must allow."""

    action: str
    resource: str
    context: Context = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return f"{self.action} on {self.resource}"


@dataclass(frozen=True)
class Call:
    """One request of the lab's book of calls, as :mod:`defib.lab.callbook` writes it."""

    service: str
    region: str
    method: str
    target: str
    headers: Mapping[str, str]
    body: str

    @property
    def path(self) -> str:
        """The path, as it was sent."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The first value of each parameter."""
        pairs = parse_qs(urlsplit(self.target).query, keep_blank_values=True)
        return {name: values[0] for name, values in pairs.items()}


def asked(call: Call) -> tuple[Asked, ...]:
    """All that one request needs."""
    operation, named = _operation(call)
    if call.service == "s3":
        return tuple(_of_s3(call, operation, named))
    if call.service == "s3control":
        return tuple(_of_jobs(call, operation, named))
    return (_of_others(call, operation, named),)


@cache
def _described(service: str) -> Any:
    return botocore.session.get_session().get_service_model(_MODELS.get(service, service))


def _operation(call: Call) -> tuple[str, dict[str, str]]:
    """The operation, and what its path and its body name."""
    if "x-amz-target" in call.headers:
        return call.headers["x-amz-target"].rpartition(".")[2], _strings(json.loads(call.body or "{}"))
    if "/operation/" in call.path:
        return call.path.rpartition("/")[2], {}
    if _described(call.service).metadata["protocol"] == "query":
        told = {name: values[0] for name, values in parse_qs(call.body).items()}
        return told["Action"], told
    found = [each for each in (_matched(call, name) for name in _described(call.service).operation_names) if each]
    assert found, f"no operation of {call.service} is {call.method} {call.target}"
    _, operation, named = max(found, key=lambda each: each[0])
    return operation, named


def _matched(call: Call, name: str) -> tuple[tuple[int, int], str, dict[str, str]] | None:
    """How closely the operation fits, and what its path names; None where it is not this one."""
    http = _described(call.service).operation_model(name).http
    template, _, query = http["requestUri"].partition("?")
    wanted = parse_qs(query, keep_blank_values=True)
    if http["method"] != call.method or not set(wanted) <= set(call.query) or _is_copy(name) != _copies(call):
        return None
    if ("partNumber" in call.query) != (name in {"UploadPart", "UploadPartCopy"}) and name in {"PutObject", "UploadPart"}:
        return None
    if ("uploadId" in call.query) != (
        "MultipartUpload" in name and name != "CreateMultipartUpload"
    ) and call.method != "PUT":
        return None
    pattern = re.sub(r"\\\{(\w+)\\\+\\\}", r"(?P<\1>.+)", re.escape(template))
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", pattern)
    match = re.fullmatch(f"{pattern}/?", call.path)
    return ((len(wanted), len(template)), name, match.groupdict()) if match else None


def _is_copy(operation: str) -> bool:
    return operation in {"CopyObject", "UploadPartCopy"}


def _copies(call: Call) -> bool:
    return "x-amz-copy-source" in call.headers


def _of_s3(call: Call, operation: str, named: Mapping[str, str]) -> Iterator[Asked]:
    bucket = f"arn:aws:s3:::{named['Bucket']}"
    place = f"{bucket}/{unquote(named['Key'])}" if "Key" in named else bucket
    if operation == "DeleteObjects":
        for key in re.findall(r"<Key>(.*?)</Key>", call.body):
            yield Asked("s3:DeleteObject", f"{bucket}/{key}")
        return
    if _is_copy(operation):
        source, _, version = unquote(call.headers["x-amz-copy-source"]).lstrip("/").partition("?versionId=")
        yield Asked("s3:GetObjectVersion" if version else "s3:GetObject", f"arn:aws:s3:::{source}")
        yield Asked("s3:PutObject", place)
        return
    action = _S3.get(operation, operation)
    yield Asked(f"s3:{_OF_VERSIONS.get(action, action) if 'versionId' in call.query else action}", place)


def _of_jobs(call: Call, operation: str, named: Mapping[str, str]) -> Iterator[Asked]:
    if operation != "CreateJob":
        job = f"arn:aws:s3:{call.region}:{ACCOUNT}:job/{named['id']}" if "id" in named else "*"
        yield Asked(f"s3:{operation}", job)
        return
    role = re.findall(r"<RoleArn>(.*?)</RoleArn>", call.body)[0]
    kind = re.findall(r"<Operation><(\w+)", call.body)[0]
    yield Asked("s3:CreateJob", "*", {"s3:RequestJobOperation": (kind,)})
    yield Asked("iam:PassRole", role, {"iam:PassedToService": ("batchoperations.s3.amazonaws.com",)})


def _of_others(call: Call, operation: str, named: Mapping[str, str]) -> Asked:
    place, context = "*", cast("Context", {})
    match call.service, operation:
        case "route53", "GetChange":
            place = f"arn:aws:route53:::change/{named['Id']}"
        case "route53", _:
            place = f"arn:aws:route53:::hostedzone/{named.get('HostedZoneId', named.get('Id'))}"
            context = _changes(call.body) if operation == "ChangeResourceRecordSets" else context
        case "cloudfront", "ListConflictingAliases":
            place = f"arn:aws:cloudfront::{ACCOUNT}:distribution/{call.query['DistributionId']}"
        case "cloudfront", _ if not operation.startswith(("List", "Create")) or "DistributionId" in named:
            kind = next(kind for name, kind in _KINDS.items() if operation.endswith(name))
            place = f"arn:aws:cloudfront::{ACCOUNT}:{kind}/{named.get('DistributionId', named.get('Id'))}"
        case "acm", "DescribeCertificate":
            place = named["CertificateArn"]
        case "wafv2", "GetWebACL" | "UpdateWebACL" | "DeleteWebACL" | "CreateWebACL":
            place = f"arn:aws:wafv2:us-east-1:{ACCOUNT}:global/webacl/{named['Name']}/{named.get('Id', 'a1b2')}"
        case "iam", "GetRole":
            place = f"arn:aws:iam::{ACCOUNT}:role/{named['RoleName']}"
        case "iam", "SimulatePrincipalPolicy":
            place = named["PolicySourceArn"]
        case "kms", "DescribeKey":
            place = named["KeyId"]
    return Asked(f"{_PREFIXES.get(call.service, call.service)}:{operation}", place, context)


_PREFIXES = {"monitoring": "cloudwatch"}


def _changes(body: str) -> Context:
    """What Route 53 tells IAM of a batch: https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/specifying-conditions-route53.html."""
    names = {
        name.lower().rstrip(".").replace("*", "\\052") for name in re.findall(r"<ResourceRecordSet><Name>(.*?)</Name>", body)
    }
    return {
        "route53:ChangeResourceRecordSetsNormalizedRecordNames": tuple(names),
        "route53:ChangeResourceRecordSetsRecordTypes": tuple(set(re.findall(r"<Type>(.*?)</Type>", body))),
        "route53:ChangeResourceRecordSetsActions": tuple(set(re.findall(r"<Action>(.*?)</Action>", body))),
    }


def _strings(told: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in told.items() if isinstance(value, str)}
