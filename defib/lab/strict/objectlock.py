"""The Object Lock of a bucket: S3 takes it where versions are kept, moto only where there are no objects.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-configure.html
"""

from __future__ import annotations

from typing import Any

from defib.lab.strict import versions, xml
from defib.lab.strict.listing import NAMESPACE
from defib.lab.strict.place import Place
from defib.lab.strict.xml import AwsError, element, leaf, text
from defib.lab.web import Request, Response


def answer(request: Request) -> Response | None:
    """Put it, or tell it where there is one; None for every other request."""
    place = Place.of(request)
    held = versions.bucket(place.bucket)
    if place.key or "object-lock" not in place.query or held is None:
        return None
    if request.method == "PUT":
        return _put(request, held)
    return _told(held) if request.method == "GET" and held.object_lock_enabled else None


def _put(request: Request, held: Any) -> Response:
    if held.versioning_status != "Enabled":
        told = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration"
        raise AwsError(409, "InvalidBucketState", told)
    root = xml.parse(request.body)
    if text(root, "ObjectLockEnabled") != "Enabled":
        raise AwsError(400, "MalformedXML", "The XML you provided was not well-formed")
    held.object_lock_enabled = True
    held.default_lock_mode = text(root, "Rule/DefaultRetention/Mode")
    held.default_lock_days, held.default_lock_years = (
        int(text(root, f"Rule/DefaultRetention/{unit}") or 0) for unit in ("Days", "Years")
    )
    return Response(200)


def _told(held: Any) -> Response:
    """The lock as it was put; moto tells of zero years as well."""
    lasts = (("Days", held.default_lock_days), ("Years", held.default_lock_years))
    retention = leaf("Mode", held.default_lock_mode) + "".join(leaf(unit, str(many)) for unit, many in lasts if many)
    rule = element("Rule", element("DefaultRetention", retention)) if held.default_lock_mode else ""
    return xml.answer("ObjectLockConfiguration", NAMESPACE, leaf("ObjectLockEnabled", "Enabled"), rule)
