"""What it means that a version is not alike at both sides."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from defib.clock import Deadline
from defib.errors import Denied
from defib.providers.bucket.memory import MemoryBucket
from defib.replication.allowance import Allowance
from defib.replication.findings import REMEDY, Kind
from defib.replication.port import Cursor, Page, Status
from defib.replication.sameness import Sameness
from tests.replication.buckets import OPAQUE, RULE, Buckets, md5, settings

HOUR = timedelta(hours=1)


def test_what_was_replicated_is_the_same(buckets: Buckets) -> None:
    """Every version with the same id, size and ETag is counted, and nothing is said of it."""
    for number in range(5):
        buckets.written(f"images/{number}.png", bytes([number]) * 10)
    tally = buckets.compare()
    assert (tally.source, tally.replica, tally.same, tally.size, tally.findings) == (5, 5, 5, 50, [])


def test_other_bytes_of_the_same_size_are_different(buckets: Buckets) -> None:
    """S1: one byte of one object is flipped at the replica."""
    buckets.replicate("a.bin", buckets.write("a.bin", b"content"), b"c0ntent")
    finding = buckets.found()["a.bin"]
    assert finding.kind is Kind.DIFFERENT
    assert md5(b"c0ntent")[:12] in finding.why


def test_another_size_is_different_without_a_question(buckets: Buckets) -> None:
    """What a listing says is not asked for again."""
    version = buckets.write("a.bin", b"content")
    buckets.replicate("a.bin", version, b"longer content")
    buckets.configure(ask_at_most=1)
    assert buckets.kinds() == {"a.bin": Kind.DIFFERENT}


@pytest.mark.parametrize("checksum", ["CRC64NVME", "SHA256"])
def test_other_parts_are_the_same_by_checksum(buckets: Buckets, checksum: str) -> None:
    """S2: the ETags differ because the parts do; a checksum of all bytes tells that the bytes do not."""
    version = buckets.write("video.mp4", plain=False)
    buckets.replicate("video.mp4", version, etag=OPAQUE)
    buckets.source.change("video.mp4", version, checksums={checksum: "abc="})
    buckets.replica.change("video.mp4", version, checksums={checksum: "abc="})
    buckets.configure(read_at_most=0)
    assert buckets.found() == {}


def test_other_parts_and_another_checksum_are_different(buckets: Buckets) -> None:
    """S2, the other way: the checksum decides."""
    version = buckets.write("video.mp4", plain=False)
    buckets.replicate("video.mp4", version, etag=OPAQUE)
    buckets.source.change("video.mp4", version, checksums={"CRC64NVME": "abc="})
    buckets.replica.change("video.mp4", version, checksums={"CRC64NVME": "xyz="})
    assert buckets.kinds() == {"video.mp4": Kind.DIFFERENT}


def test_without_a_checksum_the_bytes_decide(buckets: Buckets) -> None:
    """S3: of what is encrypted with a key of KMS the ETag says nothing; it is read."""
    same, other = buckets.write("same", plain=False), buckets.write("other", plain=False)
    buckets.replicate("same", same, etag=OPAQUE)
    buckets.replicate("other", other, b"c0ntent", etag=OPAQUE)
    assert buckets.kinds() == {"other": Kind.DIFFERENT}


def test_beyond_what_may_be_read_it_is_unknown(buckets: Buckets) -> None:
    """S2, S3: what nothing tells is unknown, and says what would tell it."""
    buckets.replicate("a.bin", buckets.write("a.bin", plain=False), etag=OPAQUE)
    buckets.configure(read_at_most=5)
    finding = buckets.found()["a.bin"]
    assert finding.kind is Kind.UNKNOWN
    assert "read_at_most" in REMEDY[finding.kind]


def test_what_was_proved_once_is_not_read_again(buckets: Buckets) -> None:
    """A version never changes, so that what is encrypted costs its bytes once."""
    buckets.replicate("a.bin", buckets.write("a.bin", plain=False), etag=OPAQUE)
    buckets.compare()
    buckets.configure(read_at_most=0)
    assert buckets.found() == {}


def test_a_deletion_that_no_rule_replicates_is_expected(buckets: Buckets) -> None:
    """S4: the replica still has the object, as it must."""
    buckets.written("a.bin")
    buckets.delete("a.bin")
    buckets.clock.sleep(HOUR)
    assert buckets.kinds() == {"a.bin": Kind.EXPECTED}


def test_a_deletion_that_a_rule_replicates_is_pending_and_then_missing(buckets: Buckets) -> None:
    """S4: after the quarter of an hour that S3 promises, the deletion has gone missing."""
    buckets.source.configure(settings(replace(RULE, markers=True)))
    buckets.written("a.bin")
    buckets.delete("a.bin")
    buckets.clock.sleep(timedelta(minutes=14))
    assert buckets.kinds() == {"a.bin": Kind.PENDING}
    buckets.clock.sleep(timedelta(minutes=2))
    assert buckets.kinds() == {"a.bin": Kind.UNDELETED}


def test_a_replicated_deletion_is_the_same(buckets: Buckets) -> None:
    """The marker is at both sides, with the same id."""
    buckets.written("a.bin")
    marker = buckets.delete("a.bin")
    held = buckets.source.kept("a.bin", marker)
    assert held is not None
    buckets.replica.keep(held)
    assert buckets.found() == {}


def test_what_only_the_replica_has_is_listed(buckets: Buckets) -> None:
    """S6: an object of the replica's own."""
    buckets.written("a.bin")
    buckets.replica.put("strange.bin", b"?", within=buckets.within)
    assert buckets.kinds() == {"strange.bin": Kind.EXTRA}


