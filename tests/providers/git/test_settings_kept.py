"""What Git does not carry, kept where the bundle is kept: beside it, and sealed in the bucket that it is copied to."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyrage
import pytest

from defib.clock import Deadline, SystemClock
from defib.mirror.settings_file import read_settings
from defib.providers.git.mirror import GitMirror
from defib.providers.git.offsite import OffsiteCopy
from defib.providers.releases.memory import MemoryReleases
from defib.sites.git import Remote, Repository
from tests.mirror.settings_stage import SOURCE

KEY = "lab/pulse.bundle.github.settings.json.age"


def soon() -> Deadline:
    """A deadline."""
    return Deadline.after(SystemClock(), timedelta(seconds=20))


@pytest.fixture
def store() -> MemoryReleases:
    """The bucket."""
    return MemoryReleases(SystemClock())


def mirror(folder: Path, store: MemoryReleases | None, identity: pyrage.x25519.Identity) -> GitMirror:
    """A repository whose bundle stands in a folder of its own, and is copied where there is a bucket."""
    repository = Repository(name="pulse", remotes=(Remote(name="github", url="https://github.test/pulse.git"),))
    to, stamp = [str(identity.to_public())], folder / "pulse.copied"
    offsite = OffsiteCopy(lambda: store, "lab/pulse.bundle.age", to, stamp) if store is not None else None
    return GitMirror(folder / "pulse.git", repository, str, folder / "bundles" / "of.bundle", offsite=offsite)


def test_beside_the_bundle(tmp_path: Path) -> None:
    """Wherever the site file puts the bundle, the settings are in the same folder."""
    kept = mirror(tmp_path, None, pyrage.x25519.Identity.generate())
    assert kept.keep_settings("github", SOURCE, within=soon()) == ""
    file = tmp_path / "bundles" / "of.github.settings.json"
    assert read_settings(file.read_text(encoding="utf-8"), str(file)) == SOURCE


def test_whoever_has_the_key_gets_them_back(tmp_path: Path, store: MemoryReleases) -> None:
    """When this machine is gone as well: sealed under a key of its own, below that of the bundle."""
    identity = pyrage.x25519.Identity.generate()
    told = mirror(tmp_path, store, identity).keep_settings("github", SOURCE, within=soon())
    sealed = store.read(KEY, within=soon())
    assert KEY in told
    assert sealed is not None
    assert b"TOKEN" not in sealed
    assert read_settings(pyrage.decrypt(sealed, [identity]).decode(), KEY) == SOURCE


def test_asked_again_and_the_same(tmp_path: Path, store: MemoryReleases) -> None:
    """Another time of asking is no reason to copy them again; another branch is."""
    kept = mirror(tmp_path, store, pyrage.x25519.Identity.generate())
    later = replace(SOURCE, asked=SOURCE.asked + timedelta(minutes=15))
    for settings in (SOURCE, later):
        kept.keep_settings("github", settings, within=soon())
    assert store.calls["put"] == 1
    assert kept.keep_settings("github", replace(later, default_branch="trunk"), within=soon())
    assert store.calls["put"] == 2
