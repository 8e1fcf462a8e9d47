"""What the mirror of a repository lacks, or has otherwise, of the settings that Git does not carry.

Pure: whoever has two :class:`RepositorySettings` may compare them, also one that was exported before its vendor failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from defib.mirror import settings_hooks, settings_protected
from defib.mirror.settings import CiName, DeployKey, RepositorySettings, Unknown
from defib.mirror.settings_difference import Difference, Kind

T = TypeVar("T")
Spelling = Callable[[CiName], tuple[str, str]]

_SECRETS, _VARIABLES, _KEYS, _ARCHIVED = "CI secrets", "CI variables", "deploy keys", "archived"


def differences(source: RepositorySettings, mirror: RepositorySettings) -> tuple[Difference, ...]:
    """Everything in which `mirror` is not as `source`, in the order of the parts; none where all is known and alike."""
    return tuple(_all(source, mirror))


def _all(source: RepositorySettings, mirror: RepositorySettings) -> Iterator[Difference]:
    vendors = (source.vendor, mirror.vendor)
    yield from _moved(source, mirror)
    yield from _known("default branch", source.default_branch, mirror.default_branch, _default_branch)
    yield from _known(_ARCHIVED, source.archived, mirror.archived, _archived)
    yield from _known("visibility", source.visibility, mirror.visibility, _visibility)
    yield from _known(
        settings_protected.PART,
        source.protections,
        mirror.protections,
        lambda ours, theirs: settings_protected.protection_differences(ours, theirs, vendors),
    )
    yield from _known(_KEYS, source.deploy_keys, mirror.deploy_keys, _deploy_keys)
    yield from _ci_names(source, mirror)
    yield from _known(settings_hooks.PART, source.webhooks, mirror.webhooks, settings_hooks.webhook_differences)


def _known(
    part: str, source: T | Unknown, mirror: T | Unknown, compare: Callable[[T, T], Iterator[Difference]]
) -> Iterator[Difference]:
    """What `compare` finds where both sides are known; that they are not, otherwise."""
    unknown = _unknown(part, source, mirror)
    if unknown is not None:
        yield unknown
    elif not isinstance(source, Unknown) and not isinstance(mirror, Unknown):
        yield from compare(source, mirror)


def _unknown(part: str, source: object, mirror: object) -> Difference | None:
    sides = (("source", source), ("mirror", mirror))
    reasons = [f"of the {side}: {told.reason}" for side, told in sides if isinstance(told, Unknown)]
    if not reasons:
        return None
    return Difference(Kind.UNKNOWN, part, "", f"not compared, it is not known {'; '.join(reasons)}")


def _moved(*sides: RepositorySettings) -> Iterator[Difference]:
    for side, each in zip(("source", "mirror"), sides, strict=True):
        if each.moved_to:
            words = f"the {side} is now {each.moved_to}: correct its url and api.project in the site file"
            yield Difference(Kind.OTHERWISE, "project", each.project, words)


def _default_branch(source: str, mirror: str) -> Iterator[Difference]:
    if source != mirror:
        words = f"it is {mirror or 'none'} at the mirror and {source or 'none'} at the source: make it the same there"
        yield Difference(Kind.OTHERWISE, "default branch", "", words)


def _archived(source: bool, mirror: bool) -> Iterator[Difference]:
    if source:
        words = "the source is archived, nobody can push to it: look whether the site has moved to another repository"
        yield Difference(Kind.OTHERWISE, _ARCHIVED, "", words)
    if mirror:
        words = "the mirror is archived and refuses every push: unarchive it"
        yield Difference(Kind.OTHERWISE, _ARCHIVED, "", words)


def _visibility(source: str, mirror: str) -> Iterator[Difference]:
    if source != mirror:
        words = f"the mirror is {mirror}, the source {source}: make the mirror {source}, or see that it is meant"
        yield Difference(Kind.OTHERWISE, "visibility", "", words)


def _deploy_keys(source: Sequence[DeployKey], mirror: Sequence[DeployKey]) -> Iterator[Difference]:
    """A key is the same where its fingerprint is; where that is unreadable, where its title is."""
    there = {_identity(key): key for key in mirror}
    for key in source:
        found = there.pop(_identity(key), None)
        if found is None:
            right = "with write access" if key.writes else "for reading"
            words = f"the mirror does not have it ({key.fingerprint or 'no fingerprint'}): add it there {right}"
            yield Difference(Kind.MISSING, _KEYS, key.title, words)
        elif found.writes != key.writes:
            words = f"it may {_may(found)} at the mirror and {_may(key)} at the source: make it {_may(key)} there"
            yield Difference(Kind.OTHERWISE, _KEYS, key.title, words)
    for key in there.values():
        if key.writes:
            words = (
                f"it may write to the mirror and not to the source ({key.fingerprint or 'no fingerprint'}): look whose it is"
            )
            yield Difference(Kind.EXTRA, _KEYS, key.title, words)


def _identity(key: DeployKey) -> str:
    return key.fingerprint or f"title {key.title}"


def _may(key: DeployKey) -> str:
    return "write" if key.writes else "only read"


def _ci_names(source: RepositorySettings, mirror: RepositorySettings) -> Iterator[Difference]:
    """Secrets and variables: a name that the mirror has among the others is there, and yet not as it should be.

    GitHub keeps names in capitals and takes them in any spelling:
    https://docs.github.com/en/actions/reference/security/secrets#naming-your-secrets
    """
    spelt = _in_capitals if "github" in {source.vendor, mirror.vendor} else _as_it_is
    parts = (
        (_SECRETS, source.secrets, mirror.secrets, mirror.variables),
        (_VARIABLES, source.variables, mirror.variables, mirror.secrets),
    )
    for part, wanted, same, other in parts:
        unknown = _unknown(part, wanted, same)
        if unknown is not None:
            yield unknown
        elif not isinstance(wanted, Unknown) and not isinstance(same, Unknown):
            yield from _names(part, wanted, same, other, spelt)


def _names(
    part: str, wanted: Sequence[CiName], same: Sequence[CiName], other: Sequence[CiName] | Unknown, spelt: Spelling
) -> Iterator[Difference]:
    here = {spelt(each) for each in same}
    elsewhere = set() if isinstance(other, Unknown) else {spelt(each) for each in other}
    for each in wanted:
        name = each.name if each.scope == "*" else f"{each.name} ({each.scope})"
        if spelt(each) in here:
            continue
        if spelt(each) not in elsewhere:
            doubt = (
                f"; among its others it may stand, which are not known: {other.reason}" if isinstance(other, Unknown) else ""
            )
            words = f"the mirror's CI is not given it: add it there, with its value{doubt}"
            yield Difference(Kind.MISSING, part, name, words)
        elif part == _SECRETS:
            yield Difference(Kind.OTHERWISE, part, name, "the mirror shows its value in logs: mask it there")


def _in_capitals(each: CiName) -> tuple[str, str]:
    return each.name.upper(), each.scope


def _as_it_is(each: CiName) -> tuple[str, str]:
    return each.name, each.scope
