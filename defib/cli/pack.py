"""``pack``: one folder, or archive, with what is needed to recover without this installation."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib.metadata import Distribution
from pathlib import Path

from packaging.utils import canonicalize_name

import defib
from defib.cli.desk import desk
from defib.cli.say import aside, say, say_json
from defib.clock import SystemClock
from defib.errors import InputError
from defib.pack.contents import Packing, Wheels
from defib.pack.fetched import Platform, fetched
from defib.pack.remembered import remember
from defib.pack.wheels import closure, platform_name, repacked
from defib.pack.written import Contents, must_be_free, write
from defib.redact import Redactor
from defib.sites.site import load_site

_MIB = 1024 * 1024


class From(StrEnum):
    """Where wheels are from."""

    EITHER = "either"
    INDEX = "index"
    INSTALLED = "installed"


def chosen(text: str) -> From:
    """Where wheels are to be from; :class:`InputError` for any other word."""
    try:
        return From(text)
    except ValueError as error:
        raise InputError("wheels are from none such", expected=", ".join(From), seen=text) from error


def pack(
    redact: Redactor,
    to: str,
    sites: Sequence[str],
    platforms: Sequence[str],
    wheels_from: From,
    *,
    bundles: bool,
    as_json: bool,
) -> int:
    """Gather, check that no secret is among it, and write."""
    clock = SystemClock()
    at, target = desk(clock, redact), Path(to)
    must_be_free(target)
    paths = tuple(at.site_path(name) for name in sites) or _own_sites(at.runbooks)
    packing = Packing(paths, at.runbooks, at.home, clock, bundles)
    wheels = _wheels([Platform.named(each) for each in platforms], wheels_from)
    contents = packing.contents(wheels)
    digest = write(contents, target)
    remember(at.home, paths, at.runbooks, clock.now())
    if as_json:
        say_json(_plain(to, digest, contents, paths))
    else:
        size = sum(map(len, contents.values())) / _MIB
        say(f"{to}: {len(contents) + 1} files, {size:,.0f} MiB, for {', '.join(path.stem for path in paths)}")
        say(f"Its digest: {digest}")
        say("Next: take it to where this machine cannot go down with it, and rehearse there with nothing else:")
        say("      ./defib drill cdn-failover --site lab")
    return 0


def _own_sites(runbooks: Path) -> tuple[Path, ...]:
    """Every site that is not of the lab, whose own come along anyway."""
    found = tuple(path for path in sorted((runbooks / "sites").glob("*.yaml")) if not load_site(path).lab)
    if not found:
        raise InputError(
            "there is no site to pack", where=str(runbooks / "sites"), then="defib pack --to FOLDER --site NAME"
        )
    return found


def _wheels(platforms: Sequence[Platform], wheels_from: From) -> Wheels:
    """Those of this platform, from the index where it answers, and those of other platforms, which only it has."""
    needed = closure()
    lock = Path(defib.__file__).resolve().parents[1] / "requirements.lock"
    own, origin = _own(needed, lock, wheels_from)
    found: dict[str, Mapping[str, bytes]] = {platform_name(): own}
    for place in platforms:
        aside(f"fetching wheels for {place.name} …")
        found[place.name] = fetched(_locked(lock), _names(needed), place)
    return Wheels(found, origin)


def _own(needed: Sequence[Distribution], lock: Path, wheels_from: From) -> tuple[Mapping[str, bytes], str]:
    if wheels_from is not From.INSTALLED:
        try:
            aside("fetching wheels …")
            return fetched(_locked(lock), _names(needed)), "as the index had them, by the hashes of the lock"
        except InputError as error:
            if wheels_from is From.INDEX:
                raise
            aside(f"{error.what}; they are made of this installation instead")
    whose = "made of the installation, every file by its recorded hash"
    return dict(repacked(each) for each in needed), whose


def _names(needed: Sequence[Distribution]) -> frozenset[str]:
    return frozenset(canonicalize_name(each.name) for each in needed)


def _locked(lock: Path) -> str:
    if not lock.is_file():
        raise InputError(
            "there is no lock beside this installation, so nothing says which wheels would be the same",
            where=str(lock),
            then="defib pack --wheels installed",
        )
    return lock.read_text(encoding="utf-8")


def _plain(to: str, digest: str, contents: Contents, paths: Sequence[Path]) -> dict[str, object]:
    return {
        "to": to,
        "digest": digest,
        "files": len(contents) + 1,
        "bytes": sum(map(len, contents.values())),
        "sites": [path.stem for path in paths],
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "wheels": sum(path.startswith("wheels/") for path in contents),
    }
