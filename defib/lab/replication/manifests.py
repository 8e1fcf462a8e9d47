"""The versions that a job of S3 Batch Replication is about: generated from the bucket, or read from the client's CSV.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/batch-ops-create-job.html#specify-batchjob-manifest
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_plus
from xml.etree.ElementTree import Element

from defib.lab.replication.engine import Replication
from defib.lab.replication.job import Chosen, Filter, Job
from defib.lab.strict import versions
from defib.lab.strict.roles import Role
from defib.lab.strict.xml import text

_ARN = "arn:aws:s3:::"


class BadManifest(Exception):
    """A manifest that cannot be made or read: the failure code and the reason of the job."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = code
        self.reason = reason


def manifest(job: Job, replication: Replication) -> list[Chosen]:
    """Every line of it; :class:`BadManifest` where the role may not, or where it is not there."""
    if job.generator is not None:
        return list(_generated(job.generator, Role(job.role), replication))
    told = job.asked.find("Manifest")
    assert told is not None, "a job without either is refused"
    return list(_read(told, Role(job.role)))


def _generated(told: Element, role: Role, replication: Replication) -> Iterator[Chosen]:
    name = text(told, "SourceBucket").removeprefix(_ARN)
    held = versions.bucket(name)
    if held is None or replication.configurations.of(name) is None:
        raise BadManifest("ManifestGenerationFailed", f"The bucket {name} has no replication configuration")
    for action in ("s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration"):
        if not role.may(action, f"{_ARN}{name}"):
            raise BadManifest("ManifestGenerationFailed", f"The role may not {action} on {name}")
    chosen = Filter.of(told)
    for key in versions.sorted_keys(held, chosen.prefix):
        for version in versions.of_key(held, key):
            if chosen.takes(version) and (not chosen.eligible or replication.eligible(name, version)):
                yield Chosen(name, key, version.version_id)


def _read(told: Element, role: Role) -> Iterator[Chosen]:
    arn = text(told, "Location/ObjectArn")
    bucket, _, key = arn.removeprefix(_ARN).partition("/")
    held = versions.bucket(bucket)
    found: Any = versions.find(held, key, text(told, "Location/ObjectVersionId")) if held is not None else None
    if not versions.is_object(found):
        raise BadManifest("ManifestNotFound", f"There is no manifest at {arn}")
    if not role.may("s3:GetObject", arn):
        raise BadManifest("ManifestAccessDenied", f"The role may not s3:GetObject on {arn}")
    if found.etag.strip('"') != text(told, "Location/ETag").strip('"'):
        raise BadManifest("ManifestETagMismatch", f"The manifest at {arn} has another ETag")
    fields = [each.text for each in told.iterfind("Spec/Fields/member")]
    for line in csv.reader(found.value.decode().splitlines()):
        named = dict(zip(fields, line, strict=False))
        yield Chosen(named.get("Bucket", ""), unquote_plus(named.get("Key", "")), named.get("VersionId", ""))
