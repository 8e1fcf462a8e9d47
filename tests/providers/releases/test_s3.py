"""Releases at S3, over a real API: moto behind the lab's checks of signatures, and its faults."""

from __future__ import annotations

import base64
import hashlib
import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from defib.clock import Deadline, SystemClock
from defib.errors import Conflict, Denied, NotFound, StepFailed, Unavailable
from defib.lab.alone import RunningAws, serve_aws
from defib.lab.background import BackgroundLoop
from defib.lab.bucket import Bucket
from defib.lab.faults import Fault, FaultSwitch
from defib.lab.web import Request, Response, WebServer
from defib.providers.aws import AwsAccess
from defib.providers.releases.retrying import RetryingReleases
from defib.providers.releases.s3 import S3Releases
from defib.releases.crowd import Crowd
from defib.releases.deploy import deploy
from defib.releases.plan import Before
from defib.releases.retention import remove
from defib.releases.rules import ASK, MANIFEST, YEAR, Headers, key_of, manifest_key
from defib.releases.store import Upload
from defib.releases.tree import files_of
from defib.releases.verify import verify
from tests.providers.releases.store_contract import HEADERS, ReleaseStoreContract, StoreWorld, upload
from tests.releases.site_stage import BUILT, FIRST, RETENTION, SECOND, SITE, write

CLOCK = SystemClock()
_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """AWS of the lab."""
    with serve_aws() as running:
        yield running


def access(aws: RunningAws, secret_key: str = "", endpoint: str = "") -> AwsAccess:
    """The lab's credentials, or its key with another secret."""
    keys = aws.credentials
    return AwsAccess("us-east-1", endpoint or aws.endpoint, keys.access_key, secret_key or keys.secret_key)


@dataclass(frozen=True)
class World(StoreWorld):
    """A bucket of its own, as the adapter and as boto3 see it."""

    bucket: Bucket
    aws: RunningAws

    def boto3(self) -> Any:
        """AWS's own client, for a second opinion."""
        return access(self.aws).session().client("s3", endpoint_url=self.aws.endpoint)

    def uploads_in_parts(self) -> list[Any]:
        """What lies in the bucket unfinished."""
        return list(self.boto3().list_multipart_uploads(Bucket=self.bucket.name).get("Uploads", []))

    def deploy(self, site: Path, commit: str = FIRST, parallel: int = 8) -> Any:
        """One run with retries, as a flow makes it."""
        store = RetryingReleases(self.store, random.Random(1))
        before, crowd = Before(None, RETENTION, CLOCK.now()), Crowd(parallel)
        read = partial(files_of, site, within=self.soon())
        return deploy(store, commit, read, BUILT, before, within=self.soon(120), crowd=crowd)


@pytest.fixture
def world(aws: RunningAws) -> Iterator[World]:
    """An empty bucket; S3 is healed afterwards."""
    bucket = Bucket(f"releases-{next(_NUMBERS)}")
    bucket.create()
    yield World(S3Releases(bucket.name, access(aws)), CLOCK, bucket, aws)
    aws.set_fault("s3", None)


class TestS3Releases(ReleaseStoreContract):
    @pytest.fixture
    def world(self, world: World) -> StoreWorld:
        """The same, for the contract."""
        return world


class SomeFail(FaultSwitch):
    """Answers a share of all requests with 503 SlowDown, as S3 does where requests come too fast."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self._share, self._chance = share, random.Random(4)
        self.refused = 0

    def spend(self) -> Fault | None:
        if self._chance.random() >= self._share:
            return None
        self.refused += 1
        return Fault("429")


@contextmanager
def some_fail(aws: RunningAws, share: float) -> Iterator[SomeFail]:
    """S3 with a share of failures."""
    before, aws.aws.switches["s3"] = aws.aws.switches["s3"], SomeFail(share)
    try:
        failing = aws.aws.switches["s3"]
        assert isinstance(failing, SomeFail)
        yield failing
    finally:
        aws.aws.switches["s3"] = before


def test_slow_down(world: World, tmp_path: Path) -> None:
    """R7: with 503 SlowDown on 2 % of all requests every object is there and verified, by somebody else's count too."""
    names = {f"assets/f{number}.png": f"picture {number}" for number in range(150)} | SITE
    with some_fail(world.aws, 0.02) as failing:
        done = world.deploy(write(tmp_path, names))
    assert failing.refused > 0
    assert {key_of(FIRST, name) for name in (*names, MANIFEST)} == set(world.bucket.keys())
    assert len(names) == done.uploaded
    assert FIRST == verify(world.store, FIRST, within=world.soon()).commit


def test_a_write_that_never_happened(world: World, tmp_path: Path) -> None:
    """R8: S3 answers every write with 200 and stores nothing; the first missing objects are named."""
    world.aws.set_fault("s3", Fault("lying"))
    with pytest.raises(StepFailed) as failed:
        world.deploy(write(tmp_path, SITE))
    assert "is missing in the listing" in failed.value.seen
    assert () == world.bucket.keys()


