"""Deploys: what is written, in which order, and when a release counts as complete."""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import BudgetSpent, Denied, Interrupted, StepFailed, Unavailable
from defib.providers.releases.retrying import RetryingReleases
from defib.releases.crowd import Crowd
from defib.releases.piece import Piece
from defib.releases.plan import Before, Reason, plan_of
from defib.releases.retention import releases
from defib.releases.rules import ASK, MANIFEST, YEAR, Headers, key_of
from defib.releases.store import Listed, ReleaseStore, Stored, Upload
from defib.releases.verify import verify
from tests.releases.site_stage import BUILT, FIRST, RETENTION, SECOND, SITE, THIRD, Around, Stage, file_of, upload, write


@pytest.fixture
def stage() -> Stage:
    """An empty store and a simulated clock."""
    return Stage()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The built site."""
    return write(tmp_path / "site", SITE)


class Recording(Around):
    """Keeps the order of the writes."""

    def __init__(self, inner: ReleaseStore) -> None:
        super().__init__(inner)
        self.written: list[str] = []

    def put(self, upload: Upload, *, within: Deadline) -> str:
        self.written.append(upload.key.removeprefix(key_of(FIRST, "")))
        return super().put(upload, within=within)


class Dying(Around):
    """Dies at the put of that number: nothing of it, and nothing after it, happens."""

    def __init__(self, inner: ReleaseStore, number: int) -> None:
        super().__init__(inner)
        self.left = number

    def put(self, upload: Upload, *, within: Deadline) -> str:
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt
        return super().put(upload, within=within)


class Without(Around):
    """Its listing lacks one key; everything else is true."""

    def __init__(self, inner: ReleaseStore, path: str) -> None:
        super().__init__(inner)
        self.path = path

    def list(self, prefix: str, *, within: Deadline) -> tuple[Listed, ...]:
        return tuple(each for each in super().list(prefix, within=within) if not each.key.endswith(self.path))


def test_everything_is_there_with_its_headers(stage: Stage, site: Path) -> None:
    """Every file is an object of its commit's release, with type and cache rule, and the manifest says so."""
    done = stage.deploy(site)
    assert set(SITE) | {MANIFEST} == stage.paths()
    assert (b"chunk one", Headers("text/javascript; charset=utf-8", YEAR)) == stage.served("assets/app.3f2a9c1b.js")
    assert (b"run()", Headers("text/javascript; charset=utf-8", ASK)) == stage.served("main.dart.js")
    assert (len(SITE), sum(map(len, SITE.values()))) == (done.uploaded, done.sent)
    told = json.loads(stage.served(MANIFEST)[0])
    assert (FIRST, len(SITE), done.sent) == (told["commit"], told["count"], told["total"])
    assert (BUILT, done.manifest.digest) == (done.manifest.built, told["digest"])


def test_pages_come_last_and_the_manifest_after_them(stage: Stage, site: Path) -> None:
    """Nobody ever gets a page that names what is not there yet."""
    store = Recording(stage.memory)
    stage.deploy(site, store=store)
    hashed, pages = {"assets/app.3f2a9c1b.js"}, {"index.html", "about/index.html"}
    assert hashed == set(store.written[:1])
    assert pages == set(store.written[-3:-1])
    assert MANIFEST == store.written[-1]


def test_a_second_run_writes_nothing(stage: Stage, site: Path) -> None:
    """The same build again costs one listing and the manifest, and no write."""
    stage.deploy(site)
    done = stage.deploy(site)
    assert {"list": 1, "read": 1} == stage.memory.calls
    assert (0, 0) == (done.uploaded, done.sent)


def test_dying_after_half_of_it(stage: Stage, site: Path) -> None:
    """R6: whoever dies after half the uploads leaves the live release alone; the next run writes only the rest."""
    stage.deploy(write(site.parent / "old", {"index.html": "old"}), SECOND)
    before = stage.memory.list(key_of(SECOND, ""), within=stage.soon())
    with pytest.raises(KeyboardInterrupt):
        stage.deploy(site, store=Dying(stage.memory, 3))
    assert [(FIRST, False), (SECOND, True)] == sorted(
        (each.commit, each.complete) for each in releases(stage.memory, SECOND, within=stage.soon(), crowd=stage.crowd)
    )
    assert before == stage.memory.list(key_of(SECOND, ""), within=stage.soon())
    done = stage.deploy(site)
    assert len(SITE) - 3 == done.uploaded
    assert len(SITE) - 3 + 1 == stage.memory.calls["put"]
    assert set(SITE) | {MANIFEST} == stage.paths()


