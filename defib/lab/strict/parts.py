"""GET and HEAD of one part of an object: moto gives the whole, or the part as if it were an object of its own.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""

from __future__ import annotations

from urllib.parse import urlencode, urlsplit

from defib.lab.strict import checksums, versions
from defib.lab.strict.place import Place
from defib.lab.strict.xml import AwsError
from defib.lab.web import Request, Response


def as_range(request: Request) -> Request:
    """The request for a part as one for its bytes; any other request, and one for an object without parts, as it is."""
    found = _parts(request)
    if not found:
        return request
    number = Place.of(request).query["partNumber"]
    sizes = dict(found)
    if not number.isdigit() or int(number) not in sizes:
        raise AwsError(416, "InvalidPartNumber", "The requested partnumber is not satisfiable")
    first = sum(size for other, size in found if other < int(number))
    query = {name: value for name, value in request.query.items() if name != "partNumber"}
    target = f"{urlsplit(request.target).path}?{urlencode(query)}"
    headers = {**request.headers, "range": f"bytes={first}-{first + sizes[int(number)] - 1}"}
    return Request(request.method, target, headers, request.body)


def told(request: Request, response: Response) -> Response:
    """The answer with the number of parts, where a part was asked for."""
    found = _parts(request)
    return response.with_headers(("x-amz-mp-parts-count", str(len(found)))) if found else response


def _parts(request: Request) -> list[tuple[int, int]]:
    place = Place.of(request)
    held = versions.bucket(place.bucket)
    if request.method not in ("GET", "HEAD") or "partNumber" not in place.query or "uploadId" in place.query or held is None:
        return []
    version = versions.find(held, place.key, place.query.get("versionId", ""))
    return list(checksums.parts_of(version)) if version is not None and versions.is_object(version) else []
