"""GetObjectAttributes: moto leaves out the checksums that it did not get, and the parts.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html
"""

from __future__ import annotations

from email.utils import format_datetime
from typing import Any

from defib.lab.strict import checksums, versions, xml
from defib.lab.strict.listing import NAMESPACE
from defib.lab.strict.place import Place
from defib.lab.strict.xml import element, leaf
from defib.lab.web import Request, Response


def answer(request: Request) -> Response | None:
    """What is asked for about one version; None for other requests, and where there is no such version."""
    place = Place.of(request)
    held = versions.bucket(place.bucket)
    if request.method != "GET" or not place.key or "attributes" not in place.query or held is None:
        return None
    version = versions.find(held, place.key, place.query.get("versionId", ""))
    if version is None:
        return None
    asked = [each.strip() for each in request.headers.get("x-amz-object-attributes", "").split(",")]
    told = [_attribute(each, version) for each in asked]
    headers = [("Last-Modified", format_datetime(versions.changed(version), usegmt=True))]
    headers += [("x-amz-version-id", version.version_id)] if held.versioning_status else []
    return xml.answer("GetObjectAttributesResponse", NAMESPACE, *told, headers=tuple(headers))


def _attribute(name: str, version: Any) -> str:
    if name == "ETag":
        return leaf("ETag", version.etag.strip('"'))
    if name == "Checksum":
        algorithm, kind = checksums.algorithm_of(version)
        return element("Checksum", leaf(f"Checksum{algorithm}", checksums.of(version)), leaf("ChecksumType", kind))
    if name == "ObjectParts":
        parts = list(checksums.parts_of(version))
        return element("ObjectParts", leaf("PartsCount", str(len(parts))), *_parts(parts)) if parts else ""
    if name == "ObjectSize":
        return leaf("ObjectSize", str(version.size))
    return leaf("StorageClass", version.storage_class) if name == "StorageClass" else ""


def _parts(parts: list[tuple[int, int]]) -> list[str]:
    """The lab tells the size of each part of every object; AWS does where the client named a checksum for them."""
    each = [element("Part", leaf("PartNumber", str(number)), leaf("Size", str(size))) for number, size in parts]
    return [leaf("PartNumberMarker", "0"), leaf("MaxParts", "1000"), leaf("IsTruncated", "false"), *each]