def test_a_second_run(world: World, tmp_path: Path) -> None:
    """R6: the same again uploads nothing, and after half of it was lost, only that half."""
    site = write(tmp_path, SITE)
    world.deploy(site)
    assert 0 == world.deploy(site).uploaded
    lost = [key_of(FIRST, path) for path in list(SITE)[:3]]
    world.store.delete([*lost, manifest_key(FIRST)], within=world.soon())
    assert len(lost) == world.deploy(site).uploaded


def test_other_headers_by_somebody_else(world: World, tmp_path: Path) -> None:
    """R11: headers that somebody changed in place, which leaves the ETag as it is, are found and put right."""
    site = write(tmp_path, SITE)
    world.deploy(site)
    key = key_of(FIRST, "index.html")
    CLOCK.sleep(timedelta(seconds=1.1))  # S3's times are whole seconds
    world.boto3().copy_object(
        Bucket=world.bucket.name,
        Key=key,
        CopySource={"Bucket": world.bucket.name, "Key": key},
        MetadataDirective="REPLACE",
        CacheControl="max-age=31536000",
        ContentType="text/html",
        Metadata={"sha256": hashlib.sha256(SITE["index.html"].encode()).hexdigest()},
    )
    assert 1 == world.deploy(site).uploaded
    seen = world.boto3().head_object(Bucket=world.bucket.name, Key=key)
    assert ("text/html; charset=utf-8", ASK) == (seen["ContentType"], seen["CacheControl"])


def test_what_others_see(world: World, tmp_path: Path) -> None:
    """R12, R13: AWS's own client sees the headers and the metadata."""
    world.deploy(write(tmp_path, SITE))
    seen = world.boto3().head_object(Bucket=world.bucket.name, Key=key_of(FIRST, "assets/app.3f2a9c1b.js"))
    content = SITE["assets/app.3f2a9c1b.js"].encode()
    assert ("text/javascript; charset=utf-8", YEAR) == (seen["ContentType"], seen["CacheControl"])
    assert {"sha256": hashlib.sha256(content).hexdigest()} == seen["Metadata"]


def test_what_goes_over_the_wire() -> None:
    """Each body goes with its SHA-256, signed and for S3 to keep, so that S3 refuses what was damaged on the way."""
    asked: list[Request] = []

    async def answer(request: Request) -> Response:
        asked.append(request)
        return Response(200, (("ETag", '"x"'),))

    keys = AwsAccess("us-east-1", "", "AKIAEXAMPLE", "secret")
    with BackgroundLoop() as loop:
        server = WebServer("127.0.0.1", 0, answer)
        loop.run(server.start())
        S3Releases("bucket", replace(keys, endpoint=server.url)).put(
            upload("releases/a/x"), within=Deadline.after(CLOCK, timedelta(seconds=10))
        )
        loop.run(server.stop())
    (request,) = asked
    digest = hashlib.sha256(request.body)
    assert ("PUT", "/bucket/releases/a/x", b"content") == (request.method, request.target, request.body)
    assert digest.hexdigest() == request.headers["x-amz-content-sha256"]
    assert base64.b64encode(digest.digest()).decode() == request.headers["x-amz-checksum-sha256"]
    assert "x-amz-content-sha256" in request.headers["authorization"]


def large(tmp_path: Path) -> tuple[Path, Upload]:
    """A file that goes in parts."""
    content = random.Random(3).randbytes(17 * 1024 * 1024)
    source = tmp_path / "large.bin"
    source.write_bytes(content)
    return source, upload("releases/a/large.bin", content, source=source)


def test_a_large_file_goes_in_parts(world: World, tmp_path: Path) -> None:
    """Above 16 MiB a file goes in parts, arrives whole, and keeps headers and hash."""
    _, wanted = large(tmp_path)
    etag = world.store.put(wanted, within=world.soon())
    found = world.store.head(wanted.key, within=world.soon())
    assert found is not None
    assert (wanted.size, etag, wanted.sha256, HEADERS) == (found.size, found.etag, found.sha256, found.headers)
    assert etag.endswith("-3")
    stored = world.bucket.get(wanted.key)
    assert stored is not None
    assert wanted.sha256 == hashlib.sha256(stored.body).hexdigest()


