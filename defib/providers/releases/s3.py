"""Releases in a bucket of S3, through obstore: many requests at once, large files in parts, nothing held that is not in use.

obstore 0.12 cannot read the checksums that S3 keeps, cannot list headers, and cannot change headers in a copy
(https://developmentseed.org/obstore/latest/api/attributes/: "Attributes are not returned by listing APIs"). So the SHA-256
stands in the object's metadata, headers are asked for one by one, and what differs in headers alone is put again. S3 itself
compares each body with the SHA-256 that is signed and sent with it, and refuses one that was damaged on the way
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
"""

from __future__ import annotations

import hashlib
import mmap
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from obstore.store import S3Store

from defib.clock import Deadline
from defib.errors import Conflict, NotFound, ProviderError, Unavailable
from defib.privilege.permission import Permission
from defib.providers.bounded import bounded
from defib.providers.proxy import on_loopback
from defib.providers.releases.s3_credentials import credentials
from defib.providers.releases.s3_errors import asked, code_of
from defib.releases.rules import MANIFEST, PREFIX, Headers
from defib.releases.store import Listed, Stored, Upload

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from defib.providers.aws import AwsAccess

WHOLE = 16 * 1024 * 1024
"""Bytes up to which a file is one request; a larger one goes in parts."""

_PART = 8 * 1024 * 1024
_MOST_PARTS = 10_000  # https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
_PARTS_AT_ONCE = 2
_PAGE = 1000
_LONGEST = 256.0
_CONNECT = 5.0
_OWN_MEMORY = 1024 * 1024
_SHA256 = "sha256"
"""The name of the metadata, on the wire ``x-amz-meta-sha256``."""


_IN_PARTS = "a large upload that fails is taken back"


def reading(bucket: str, key: str = f"{PREFIX}/*") -> tuple[Permission, ...]:
    """Listing, and reading what is below `key`."""
    objects = (f"arn:aws:s3:::{bucket}/{key}",)
    return Permission(("s3:ListBucket",), (f"arn:aws:s3:::{bucket}",)), Permission(("s3:GetObject",), objects)


def uploading(bucket: str, key: str = f"{PREFIX}/*") -> tuple[Permission, ...]:
    """Writing what is below `key`, and copying within it."""
    objects = (f"arn:aws:s3:::{bucket}/{key}",)
    return (
        Permission(("s3:PutObject",), objects, acts=True),
        Permission(("s3:AbortMultipartUpload",), objects, acts=True, why=_IN_PARTS, optional=True),
    )


def unmarking(bucket: str) -> Permission:
    """Taking away the mark that a release is complete, before anything in it is written again."""
    why = "only where a release that was complete is found damaged"
    return Permission(("s3:DeleteObject",), (f"arn:aws:s3:::{bucket}/{PREFIX}/*/{MANIFEST}",), acts=True, why=why)


def removing(bucket: str) -> Permission:
    """Taking whole releases away."""
    return Permission(("s3:DeleteObject",), (f"arn:aws:s3:::{bucket}/{PREFIX}/*",), acts=True)