def test_a_marker_of_the_replicas_own_hides_what_is_there(buckets: Buckets) -> None:
    """Somebody deleted it at the replica: the bytes are there, and nobody who asks gets them."""
    buckets.written("a.bin")
    buckets.replica.mark_deleted("a.bin", within=buckets.within)
    assert buckets.kinds() == {"a.bin": Kind.HIDDEN}


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (Status.PENDING, Kind.PENDING),
        (Status.FAILED, Kind.FAILED),
        (Status.NONE, Kind.NOT_COVERED),
        (Status.COMPLETED, Kind.MISSING),
        (Status.REPLICA, Kind.MISSING),
    ],
)
def test_what_the_replica_lacks_is_what_its_status_says(buckets: Buckets, status: Status, kind: Kind) -> None:
    """S7, S8, S9: pending, failed, never covered; and what S3 calls completed and the replica does not have, is missing."""
    buckets.write("a.bin", status=status)
    finding = buckets.found()["a.bin"]
    assert finding.kind is kind
    assert finding.since == buckets.clock.now()


@pytest.mark.parametrize("kind", [Kind.FAILED, Kind.NOT_COVERED])
def test_what_s3_never_repeats_says_what_to_do(kind: Kind) -> None:
    """S8: it is never waited for."""
    assert "Batch Replication" in REMEDY[kind]


def test_beyond_what_may_be_asked_it_counts_all_the_same(buckets: Buckets) -> None:
    """The status is not known, and that it would be lost is."""
    for number in range(5):
        buckets.write(f"{number}.bin")
    buckets.configure(ask_at_most=4)
    tally = buckets.compare()
    assert tally.counts == {Kind.PENDING: 2, Kind.NOT_ASKED: 3}


def test_what_was_copied_again_is_held(buckets: Buckets) -> None:
    """A repair makes a new version with the source's bytes: the damaged one under it is no harm, the new one no extra."""
    version = buckets.write("a.bin", b"content")
    buckets.replicate("a.bin", version, b"c0ntent")
    missing = buckets.write("b.bin", status=Status.FAILED)
    buckets.copy_again("a.bin", version)
    buckets.copy_again("b.bin", missing)
    assert buckets.found() == {}