def test_slow_down(stage: Stage, tmp_path: Path) -> None:
    """R7: every fiftieth PUT is answered with 503, and at the end every object is there and verified."""
    names = {f"assets/f{number}.png": str(number) for number in range(200)}
    site = write(tmp_path / "many", names)
    chance = random.Random(7)

    class Busy(Around):
        refused = 0

        def put(self, upload: Upload, *, within: Deadline) -> str:
            if chance.random() < 0.02:
                Busy.refused += 1
                raise Unavailable("slow down")
            return super().put(upload, within=within)

    store = RetryingReleases(Busy(stage.memory), random.Random(1))
    done = stage.deploy(site, store=store)
    assert Busy.refused > 0
    assert Busy.refused == store.repeated
    assert set(names) == {entry.path for entry in done.manifest.entries}
    assert set(names) | {MANIFEST} == stage.paths()


def test_a_store_that_stays_down_ends_by_the_deadline(stage: Stage, site: Path) -> None:
    """R7: retries end with the time that was given, and the error says what was tried."""
    stage.memory.failures.schedule(Unavailable("slow down"), calls=10_000, methods=["put"])
    began = stage.clock.monotonic()
    with pytest.raises(Unavailable, match="no time is left"):
        stage.deploy(site, store=RetryingReleases(stage.memory, random.Random(1)))
    assert stage.clock.monotonic() - began <= timedelta(seconds=600)


def test_a_listing_that_lacks_a_key(stage: Stage, site: Path) -> None:
    """R8: what was uploaded and is not listed is named, and the release does not count as complete."""
    with pytest.raises(StepFailed) as failed:
        stage.deploy(site, store=Without(stage.memory, "main.dart.js"))
    assert "main.dart.js is missing in the listing" in failed.value.seen
    assert MANIFEST not in stage.paths()
    with pytest.raises(StepFailed, match="not complete"):
        verify(stage.memory, FIRST, within=stage.soon(), crowd=stage.crowd)


def test_old_chunks_stay(stage: Stage, site: Path) -> None:
    """R9: who holds the old page gets its old chunk from the new release, for the retention and no longer."""
    first = stage.deploy(site).manifest
    chunk, moved = "assets/app.3f2a9c1b.js", "assets/app.9d8c7b6a.js"
    (site / chunk).rename(site / moved)
    second = stage.deploy(site, SECOND, live=first)
    assert (1, ()) == (second.carried, second.lost)
    assert stage.served(chunk) == stage.served(chunk, SECOND)
    again = stage.deploy(site, SECOND, live=second.manifest)
    assert (0, 0, second.manifest) == (again.uploaded, again.carried, again.manifest)
    assert {"list", "read"} == set(stage.memory.calls)
    stage.clock.sleep(RETENTION - timedelta(days=1))
    assert chunk in {entry.path for entry in stage.deploy(site, THIRD, live=second.manifest).manifest.entries}
    stage.clock.sleep(timedelta(days=2))
    fourth = stage.deploy(site, "4" * 40, live=second.manifest)
    assert chunk not in {entry.path for entry in fourth.manifest.entries}


def test_a_chunk_that_is_gone_is_named(stage: Stage, site: Path) -> None:
    """R9: what can no longer be carried on stops no deploy, and is named."""
    first = stage.deploy(site).manifest
    stage.memory.delete([key_of(FIRST, "assets/app.3f2a9c1b.js")], within=stage.soon())
    (site / "assets/app.3f2a9c1b.js").unlink()
    assert ("assets/app.3f2a9c1b.js",) == stage.deploy(site, SECOND, live=first).lost


