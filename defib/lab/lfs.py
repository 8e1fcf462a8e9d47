"""The LFS server beside a repository of the lab: the batch API with basic transfers, strict where vendors are.

https://github.com/git-lfs/git-lfs/blob/main/docs/api/. As at GitLab the size of an upload stands in its URL, and what a
client is to send to the objects' URLs is the login that it came with. An object is as large as a request of the lab may be.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from defib.lab.faults import Fault
from defib.lab.web import Request, Response

PATH = "/info/lfs/"
"""What follows the repository in the path of everything that is for its LFS server."""

_MEDIA_TYPE = "application/vnd.git-lfs+json"
_MOST = 100
_ID = re.compile(r"[0-9a-f]{64}")
_OBJECT = re.compile(r"objects/([0-9a-f]{64})(?:/(\d+))?")
_RANGE = re.compile(r"bytes=(\d+)-")


class _Named(BaseModel):
    oid: str
    size: int


class _Asked(BaseModel):
    operation: str
    transfers: list[str] = ["basic"]
    objects: list[_Named]
    hash_algo: str = "sha256"


class LfsServer:
    """The objects of one repository, kept in `folder`. Who asks must be known already."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lost: frozenset[str] = frozenset()

    def held(self) -> list[str]:
        """The ids of the objects that can be had, in order."""
        return sorted({path.name for path in self._folder.glob("*/*/*")} - self._lost)

    def path(self, oid: str) -> Path:
        """Where the bytes of an object are."""
        return self._folder / oid[:2] / oid[2:4] / oid

    def lose(self, fault: Fault | None) -> None:
        """Have no longer what ``lfs-missing`` takes, the first objects by id; any other fault, or none, gives it back."""
        self._lost = frozenset()
        if fault is not None and fault.name == "lfs-missing":
            self._lost = frozenset(self.held()[: max(1, int(fault.option("objects", 1)))])

    async def answer(self, request: Request, url: str) -> Response:
        """Answer one request to the server at `url`."""
        asked = request.path.partition(PATH)[2]
        found = _OBJECT.fullmatch(asked)
        if request.method == "POST" and asked == "objects/batch":
            return self._batch(request, url)
        if request.method == "POST" and asked == "verify":
            return self._verify(request)
        if request.method == "GET" and found is not None and not found[2]:
            return await asyncio.to_thread(self._give, request, found[1])
        if request.method == "PUT" and found is not None and found[2]:
            return await asyncio.to_thread(self._take, request.body, found[1], int(found[2]))
        return refusal(404, "Not Found")

    def _size(self, oid: str) -> int | None:
        """The length of an object, None where it is not there."""
        path = self.path(oid)
        return path.stat().st_size if oid not in self._lost and path.is_file() else None

    def _batch(self, request: Request, url: str) -> Response:
        if _MEDIA_TYPE not in request.headers.get("accept", ""):
            return refusal(406, f"Accept must be {_MEDIA_TYPE}")
        if not request.headers.get("content-type", "").startswith(_MEDIA_TYPE):
            return refusal(415, f"Content-Type must be {_MEDIA_TYPE}")
        try:
            asked = _Asked.model_validate_json(request.body)
        except ValidationError as error:
            return refusal(422, f"not a batch: {error.errors()[0]['msg']}")
        if len(asked.objects) > _MOST:
            return refusal(413, f"at most {_MOST} objects in one batch")
        if asked.operation not in {"download", "upload"} or "basic" not in asked.transfers or asked.hash_algo != "sha256":
            return refusal(422, "only download and upload of sha256 by basic transfers")
        header = {"Authorization": request.headers["authorization"]}
        told = [self._told(asked.operation, each, url, header) for each in asked.objects]
        return _json(200, {"transfer": "basic", "objects": told})

    def _told(self, operation: str, named: _Named, url: str, header: Mapping[str, str]) -> dict[str, Any]:
        told: dict[str, Any] = {"oid": named.oid, "size": named.size}
        if not _ID.fullmatch(named.oid) or named.size < 0:
            return told | {"error": {"code": 422, "message": "Validation error: not an oid and a size"}}
        size = self._size(named.oid)
        if size not in {None, named.size}:
            return told | {"error": {"code": 422, "message": f"Validation error: the object has {size} bytes"}}
        if operation == "download" and size is None:
            return told | {"error": {"code": 404, "message": "Object does not exist"}}
        if operation == "upload" and size is not None:
            return told
        place = f"{url}{PATH}objects/{named.oid}"
        places = {"download": place} if operation == "download" else {
            "upload": f"{place}/{named.size}",
            "verify": f"{url}{PATH}verify",
        }  # fmt: skip
        actions = {name: {"href": href, "header": dict(header), "expires_in": 3600} for name, href in places.items()}
        return told | {"authenticated": True, "actions": actions}

    def _verify(self, request: Request) -> Response:
        try:
            named = _Named.model_validate_json(request.body)
        except ValidationError as error:
            return refusal(422, f"not an object: {error.errors()[0]['msg']}")
        size = self._size(named.oid) if _ID.fullmatch(named.oid) else None
        if size is None:
            return refusal(404, "Object does not exist")
        return _json(200, {}) if size == named.size else refusal(422, f"the object has {size} bytes")

    def _give(self, request: Request, oid: str) -> Response:
        if self._size(oid) is None:
            return refusal(404, "Object does not exist")
        body = self.path(oid).read_bytes()
        plain = ("Content-Type", "application/octet-stream")
        asked = _RANGE.fullmatch(request.headers.get("range", ""))
        if asked is None:
            return Response(200, (plain,), body)
        start = int(asked[1])
        if start >= len(body):
            return Response(416, (("Content-Range", f"bytes */{len(body)}"),))
        return Response(206, (plain, ("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")), body[start:])

    def _take(self, body: bytes, oid: str, size: int) -> Response:
        seen = hashlib.sha256(body).hexdigest()
        if (seen, len(body)) != (oid, size):
            return refusal(422, f"{len(body)} bytes with SHA-256 {seen} came")
        path = self.path(oid)
        path.parent.mkdir(parents=True, exist_ok=True)
        growing = self._folder / f"{oid}.{secrets.token_hex(4)}.new"
        growing.write_bytes(body)
        growing.replace(path)
        self._lost -= {oid}
        return _json(200, {})


def wait(fault: Fault) -> Response:
    """Ask to come again later."""
    return refusal(429, "You have exceeded a rate limit").with_headers(
        ("Retry-After", f"{fault.option('retry_after', 1):g}")
    )


def refusal(status: int, message: str) -> Response:
    """Refuse in the form of the API."""
    return _json(status, {"message": message})


def _json(status: int, told: object) -> Response:
    return Response(status, (("Content-Type", _MEDIA_TYPE),), json.dumps(told).encode())
