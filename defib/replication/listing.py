"""A bucket's versions one after the other, while the next page is on its way."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import groupby, pairwise
from operator import itemgetter

from defib.clock import Deadline
from defib.errors import Unavailable
from defib.replication.merge import Keys
from defib.replication.port import Bucket, Cursor, Listing, Page, Version

PIECE = 1000
"""So many versions of one key are in memory at once."""


def pages(listing: Listing, start: Cursor, within: Deadline) -> Iterator[Page]:
    """Page after page from `start` on; the first is asked for at once, and the next while one is looked at."""
    ahead = ThreadPoolExecutor(1, thread_name_prefix="defib-pages")
    return _pages(listing, ahead, ahead.submit(listing.page, start, within=within), within)


def _pages(listing: Listing, ahead: ThreadPoolExecutor, asked: Future[Page], within: Deadline) -> Iterator[Page]:
    with ahead:
        while True:
            page = asked.result()
            if page.onwards is None:
                yield page
                return
            asked = ahead.submit(listing.page, page.onwards, within=within)
            yield page


def pieces(listing: Listing, start: Cursor, within: Deadline) -> Keys:
    """The keys from `start` on, each with its versions, newest first; more than :data:`PIECE` of one key come in pieces.

    Asks for the first page at once, so that two listings are on their way together. Raises :class:`Unavailable` where the
    order is not that of S3: directory buckets list in none, and a merge of what is not sorted would be wrong without a word
    (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html).
    """
    return _pieces(pages(listing, start, within), listing.where)


def _pieces(listed: Iterator[Page], where: str) -> Keys:
    key: str | None = None
    held: list[Version] = []
    for page in listed:
        for version in page.versions:
            if version.key == key and len(held) < PIECE:
                held.append(version)
                continue
            if key is not None:
                if version.key < key:
                    raise Unavailable("the listing is not sorted", where=where, seen=f"{version.key!r} after {key!r}")
                yield key, held
            key, held = version.key, [version]
    if key is not None:
        yield key, held


def versions(listing: Listing, start: Cursor, within: Deadline) -> Keys:
    """The keys from `start` on, each with all of its versions, newest first; raises as :func:`pieces`."""
    for key, parts in groupby(pieces(listing, start, within), key=itemgetter(0)):
        yield key, [version for _, part in parts for version in part]


def ranges(bucket: Bucket, prefix: str, most: int, within: Deadline) -> tuple[Cursor, ...]:
    """The keys below `prefix` in `most` parts or fewer that can be compared on their own, cut at the folders of the bucket.

    The parts are between the cuts, so that a key of no folder, or of one that the other bucket alone has, is in one of them.
    """
    cuts = _cuts(bucket, prefix, most, within)
    edges = ["", *cuts, ""]
    return tuple(Cursor(prefix, after, "", until) for after, until in pairwise(edges))


def _cuts(bucket: Bucket, prefix: str, most: int, within: Deadline) -> list[str]:
    if most < 2:  # noqa: PLR2004 - one part has no cut
        return []
    folders = bucket.folders(prefix, within=within)
    while len(folders) == 1 and folders[0] != prefix:
        folders = bucket.folders(folders[0], within=within)
    step = max(1, -(-len(folders) // (most - 1)))
    return list(folders[::step])