def test_what_was_written_while_the_listings_were_read_is_not_missing(buckets: Buckets) -> None:
    """The replica is asked once more before anything is said to be lost."""
    version = buckets.write("a.bin")
    listed = buckets.replica.page

    def late(*args: object, **kwargs: object) -> object:
        page = listed(*args, **kwargs)  # type: ignore[arg-type]
        buckets.replicate("a.bin", version)
        return page

    buckets.replica.page = late  # type: ignore[method-assign,assignment]
    assert buckets.found() == {}


def test_a_deletion_while_the_listings_were_read_hides_nothing(buckets: Buckets) -> None:
    """It was deleted at the source, and its marker replicated, between the one listing and the other."""
    buckets.written("a.bin")
    listed = buckets.replica.page
    deleted: list[str] = []

    def late(*args: object, **kwargs: object) -> object:
        if not deleted:
            deleted.append(buckets.delete("a.bin"))
            held = buckets.source.kept("a.bin", deleted[0])
            assert held is not None
            buckets.replica.keep(held)
        return listed(*args, **kwargs)  # type: ignore[arg-type]

    first = buckets.source.page(Cursor(), within=buckets.within)
    buckets.clock.sleep(timedelta(seconds=1))
    again = buckets.source.page
    pages = iter([first])
    buckets.replica.page = late  # type: ignore[method-assign,assignment]
    buckets.source.page = lambda *args, **kwargs: next(pages, None) or again(*args, **kwargs)  # type: ignore[method-assign]
    assert buckets.found() == {}


def test_what_arrived_with_other_bytes_is_different_below_however_many_versions(buckets: Buckets) -> None:
    """It came while the listings were read, and more versions than fit on a page were written above it."""
    version = buckets.write("a.bin", b"content")
    listed = buckets.replica.page
    came: list[str] = []

    def late(cursor: Cursor, *, within: Deadline) -> Page:
        page = listed(cursor, within=within)
        if not came:
            came.append(version)
            buckets.replicate("a.bin", version, b"c0ntent")
            buckets.clock.sleep(timedelta(seconds=1))
            for _ in range(1000):
                buckets.replica.put("a.bin", b"other", within=within)
        return page

    buckets.replica.page = late  # type: ignore[method-assign]
    assert buckets.kinds() == {"a.bin": Kind.DIFFERENT}


def test_what_was_written_over_meanwhile_proves_nothing_for_later(buckets: Buckets) -> None:
    """In a bucket without versions both sides are asked of other bytes than were listed: these are the same, those not."""
    buckets.configure(unversioned=True)
    buckets.replicate("a.bin", buckets.write("a.bin", b"content", plain=False), b"c0ntent", etag=OPAQUE)
    ours, theirs = (next(iter(each.page(Cursor(versions=False), within=buckets.within).versions)) for each in _both(buckets))
    for bucket in _both(buckets):
        bucket.put("a.bin", b"written", within=buckets.within)
    sameness = Sameness(buckets.source, buckets.replica, Allowance(9, 99), buckets.pair.proofs)
    sameness.of(ours, theirs, buckets.within)
    assert not buckets.pair.proofs.holds(ours, theirs)


def _both(buckets: Buckets) -> tuple[MemoryBucket, MemoryBucket]:
    return buckets.source, buckets.replica


def test_who_may_not_ask_knows_nothing(buckets: Buckets) -> None:
    """A refused question is neither a difference nor the same."""
    buckets.write("a.bin")

    def refused(*_: object, **__: object) -> object:
        raise Denied("HeadObject: AWS refuses the credentials", where="s3://assets")

    buckets.source.details = refused  # type: ignore[method-assign,assignment]
    assert buckets.kinds() == {"a.bin": Kind.UNKNOWN}