def test_a_carried_chunk_that_was_changed(stage: Stage, site: Path) -> None:
    """R9: a carried chunk that somebody has overwritten is named and no longer vouched for, and stops no deploy."""
    first = stage.deploy(site).manifest
    chunk = "assets/app.3f2a9c1b.js"
    (site / chunk).unlink()
    assert 1 == stage.deploy(site, SECOND, live=first).carried
    stage.memory.put(upload(key_of(SECOND, chunk), b"other"), within=stage.soon())
    done = stage.deploy(site, SECOND)
    assert (chunk,) == done.lost
    assert chunk not in done.manifest.by_path()


def test_same_size_and_older(stage: Stage, site: Path) -> None:
    """R10: index.html changed, of the same size and with an older time, is deployed."""
    stage.deploy(site)
    page = site / "index.html"
    page.write_text(page.read_text().replace("main", "mein"), encoding="utf-8")
    os.utime(page, (1, 1))
    done = stage.deploy(site)
    assert 1 == done.uploaded
    assert page.read_bytes() == stage.served("index.html")[0]


def test_only_the_headers_changed(stage: Stage, site: Path) -> None:
    """R11: an object that somebody stored with another Cache-Control gets the right one, and nothing else is written."""
    stage.deploy(site)
    stage.clock.sleep(timedelta(seconds=5))
    old = upload(key_of(FIRST, "index.html"), SITE["index.html"].encode(), Headers("text/html; charset=utf-8", YEAR))
    stage.memory.put(old, within=stage.soon())
    plan = plan_of(
        stage.memory,
        FIRST,
        lambda: [file_of(site, path) for path in SITE],
        Before(None, RETENTION, stage.clock.now()),
        within=stage.soon(),
        crowd=stage.crowd,
    )
    assert [("index.html", Reason.HEADERS)] == [(due.piece.path, due.reason) for due in plan.due]
    assert 1 == stage.deploy(site).uploaded
    assert ASK == stage.served("index.html")[1].cache_control


def test_a_new_rule_is_deployed(stage: Stage, site: Path) -> None:
    """R11: where our own rule for a file changed and its content did not, the object gets the new headers."""
    stage.deploy(site)
    files = [file_of(site, path) for path in SITE]
    ruled = [file if file.path != "version.json" else _with_cache(file, "no-store") for file in files]
    done = stage.deploy(site, files=ruled)
    assert 1 == done.uploaded
    assert "no-store" == stage.served("version.json")[1].cache_control


def _with_cache(file: Piece, rule: str) -> Piece:
    return file._replace(headers=Headers(file.headers.content_type, rule))


def test_a_wrong_object_under_the_right_name(stage: Stage, site: Path) -> None:
    """A write that was answered well and stored something else is found before anybody is sent there."""

    class Lying(Around):
        def put(self, upload: Upload, *, within: Deadline) -> str:
            told = super().put(upload, within=within)
            if upload.key.endswith("main.dart.js"):
                super().put(_other(upload), within=within)
            return told

    with pytest.raises(StepFailed, match=r"main\.dart\.js has the ETag"):
        stage.deploy(site, store=Lying(stage.memory))
    assert MANIFEST not in stage.paths()


def _other(true: Upload) -> Upload:
    return upload(true.key, b"x" * true.size, true.headers)


def test_headers_that_were_not_kept(stage: Stage, site: Path) -> None:
    """A store that loses headers is no place for a site: the object and both headers are named."""

    class Careless(Around):
        def head(self, key: str, *, within: Deadline) -> Stored | None:
            found = super().head(key, within=within)
            if found is None:
                return None
            return Stored(found.key, found.size, found.etag, found.sha256, Headers("binary/octet-stream", ""))

    with pytest.raises(StepFailed, match="binary/octet-stream"):
        stage.deploy(site, store=Careless(stage.memory))


def test_headers_of_one_page_that_were_not_kept(stage: Stage, site: Path) -> None:
    """R11: pages are looked at one by one: a page that is kept is an old application."""

    class Forgetful(Around):
        def put(self, upload: Upload, *, within: Deadline) -> str:
            wrong = upload.key.endswith("about/index.html")
            return super().put(replace(upload, headers=Headers("text/html", YEAR)) if wrong else upload, within=within)

    with pytest.raises(StepFailed, match=r"about/index\.html is served with"):
        stage.deploy(site, store=Forgetful(stage.memory))


