"""What a request to S3 is about: a bucket, and a key in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from defib.lab.strict import xml
from defib.lab.web import Request


@dataclass(frozen=True)
class Place:
    """The bucket and the key that a path names, "" for what it does not, and the first value of each parameter."""

    bucket: str
    key: str
    query: Mapping[str, str]

    @classmethod
    def of(cls, request: Request) -> Place:
        """The place of `request`; the lab's clients put the bucket into the path, for the host is an address."""
        bucket, _, key = unquote(request.path)[1:].partition("/")
        return cls(bucket, key, request.query)


def written(request: Request) -> tuple[str, ...]:
    """The keys whose versions `request` may make, change or remove."""
    place = Place.of(request)
    if request.method not in ("PUT", "POST", "DELETE"):
        return ()
    if place.key:
        return (place.key,)
    if request.method == "POST" and "delete" in place.query:
        return tuple(each.text or "" for each in xml.parse(request.body).iterfind("./Object/Key"))
    return ()
