"""What a form asks for, as the command of ``defib`` that a person would type."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Wanted:
    """A command with its options, and the site that it is for. `argument` may look like an option, and is none."""

    site: str
    command: tuple[str, ...]
    argument: str = ""

    def words(self, trigger: str) -> list[str]:
        """The whole command, for a process that asks for its approval elsewhere and needs no Prefect."""
        argument = ["--", self.argument] if self.argument else []
        return [*self.command, "--no-prefect", "--await-approval", f"--trigger={trigger}", *argument]


def run(
    procedure: str,
    site: str,
    mode: str,
    since: datetime | None = None,
    *,
    commit: str = "",
    force: bool = False,
) -> Wanted:
    """``defib run``."""
    options = (*_on(site, mode), *_since(since), *_said("--commit", commit), *_forced(force=force))
    return Wanted(site, ("run", procedure, *options))


def release_rollback(site: str, mode: str, since: datetime | None) -> Wanted:
    """``defib release rollback``."""
    return Wanted(site, ("release", "rollback", *_on(site, mode), *_since(since)))


def failback(site: str, run_id: str, mode: str, *, force: bool) -> Wanted:
    """``defib failback``."""
    return Wanted(site, ("failback", f"--mode={mode}", *_forced(force=force)), run_id)


def promote(site: str, to: str, repository: str, mode: str, *, force: bool) -> Wanted:
    """``defib git promote``."""
    options = (f"--to={to}", *_said("--repository", repository), *_forced(force=force))
    return Wanted(site, ("git", "promote", *_on(site, mode), *options))


def restore(
    site: str,
    at: datetime,
    prefix: str,
    pair: str,
    side: str,
    into: str,
    since: datetime | None,
    mode: str,
    *,
    force: bool,
) -> Wanted:
    """``defib assets restore``."""
    what = (
        f"--at={_stamp(at)}",
        f"--from={side}",
        *_said("--prefix", prefix),
        *_said("--pair", pair),
        *_said("--into", into),
    )
    return Wanted(site, ("assets", "restore", *_on(site, mode), *what, *_since(since), *_forced(force=force)))


def _on(site: str, mode: str) -> tuple[str, ...]:
    """Options with their values in one word each, here and below: what begins with a dash is no option of its own."""
    return (f"--site={site}", f"--mode={mode}")


def _since(since: datetime | None) -> tuple[str, ...]:
    return () if since is None else (f"--since={_stamp(since)}",)


def _stamp(at: datetime) -> str:
    """A moment with its time zone, UTC where none was given: a form of Prefect's sends one always."""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()


def _said(option: str, value: str) -> tuple[str, ...]:
    return (f"{option}={value}",) if value else ()


def _forced(*, force: bool) -> tuple[str, ...]:
    return ("--force",) if force else ()
