"""One bucket of S3: its versions, what each of them tells, and the few writes that a canary and a restore need."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from defib.clock import Deadline
from defib.errors import NotFound, Unavailable
from defib.privilege.permission import Permission
from defib.providers.aws import AwsAccess, Clients
from defib.providers.aws_errors import asked, code_of
from defib.providers.bucket.copying import HEADERS, copied
from defib.providers.bucket.pages import RAW, raw_pages, read_folders, read_page
from defib.providers.bucket.settings import read_settings
from defib.replication.port import Cursor, Details, Original, Page, Status
from defib.replication.rules import ARCHIVES, BucketSettings

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

T = TypeVar("T")

_PAGE = 1000
_CHUNK = 1024 * 1024
_GONE = {"404", "405", "NoSuchKey", "NoSuchVersion", "MethodNotAllowed"}
"""What a HEAD of a version says that is no more, or that is a marker:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html."""

_CHECKSUMS = {
    "CRC64NVME": "ChecksumCRC64NVME",
    "SHA256": "ChecksumSHA256",
    "SHA1": "ChecksumSHA1",
    "CRC32C": "ChecksumCRC32C",
    "CRC32": "ChecksumCRC32",
}

_TIERS = {"ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS"}
"""Where S3 Intelligent-Tiering puts what nobody has asked for in months."""


_ASKED = "asked of objects that listings do not tell enough of"
_IN_PARTS = "a copy of more than 5 GB is made in parts; one that fails is taken back"


def reading(bucket: str, *, versions: bool = True) -> tuple[Permission, ...]:
    """Listing it, and what each version of an object tells, tags and bytes too."""
    of, objects = (f"arn:aws:s3:::{bucket}",), (f"arn:aws:s3:::{bucket}/*",)
    now = Permission(("s3:GetObject",), objects, why=_ASKED)
    if not versions:
        tags = Permission(("s3:GetObjectTagging",), objects, why="asked of objects that have tags")
        return Permission(("s3:ListBucket",), of), now, tags
    return (
        now,
        Permission(("s3:ListBucket",), of, why="asked for the folders, where ranges are compared side by side"),
        Permission(("s3:ListBucketVersions",), of),
        Permission(("s3:GetObjectVersion",), objects, why=_ASKED),
        Permission(("s3:GetObjectVersionTagging",), objects, why="asked of objects that have tags"),
    )


def writing_canaries(bucket: str, prefix: str) -> Permission:
    """Small objects below a prefix of their own."""
    return Permission(("s3:PutObject",), (f"arn:aws:s3:::{bucket}/{prefix}*",), acts=True)


def removing(bucket: str, prefix: str = "", *, versions: bool = True) -> Permission:
    """Removing versions for good; of a bucket without versions, objects."""
    action = "s3:DeleteObjectVersion" if versions else "s3:DeleteObject"
    return Permission((action,), (f"arn:aws:s3:::{bucket}/{prefix}*",), acts=True)


def copying_into(bucket: str) -> tuple[Permission, ...]:
    """Copies of objects with their tags, and in parts where they are large; what they are copied of is to be read too."""
    objects = (f"arn:aws:s3:::{bucket}/*",)
    return (
        Permission(("s3:PutObject",), objects, acts=True),
        Permission(("s3:PutObjectTagging",), objects, acts=True, why="asked for copies of objects that have tags"),
        Permission(("s3:AbortMultipartUpload",), objects, acts=True, why=_IN_PARTS, optional=True),
    )


def marking_deleted(bucket: str) -> Permission:
    """Delete markers, under which every version stays."""
    return Permission(("s3:DeleteObject",), (f"arn:aws:s3:::{bucket}/*",), acts=True)


class S3Bucket:
    """Fulfils :class:`defib.replication.port.WritableBucket`."""

    def __init__(self, name: str, access: AwsAccess) -> None:
        self._name, self._region = name, access.region
        # Of connections that are kept: a comparison asks from several threads at once.
        self._clients: Clients[S3Client] = access.clients("s3", connections=32, prepare=raw_pages)

    @property
    def name(self) -> str:
        return self._name

    @property
    def where(self) -> str:
        return f"s3://{self._name} ({self._region})"

    def page(self, cursor: Cursor, *, within: Deadline) -> Page:
        if cursor.versions:
            marker: dict[str, Any] = {"KeyMarker": cursor.after} if cursor.after else {}
            marker |= {"VersionIdMarker": cursor.version} if cursor.version else {}
        else:
            marker = {"StartAfter": cursor.after} if cursor.after else {}
        wanted = {"Bucket": self._name, "Prefix": cursor.prefix, "EncodingType": "url", "MaxKeys": _PAGE, **marker}

        def ask(client: S3Client) -> Any:
            return client.list_object_versions(**wanted) if cursor.versions else client.list_objects_v2(**wanted)

        what = "ListObjectVersions" if cursor.versions else "ListObjectsV2"
        answer = self._ask(ask, what, cursor.prefix, within)
        return read_page(answer[RAW], cursor, f"{self.where}, {cursor.prefix or 'all keys'} after {cursor.after!r}")

    def folders(self, prefix: str, *, within: Deadline) -> tuple[str, ...]:
        def ask(client: S3Client) -> Any:
            return client.list_objects_v2(Bucket=self._name, Prefix=prefix, Delimiter="/", EncodingType="url", MaxKeys=_PAGE)

        answer = self._ask(ask, "ListObjectsV2", prefix, within)
        return read_folders(answer[RAW], f"{self.where}, folders of {prefix or 'all keys'}")

    def details(self, key: str, version: str, *, within: Deadline) -> Details | None:
        def ask(client: S3Client) -> Any:
            return client.head_object(Bucket=self._name, Key=key, ChecksumMode="ENABLED", **_exactly(version))

        try:
            told = self._ask(ask, "HeadObject", key, within)
        except NotFound as error:
            if code_of(error.__cause__) in _GONE:
                return None
            raise
        return _details(told)

    def tags(self, key: str, version: str, *, within: Deadline) -> Mapping[str, str]:
        told = self._ask(
            lambda client: client.get_object_tagging(Bucket=self._name, Key=key, **_exactly(version)),
            "GetObjectTagging",
            key,
            within,
        )
        return {each["Key"]: each["Value"] for each in told["TagSet"]}

    def digest(self, key: str, version: str, *, within: Deadline) -> str:
        def read(client: S3Client) -> str:
            body = client.get_object(Bucket=self._name, Key=key, **_exactly(version))["Body"]
            hashed = hashlib.sha256()
            for chunk in body.iter_chunks(_CHUNK):
                if within.expired():
                    raise Unavailable("no time was left to read on", where=f"{self.where}, {key}")
                hashed.update(chunk)
            return hashed.hexdigest()

        return self._ask(read, "GetObject", key, within)

    def settings(self, *, within: Deadline) -> BucketSettings:
        return read_settings(self._name, self.where, self._clients, within)

    def put(self, key: str, content: bytes, *, within: Deadline) -> str:
        def write(client: S3Client) -> Any:
            return client.put_object(Bucket=self._name, Key=key, Body=content, ContentType="application/octet-stream")

        return str(self._ask(write, "PutObject", key, within).get("VersionId", ""))

    def copy(self, original: Original, *, within: Deadline) -> str:
        where = f"{self.where}, {original.key}"
        return copied(original, self._name, where, lambda: self._clients.within(within), within)

    def mark_deleted(self, key: str, *, within: Deadline) -> str:
        told = self._ask(lambda client: client.delete_object(Bucket=self._name, Key=key), "DeleteObject", key, within)
        return str(told.get("VersionId", ""))

    def remove(self, key: str, version: str, *, within: Deadline) -> None:
        self._ask(
            lambda client: client.delete_object(Bucket=self._name, Key=key, VersionId=version),
            "DeleteObject",
            f"{key}?versionId={version}",
            within,
        )

    def _ask(self, work: Callable[[S3Client], T], what: str, key: str, within: Deadline) -> T:
        return asked(lambda: work(self._clients.within(within)), within, what, f"{self.where}, {key or 'all keys'}")


def _exactly(version: str) -> dict[str, Any]:
    return {"VersionId": version} if version else {}


def _details(told: Mapping[str, Any]) -> Details:
    whole = told.get("ChecksumType", "FULL_OBJECT") == "FULL_OBJECT"
    # Not every S3 has the type; one that is made of its parts' ends with how many these are, and base64 has no hyphen.
    summed = {name: told[field] for name, field in _CHECKSUMS.items() if whole and "-" not in told.get(field, "-")}
    etag = str(told["ETag"]).strip('"')
    plain = "-" not in etag and "SSECustomerAlgorithm" not in told and told.get("ServerSideEncryption", "AES256") == "AES256"
    metadata = {f"x-amz-meta-{name}": value for name, value in told.get("Metadata", {}).items()}
    return Details(
        size=told["ContentLength"],
        etag=etag,
        modified=told["LastModified"],
        status=Status(_renamed(told.get("ReplicationStatus", ""))),
        plain=plain,
        version=str(told.get("VersionId", "")),
        checksums=summed,
        headers={name: told[field] for name, field in HEADERS.items() if field in told} | metadata,
        tagged=told.get("TagCount", 0),
        storage=str(told.get("StorageClass", "")),
        frozen=_frozen(told),
    )


def _frozen(told: Mapping[str, Any]) -> str:
    """In which archive it is, and whether it is on its way out; "" where it can be read, for good or for some days.

    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html: objects of Intelligent-Tiering name their archive by
    itself, and have no more of a restoration than that it goes on.
    """
    archive = str(told.get("ArchiveStatus", "")) or str(told.get("StorageClass", ""))
    restored = str(told.get("Restore", ""))
    if archive not in ARCHIVES | _TIERS or 'ongoing-request="false"' in restored:
        return ""
    return f"{archive}, being thawed" if restored else archive


def _renamed(status: str) -> str:
    # The values that HEAD is documented to give hold both words:
    # https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html
    return "COMPLETED" if status == "COMPLETE" else status