def test_who_was_written_and_listed_back_is_asked_for_by_kind(stage: Stage, tmp_path: Path) -> None:
    """Beside the pages one object of each kind is asked for; all are listed, with what their writes were answered."""
    scripts = {f"assets/app.{number:08x}a1.js": f"{number}" for number in range(20)}
    pictures = {f"assets/logo.{number:08x}a1.png": f"{number}" for number in range(20)}
    done = stage.deploy(write(tmp_path / "many", {"index.html": "page", **scripts, **pictures}))
    assert (41, 3) == (done.uploaded, stage.memory.calls["head"])


def test_while_it_is_written_anew_it_is_not_complete(stage: Stage, site: Path) -> None:
    """A release whose objects are being replaced does not count as complete until they have been listed back."""
    stage.deploy(site)
    (site / "version.json").write_text("2", encoding="utf-8")
    with pytest.raises(KeyboardInterrupt):
        stage.deploy(site, store=Dying(stage.memory, 0))
    assert MANIFEST not in stage.paths()


def test_what_is_no_longer_built_stays(stage: Stage, site: Path) -> None:
    """Another build of the same commit removes nothing: somebody may hold its page. It is told."""
    stage.deploy(site)
    (site / "assets/canvaskit.wasm").unlink()
    done = stage.deploy(site)
    assert (key_of(FIRST, "assets/canvaskit.wasm"),) == done.extra
    assert "assets/canvaskit.wasm" in stage.paths()


def test_a_broken_manifest_vouches_for_nothing(stage: Stage, site: Path) -> None:
    """A manifest that was cut counts as none: everything is asked for, nothing is written but a manifest."""
    stage.deploy(site)
    whole = stage.served(MANIFEST)[0]
    stage.memory.put(upload(key_of(FIRST, MANIFEST), whole[:-40]), within=stage.soon())
    done = stage.deploy(site)
    assert (0, 1) == (done.uploaded, stage.memory.calls["put"])
    assert done.manifest == verify(stage.memory, FIRST, within=stage.soon(), crowd=stage.crowd)


def test_verify_finds_what_was_changed_since(stage: Stage, site: Path) -> None:
    """R17: before users are sent back to a release, whatever was written into it since is found."""
    stage.deploy(site)
    assert FIRST == verify(stage.memory, FIRST, within=stage.soon(), crowd=stage.crowd).commit
    stage.memory.put(upload(key_of(FIRST, "main.dart.js"), b"evil!"), within=stage.soon())
    with pytest.raises(StepFailed, match=r"main\.dart\.js has the SHA-256"):
        verify(stage.memory, FIRST, within=stage.soon(), crowd=stage.crowd)


def test_the_first_failure_stops_the_rest(site: Path) -> None:
    """Where the credentials are refused nothing more is tried, and the error is S3's own."""
    stage = Stage(clock=SystemClock(), crowd=Crowd(parallel=2))
    stage.memory.failures.schedule(Denied("no"), calls=10_000, methods=["put"])
    with pytest.raises(Denied):
        stage.deploy(site)
    assert stage.memory.calls["put"] <= 2


def test_interrupted(stage: Stage, site: Path) -> None:
    """A signal ends a deploy between two objects."""

    class Stopping(Around):
        def put(self, upload: Upload, *, within: Deadline) -> str:
            stage.clock.interrupt()
            return super().put(upload, within=within)

    with pytest.raises(Interrupted):
        stage.deploy(site, store=Stopping(stage.memory))
    assert 1 == stage.memory.calls["put"]


def test_no_time_is_left(stage: Stage, site: Path) -> None:
    """A deadline that is over in the middle of it ends it, by name."""

    class Slow(Around):
        def put(self, upload: Upload, *, within: Deadline) -> str:
            stage.clock.sleep(timedelta(seconds=400))
            return super().put(upload, within=within)

    with pytest.raises((BudgetSpent, Unavailable)):
        stage.deploy(site, store=Slow(stage.memory))
    assert stage.memory.calls["put"] <= 2


def test_many_at_once(tmp_path: Path) -> None:
    """Sixteen threads lose nothing."""
    names = {f"assets/f{number}.png": str(number) for number in range(500)}
    stage = Stage(clock=SystemClock(), crowd=Crowd())
    stage.deploy(write(tmp_path, names))
    assert set(names) | {MANIFEST} == stage.paths()
