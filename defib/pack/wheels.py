"""Wheels of what Defib needs to run, made of the installation itself: for the day when no index answers.

An installation keeps a record of every file with its hash
(https://packaging.python.org/en/latest/specifications/recording-installed-packages/). What is not as recorded is refused, so
that a wheel made of it holds what was in the wheel that was installed.
"""

from __future__ import annotations

import hashlib
import io
import platform
import re
import sys
import tomllib
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, PackagePath, distribution
from pathlib import Path, PurePosixPath

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import defib
from defib.errors import InputError

ROOT, EXTRAS = "defib", frozenset({"lab"})
"""What is packed itself as source, and with which of its extras: drills need the lab."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_LEVEL = 1
"""Of compression: a pack is made often and read once."""

_OF_THE_INSTALLER = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"}


def platform_name() -> str:
    """The platform that this process runs on, as folders of wheels are named: linux-x86_64-cp311."""
    return f"{sys.platform}-{platform.machine()}-cp{sys.version_info.major}{sys.version_info.minor}"


def closure() -> tuple[Distribution, ...]:
    """Every installed distribution that Defib and the lab need here, but itself, by name; what is missing is refused."""
    found: dict[str, Distribution] = {}
    missing: list[str] = []
    waiting = list(_wanted_by_us())
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            missing.append(name)
            continue
        for each in _required(found[name], extras):
            if each not in seen:
                seen.add(each)
                waiting.append(each)
    if missing:
        raise InputError(
            "the installation is not complete, so that no pack can be made of it",
            seen=f"missing: {', '.join(sorted(missing))}",
            then="make install, with the index that has them",
        )
    return tuple(found[name] for name in sorted(found))


def _wanted_by_us() -> Iterator[tuple[str, frozenset[str]]]:
    """As the source says that is packed; what an installation wrote down of it may be older."""
    source = Path(defib.__file__).resolve().parents[1] / "pyproject.toml"
    if not source.is_file():
        yield from _required(distribution(ROOT), EXTRAS)
        return
    told = tomllib.loads(source.read_text(encoding="utf-8"))["project"]
    extras = [text for extra in EXTRAS for text in told["optional-dependencies"][extra]]
    yield from _parsed([*told["dependencies"], *extras], EXTRAS)


def _required(dist: Distribution, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    yield from _parsed(dist.requires or (), extras)


def _parsed(texts: Iterable[str], extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for text in texts:
        wanted = Requirement(text)
        if wanted.marker is None or any(wanted.marker.evaluate({"extra": extra}) for extra in extras or {""}):
            yield canonicalize_name(wanted.name), frozenset(wanted.extras)


def repacked(dist: Distribution) -> tuple[str, bytes]:
    """The file name and the bytes of a wheel of `dist`; the same installation gives the same bytes."""
    name, version = dist.name, dist.version
    contents = dict(sorted(_contents(dist)))
    info = next((path.partition("/")[0] for path in contents if path.endswith(".dist-info/METADATA")), "")
    if f"{info}/WHEEL" not in contents:
        raise InputError(f"{name} {version} was not installed from a wheel", then="make install")
    tags = re.findall(r"^Tag: (\S+)", contents[f"{info}/WHEEL"].decode(), re.MULTILINE)
    file = f"{canonicalize_name(name).replace('-', '_')}-{version}-{_compressed(tags)}.whl"
    return file, _zipped(contents, f"{info}/RECORD")


def _compressed(tags: list[str]) -> str:
    """Tags of a wheel as its file name has them: https://peps.python.org/pep-0425/#compressed-tag-sets."""
    parts = zip(*(tag.split("-") for tag in tags), strict=True)
    return "-".join(".".join(dict.fromkeys(part)) for part in parts)


def _contents(dist: Distribution) -> Iterator[tuple[str, bytes]]:
    if dist.files is None:
        raise InputError(f"{dist.name} has no record of its files", then="make install")
    entry_points = {each.name for each in dist.entry_points}
    for file in dist.files:
        if file.suffix == ".pyc" or file.name in _OF_THE_INSTALLER or "__pycache__" in file.parts:
            continue
        path = _place(file, dist, entry_points)
        if path:
            yield path, _checked(file, dist)


def _place(file: PackagePath, dist: Distribution, entry_points: set[str]) -> str:
    """Where a file is in a wheel; "" for commands, which every installation makes anew."""
    if file.parts[0] != "..":
        return file.as_posix()
    outside = [part for part in file.parts if part != ".."]
    data = f"{dist.name.replace('-', '_')}-{dist.version}.data"
    if outside[0] in {"bin", "Scripts"}:
        return "" if PurePosixPath(outside[-1]).stem in entry_points else f"{data}/scripts/{outside[-1]}"
    return f"{data}/data/{'/'.join(outside)}"


def _checked(file: PackagePath, dist: Distribution) -> bytes:
    try:
        content = file.read_binary()
    except OSError as error:
        raise InputError(f"a file of {dist.name} is gone", where=str(file.locate()), then="make install") from error
    if file.hash is not None:
        seen = urlsafe_b64encode(hashlib.new(file.hash.mode, content).digest()).rstrip(b"=").decode()
        if seen != file.hash.value:
            raise InputError(
                f"a file of {dist.name} is not what was installed",
                where=str(file.locate()),
                expected=f"{file.hash.mode}={file.hash.value}",
                seen=seen,
                then="make install anew, and pack that",
            )
    return content


def _zipped(contents: Mapping[str, bytes], record: str) -> bytes:
    lines = [f"{path},sha256={_hashed(content)},{len(content)}" for path, content in contents.items()]
    told = {**contents, record: "\n".join([*lines, f"{record},,", ""]).encode()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as wheel:
        for path, content in told.items():
            entry = zipfile.ZipInfo(path, _EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            wheel.writestr(entry, content)
    return buffer.getvalue()


def _hashed(content: bytes) -> str:
    return urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