def test_a_large_file_that_changed(world: World, tmp_path: Path) -> None:
    """A large file that is written to while it is uploaded is not stored, and none of its parts stay."""
    source, wanted = large(tmp_path)
    with source.open("r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"\0" if source.read_bytes()[-1] else b"\1")
    with pytest.raises(Conflict, match="not what it was"):
        world.store.put(wanted, within=world.soon())
    assert () == world.bucket.keys()
    assert [] == world.uploads_in_parts()


def test_a_large_file_and_too_little_time(world: World, tmp_path: Path) -> None:
    """A large file that takes longer than it may is given up, whatever of it still lands."""
    _, wanted = large(tmp_path)
    world.aws.set_fault("s3", Fault("slow", {"delay": 0.4}))
    began = CLOCK.monotonic()
    with pytest.raises(Unavailable):
        world.store.put(wanted, within=Deadline.after(CLOCK, timedelta(seconds=0.9)))
    assert CLOCK.monotonic() - began < timedelta(seconds=20)


def test_more_than_a_thousand(world: World) -> None:
    """A release of more than 1,000 objects, which are several pages and batches, is listed and removed as a whole."""
    bucket = world.boto3()
    backend = world.bucket
    for number in range(1100):
        backend_put(backend, f"{key_of(FIRST, '')}f{number}")
    bucket.put_object(Bucket=backend.name, Key=key_of(SECOND, "index.html"), Body=b"stays")
    assert 1100 == len(world.store.list(key_of(FIRST, ""), within=world.soon()))
    assert 1100 == remove(world.store, FIRST, within=world.soon())
    assert (key_of(SECOND, "index.html"),) == backend.keys()


def backend_put(bucket: Bucket, key: str) -> None:
    """Store something past the API."""
    bucket._backend.put_object(bucket.name, key, b"x")


def test_wrong_credentials(world: World) -> None:
    """Denied, with what to do."""
    store = S3Releases(world.bucket.name, access(world.aws, "wrong" * 8))
    with pytest.raises(Denied) as denied:
        store.list("releases/", within=world.soon())
    assert "SignatureDoesNotMatch" in denied.value.seen
    with pytest.raises(Denied):
        store.put(upload("releases/a/x"), within=world.soon())
    assert "wrong" * 8 not in str(denied.value)


def test_no_such_bucket(world: World) -> None:
    """NotFound, with the bucket."""
    store = S3Releases("no-such-bucket", access(world.aws))
    with pytest.raises(NotFound, match="no-such-bucket"):
        store.list("releases/", within=world.soon())
    with pytest.raises(NotFound, match="NoSuchBucket"):
        store.read("releases/a/x", within=world.soon())


@pytest.mark.parametrize("key", ["releases/a//x", "releases/a/../x", "releases/a/./x"])
def test_a_key_that_is_no_path(world: World, key: str) -> None:
    """An object of somebody else whose key is no path is told as such at once; waiting would not help."""
    backend_put(world.bucket, key)
    with pytest.raises(NotFound) as found:
        world.store.list("releases/a/", within=world.soon())
    assert key in found.value.seen


@pytest.mark.parametrize("fault", ["429", "500"])
def test_s3_cannot_answer(world: World, fault: str) -> None:
    """Unavailable at once: trying again is for whoever knows the deadline."""
    world.aws.set_fault("s3", Fault(fault))
    for call in (
        lambda: world.put("releases/a/x"),
        lambda: world.store.list("releases/a/", within=world.soon()),
        lambda: world.store.head("releases/a/x", within=world.soon()),
        lambda: world.store.delete(["releases/a/x"], within=world.soon()),
    ):
        with pytest.raises(Unavailable):
            call()


def test_s3_hangs(world: World) -> None:
    """Unavailable by the deadline."""
    world.aws.set_fault("s3", Fault("hang"))
    began = CLOCK.monotonic()
    with pytest.raises(Unavailable):
        world.store.put(upload("releases/a/x"), within=Deadline.after(CLOCK, timedelta(seconds=0.5)))
    assert CLOCK.monotonic() - began < timedelta(seconds=20)


def test_nobody_listens(world: World) -> None:
    """Unavailable."""
    store = S3Releases(world.bucket.name, access(world.aws, endpoint="http://127.0.0.1:9"))
    with pytest.raises(Unavailable, match="no answer"):
        store.list("releases/", within=world.soon())


def test_what_the_environment_says(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither another endpoint, nor a session's token, nor a proxy of the environment reaches a store that has its keys."""
    for name, value in {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_SESSION_TOKEN": "somebody else's",
        "AWS_SKIP_SIGNATURE": "true",
        "AWS_REGION": "eu-west-9",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    store = S3Releases(world.bucket.name, access(world.aws))
    store.put(upload("releases/a/x"), within=world.soon())
    assert ("releases/a/x",) == world.bucket.keys()


def test_credentials_of_the_environment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without keys in the site file those are used that boto3 finds."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", world.aws.credentials.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", world.aws.credentials.secret_key)
    store = S3Releases(world.bucket.name, AwsAccess("us-east-1", world.aws.endpoint))
    store.put(upload("releases/a/x", headers=Headers("text/plain", ASK)), within=world.soon())
    assert ("releases/a/x",) == world.bucket.keys()


def test_no_credentials_at_all(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where nobody has a key it is Denied, with what to do, and nothing is sent."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = S3Releases(world.bucket.name, AwsAccess("us-east-1", world.aws.endpoint))
    with pytest.raises(Denied, match="no usable credentials"):
        store.put(upload("releases/a/x"), within=world.soon())
