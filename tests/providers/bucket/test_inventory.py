"""Inventories as they lie in S3: found, checked, read; and what is none, or not whole, or not enough."""

from __future__ import annotations

import hashlib
import io
import itertools
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import boto3
import pytest

from defib.clock import Deadline, SimulatedClock, SystemClock
from defib.errors import Denied, NotFound, ProviderError, Unavailable
from defib.lab.alone import RunningAws, serve_aws
from defib.providers.attempts import Backoff
from defib.providers.aws import AwsAccess
from defib.providers.bucket.inventory import S3Inventories
from defib.providers.bucket.inventory_files import columns_of, of_csv, of_parquet
from defib.replication.port import Version
from tests.providers.bucket.inventory_stage import (
    CSV_SCHEMA,
    CURRENT_SCHEMA,
    PARQUET_SCHEMA,
    InventoryDesk,
    as_csv,
    as_parquet,
    some_versions,
)

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
WRITTEN = datetime(2026, 1, 1, tzinfo=UTC)
VERSIONS = some_versions(60, WRITTEN)
NUMBER = itertools.count()


@pytest.fixture(scope="module")
def aws() -> Iterator[RunningAws]:
    """The lab's AWS."""
    with serve_aws() as running:
        yield running


@pytest.fixture
def access(aws: RunningAws) -> AwsAccess:
    """Its keys."""
    return AwsAccess("us-east-1", aws.endpoint, aws.credentials.access_key, aws.credentials.secret_key)


@pytest.fixture
def desk(access: AwsAccess) -> InventoryDesk:
    """Who writes the inventories of ``assets``, into a new bucket."""
    client = boto3.Session(access.access_key, access.secret_key, region_name=access.region).client(
        "s3", endpoint_url=access.endpoint
    )
    bucket = f"inventories-{next(NUMBER)}"
    client.create_bucket(Bucket=bucket)
    return InventoryDesk(client, "assets", bucket, "lists/assets/all")


def inventories(desk: InventoryDesk, access: AwsAccess, *, versions: bool = True) -> S3Inventories:
    """The adapter, which is not patient."""
    backoff = Backoff(timedelta(milliseconds=1), attempt=timedelta(seconds=2))
    return S3Inventories(desk.of, desk.bucket, desk.prefix, access, versions=versions, backoff=backoff)


def soon(seconds: float = 20) -> Deadline:
    """Time enough, on the day of the lists."""
    return Deadline.after(_Then(), timedelta(seconds=seconds))


class _Then(SystemClock):
    """The machine's clock, with another date."""

    def now(self) -> datetime:
        return NOW


def read(told: S3Inventories) -> list[Version]:
    """All that is on the newest list."""
    return sorted(each for some in told.read(told.newest(within=soon()), within=soon()) for each in some)


@pytest.mark.parametrize("kind", ["CSV", "Parquet"])
@pytest.mark.parametrize("parts", [1, 7])
def test_a_list_is_what_the_bucket_holds(desk: InventoryDesk, access: AwsAccess, kind: str, parts: int) -> None:
    """Versions, markers, null ids and strange keys, in any number of files, of either format."""
    folder = desk.write(VERSIONS, NOW - timedelta(hours=7), kind, parts=parts)
    told = inventories(desk, access)
    newest = told.newest(within=soon())
    assert (newest.began, newest.where) == (NOW - timedelta(hours=7), f"s3://{desk.bucket}/{folder}")
    assert read(told) == sorted(VERSIONS)


def test_an_empty_bucket(desk: InventoryDesk, access: AwsAccess) -> None:
    """Its list has no files."""
    desk.write([], NOW)
    assert read(inventories(desk, access)) == []


def test_the_newest_complete_list_is_taken(desk: InventoryDesk, access: AwsAccess) -> None:
    """Not one that S3 is still writing, which has no manifest yet, nor an older one."""
    desk.write(VERSIONS[:5], NOW - timedelta(days=2))
    desk.write(VERSIONS[:9], NOW - timedelta(days=1))
    desk.write(VERSIONS, NOW - timedelta(hours=1), complete=False)
    assert len(read(inventories(desk, access))) == 9


def test_what_keys_hold_now(desk: InventoryDesk, access: AwsAccess) -> None:
    """Of a list of all versions, where the pair is compared without them: no older ones, no markers, no ids."""
    desk.write(VERSIONS, NOW)
    wanted = sorted(each._replace(id="") for each in VERSIONS if each.latest and not each.marker)
    assert read(inventories(desk, access, versions=False)) == wanted


def test_a_list_of_what_keys_hold_now(desk: InventoryDesk, access: AwsAccess) -> None:
    """It is enough for a pair without versions, and not for one with."""
    now = [each._replace(id="") for each in VERSIONS if each.latest and not each.marker]
    body = as_csv(desk.of, now, CURRENT_SCHEMA)
    file = {"key": "lists/data/now.csv.gz", "size": len(body), "MD5checksum": _md5(body)}
    desk.put("lists/data/now.csv.gz", body)
    folder = desk.write([], NOW)
    desk.manifest(folder, NOW, "CSV", [file], fileSchema=CURRENT_SCHEMA)
    assert read(inventories(desk, access, versions=False)) == sorted(now)
    with pytest.raises(NotFound, match="lacks fields") as caught:
        inventories(desk, access).newest(within=soon())
    assert caught.value.expected == "is_delete_marker, is_latest, version_id"


