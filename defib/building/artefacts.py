"""Builds that succeeded, kept for the hour when the toolchain or a registry is down.

::

    $DEFIB_HOME/artefacts/SITE/COMMIT-DIGEST/
        manifest.json   the recipe, when it was kept, and size and SHA-256 of every file
        files/          the files, without links
    $DEFIB_HOME/artefacts/SITE/.new-…, .old-…, .home-…    being written, being removed, a build's own folder

DIGEST is made of the recipe and the files, so a folder never changes once it has its name: who reads from one is not
disturbed by whoever keeps the next. Nothing is believed for its name: a file that the power failure took is found by its
hash, and an artefact with one of those is not used.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from defib.building.built import BuiltFile, Kind, Output, Skipped
from defib.building.output import check_output, digest
from defib.building.tree import survey
from defib.clock import Deadline
from defib.errors import HomeUnwritable, Refused, StepFailed
from defib.sites.site import Page

NEWEST = 3
"""How many are kept, besides those in use."""

_FORGOTTEN = timedelta(days=1)
"""After this nobody is still writing what is half written."""

_FILES = "files"
_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Recipe:
    """What, besides the commit, decides what comes out."""

    command: tuple[str, ...]
    output: str


@dataclass(frozen=True)
class Manifest:
    """What an artefact says of itself."""

    commit: str
    recipe: Recipe
    kind: Kind
    kept: AwareDatetime
    files: tuple[BuiltFile, ...]
    skipped: tuple[Skipped, ...]


@dataclass(frozen=True)
class Artefact:
    """One whole artefact: its folder, its manifest, and what a check of its files found just now."""

    folder: Path
    manifest: Manifest
    output: Output

    @property
    def files(self) -> Path:
        """Where its files are."""
        return self.folder / _FILES


_ADAPTER = TypeAdapter(Manifest)


class Artefacts:
    """The artefacts of one site, in `folder`, which need not exist yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, output: Output, source: Path, commit: str, recipe: Recipe, kind: Kind, within: Deadline) -> Path:
        """Copy the files of a checked `output` from `source`, and give the folder that they are in.

        Atomic: what has the artefact's name is whole. Idempotent: the same files are kept once. :class:`StepFailed` where
        a file is no longer what was checked, :class:`HomeUnwritable` where there is no room.
        """
        manifest = Manifest(commit, recipe, kind, within.clock.now(), output.files, output.skipped)
        final = self.folder / f"{commit}-{_digest(manifest)}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._sweep(manifest.kept)
            with self._place(".new-") as place:
                for file in output.files:
                    _copy(source / file.path, place / _FILES / file.path, file, within)
                _write(place / _MANIFEST, manifest)
                self._put(place, final, manifest, within)
        except OSError as error:
            raise HomeUnwritable(
                f"cannot keep the build: {error.strerror}",
                where=str(error.filename or self.folder),
                expected=f"room for {sum(file.size for file in output.files) // 1024**2 + 1} MiB",
                then="make room there, or DEFIB_HOME=/another/folder defib …",
            ) from error
        return final / _FILES

    def find(self, commit: str, recipe: Recipe, page: Page, within: Deadline) -> tuple[Artefact | None, tuple[str, ...]]:
        """The newest whole artefact of `commit` made by `recipe`, and why each of those that were passed over was."""
        wrong: list[str] = []
        for folder, manifest in self._of(commit, wrong):
            if manifest.recipe != recipe:
                wrong.append(f"{folder.name} was made by another command")
            elif (output := _whole(folder, manifest, page, wrong, within)) is not None:
                return Artefact(folder, manifest, output), tuple(wrong)
        return None, tuple(wrong)

    def has(self, commit: str) -> bool:
        """Whether there is any of `commit`, whole or not."""
        return any(self.folder.glob(f"{commit}-*"))

    def retain(self, in_use: Collection[str], newest: int = NEWEST) -> tuple[str, ...]:
        """Remove all but the `newest`, never one whose commit is `in_use`; gives the names of those that went.

        What has no readable manifest serves nobody and goes first. :class:`HomeUnwritable` where one cannot be removed.
        """
        known = [(_read(folder), folder) for folder in self._folders()]
        aged = sorted(((manifest.kept, folder) for manifest, folder in known if manifest), reverse=True)
        surplus = [folder for _, folder in aged[newest:]] + [folder for manifest, folder in known if manifest is None]
        going = [folder for folder in surplus if folder.name.partition("-")[0] not in in_use]
        for folder in going:
            try:
                self._remove(folder)
            except OSError as error:
                raise HomeUnwritable(f"cannot remove an old artefact: {error.strerror}", where=str(folder)) from error
        return tuple(folder.name for folder in going)

    @contextmanager
    def room(self) -> Iterator[Path]:
        """A folder for one build's own use, gone afterwards; what cannot be removed of it goes a day later."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            place = tempfile.TemporaryDirectory(prefix=".home-", dir=self.folder, ignore_cleanup_errors=True)
        except OSError as error:
            raise HomeUnwritable(f"cannot make a folder for the build: {error.strerror}", where=str(self.folder)) from error
        with place as name:
            yield Path(name)

    def _of(self, commit: str, wrong: list[str]) -> list[tuple[Path, Manifest]]:
        found: list[tuple[Path, Manifest]] = []
        for folder in self.folder.glob(f"{commit}-*"):
            manifest = _read(folder)
            if manifest is None or manifest.commit != commit:
                wrong.append(f"{folder.name} has no manifest that can be read")
            else:
                found.append((folder, manifest))
        return sorted(found, key=lambda pair: pair[1].kept, reverse=True)

    def _folders(self) -> list[Path]:
        return [each for each in self.folder.iterdir() if not each.name.startswith(".")] if self.folder.is_dir() else []

    @contextmanager
    def _place(self, prefix: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix=prefix, dir=self.folder, ignore_cleanup_errors=True) as name:
            place = Path(name) / "artefact"
            (place / _FILES).mkdir(parents=True)
            yield place

    def _put(self, place: Path, final: Path, manifest: Manifest, within: Deadline) -> None:
        if final.exists() and not _same_files(final, manifest, within):
            self._remove(final)
        try:
            place.rename(final)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            _write(final / _MANIFEST, manifest)  # the same files are there already, and now as good as new

    def _remove(self, folder: Path) -> None:
        """By renaming it first, so that nobody finds half of it."""
        with tempfile.TemporaryDirectory(prefix=".old-", dir=self.folder, ignore_cleanup_errors=True) as name:
            folder.rename(Path(name) / folder.name)

    def _sweep(self, now: datetime) -> None:
        """Remove what processes that were killed have left behind."""
        for each in self.folder.glob(".*-*"):
            with suppress(FileNotFoundError):  # somebody else sweeps as well
                if now.timestamp() - each.stat().st_mtime > _FORGOTTEN.total_seconds():
                    shutil.rmtree(each, ignore_errors=True)


def _digest(manifest: Manifest) -> str:
    plain = _ADAPTER.dump_python(manifest, mode="json", include={"commit", "recipe", "kind", "files"})
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


def _copy(source: Path, target: Path, file: BuiltFile, within: Deadline) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as sink:
        found = digest(Path(os.path.realpath(source)), within, sink.write)
    if found != (file.size, file.sha256):
        raise StepFailed(
            "a file of the build changed while it was kept", where=str(source), expected="a build that has ended"
        )


def _write(path: Path, manifest: Manifest) -> None:
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    new.write_bytes(_ADAPTER.dump_json(manifest, indent=1))
    new.replace(path)


def _read(folder: Path) -> Manifest | None:
    try:
        return _ADAPTER.validate_json((folder / _MANIFEST).read_bytes())
    except (OSError, ValidationError):
        return None


def _whole(folder: Path, manifest: Manifest, page: Page, wrong: list[str], within: Deadline) -> Output | None:
    """What is in it, if that is what its manifest says, and may be served by what the site file says today."""
    try:
        output = check_output(folder / _FILES, page, manifest.commit, within)
    except Refused as refused:
        wrong.append(f"{folder.name} is not whole: {refused.seen}")
        return None
    if output.files != manifest.files or output.skipped:
        wrong.append(f"{folder.name} is not whole: its files are not those of its manifest")
        return None
    return output


def _same_files(folder: Path, manifest: Manifest, within: Deadline) -> bool:
    """Whether exactly the manifest's files are there, byte for byte; whether they may be served was checked before."""
    found = survey(folder / _FILES, within)
    if found.problems or found.skipped or [each.path for each in found.files] != [file.path for file in manifest.files]:
        return False
    try:
        return all(digest(folder / _FILES / file.path, within) == (file.size, file.sha256) for file in manifest.files)
    except OSError:
        return False
