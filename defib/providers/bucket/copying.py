"""One version copied by S3 itself, within a bucket or to another region: as a whole, or in parts where it is large."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from defib.clock import Deadline
from defib.errors import ProviderError
from defib.providers.aws_errors import asked
from defib.replication.port import Original
from defib.replication.rules import ARCHIVES

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

HEADERS = {
    "Content-Type": "ContentType",
    "Cache-Control": "CacheControl",
    "Content-Disposition": "ContentDisposition",
    "Content-Encoding": "ContentEncoding",
    "Content-Language": "ContentLanguage",
    "Expires": "ExpiresString",
    "x-amz-website-redirect-location": "WebsiteRedirectLocation",
}
"""What an object is served with, and how botocore names it in an answer."""

_REDIRECT = "x-amz-website-redirect-location"
_META = "x-amz-meta-"

MOST_AT_ONCE = 5 * 1024**3
"""CopyObject copies no more: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html."""

_PART = 512 * 1024**2
_MOST_PARTS = 10_000
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html."""

_PARTS_AT_ONCE = 8
_CLEAN_UP = timedelta(seconds=30)

Client = Callable[[], "S3Client"]


def copied(original: Original, bucket: str, where: str, client: Client, within: Deadline) -> str:
    """The id of the version that it became in `bucket`; of what was begun in vain nothing is left."""
    if original.told.size > MOST_AT_ONCE:
        return in_parts(original, bucket, where, client, within)
    told = asked(lambda: client().copy_object(**_whole(original, bucket)), within, "CopyObject", where)
    return str(told.get("VersionId", ""))


def _whole(original: Original, bucket: str) -> Mapping[str, Any]:
    """Headers, metadata and tags are copied as they are; S3 copies neither a redirection nor a storage class by itself."""
    redirect = original.told.headers.get(_REDIRECT)
    return {
        **_place(original, bucket),
        "CopySource": _source(original),
        "MetadataDirective": "COPY",
        "TaggingDirective": "COPY",
        **({"WebsiteRedirectLocation": redirect} if redirect else {}),
        **_storage(original),
    }


def in_parts(original: Original, bucket: str, where: str, client: Client, within: Deadline, part: int = _PART) -> str:
    """The same by UploadPartCopy, which takes none of the original's headers, metadata and tags along.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/CopyingObjectsMPUapi.html
    """
    begun = asked(
        lambda: client().create_multipart_upload(**_begun(original, bucket)), within, "CreateMultipartUpload", where
    )
    upload = {**_place(original, bucket), "UploadId": begun["UploadId"]}
    try:
        parts = _parts(original, upload, where, client, within, part)
        done = asked(
            lambda: client().complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}),
            within,
            "CompleteMultipartUpload",
            where,
        )
    except BaseException:
        with suppress(ProviderError):  # what cannot be cleared away now, a lifecycle rule for incomplete uploads clears
            soon = Deadline.after(within.clock, _CLEAN_UP)
            asked(lambda: client().abort_multipart_upload(**upload), soon, "AbortMultipartUpload", where)
        raise
    return str(done.get("VersionId", ""))


def _begun(original: Original, bucket: str) -> Mapping[str, Any]:
    told = original.told.headers
    named = {HEADERS[name].removesuffix("String"): value for name, value in told.items() if name in HEADERS}
    metadata = {name.removeprefix(_META): value for name, value in told.items() if name.startswith(_META)}
    return {
        **_place(original, bucket),
        **named,
        **({"Metadata": metadata} if metadata else {}),
        **({"Tagging": urlencode(original.tags)} if original.tags else {}),
        **_storage(original),
        # One checksum of all bytes, so that they need not be read to be compared:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
        "ChecksumAlgorithm": "CRC64NVME",
    }


def _parts(
    original: Original, upload: Mapping[str, Any], where: str, client: Client, within: Deadline, part: int
) -> list[Any]:
    def copy(number: int, first: int, last: int) -> dict[str, Any]:
        told = asked(
            lambda: client().upload_part_copy(
                **upload, PartNumber=number, CopySource=_source(original), CopySourceRange=f"bytes={first}-{last}"
            ),
            within,
            "UploadPartCopy",
            where,
        )
        result = told["CopyPartResult"]
        checksum = {"ChecksumCRC64NVME": result["ChecksumCRC64NVME"]} if "ChecksumCRC64NVME" in result else {}
        return {"PartNumber": number, "ETag": result["ETag"], **checksum}

    with ThreadPoolExecutor(_PARTS_AT_ONCE, thread_name_prefix="defib-parts") as pool:
        begun = [pool.submit(copy, *each) for each in _ranges(original.told.size, part)]
        try:
            return [each.result() for each in begun]
        finally:
            for each in begun:
                each.cancel()


def _ranges(size: int, part: int) -> Iterator[tuple[int, int, int]]:
    """Each part with its number, its first byte and its last."""
    step = max(part, -(-size // _MOST_PARTS))
    for number, first in enumerate(range(0, size, step), start=1):
        yield number, first, min(first + step, size) - 1


def _place(original: Original, bucket: str) -> Mapping[str, Any]:
    return {"Bucket": bucket, "Key": original.key}


def _source(original: Original) -> Any:
    return {"Bucket": original.bucket, "Key": original.key, "VersionId": original.version}


def _storage(original: Original) -> Mapping[str, Any]:
    """The storage class of the original; what was thawed is not put into the archive again."""
    storage = original.told.storage
    return {"StorageClass": storage} if storage and storage not in ARCHIVES else {}