def test_unreadable_rules_make_a_deletion_unknown(buckets: Buckets) -> None:
    """Whether deletions are replicated is not guessed."""
    buckets.written("a.bin")
    buckets.delete("a.bin")
    unread = replace(settings(), unread=(("rules", "AccessDenied"),))
    buckets.source.configure(unread)
    assert buckets.kinds() == {"a.bin": Kind.UNKNOWN}


def test_other_headers_are_told(buckets: Buckets) -> None:
    """No listing tells metadata: what is young is asked for it."""
    version = buckets.written("a.js")
    buckets.source.change("a.js", version, headers={"Content-Type": "text/javascript"})
    buckets.replica.change("a.js", version, headers={"Content-Type": "binary/octet-stream"})
    finding = buckets.found()["a.js"]
    assert finding.kind is Kind.UNLIKE
    assert "text/javascript" in finding.why


def test_other_tags_are_told(buckets: Buckets) -> None:
    """Rules and lifecycles go by tags, so they count."""
    version = buckets.written("a.js")
    buckets.source.change("a.js", version, tags={"keep": "yes"})
    assert buckets.kinds() == {"a.js": Kind.UNLIKE}


def test_canaries_are_not_compared(buckets: Buckets) -> None:
    """They come and go by themselves."""
    buckets.write(".defib-canary/run-1")
    assert buckets.found() == {}


def test_a_bucket_without_versions_is_compared_by_key(buckets: Buckets) -> None:
    """What was copied by something that keeps no ids is the same by what keys hold now."""
    buckets.configure(unversioned=True)
    for name in ("same", "other", "lacking"):
        buckets.write(name, status=Status.NONE)
    buckets.replica.put("same", b"content", within=buckets.within)
    buckets.replica.put("other", b"c0ntent", within=buckets.within)
    buckets.replica.put("extra", b"content", within=buckets.within)
    assert buckets.kinds() == {"other": Kind.DIFFERENT, "lacking": Kind.NOT_COVERED, "extra": Kind.EXTRA}


def test_only_the_named_prefixes_are_compared(buckets: Buckets) -> None:
    """What the site file leaves out is nobody's promise."""
    buckets.configure(prefixes=("images/", "fonts/"))
    buckets.write("images/a")
    buckets.write("logs/a")
    assert buckets.kinds() == {"images/a": Kind.PENDING}


def test_what_was_written_at_the_replica_hides_what_is_there(buckets: Buckets) -> None:
    """The version is at both sides; whoever asks the replica gets other bytes, as after a marker of its own."""
    buckets.written("a.bin")
    buckets.clock.sleep(timedelta(seconds=1))
    buckets.replica.put("a.bin", b"foreign", within=buckets.within)
    finding = buckets.found()["a.bin"]
    assert (finding.kind, finding.version) == (Kind.HIDDEN, buckets.replica.must("a.bin", "").version.id)


def test_what_the_source_has_written_since_hides_an_extra(buckets: Buckets) -> None:
    """An extra version is the newest at the replica only because what came after it is on its way."""
    version = buckets.written("a.bin", b"older")
    buckets.source.remove("a.bin", version, within=buckets.within)
    buckets.clock.sleep(timedelta(seconds=1))
    buckets.write("a.bin", b"newest")
    assert {(each.kind, each.version == version) for each in buckets.compare().findings} == {
        (Kind.PENDING, False),
        (Kind.EXTRA, True),
    }


def test_the_same_versions_in_another_order_hold_something_else(buckets: Buckets) -> None:
    """S3 stamps to the second: version and marker are at both sides, and at the replica the version is above."""
    version = buckets.write("a.bin")
    marker = buckets.delete("a.bin")
    held = buckets.source.kept("a.bin", marker)
    assert held is not None
    buckets.replica.keep(held)
    buckets.replicate("a.bin", version)
    assert buckets.replica.kept("a.bin") == buckets.replica.kept("a.bin", version)
    assert buckets.kinds() == {"a.bin": Kind.UNDELETED}
