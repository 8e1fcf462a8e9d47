"""A pack as a folder or as one archive, byte for byte the same wherever and whenever it is made of the same things."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

from defib.errors import InputError

SUMS = "SHA256SUMS"
INSIDE = "defib-pack"
"""The folder in an archive, whatever the archive is called."""

EXECUTABLE = frozenset({"defib", "verify"})

Contents = Mapping[str, bytes]
"""The files of a pack, by their paths in it."""


def sums(contents: Contents) -> bytes:
    """What ``sha256sum --check`` reads."""
    return "".join(f"{hashlib.sha256(contents[path]).hexdigest()}  {path}\n" for path in sorted(contents)).encode()


def write(contents: Contents, to: Path) -> str:
    """Write the pack, and give its digest, which is that of its list of checksums. Nothing that is there is written over."""
    must_be_free(to)
    whole = {**contents, SUMS: sums(contents)}
    try:
        if to.name.endswith((".tar.gz", ".tgz")):
            _archive(whole, to)
        else:
            _folder(whole, to)
    except OSError as error:
        raise InputError("the pack cannot be written", where=str(to), seen=error.strerror or str(error)) from error
    return hashlib.sha256(whole[SUMS]).hexdigest()


def must_be_free(to: Path) -> None:
    """Refuse, before anything is gathered, what would be written over."""
    if to.is_dir() and any(to.iterdir()):
        raise InputError("the folder is not empty", where=str(to), expected="a folder that is empty, or none")
    if to.exists() and not to.is_dir():
        raise InputError("there is a file of that name", where=str(to), then="choose another, or remove it")


def _folder(contents: Contents, to: Path) -> None:
    for path, content in sorted(contents.items()):
        file = to / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(_mode(path))


def _archive(contents: Contents, to: Path) -> None:
    part = to.with_name(f".{to.name}.part")
    with (
        part.open("wb") as raw,
        gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path, content in sorted(contents.items()):
            entry = tarfile.TarInfo(f"{INSIDE}/{path}")
            entry.size, entry.mode = len(content), _mode(path)
            archive.addfile(entry, io.BytesIO(content))
    part.replace(to)


def _mode(path: str) -> int:
    return 0o755 if path in EXECUTABLE else 0o644