@pytest.mark.parametrize("age", [None, timedelta(days=50)])
def test_there_is_no_list(desk: InventoryDesk, access: AwsAccess, age: timedelta | None) -> None:
    """None at all, or none that says anything of today; it is said what to configure."""
    if age is not None:
        desk.write(VERSIONS, NOW - age)
    with pytest.raises(NotFound, match="no inventory of the last 40 days") as caught:
        inventories(desk, access).newest(within=soon())
    assert "configure an inventory of all versions" in caught.value.then


@pytest.mark.parametrize(
    ("other", "what", "error"),
    [
        ({"sourceBucket": "others"}, "of another bucket", NotFound),
        ({"fileFormat": "ORC"}, "of this format", NotFound),
        ({"fileSchema": "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, LastModifiedDate"}, "lacks fields", NotFound),
        ({"creationTimestamp": "yesterday"}, "no manifest", NotFound),
    ],
)
def test_lists_that_do_not_serve(
    desk: InventoryDesk, access: AwsAccess, other: dict[str, object], what: str, error: type[ProviderError]
) -> None:
    """Each says why."""
    desk.manifest(desk.write([], NOW), NOW, "CSV", [], **other)
    with pytest.raises(error, match=what):
        inventories(desk, access).newest(within=soon())


def test_a_manifest_that_is_not_what_its_checksum_says(desk: InventoryDesk, access: AwsAccess) -> None:
    """Nothing is read by it."""
    folder = desk.write(VERSIONS, NOW)
    desk.put(f"{folder}manifest.checksum", b"0" * 32)
    with pytest.raises(Unavailable, match="its checksum"):
        inventories(desk, access).newest(within=soon())


def test_a_file_that_is_not_what_its_manifest_says(desk: InventoryDesk, access: AwsAccess) -> None:
    """It is asked for again, and never read."""
    desk.write(VERSIONS, NOW, parts=2)
    told = inventories(desk, access)
    newest = told.newest(within=soon())
    desk.put(newest.files[1].key, as_csv(desk.of, VERSIONS[:3]))
    with pytest.raises(Unavailable, match="tried"):
        list(told.read(newest, within=soon(1)))


def test_a_file_that_is_gone(desk: InventoryDesk, access: AwsAccess) -> None:
    """A lifecycle may have removed it."""
    desk.write(VERSIONS, NOW)
    told = inventories(desk, access)
    newest = told.newest(within=soon())
    desk.client.delete_object(Bucket=desk.bucket, Key=newest.files[0].key)
    with pytest.raises(NotFound):
        list(told.read(newest, within=soon()))


def test_credentials_that_may_not_read_it(desk: InventoryDesk, access: AwsAccess) -> None:
    """They are the finding."""
    stranger = AwsAccess(access.region, access.endpoint, access.access_key, "wrong")
    with pytest.raises(Denied):
        inventories(desk, stranger).newest(within=soon())


def test_no_time_is_left(desk: InventoryDesk, access: AwsAccess) -> None:
    """A list of hours is not read on when the step is over."""
    desk.write(VERSIONS, NOW)
    told = inventories(desk, access)
    newest = told.newest(within=soon())
    with pytest.raises(Unavailable):
        list(told.read(newest, within=Deadline.after(SimulatedClock(), timedelta(0))))


def _csv(body: bytes, columns: Sequence[str] = columns_of("CSV", CSV_SCHEMA)) -> list[Version]:
    return [each for some in of_csv(io.BytesIO(body), columns, "s3://b/k", versions=True) for each in some]


def _parquet(body: bytes) -> list[Version]:
    columns = columns_of("Parquet", PARQUET_SCHEMA)
    return [each for some in of_parquet(io.BytesIO(body), columns, "s3://b/k", versions=True) for each in some]


@pytest.mark.parametrize("number", [0, 1, 25_000])
def test_files_of_any_size(number: int) -> None:
    """Read some at a time, and none is lost between two times."""
    versions = some_versions(number, WRITTEN)
    assert _csv(as_csv("b", versions)) == versions
    assert _parquet(as_parquet("b", versions)) == versions


WHOLE_CSV, WHOLE_PARQUET = as_csv("b", VERSIONS), as_parquet("b", VERSIONS)


@pytest.mark.parametrize("body", [b"", b"nothing packed", WHOLE_CSV[:-20], WHOLE_CSV[:40] + b"\0" * 40 + WHOLE_CSV[80:]])
def test_a_csv_file_that_is_broken(body: bytes) -> None:
    """It is unreadable, and never a bucket with less in it; nothing at all is what gzip makes of nothing."""
    if body:
        with pytest.raises(Unavailable, match="cannot be read"):
            _csv(body)
    else:
        assert _csv(body) == []


def test_a_csv_file_with_other_columns_than_its_manifest_says() -> None:
    """Nothing is guessed."""
    with pytest.raises(Unavailable, match="cannot be read"):
        _csv(WHOLE_CSV, columns_of("CSV", "Bucket, Key, VersionId, Size"))


@pytest.mark.parametrize("body", [b"", b"none of Parquet's", WHOLE_PARQUET[:-20], b"PAR1" + b"\0" * 40 + WHOLE_PARQUET[44:]])
def test_a_parquet_file_that_is_broken(body: bytes) -> None:
    """It is unreadable, whatever its reader makes of it."""
    with pytest.raises(Unavailable, match="cannot be read"):
        _parquet(body)


def _md5(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()
