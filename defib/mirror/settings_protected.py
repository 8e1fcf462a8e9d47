"""Protected branches, compared between vendors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from defib.mirror.settings import Protection
from defib.mirror.settings_difference import Difference, Kind

PART = "protected branches"


def protection_differences(
    source: Sequence[Protection], mirror: Sequence[Protection], vendors: tuple[str, str]
) -> Iterator[Difference]:
    """What the mirror allows that the source forbids, and the other way round; `vendors` are those of source and mirror.

    A branch that the mirror protects by a wider pattern is protected. Who may push is told in the vendors' own words, and so
    is compared only within one vendor.
    """
    one_vendor = vendors[0] == vendors[1]
    found = [_covering(each, mirror, vendors[1]) for each in source]
    for ours, theirs in zip(source, found, strict=True):
        if theirs is None:
            yield _missing(ours)
        else:
            yield from _rules(ours, theirs)
            yield from _reviews(ours, theirs)
            yield from _pushers(ours, theirs, one_vendor=one_vendor)
            yield from _reach(ours, theirs, one_vendor=one_vendor)
    for each in mirror:
        if each not in found and _covering(each, source, vendors[0]) is None:
            yield _otherwise(each, "the mirror protects it and the source does not: it may refuse a push", Kind.EXTRA)


def _covering(wanted: Protection, protections: Sequence[Protection], vendor: str) -> Protection | None:
    """The protection of exactly this pattern, else the first whose own pattern takes it in at `vendor`, else None."""
    exact = (each for each in protections if each.pattern == wanted.pattern)
    wider = (
        each
        for each in protections
        if _takes_in(each.pattern, wanted.pattern, vendor)
        and not any(_takes_in(exception, wanted.pattern, vendor) for exception in each.except_for)
    )
    return next(exact, None) or next(wider, None)


def _takes_in(pattern: str, name: str, vendor: str) -> bool:
    """Whether `pattern` is for the branch `name`, or for all of those that the pattern `name` is for.

    https://docs.gitlab.com/user/project/repository/branches/protected/ (wildcards) and
    https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/creating-rulesets-for-a-repository#using-fnmatch-syntax
    """
    if pattern == "*" or vendor != "github":
        return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), name) is not None
    if "*" in name:
        return False  # what a star takes in depends on its place: only the same pattern is the same for sure
    stars = {r"\*\*/": "(?:.*/)?", r"\*": "[^/]*"}
    written = re.sub(r"\\\*\\\*/|\\\*", lambda star: stars[star[0]], re.escape(pattern))
    return re.fullmatch(written, name) is not None


def _missing(each: Protection) -> Difference:
    against = [what for what, allowed in (("force pushes", each.force_push), ("deletion", each.deletion)) if not allowed]
    against += ["changes without a review"] if each.reviews else []
    reason = f" against {' and '.join(against)}" if against else ""
    return _otherwise(each, f"the mirror does not protect it: protect it there{reason}", Kind.MISSING)


def _rules(source: Protection, mirror: Protection) -> Iterator[Difference]:
    pairs = (
        ("force pushes", source.force_push, mirror.force_push),
        ("deletion", source.deletion, mirror.deletion),
    )
    for what, wanted, seen in pairs:
        if wanted and not seen:
            yield _otherwise(source, f"the mirror forbids {what} and the source allows it: the mirror may refuse a push")
        elif seen and not wanted:
            yield _otherwise(source, f"the mirror allows {what} and the source does not: forbid it at the mirror")


def _reviews(source: Protection, mirror: Protection) -> Iterator[Difference]:
    if source.reviews is None or mirror.reviews is None:
        words = (
            "whether changes need a review is not told with the branch by both vendors: look at the mirror's approval rules"
        )
        yield _otherwise(source, words, Kind.INCOMPARABLE)
    elif source.reviews and not mirror.reviews:
        yield _otherwise(source, "the mirror takes changes without a review and the source does not: ask for one there")
    elif mirror.reviews and not source.reviews:
        yield _otherwise(source, "the mirror asks for a review and the source does not: the mirror may refuse a push")


def _pushers(source: Protection, mirror: Protection, *, one_vendor: bool) -> Iterator[Difference]:
    if source.pushers == mirror.pushers:
        return
    told = f"{_listed(source.pushers)} at the source, {_listed(mirror.pushers)} at the mirror"
    if one_vendor:
        yield _otherwise(source, f"who may push differs: {told}")
    else:
        yield _otherwise(source, f"who may push cannot be compared between vendors: {told}", Kind.INCOMPARABLE)


def _reach(source: Protection, mirror: Protection, *, one_vendor: bool) -> Iterator[Difference]:
    if source.except_for != mirror.except_for:
        sides = f"{_listed(source.except_for)} at the source, {_listed(mirror.except_for)} at the mirror"
        yield _otherwise(source, f"the branches that are left out differ: {sides}")
    if not one_vendor and source.pattern != "*" and "*" in source.pattern:
        words = "the * of a pattern takes in slashes at GitLab and not at GitHub: look whether it means the same branches"
        yield _otherwise(source, words, Kind.INCOMPARABLE)


def _otherwise(each: Protection, words: str, kind: Kind = Kind.OTHERWISE) -> Difference:
    return Difference(kind, PART, each.pattern, words)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nobody or nothing"