class S3Releases:
    """Fulfils :class:`defib.releases.store.ReleaseStore` for one bucket.

    Deleting in a versioned bucket leaves the versions to its lifecycle rules; so does a large upload that was killed leave
    its parts, for which a rule with ``AbortIncompleteMultipartUpload`` is wanted
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpu-abort-incomplete-mpu-lifecycle-config.html).
    """

    def __init__(self, bucket: str, access: AwsAccess) -> None:
        self._bucket, self._access = bucket, access
        self._stores: dict[float, S3Store] = {}
        self._lock = threading.Lock()

    @property
    def where(self) -> str:
        return f"s3://{self._bucket}"

    def folders(self, prefix: str, *, within: Deadline) -> tuple[str, ...]:
        def ask() -> tuple[str, ...]:
            with asked("ListObjectsV2", self._at(prefix)):
                found = obstore.list_with_delimiter(self._store(within, prefix), prefix)
            return tuple(sorted(f"{each.strip('/')}/" for each in found["common_prefixes"]))

        return bounded(ask, within, "ListObjectsV2", self._at(prefix))

    def list(self, prefix: str, *, within: Deadline) -> tuple[Listed, ...]:
        def pages() -> Iterator[Listed]:
            with asked("ListObjectsV2", self._at(prefix)):
                for page in obstore.list(self._store(within, prefix), prefix, chunk_size=_PAGE):
                    self._in_time(within, prefix)
                    for each in page:
                        yield Listed(each["path"], each["size"], (each["e_tag"] or "").strip('"'), each["last_modified"])

        def all_of_them() -> tuple[Listed, ...]:
            return tuple(sorted(pages(), key=lambda each: each.key))

        return bounded(all_of_them, within, "ListObjectsV2", self._at(prefix))

    def head(self, key: str, *, within: Deadline) -> Stored | None:
        try:
            with asked("HeadObject", self._at(key)):
                found = obstore.get(self._store(within, key), key, options={"head": True})
        except NotFound as error:
            if _is_absence(error):
                return None
            raise
        told: dict[str, str] = dict(found.attributes)
        headers = Headers(told.get("Content-Type", ""), told.get("Cache-Control", ""))
        meta = found.meta
        return Stored(key, meta["size"], (meta["e_tag"] or "").strip('"'), told.get(_SHA256, ""), headers)

    def read(self, key: str, *, within: Deadline) -> bytes | None:
        try:
            with asked("GetObject", self._at(key)):
                return bytes(obstore.get(self._store(within, key), key).bytes())
        except NotFound as error:
            if _is_absence(error):
                return None
            raise

    def put(self, upload: Upload, *, within: Deadline) -> str:
        attributes = {
            "Content-Type": upload.headers.content_type,
            "Cache-Control": upload.headers.cache_control,
            _SHA256: upload.sha256,
        }
        if upload.size <= WHOLE:
            content = self._content(upload)
            with asked("PutObject", self._at(upload.key)):
                store = self._store(within, upload.key)
                done = obstore.put(store, upload.key, content, attributes=attributes, use_multipart=False)
        else:
            done = self._put_in_parts(upload, attributes, within)
        return (done["e_tag"] or "").strip('"')

    def copy(self, source: str, target: str, *, within: Deadline) -> None:
        with asked("CopyObject", f"{self._at(source)} to {target}"):
            obstore.copy(self._store(within, target), source, target)

    def delete(self, keys: Sequence[str], *, within: Deadline) -> None:
        for first in range(0, len(keys), _PAGE):
            batch = list_of(keys[first : first + _PAGE])
            with asked("DeleteObjects", self._at(f"{batch[0]} …")):
                obstore.delete(self._store(within, batch[0]), batch)

    def _put_in_parts(self, upload: Upload, attributes: dict[str, str], within: Deadline) -> Any:
        """In parts; on any error obstore aborts the upload, so that nothing of it stays."""
        parts = _Parts(upload, lambda: self._in_time(within, upload.key), self._at(upload.key))

        def put() -> Any:
            with asked("UploadPart", self._at(upload.key)):
                return obstore.put(
                    self._store(within, upload.key),
                    upload.key,
                    iter(parts),
                    attributes=attributes,
                    use_multipart=True,
                    chunk_size=parts.size,
                    max_concurrency=_PARTS_AT_ONCE,
                )

        try:
            return bounded(put, within, "PutObject in parts", self._at(upload.key))
        except ProviderError:
            if parts.error is not None:
                raise parts.error from parts.error.__cause__
            raise

    def _content(self, upload: Upload) -> Buffer:
        source = upload.source
        try:
            content = _read(source, upload.size) if isinstance(source, Path) else source
        except OSError as error:
            raise _changed(upload, self._at(upload.key), str(error)) from error
        seen = hashlib.sha256(content).hexdigest()
        if seen != upload.sha256:
            raise _changed(upload, self._at(upload.key), f"SHA-256 {seen}")
        return content

    def _in_time(self, within: Deadline, key: str) -> None:
        if within.expired():
            raise Unavailable("no time was left to ask", where=self._at(key))

    def _at(self, key: str) -> str:
        return f"S3, {self.where}/{key}"

    def _store(self, within: Deadline, key: str) -> S3Store:
        """A client whose requests give up by the deadline: obstore fixes time-outs when a client is made.

        Time-outs are powers of two, so that a few clients and their connections serve a whole run.
        """
        self._in_time(within, key)
        timeout = _LONGEST
        while timeout > within.remaining().total_seconds() and timeout > 1 / 64:
            timeout /= 2
        with self._lock:
            if timeout not in self._stores:
                self._stores[timeout] = self._made(timeout)
            return self._stores[timeout]

    def _made(self, timeout: float) -> S3Store:
        access = self._access
        endpoint = access.endpoint or f"https://s3.{access.region}.amazonaws.com"
        return S3Store(
            self._bucket,
            region=access.region,
            # Everything that the environment could say otherwise is said here: obstore reads AWS_* where it is not.
            endpoint=endpoint,
            aws_endpoint_url_s3=endpoint,
            virtual_hosted_style_request=False,
            skip_signature=False,
            unsigned_payload=False,
            checksum_algorithm="SHA256",
            credential_provider=credentials(access, self.where),
            client_options=_options(endpoint, timeout),
            # Requests are repeated by RetryingReleases, which knows the deadline; parts of a large file are not.
            retry_config={"max_retries": 0},
        )


