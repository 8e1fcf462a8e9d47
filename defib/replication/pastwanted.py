"""What somebody wants back, checked against the site file and the clock before anything begins."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from defib.copyentries import PastWanted
from defib.errors import InputError
from defib.sites.replication import BucketAt, Replicated
from defib.sites.site import Site

PROCEDURE = "asset-restore"
SOURCE, REPLICA = "source", "replica"

SETTLED = timedelta(seconds=2)
"""S3 stamps versions to the second: of the second that is now, and of the one before, another may still come.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ObjectVersion.html
"""


def checked(procedure: str, wanted: PastWanted | None, site: Site, now: datetime) -> PastWanted | None:
    """The same with the pair and the bucket named that it leaves open; :class:`InputError` for what cannot be wanted."""
    if procedure != PROCEDURE:
        return wanted
    if wanted is None:
        then = f"defib assets restore --site {site.site} --at 2026-01-31T02:45:00Z"
        raise InputError("nobody said of what moment", where=procedure, expected="--at", then=then)
    pair = _pair(site, wanted.pair)
    _check_moment(wanted.at, now)
    if pair.unversioned:
        raise InputError(f"{pair.name} keeps no versions, so it has no past", where="--pair", expected="unversioned: false")
    if wanted.side not in {SOURCE, REPLICA}:
        raise InputError("there is no such side", where="--from", expected=f"{SOURCE} or {REPLICA}", seen=wanted.side)
    _check_prefix(pair, wanted.prefix)
    into = wanted.into or pair.source.bucket  # whoever's past it is: the source is what users are sent to
    known = [each.bucket for each in buckets(pair)]
    if into not in known:
        told = f"restore_into of {pair.name} in {site.site}.yaml names other buckets"
        raise InputError("no such bucket to restore into", where="--into", expected=", ".join(known), seen=into, then=told)
    return replace(wanted, pair=pair.name, into=into)


def buckets(pair: Replicated) -> Iterator[BucketAt]:
    """Every bucket that objects of the pair may be restored into."""
    yield from (pair.source, pair.replica, *pair.restore_into)


def _pair(site: Site, name: str) -> Replicated:
    known = {pair.name: pair for pair in site.replication}
    if not known:
        raise InputError(f"the site {site.site} has nothing replicated", where=f"{site.site}.yaml", expected="replication:")
    if not name and len(known) == 1:
        return site.replication[0]
    if name not in known:
        what = f"there is no pair {name!r}" if name else f"{site.site} has {len(known)} pairs"
        raise InputError(what, where="--pair", expected=", ".join(known))
    return known[name]


def _check_moment(at: datetime, now: datetime) -> None:
    latest = now - SETTLED
    if at <= latest:
        return
    what = "the moment is in the future" if at > now else "the moment is too near: S3 stamps versions to the second"
    raise InputError(what, where="--at", expected=f"no later than {stamp(latest)}", seen=stamp(at))


def _check_prefix(pair: Replicated, prefix: str) -> None:
    if pair.prefixes and not prefix.startswith(pair.prefixes) and not any(each.startswith(prefix) for each in pair.prefixes):
        raise InputError(
            f"{pair.name} has nothing below it", where="--prefix", expected=", ".join(pair.prefixes), seen=prefix
        )


def prefixes_of(pair: Replicated, prefix: str) -> tuple[str, ...]:
    """Below which prefixes the pair has what is wanted: all of one, or a part of it."""
    if not pair.prefixes:
        return (prefix,)
    return tuple(max(each, prefix, key=len) for each in pair.prefixes if each.startswith(prefix) or prefix.startswith(each))


def stamp(at: datetime) -> str:
    """A moment as the command takes it."""
    told = at.astimezone(UTC)
    return f"{told:%Y-%m-%dT%H:%M:%S}{f'.{told.microsecond:06}' if told.microsecond else ''}Z"


def command(site: str, wanted: PastWanted) -> str:
    """The command that wants it, without the name of the program."""
    words = ["assets", "restore", "--site", site, "--at", stamp(wanted.at)]
    for option, value in (("--pair", wanted.pair), ("--prefix", wanted.prefix), ("--into", wanted.into)):
        words += [option, value] if value else []
    words += ["--from", wanted.side] if wanted.side != SOURCE else []
    return shlex.join(words)
