"""``python -m benchmarks.generated_s3 ENTRIES [DELAY]``: two buckets of any size that are nowhere, in a process of its own.

Their listings are made up page by page as they are asked for. `source` holds so many versions and delete markers, `replica`
the same but for what :meth:`World.planted` says, `empty` nothing. It prints the port that it listens on. With DELAY, in
milliseconds, each answer is so much later, as one from another machine is.
"""

from __future__ import annotations

import asyncio
import bisect
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from urllib.parse import parse_qs, quote, unquote, urlsplit

SOURCE, REPLICA, EMPTY = "source", "replica", "empty"
FOLDERS = 32
ENTRIES = 10
"""In a group: seven keys with one version each, and one with a delete marker over two versions."""

_GROUPS_A_PAGE = 99  # 990 entries, and room for those that the replica alone has
_LAST = 7  # the number of the key with three entries
_HASH = 0x9E3779B97F4A7C15F39CC0605CEDC835
_OWNER = "<Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner>"
_WRITTEN = "<LastModified>2026-01-01T00:00:00.000Z</LastModified>"
_VERSION = (
    f"<Version><Key>%s</Key><VersionId>%s</VersionId><IsLatest>%s</IsLatest>{_WRITTEN}<ETag>&quot;%032x&quot;</ETag>"
    "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
    f"<Size>%d</Size>{_OWNER}<StorageClass>STANDARD</StorageClass></Version>"
)
_MARKER = f"<DeleteMarker><Key>%s</Key><VersionId>%s</VersionId><IsLatest>true</IsLatest>{_WRITTEN}{_OWNER}</DeleteMarker>"
_HEADERS = (
    "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nx-amz-server-side-encryption: AES256\r\n"
    "Content-Type: image/png\r\nx-amz-replication-status: COMPLETED\r\n"
)


@dataclass(frozen=True)
class Planted:
    """The groups of whose first key the replica has nothing, other bytes, or another key right after it."""

    missing: frozenset[int]
    other: frozenset[int]
    extra: frozenset[int]