list_of = list  # the class above has a method of that name


def _is_absence(error: NotFound) -> bool:
    # A HEAD has no body, so its 404 says no more than that; a missing bucket shows in the listing before it.
    return isinstance(error.__cause__, FileNotFoundError) and code_of(error.__cause__) in {"", "NoSuchKey"}


def _read(path: Path, size: int) -> Buffer:
    """A whole file. What is large goes back to the system as soon as nobody needs it.

    The C library keeps what a thread has freed for that thread: with 16 of them, 16 times the largest file.
    """
    if size <= _OWN_MEMORY:
        return path.read_bytes()
    content = mmap.mmap(-1, size)
    with path.open("rb", buffering=0) as stream:
        left = memoryview(content)
        while left and (read := stream.readinto(left)):
            left = left[read:]
        if left or stream.read(1):
            raise OSError(f"{path} no longer has {size} bytes")
    return content


class _Parts:
    """A file piece by piece, hashed on the way; ends with an error where it is no longer what was hashed before."""

    def __init__(self, upload: Upload, in_time: Callable[[], None], where: str) -> None:
        self._upload, self._in_time, self._where = upload, in_time, where
        self.size = max(_PART, -(-upload.size // _MOST_PARTS))
        self.error: ProviderError | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._read()
        except ProviderError as error:
            self.error = error
            raise

    def _read(self) -> Iterator[bytes]:
        source, hashed = self._upload.source, hashlib.sha256()
        if not isinstance(source, Path):
            raise _changed(self._upload, self._where, "no file")
        try:
            with source.open("rb") as stream:
                while chunk := stream.read(self.size):
                    self._in_time()
                    hashed.update(chunk)
                    yield chunk
        except OSError as error:
            raise _changed(self._upload, self._where, str(error)) from error
        if hashed.hexdigest() != self._upload.sha256:
            raise _changed(self._upload, self._where, f"SHA-256 {hashed.hexdigest()}")


def _changed(upload: Upload, where: str, seen: str) -> Conflict:
    return Conflict(
        f"{upload.source if isinstance(upload.source, Path) else 'the content'} is not what it was",
        where=where,
        expected=f"SHA-256 {upload.sha256}",
        seen=seen,
        then="build again, and let nobody write into the output",
    )


def _options(endpoint: str, timeout: float) -> Any:
    options: dict[str, object] = {
        "timeout": timedelta(seconds=timeout),
        "connect_timeout": timedelta(seconds=min(timeout, _CONNECT)),
        "allow_http": endpoint.startswith("http://"),
    }
    if on_loopback(endpoint):
        # The only way past a proxy that the environment names: one of its own, which this machine is excluded from.
        options |= {"proxy_url": endpoint, "proxy_excludes": "127.0.0.0/8,localhost"}
    return options
