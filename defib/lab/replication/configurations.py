"""PutBucketReplication, refused as S3 refuses it, and told back as it was put: moto forgets filters, tags and markers.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketReplication.html
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

from defib.lab.replication.rules import Configuration, Rule, configuration_of
from defib.lab.strict import versions, xml
from defib.lab.strict.listing import NAMESPACE
from defib.lab.strict.place import Place
from defib.lab.strict.xml import AwsError, text
from defib.lab.web import Request, Response

_ROLE = re.compile(r"arn:aws:iam::\d{12}:role/[\w+=,.@/-]+")
_BUCKET = re.compile(r"arn:aws:s3:::([a-z0-9.-]{3,63})")
_MOST_RULES = 1000
_ABSENT = "The replication configuration was not found"


class Configurations:
    """The replication of every bucket that has one."""

    def __init__(self) -> None:
        self._held: dict[str, Configuration] = {}

    def of(self, bucket: str) -> Configuration | None:
        """The configuration in force, None where there is none."""
        return self._held.get(bucket) if versions.bucket(bucket) is not None else None

    def rules(self) -> Iterator[tuple[str, Rule]]:
        """Every rule in force, with its bucket."""
        for bucket in self._held:
            held = self.of(bucket)
            yield from ((bucket, rule) for rule in held.rules) if held is not None else ()

    def put(self, bucket: str, body: bytes) -> None:
        """Put a configuration in place of any other; :class:`AwsError` where S3 would refuse it."""
        root = _with_ids(xml.parse(body))
        held = versions.bucket(bucket)
        if held is None:
            raise AwsError(404, "NoSuchBucket", "The specified bucket does not exist", details=(("BucketName", bucket),))
        _check(root, held)
        self._held[bucket] = configuration_of(root, tostring(root))

    def answer(self, request: Request) -> Response | None:
        """The answer to what is about a bucket's replication; None for every other request."""
        place = Place.of(request)
        if place.key or versions.bucket(place.bucket) is None:
            return None
        if request.method == "PUT" and "versioning" in place.query:
            self._keep_versions(place.bucket, request)
        if "replication" not in place.query:
            return None
        if request.method == "PUT":
            self.put(place.bucket, request.body)
            return Response(200)
        if request.method == "DELETE":
            self._held.pop(place.bucket, None)
            return Response(204)
        return self._told(place.bucket)

    def _told(self, bucket: str) -> Response:
        held = self.of(bucket)
        if held is None:
            details = (("BucketName", bucket),)
            raise AwsError(404, "ReplicationConfigurationNotFoundError", _ABSENT, details=details)
        inner = held.body.partition(b">")[2].rpartition(b"<")[0].decode()
        return xml.answer("ReplicationConfiguration", NAMESPACE, inner)

    def _keep_versions(self, bucket: str, request: Request) -> None:
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/replication-and-other-bucket-configs.html."""
        if bucket in self._held and b"<Status>Enabled</Status>" not in request.body:
            told = (
                "A replication configuration is present on this bucket, so you cannot change the versioning state. "
                "To change the versioning state, first delete the replication configuration."
            )
            raise AwsError(409, "InvalidBucketState", told)


def _with_ids(root: Element) -> Element:
    """The same with an id for each rule that has none."""
    if root.tag != "ReplicationConfiguration":
        raise AwsError(400, "MalformedXML", "The XML you provided was not well-formed")
    for rule in root.iterfind("Rule"):
        if not text(rule, "ID"):
            SubElement(rule, "ID").text = secrets.token_urlsafe(24)
    return root


def _check(root: Element, source: Any) -> None:
    rules = list(root.iterfind("Rule"))
    if not 1 <= len(rules) <= _MOST_RULES:
        raise AwsError(400, "MalformedXML", "The XML you provided was not well-formed")
    if source.versioning_status != "Enabled":
        raise _invalid("Versioning must be 'Enabled' on the bucket to apply a replication configuration")
    if not _ROLE.fullmatch(text(root, "Role")):
        raise AwsError(400, "InvalidArgument", "Invalid Amazon Resource Name (ARN) format for role")
    if len({rule.find("Filter") is None for rule in rules}) > 1:
        raise _invalid("Rules of two versions of the replication configuration schema cannot be mixed")
    for rule in rules:
        _check_rule(rule)
        _check_destination(rule, source)
    _check_unique(rules)


def _check_rule(rule: Element) -> None:
    if text(rule, "Status") not in ("Enabled", "Disabled"):
        raise AwsError(400, "MalformedXML", "The XML you provided was not well-formed")
    version = "this version of Cross Region Replication configuration schema"
    marked, of_today = rule.find("DeleteMarkerReplication") is not None, rule.find("Filter") is not None
    if not of_today and (marked or rule.find("Priority") is not None):
        raise _invalid(f"DeleteMarkerReplication and Priority cannot be used for {version}")
    if of_today and not marked:
        raise _invalid(f"DeleteMarkerReplication must be specified for {version}")
    if of_today and not text(rule, "Priority").isdigit():
        raise _invalid(f"Priority must be specified for {version}")
    if text(rule, "DeleteMarkerReplication/Status") == "Enabled" and next(rule.iterfind("Filter//Tag"), None) is not None:
        raise _invalid("Delete marker replication is not supported if any Tag filter is specified")
    asked_for = rule.find("SourceSelectionCriteria/SseKmsEncryptedObjects") is not None
    if (rule.find("Destination/EncryptionConfiguration") is not None) and not asked_for:
        raise _invalid("SseKmsEncryptedObjects must be specified if EncryptionConfiguration is present.")


def _check_destination(rule: Element, source: Any) -> None:
    match = _BUCKET.fullmatch(text(rule, "Destination/Bucket"))
    if match is None:
        raise AwsError(400, "InvalidArgument", "Invalid bucket ARN.")
    if match[1] == source.name:
        raise _invalid("Destination bucket must not be the source bucket.")
    destination = versions.bucket(match[1])
    if destination is None:
        raise _invalid("Destination bucket must exist.")
    if destination.versioning_status != "Enabled":
        raise _invalid("Destination bucket must have versioning enabled.")


def _check_unique(rules: list[Element]) -> None:
    ids = Counter(text(rule, "ID") for rule in rules)
    if max(ids.values()) > 1:
        raise AwsError(400, "InvalidArgument", "Rule Id must be unique. Found same Id for one or more rules")
    ranks = Counter(text(rule, "Priority") for rule in rules if rule.find("Filter") is not None)
    if ranks and max(ranks.values()) > 1:
        raise _invalid("Priority must be unique. Found same priority for one or more rules")


def _invalid(message: str) -> AwsError:
    return AwsError(400, "InvalidRequest", message)