@dataclass(frozen=True)
class World:
    """Both buckets: so many groups of ten entries each, in 32 folders."""

    groups: int

    @cached_property
    def planted(self) -> Planted:
        """A few all over the listing, the first and the last among them."""
        chosen = [*range(0, self.groups, max(1, self.groups // 8)), self.groups - 1]
        return Planted(frozenset(chosen[::3]), frozenset(chosen[1::3]), frozenset(chosen[2::3]))

    def key(self, group: int, number: int) -> str:
        """The key of this number; keys are in the order of their groups and numbers."""
        return (
            f"p{group * FOLDERS // self.groups:02}/d{group // 100:06}/f{group % 100:02}-{number}{'@2x' * (number == 3)}.png"
        )

    def first_after(self, key: str) -> int:
        """The first group that has nothing up to `key`: whoever asks knows what is before a folder or the end of a page."""
        return bisect.bisect_right(range(self.groups), key, key=lambda group: self.key(group, 0))

    def rows(self, bucket: str, group: int) -> str:
        """The entries of one group as a listing has them."""
        keys = [quote(self.key(group, number)) for number in range(_LAST + 1)]
        plain = [_VERSION % (keys[place], *self.told(group, place)) for place in range(1, _LAST)]
        marked = _MARKER % (keys[_LAST], version_id(group, _LAST))
        older = [_VERSION % (keys[_LAST], *self.told(group, place)) for place in (_LAST + 1, _LAST + 2)]
        return "".join((self._first(bucket, group, keys[0]), *plain, marked, *older))

    def _first(self, bucket: str, group: int, key: str) -> str:
        if bucket == REPLICA and group in self.planted.missing:
            return ""
        ident, latest, etag, size = self.told(group, 0)
        if bucket == REPLICA and group in self.planted.other:
            etag += 1
        row = _VERSION % (key, ident, latest, etag, size)
        if bucket == REPLICA and group in self.planted.extra:
            row += _VERSION % (f"{key}.extra", f"extra-{group}", "true", etag, size)
        return row

    def told(self, group: int, place: int) -> tuple[str, str, int, int]:
        """What a listing tells of one version beside its key: id, whether it is the latest, ETag, size."""
        number = group * ENTRIES + place
        latest = "true" if place < _LAST else "false"
        return version_id(group, place), latest, number * _HASH % 2**128, number * 7919 % 100_000


def version_id(group: int, place: int) -> str:
    """As long as one of S3's."""
    return f"{group:031}{place}"


def listing(world: World, bucket: str, asked: Mapping[str, str]) -> bytes:
    """One page; a page ends with a group, so that the next begins with one."""
    if "delimiter" in asked:
        folders = "".join(f"<CommonPrefixes><Prefix>p{each:02}/</Prefix></CommonPrefixes>" for each in range(FOLDERS))
        return _xml("ListBucketResult", "<IsTruncated>false</IsTruncated>" + folders)
    if bucket == EMPTY:
        return _xml("ListVersionsResult", "<IsTruncated>false</IsTruncated>")
    after, ident = asked.get("key-marker", ""), asked.get("version-id-marker", "")
    start = int(ident[:-1]) + 1 if ident else world.first_after(after)
    end = min(start + _GROUPS_A_PAGE, world.groups)
    rows = "".join([world.rows(bucket, group) for group in range(start, end)])
    if end == world.groups:
        return _xml("ListVersionsResult", f"<IsTruncated>false</IsTruncated>{rows}")
    onwards = f"<NextKeyMarker>{quote(world.key(end - 1, _LAST))}</NextKeyMarker>"
    onwards += f"<NextVersionIdMarker>{version_id(end - 1, ENTRIES - 1)}</NextVersionIdMarker>"
    return _xml("ListVersionsResult", f"<IsTruncated>true</IsTruncated>{onwards}{rows}")


def _xml(root: str, inner: str) -> bytes:
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    return f"{head}<EncodingType>url</EncodingType><MaxKeys>1000</MaxKeys>{inner}</{root}>".encode()


def _details(world: World, bucket: str, key: str, ident: str) -> str | None:
    """The headers of one version; None where the bucket does not have it."""
    if bucket == EMPTY:
        return None
    if not ident.isdigit():
        return None if bucket == SOURCE else f'{_HEADERS}ETag: "{0:032x}"\r\nContent-Length: 1\r\n'
    group, place = int(ident[:-1]), int(ident[-1])
    if key != world.key(group, min(place, _LAST)) or (bucket == REPLICA and place == 0 and group in world.planted.missing):
        return None
    _, _, etag, size = world.told(group, place)
    etag += bucket == REPLICA and place == 0 and group in world.planted.other
    return f'{_HEADERS}ETag: "{etag:032x}"\r\nx-amz-version-id: {ident}\r\nContent-Length: {size}\r\n'


class _Conversation(asyncio.Protocol):
    """One connection: requests without a body, one after the other."""

    def __init__(self, world: World, delay: float) -> None:
        self._world, self._delay = world, delay
        self._heard = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._heard += data
        while b"\r\n\r\n" in self._heard:
            request, _, self._heard = self._heard.partition(b"\r\n\r\n")
            asyncio.get_running_loop().call_later(self._delay, self._transport.write, self._answered(request))

    def _answered(self, request: bytes) -> bytes:
        line, _, headers = request.decode().partition("\r\n")
        method, target, _ = line.split(" ")
        address = urlsplit(target)
        asked = {name: values[0] for name, values in parse_qs(address.query, keep_blank_values=True).items()}
        bucket, _, key = unquote(address.path).lstrip("/").partition("/")
        if "authorization: aws4-hmac-sha256 credential=" not in headers.lower():
            return _said(HTTPStatus.FORBIDDEN)
        if method == "HEAD":
            found = _details(self._world, bucket, key, asked["versionId"])
            return _said(HTTPStatus.NOT_FOUND) if found is None else _head(HTTPStatus.OK, found)
        if method != "GET" or key or asked.get("prefix") or asked.get("encoding-type") != "url":
            return _said(HTTPStatus.NOT_IMPLEMENTED)
        return _said(HTTPStatus.OK, listing(self._world, bucket, asked))


def _said(status: HTTPStatus, body: bytes = b"") -> bytes:
    return _head(status, f"Content-Type: application/xml\r\nContent-Length: {len(body)}\r\n") + body


def _head(status: HTTPStatus, headers: str) -> bytes:
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n{headers}\r\n".encode()


async def _serve(world: World, delay: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Conversation(world, delay), "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


def main() -> None:
    """Serve until the process is ended."""
    entries, *delay = sys.argv[1:]
    asyncio.run(_serve(World(int(entries) // ENTRIES), float(delay[0]) / 1000 if delay else 0))


if __name__ == "__main__":
    main()
