"""A copy of a bundle in a bucket of S3, encrypted before it leaves: for the day when this machine is gone as well.

It is encrypted to age recipients (https://age-encryption.org/v1), whose private keys are kept elsewhere: who mirrors cannot
read the copies, and ``age --decrypt --identity KEY`` can, without Defib. The bucket's own replication brings it to another
region, and its versions keep earlier copies.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from pyrage import RecipientError, encrypt_file, x25519

from defib.clock import Deadline
from defib.errors import InputError, StepFailed
from defib.providers.git.bundle import ADDED, added_to
from defib.releases.rules import ASK, Headers
from defib.releases.store import ReleaseStore, Upload

_CHUNK = 1024 * 1024
_SEALED = ".age"
_HEADERS = Headers("application/octet-stream", ASK)


class OffsiteCopy:
    """Keeps the copy of one bundle under `key` of a store, which is opened when it is first needed.

    What was added to the bundle is copied in its turn, under a name of its own: days of small copies instead of large ones.
    """

    def __init__(self, store: Callable[[], ReleaseStore], key: str, recipients: Sequence[str], stamp: Path) -> None:
        self._store, self._key, self._stamp = store, key, stamp
        try:
            self._recipients = [x25519.Recipient.from_str(recipient) for recipient in recipients]
        except RecipientError as error:
            raise InputError("not an age recipient", expected="age1…, as age-keygen prints it", seen=str(error)) from error

    def keep(self, bundle: Path, *, within: Deadline) -> str:
        """Make the copies those of `bundle` and of what was added to it; what was done, "" where that was so. Idempotent.

        Believed only once the store says that it holds exactly these bytes. Raises what the store raises.
        """
        parts = [(file, suffix) for file, suffix in ((bundle, ""), (added_to(bundle), ADDED)) if file.is_file()]
        return "; ".join(
            filter(None, (self.keep_part(file, suffix, _sha256(file), within=within) for file, suffix in parts))
        )

    def keep_part(self, part: Path, suffix: str, digest: str, *, within: Deadline) -> str:
        """The same for one file, under the bundle's key with `suffix`; sent where `digest` is not that of last time."""
        stamp = self._stamp.with_name(f"{self._stamp.name}{suffix}")
        if stamp.is_file() and stamp.read_text(encoding="ascii") == digest:
            return ""
        store, key = self._store(), f"{self._key.removesuffix(_SEALED)}{suffix}{_SEALED}"
        with tempfile.TemporaryDirectory(prefix="defib-bundle-") as folder:
            sealed = Path(folder) / "bundle.age"
            encrypt_file(str(part), str(sealed), self._recipients)
            upload = Upload(key, sealed, sealed.stat().st_size, _sha256(sealed), _HEADERS)
            store.put(upload, within=within)
            there = store.head(key, within=within)
        where = f"{store.where}/{key}"
        if there is None or (there.size, there.sha256) != (upload.size, upload.sha256):
            raise StepFailed(
                "the copy in the bucket is not what was sent", where=where, seen=str(there), then="defib mirror"
            )
        stamp.write_text(digest, encoding="ascii")
        return f"an encrypted copy is at {where}"


def _sha256(path: Path) -> str:
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hashed.update(chunk)
    return hashed.hexdigest()
