"""The assets of the property as they stand from the start: a bucket, its replica elsewhere, and one to restore into."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.sax.saxutils import escape

from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import FakeDeleteMarker
from requests.structures import CaseInsensitiveDict

from defib.lab.bucket import Bucket
from defib.lab.replication import standing
from defib.lab.replication.configurations import Configurations
from defib.lab.replication.copying import copy
from defib.lab.replication.jobs import SERVICE as BATCH_SERVICE
from defib.lab.replication.permissions import SERVICE
from defib.lab.strict import versions

SOURCE, SOURCE_REGION = "pulse-assets", "us-east-1"
REPLICA, REPLICA_REGION = "pulse-assets-replica", "eu-west-1"
BESIDE = "pulse-assets-restored"
"""In the source's Region, and empty: what was is put there to be looked at before it is put into its place."""
RULE = "assets"
ROLE_NAME = "pulse-assets-replication"
BATCH_ROLE_NAME = "pulse-assets-batch-replication"
BATCH_ROLE = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/{BATCH_ROLE_NAME}"
ROLE = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/{ROLE_NAME}"

_PART = 5 * 1024 * 1024
"""The least that a part may have, unless it is the last."""

_YEAR = "public, max-age=31536000, immutable"
_OLDEST = timedelta(days=45)
_APART = timedelta(hours=17)


@dataclass(frozen=True)
class Asset:
    """One object: where it is, how much of it there is, and what is told beside it; several `versions` differ in content."""

    key: str
    size: int
    content_type: str
    headers: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    versions: int = 1
    deleted: bool = False

    def body(self, number: int) -> bytes:
        """What is in one of its versions: the same in every lab."""
        return random.Random(f"{self.key} {number}").randbytes(self.size)  # noqa: S311 - content, not a secret


def assets() -> Iterator[Asset]:
    """All of them: names that need encoding, old versions, a deleted one, and one that was uploaded in parts."""
    yield from (Asset(f"images/chart-{n:02}.webp", 900 + 700 * n, "image/webp", {"Cache-Control": _YEAR}) for n in range(14))
    yield Asset("images/logo.svg", 1800, "image/svg+xml", {"Cache-Control": "public, max-age=300"}, versions=3)
    yield Asset("images/banner 2024 (old).webp", 7000, "image/webp", deleted=True)
    for weight in ("thin", "light", "regular", "medium", "bold", "black"):
        yield Asset(f"fonts/inter-{weight}.woff2", 11_000, "font/woff2", {"Cache-Control": _YEAR}, {"licence": "OFL"})
    for symbol in ("aapl", "amzn", "goog", "msft", "nvda", "tsla", "btc+usd", "eth+usd"):
        kind = {"x-amz-meta-source": "exchange", "x-amz-meta-schema": "2"}
        yield Asset(f"data/quotes/{symbol}.json", 2600, "application/json", kind, {"kind": "quotes"}, versions=2)
    yield Asset("data/history.bin", _PART + 300_000, "application/octet-stream", tags={"kind": "history"})
    yield Asset("data/empty.json", 0, "application/json")
    for name in ("terms & conditions.html", "impressum.html", "datenschutz-erklärung.html", "約款.html"):
        yield Asset(f"docs/{name}", 4200, "text/html; charset=utf-8", {"Content-Language": "de"})


def furnish(configurations: Configurations, now: datetime) -> None:
    """Make the buckets, the role and the rule, with everything copied long ago."""
    for name, region in ((REPLICA, REPLICA_REGION), (SOURCE, SOURCE_REGION), (BESIDE, SOURCE_REGION)):
        bucket = Bucket(name)
        bucket.create(region)
        bucket.keep_private()
        versions.backend().put_bucket_lifecycle_configuration(name, [dict(_LIFECYCLE)])
    make_roles()
    configurations.put(SOURCE, CONFIGURATION.encode())
    for number, asset in enumerate(assets()):
        _put(asset, now.astimezone(UTC).replace(microsecond=0, tzinfo=None) - _OLDEST + _APART * number)
    _copy_all(configurations)


_LIFECYCLE = {
    "ID": "old-versions",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "NoncurrentVersionExpiration": {"NoncurrentDays": "90"},
}

