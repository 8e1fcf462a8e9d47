"""The checksums of objects: S3 keeps one of each, CRC64NVME where the client names none; moto knows only what clients sent.

moto also takes CRC32 for CRC32C and for CRC64NVME where their libraries are not installed.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
"""

from __future__ import annotations

import base64
import hashlib
import sys
import zlib
from array import array
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

from defib.lab.web import Request, Response

DEFAULT = "CRC64NVME"
_HEADER = "x-amz-checksum-"
_FULL, _COMPOSITE = "FULL_OBJECT", "COMPOSITE"


def _sha1(body: bytes) -> bytes:
    return hashlib.sha1(body, usedforsecurity=False).digest()


def _crc32(body: bytes) -> bytes:
    return zlib.crc32(body).to_bytes(4, "big")


def _crc32c(body: bytes) -> bytes:
    return _reflected(body, 0x82F63B78, 32).to_bytes(4, "big")


def _crc64nvme(body: bytes) -> bytes:
    return _reflected(body, 0x9A6C9329AC4BC9B5, 64).to_bytes(8, "big")


_DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "CRC32": _crc32,
    "CRC32C": _crc32c,
    "CRC64NVME": _crc64nvme,
    "SHA1": _sha1,
    "SHA256": lambda body: hashlib.sha256(body).digest(),
}


def _reflected(body: bytes, polynomial: int, width: int) -> int:
    """A reflected CRC, two bytes a step: some twenty megabytes a second is enough for a lab."""
    table, crc = _table(polynomial), (1 << width) - 1
    even = len(body) & ~1
    words = array("H", body[:even])
    if sys.byteorder == "big":
        words.byteswap()
    for word in words:
        crc = table[(crc ^ word) & 0xFFFF] ^ (crc >> 16)
    for byte in body[even:]:
        crc = _shifted((crc ^ byte) & 0xFF, polynomial, 8) ^ (crc >> 8)
    return crc ^ ((1 << width) - 1)


@lru_cache
def _table(polynomial: int) -> list[int]:
    """What two bytes make of the remainder, put together from what one makes of it."""
    one = [_shifted(byte, polynomial, 8) for byte in range(256)]
    return [one[(low := one[word & 0xFF] ^ (word >> 8)) & 0xFF] ^ (low >> 8) for word in range(1 << 16)]


def _shifted(crc: int, polynomial: int, bits: int) -> int:
    for _ in range(bits):
        crc = (crc >> 1) ^ (polynomial if crc & 1 else 0)
    return crc


def made(algorithm: str, body: bytes) -> str:
    """The checksum as S3 writes it."""
    return base64.b64encode(_DIGESTS[algorithm](body)).decode()


def mismatch(request: Request) -> str:
    """The header of `request` whose checksum is not that of its body, "" where all of them are."""
    sent = {name: f"{_HEADER}{name.lower()}" for name in _DIGESTS}
    told = {name: request.headers[header] for name, header in sent.items() if header in request.headers}
    return next((sent[name] for name, value in told.items() if made(name, request.body) != value), "")


def algorithm_of(version: Any) -> tuple[str, str]:
    """The algorithm and the type of a version's checksum."""
    return (version.checksum_algorithm or DEFAULT).upper(), version.checksum_type or _FULL


def of(version: Any) -> str:
    """A version's checksum, made when it is asked for and then kept."""
    kept: str | None = getattr(version, "kept_checksum", None)
    if kept is None:
        kept = version.kept_checksum = _made(version)
    return kept


def _made(version: Any) -> str:
    algorithm, kind = algorithm_of(version)
    if kind == _FULL:
        return made(algorithm, version.value)
    body, at, digests = version.value, 0, []
    for _, size in parts_of(version):  # moto has thrown away what was in them
        digests.append(_DIGESTS[algorithm](body[at : at + size]))
        at += size
    return f"{made(algorithm, b''.join(digests))}-{len(digests)}"


def settle(version: Any, request: Request) -> None:
    """Remember which checksum the client of a new version named, with the SDKs' own header or without it."""
    if not version.checksum_algorithm:
        named = [name for name in _DIGESTS if f"{_HEADER}{name.lower()}" in request.headers]
        version.checksum_algorithm = named[0] if named and request.method == "PUT" else None


def told(request: Request, response: Response, version: Any) -> Response:
    """The answer to GET or HEAD with the whole object's checksum, where it is asked for."""
    stray = [name for name, _ in response.headers if name.lower().startswith((_HEADER, "x-amz-sdk-checksum"))]
    response = response.without_headers(*stray)
    if request.headers.get("x-amz-checksum-mode", "").upper() != "ENABLED" or response.status != 200:  # noqa: PLR2004
        return response
    algorithm, kind = algorithm_of(version)
    return response.with_headers((f"{_HEADER}{algorithm.lower()}", of(version)), (f"{_HEADER}type", kind))


def parts_of(version: Any) -> Iterator[tuple[int, int]]:
    """The number and the size of each part, of an object that was uploaded in parts and not copied since."""
    if version.multipart is not None and "-" in version.etag:
        for number, part in sorted(version.multipart.parts.items()):
            yield number, part.contentsize
