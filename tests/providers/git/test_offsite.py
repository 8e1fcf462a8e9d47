"""The copy of a bundle in a bucket: sealed before it leaves, opened by who has the key, believed once it is there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyrage
import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import InputError, StepFailed
from defib.providers.git.bundle import added_to, is_whole
from defib.providers.git.offsite import OffsiteCopy
from defib.providers.releases.memory import MemoryReleases
from defib.releases.store import ReleaseStore, Stored
from tests.providers.git.repository import Repository
from tests.releases.site_stage import Around

KEY = "lab/pulse.bundle.age"


def soon() -> Deadline:
    """A deadline."""
    return Deadline.after(SystemClock(), timedelta(seconds=20))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of one commit."""
    repository = Repository.make(tmp_path / "pulse.git")
    repository.commit({"index.html": "a page that nobody else may read"})
    return repository.bundle(tmp_path / "pulse.bundle")


def copy(tmp_path: Path, store: ReleaseStore, *recipients: str) -> OffsiteCopy:
    """A copy to these recipients."""
    return OffsiteCopy(lambda: store, KEY, recipients, tmp_path / "copied")


def test_whoever_has_the_key_gets_the_bundle_back(tmp_path: Path, bundle: Path) -> None:
    """What is in the bucket is no bundle; opened with the private key it is the bundle to the byte."""
    identity, store = pyrage.x25519.Identity.generate(), MemoryReleases(SystemClock())
    told = copy(tmp_path, store, str(identity.to_public())).keep(bundle, within=soon())
    sealed = store.read(KEY, within=soon())
    assert sealed is not None
    assert KEY in told
    assert b"git bundle" not in sealed
    back = tmp_path / "back.bundle"
    back.write_bytes(pyrage.decrypt(sealed, [identity]))
    assert (back.read_bytes() == bundle.read_bytes(), is_whole(back, soon())) == (True, True)


def test_the_same_bundle_is_copied_once(tmp_path: Path, bundle: Path) -> None:
    """What was copied is not sent again; another bundle is."""
    store = MemoryReleases(SystemClock())
    kept = copy(tmp_path, store, str(pyrage.x25519.Identity.generate().to_public()))
    kept.keep(bundle, within=soon())
    assert (kept.keep(bundle, within=soon()), store.calls["put"]) == ("", 1)
    bundle.write_bytes(bundle.read_bytes() + b"more")
    assert kept.keep(bundle, within=soon())


def test_what_was_added_is_copied_in_its_turn(tmp_path: Path, bundle: Path) -> None:
    """What was added to the bundle goes there under a name of its own, and the bundle is not sent again for it."""
    identity, store = pyrage.x25519.Identity.generate(), MemoryReleases(SystemClock())
    kept = copy(tmp_path, store, str(identity.to_public()))
    kept.keep(bundle, within=soon())
    added_to(bundle).write_bytes(b"what was added")
    assert "lab/pulse.bundle.added.age" in kept.keep(bundle, within=soon())
    sealed = store.read("lab/pulse.bundle.added.age", within=soon())
    assert sealed is not None
    assert pyrage.decrypt(sealed, [identity]) == b"what was added"
    assert (kept.keep(bundle, within=soon()), store.calls["put"]) == ("", 2)


def test_a_store_that_keeps_something_else_is_not_believed(tmp_path: Path, bundle: Path) -> None:
    """A copy that is not there with its SHA-256 is no copy, and is made anew the next time."""

    class Lossy(Around):
        def head(self, key: str, *, within: Deadline) -> Stored | None:
            del key, within
            return None

    store = MemoryReleases(SystemClock())
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    with pytest.raises(StepFailed, match="is not what was sent"):
        copy(tmp_path, Lossy(store), recipient).keep(bundle, within=soon())
    assert copy(tmp_path, store, recipient).keep(bundle, within=soon())


def test_a_recipient_that_is_none(tmp_path: Path) -> None:
    """A mistyped recipient is refused before anything is read."""
    with pytest.raises(InputError, match="not an age recipient"):
        copy(tmp_path, MemoryReleases(SystemClock()), "age1nobody")