CONFIGURATION = (
    f"<ReplicationConfiguration><Role>{escape(ROLE)}</Role><Rule><ID>{RULE}</ID><Priority>1</Priority><Status>Enabled</Status>"
    "<Filter><Prefix></Prefix></Filter><DeleteMarkerReplication><Status>Enabled</Status></DeleteMarkerReplication>"
    f"<Destination><Bucket>arn:aws:s3:::{REPLICA}</Bucket><StorageClass>STANDARD</StorageClass>"
    "<Metrics><Status>Enabled</Status><EventThreshold><Minutes>15</Minutes></EventThreshold></Metrics>"
    "</Destination></Rule></ReplicationConfiguration>"
)


def make_roles() -> None:
    """The role of the replication and that of its jobs, with what AWS asks them to have.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-batch-replication-policies.html
    """
    source, replica = f"arn:aws:s3:::{SOURCE}", f"arn:aws:s3:::{REPLICA}"
    read = ["s3:GetObjectVersionForReplication", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging"]
    write = ["s3:ReplicateObject", "s3:ReplicateDelete", "s3:ReplicateTags"]
    document = _policy(
        {"Effect": "Allow", "Action": ["s3:GetReplicationConfiguration", "s3:ListBucket"], "Resource": source},
        {"Effect": "Allow", "Action": read, "Resource": f"{source}/*"},
        {"Effect": "Allow", "Action": write, "Resource": f"{replica}/*"},
    )
    _make_role(ROLE_NAME, SERVICE, document)
    generate = ["s3:GetReplicationConfiguration", "s3:PutInventoryConfiguration"]
    start = ["s3:InitiateReplication", "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"]
    _make_role(
        BATCH_ROLE_NAME,
        BATCH_SERVICE,
        _policy(
            {"Effect": "Allow", "Action": generate, "Resource": source},
            {"Effect": "Allow", "Action": start, "Resource": f"{source}/*"},
        ),
    )


def _make_role(name: str, service: str, document: str) -> None:
    iam = get_backend("iam")[DEFAULT_ACCOUNT_ID]["aws"]
    iam.create_role(
        role_name=name,
        assume_role_policy_document=_policy(
            {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        ),
        path="/",
        permissions_boundary=None,
        description="Pulse Trading, assets",
        tags=[],
        max_session_duration="3600",
    )
    iam.put_role_policy(name, "replicate", document)


def _policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def _put(asset: Asset, at: datetime) -> None:
    backend, held = versions.backend(), versions.bucket(SOURCE)
    for number in range(asset.versions):
        version: Any = _whole(asset, number) if asset.size <= _PART else _in_parts(asset, number)
        backend.put_object_tagging(version, asset.tags)
        version.last_modified = at + timedelta(minutes=number)
        version._version_id = _id(asset.key, number)  # noqa: SLF001 - moto gives one by chance
        backend.put_object_tagging(version, asset.tags)
    if asset.deleted and held is not None:
        marker = FakeDeleteMarker(held.keys[asset.key])
        marker.last_modified, marker._version_id = at + timedelta(days=1), _id(asset.key, asset.versions)  # noqa: SLF001
        versions.insert(held, marker)


def _whole(asset: Asset, number: int) -> Any:
    version = versions.backend().put_object(SOURCE, asset.key, asset.body(number), disable_notification=True)
    version.set_metadata({"Content-Type": asset.content_type, **asset.headers})
    return version


def _in_parts(asset: Asset, number: int) -> Any:
    """As the SDKs upload it: with a checksum of each part, and one of those."""
    backend, body = versions.backend(), asset.body(number)
    metadata = CaseInsensitiveDict({"Content-Type": asset.content_type, "x-amz-checksum-algorithm": "CRC32"})
    upload = backend.create_multipart_upload(SOURCE, asset.key, metadata, "STANDARD", {}, None, "AES256", "")
    parts = [body[at : at + _PART] for at in range(0, len(body), _PART)]
    etags = [(at, backend.upload_part(SOURCE, upload.id, at, part).etag) for at, part in enumerate(parts, 1)]
    return backend.complete_multipart_upload(SOURCE, upload.id, iter(etags))


def _id(key: str, number: int) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(f"{key} {number}".encode()).digest()[:24]).decode()


def _copy_all(configurations: Configurations) -> None:
    held, source = configurations.of(SOURCE), versions.bucket(SOURCE)
    assert held is not None, "it was put just now"
    for key in versions.sorted_keys(source, ""):
        for version in versions.of_key(source, key):
            copy(version, held.rules[0], with_tags=True)
            standing.set_status(version, REPLICA, standing.COMPLETED)
